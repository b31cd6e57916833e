"""`minigpt evaluate`: how well a model predicts a text, beside what guessing, counting and compressing reach."""

import sys
from typing import Any

import numpy as np

from minigpt.cli.image_runs import evaluate_images
from minigpt.cli.options import MODEL, add_command, checkpoint_option, positive, print_json, read_utf8
from minigpt.machine import blas_threads, threads_for_width
from minigpt.measure.evaluation import evaluate_text, sample_text
from minigpt.measure.long_range import loss_by_position, stretched
from minigpt.pretrained import open_model
from minigpt.vision import has_images

MOST = 2_000_000  # characters
PARTS = 8  # of a window


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "evaluate",
        execute,
        "  minigpt evaluate runs/pydocs-tiny README.md\n"
        "  minigpt evaluate runs/pydocs-tiny README.md --json\n"
        "  minigpt evaluate smollm2 README.md\n"
        "  minigpt evaluate runs/mnist-vit mnist-test\n"
        "  minigpt evaluate runs/pydocs-tiny README.md --by-position 256",
    )
    parser.add_argument("model", metavar="MODEL", help=MODEL)
    parser.add_argument("file", metavar="FILE", help="a UTF-8 text; of a model of images: images")
    parser.add_argument(
        "--most-characters",
        type=positive,
        default=MOST,
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
    checkpoint_option(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")


def execute(arguments) -> int:
    """Print the measurements."""
    if has_images(arguments.model):
        return evaluate_images(arguments)
    whole = read_utf8(arguments.file)
    text = sample_text(whole, arguments.most_characters)
    if len(text) < len(whole):
        print(
            f"{arguments.file} has {len(whole):,} characters; a sample of {len(text):,}, spread evenly, is evaluated "
            "(--most-characters changes that)",
            file=sys.stderr,
        )
    opened = open_model(arguments.model, checkpoint=arguments.checkpoint)
    training = opened.training_tokens()
    with blas_threads(threads_for_width(opened.model.config.width)):
        positions = _by_position(opened, text, arguments.by_position)  # first, since a short text is refused
        result = evaluate_text(
            opened.model, opened.params, opened.tokenizer, text, training, progress=not arguments.json
        )
    if arguments.json:
        sampled = {"sampled_of_characters": len(whole) if len(text) < len(whole) else None}
        print_json({**result.to_dict(), **sampled, **({"by_position": positions} if positions else {})})
    else:
        print(result.table())
        if positions:
            print(f"\n{'position in the window':23}nats per token  (95% interval)")
        for row in positions:
            places = f"{row['start']:,} to {row['stop'] - 1:,}"
            print(f"{places:>22}{row['nats']:15.3f}  ({row['low']:.3f} to {row['high']:.3f})")
    return 0


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
