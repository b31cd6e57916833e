"""`minigpt evaluate`: how well a model predicts a text or answers a task, beside what it has to be compared with."""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.cli.evaluate_task import evaluate_task, lines_of_contamination, training_text
from minigpt.cli.image_runs import evaluate_images
from minigpt.cli.options import (
    MODEL,
    add_command,
    checkpoint_option,
    flag_of,
    model_asked_for,
    positive,
    print_json,
    quantized_option,
    read_utf8,
)
from minigpt.corpus.overlap import WORDS, contamination
from minigpt.errors import UserError
from minigpt.machine import blas_threads, threads_for_width
from minigpt.measure.evaluation import evaluate_text, sample_text, scored_text
from minigpt.measure.intervals import spread
from minigpt.measure.long_range import loss_by_position, stretched
from minigpt.measure.permutations import said_p
from minigpt.measure.scores import bytes_of_tokens, compare_on_text
from minigpt.measure.surprise import check_predicts
from minigpt.model.params import sha256_of
from minigpt.pretrained import OpenedModel, open_model
from minigpt.vision import has_images

MOST = 2_000_000  # characters
PARTS = 8  # of a window
PIECE = 500  # characters of a piece of the text that is looked for in the training text


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "evaluate",
        execute,
        "  minigpt evaluate runs/pydocs-tiny README.md\n"
        "  minigpt evaluate runs/pydocs-tiny README.md --details --training\n"
        "  minigpt evaluate smollm2 README.md --against runs/pydocs-tiny\n"
        "  minigpt evaluate smollm2 questions.jsonl\n"
        "  minigpt evaluate smollm2 samples_arc_easy.jsonl --against samples_arc_easy.jsonl\n"
        "  minigpt evaluate runs/mnist-vit mnist-test\n"
        "  minigpt evaluate runs/pydocs-tiny README.md --by-position 256",
    )
    parser.add_argument("model", metavar="MODEL", help=MODEL)
    parser.add_argument(
        "file",
        metavar="FILE",
        help="a UTF-8 text; a task, of which each line of a .jsonl file is a question (prompt, choices, answer), or "
        "lm-evaluation-harness's samples_*.jsonl; of a model of images: images",
    )
    parser.add_argument(
        "--most-characters",
        type=positive,
        metavar="N",
        help=f"of a longer text, a sample of about so many is evaluated (default {MOST:,})",
    )
    parser.add_argument(
        "--by-position",
        type=positive,
        metavar="T",
        help="also the loss by position in windows of T tokens, which may be longer than the context if the model's "
        "positions allow it",
    )
    parser.add_argument(
        "--details", action="store_true", help="also the loss of rare and frequent tokens, and calibration"
    )
    parser.add_argument(
        "--against",
        metavar="MODEL",
        help="compare with another model, on the same bytes or questions; of a task also with what "
        "lm-evaluation-harness wrote, results_*.json or samples_*.jsonl",
    )
    parser.add_argument(
        "--training",
        nargs="?",
        const="",
        metavar="FILE",
        help=f"how much of it shares {WORDS} words in a row with the text that the model was trained on: FILE, or of a "
        "run its own",
    )
    quantized_option(parser)
    checkpoint_option(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")


def execute(arguments: argparse.Namespace) -> int:
    """Print the measurements."""
    is_task = Path(arguments.file).suffix.lower() == ".jsonl"
    _check_options(arguments, is_task=is_task)
    if has_images(arguments.model):
        return evaluate_images(arguments)
    if is_task:
        return evaluate_task(arguments)
    whole = read_utf8(arguments.file)
    text = sample_text(whole, arguments.most_characters or MOST)
    if len(text) < len(whole):
        print(
            f"{arguments.file} has {len(whole):,} characters; a sample of {len(text):,}, spread evenly, is evaluated "
            "(--most-characters changes that)",
            file=sys.stderr,
        )
    opened = model_asked_for(arguments)
    other = None if arguments.against is None else open_model(arguments.against)
    for one in (opened, other):
        if one is not None:
            check_predicts(one.model)
    held = None if arguments.training is None else training_text(arguments.training, opened)
    with blas_threads(threads_for_width(opened.model.config.width)):
        positions = _by_position(opened, text, arguments.by_position)  # first, since a short text is refused
        result = evaluate_text(
            opened.model,
            opened.params,
            opened.tokenizer,
            text,
            opened.training_tokens(),
            progress=not arguments.json,
        )
        more: dict[str, Any] = {} if other is None else {"against": _against(opened, other, text, arguments)}
    if held is not None:
        pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
        more["contamination"] = contamination(pieces, held)
    if arguments.json:
        sampled = {"sampled_of_characters": len(whole) if len(text) < len(whole) else None}
        hashes = {"hashes": {"model": sha256_of(opened.params), "data": result.sha256}}
        said = {**result.to_dict(), **sampled, **hashes, **more}
        print_json({**said, **({"by_position": positions} if positions else {})})
        return 0
    print(result.table())
    if arguments.details:
        print(f"\n{result.details()}")
    if positions:
        print(f"\n{'position in the window':23}nats per token  (95% interval)")
    for row in positions:
        places = f"{row['start']:,} to {row['stop'] - 1:,}"
        print(f"{places:>22}{row['nats']:15.3f}  ({spread(row)})")
    print("\n".join(["", *_lines(more)] if more else []), end="\n" if more else "")
    return 0


def _check_options(arguments: argparse.Namespace, *, is_task: bool) -> None:
    """`UserError` for options that say nothing of what is evaluated."""
    images = has_images(arguments.model)
    for name in ("details", "against", "training", "by_position", "most_characters", "quantized"):
        given = getattr(arguments, name) not in (None, False)
        if given and (images or (is_task and name not in ("against", "training", "quantized"))):
            what = "a model of images" if images else "a task"
            raise UserError(f"{flag_of(name)} is for texts, and this is {what}; leave it out")


def _against(opened: OpenedModel, other: OpenedModel, text: str, arguments: argparse.Namespace) -> dict[str, Any]:
    scores = [
        scored_text(one.model, one.params, one.tokenizer, text, progress=not arguments.json) for one in (opened, other)
    ]
    sizes = [
        bytes_of_tokens(one.tokenizer, found.targets, text) for one, found in zip((opened, other), scores, strict=True)
    ]
    compared = compare_on_text(scores[0], scores[1], (sizes[0], sizes[1]))
    return {"model": other.name, **compared, "hashes": {"model": sha256_of(other.params)}}


def _lines(more: dict[str, Any]) -> list[str]:
    """What was compared, for people."""
    lines = []
    if "against" in more:
        found = more["against"]
        gap, least = found["difference"], found["smallest_difference"]
        lines.append(
            f"less {found['model']} ({found['second']['value']:.3f}): {gap['value']:+.3f} bits per byte (95% interval "
            f"{spread(gap, sign='+')}; below 0 this model is better), p {said_p(found['p'])}"
        )
        if least is not None:
            lines.append(f"the smallest difference that a text of this length shows 80 times of 100: {least:.3f}")
    if "contamination" in more:
        lines += lines_of_contamination(more["contamination"])
    return lines


def _by_position(opened: Any, text: str, length: int | None) -> list[dict[str, float]]:
    """Nats per token of each part of a window of `length` tokens, with its interval; nothing unless asked for."""
    if length is None:
        return []
    model = stretched(opened.model, length)
    found = loss_by_position(
        model, opened.params, np.asarray(opened.tokenizer.encode(text)), length=length, bins=min(PARTS, length)
    )
    return [
        {"start": one.start, "stop": one.stop, "nats": one.nats.value, "low": one.nats.low, "high": one.nats.high}
        for one in found
    ]
