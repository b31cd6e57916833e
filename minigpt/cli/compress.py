"""`minigpt compress`: a model's matrices in few bits, as a folder that every command opens."""

import argparse
from contextlib import suppress
from dataclasses import fields
from itertools import groupby
from typing import Any

import numpy as np

from minigpt.cli.options import MODEL, add_command, checkpoint_option, folder, positive, print_json, quoted
from minigpt.compress import METHODS, Compression, compress_model, pruned_model
from minigpt.compress.calibrate import LEAST
from minigpt.errors import UserError
from minigpt.machine import blas_threads, threads_for_width
from minigpt.measure.evaluation import sample_text
from minigpt.model import TransformerConfig
from minigpt.pretrained import OpenedModel, open_model
from minigpt.pretrained.load import stored_kinds
from minigpt.text import load_corpus
from minigpt.vision import has_images

TOKENS, GROUPS, TEXT = 8192, (32, 64, 128), "pydocs"
TWO_OF_FOUR = "2:4"
LETTERS = 6  # of a token at most, on the average of a text


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "compress",
        execute,
        "  minigpt compress smollm2 smollm2-4bit --bits 4 --method second-order\n"
        "  minigpt compress minilm minilm-8bit --bits 8\n"
        "  minigpt compress runs/large smaller --prune 0.25 --structured --bits 8\n"
        "  minigpt compress runs/large sparse --prune 2:4 --symmetric --bits 8\n"
        "  minigpt chat smollm2-4bit",
    )
    parser.add_argument("model", metavar="MODEL", help=MODEL)
    parser.add_argument("out", metavar="OUT", type=folder, help="a new folder")
    _rounding_options(parser)
    _pruning_options(parser)
    parser.add_argument(
        "--calibrate",
        metavar="TEXT",
        help=f"a corpus by name, or a file (default: what a run was trained on, or {TEXT}); with the method nearest it "
        "only serves the report",
    )
    parser.add_argument(
        "--tokens", type=positive, default=TOKENS, help=f"of that text, spread evenly (default {TOKENS:,})"
    )
    checkpoint_option(parser)
    parser.add_argument("--json", action="store_true", help="print the report as one JSON object")


def _rounding_options(parser: argparse.ArgumentParser) -> None:
    """The fields of `Compression`."""
    parser.add_argument("--bits", type=int, default=4, help="of each number in the blocks: 8, 6, 4 or 3 (default 4)")
    parser.add_argument(
        "--method",
        choices=METHODS,
        default=METHODS[0],
        help="each number by itself (default); or, calibrated on text, AWQ's way or GPTQ's",
    )
    parser.add_argument(
        "--group",
        type=_group,
        default=64,
        metavar="N",
        help="numbers of an output that share a scale: 32, 64, 128, or none for all of them (default 64)",
    )
    parser.add_argument("--symmetric", action="store_true", help="a group has a scale and no minimum")
    parser.add_argument(
        "--table-bits",
        type=int,
        default=8,
        help="of the token table and the head, to the nearest (default 8)",
    )
    parser.add_argument("--activation-order", action="store_true", help="second-order: the largest inputs come first")


def _pruning_options(parser: argparse.ArgumentParser) -> None:
    """What is taken out before."""
    parser.add_argument(
        "--prune",
        type=_share,
        metavar="SHARE",
        help="first set this share of the numbers to zero, the smallest of every matrix; or 2:4, the two smallest in "
        "every four inputs of an output (both need --symmetric)",
    )
    parser.add_argument(
        "--structured",
        action="store_true",
        help="prune whole heads and feed-forward units instead, those that the text needs least",
    )


def execute(arguments: argparse.Namespace) -> int:
    """Compress, and print the report."""
    settings = Compression(**{field.name: getattr(arguments, field.name) for field in fields(Compression)})
    _check(arguments)
    if has_images(arguments.model):
        raise UserError(
            f"{arguments.model} sees pictures, and how their pixels are scaled has no place in a compressed folder; "
            "compress a model of texts"
        )
    opened = open_model(arguments.model, checkpoint=arguments.checkpoint)
    report = _compressed(arguments, opened, settings)
    stored = stored_kinds(arguments.model)
    if arguments.json:
        print_json({**report, "source_formats": stored})
        return 0
    if stored:
        print(f"{arguments.model} holds matrices in {', '.join(stored)}: these were decoded first, and rounded again")
    print(table_of(report))
    print(f"Next:  minigpt {_next(opened.model.config)}".format(quoted(arguments.out)))
    return 0


def _check(arguments: argparse.Namespace) -> None:
    """`UserError` for words that do not go together, before a model is opened."""
    if arguments.out.exists():
        raise UserError(f"{arguments.out} is there already; choose a new folder")
    if arguments.tokens < LEAST:
        raise UserError(f"--tokens is {arguments.tokens}, but at least {LEAST} are needed to calibrate with")
    if arguments.structured and arguments.prune is None:
        raise UserError("--structured says how to prune, so it has no effect without --prune; add it or leave both out")
    if arguments.structured and arguments.prune == TWO_OF_FOUR:
        raise UserError(f"--prune {TWO_OF_FOUR} is a form for numbers; with --structured say which share of the heads")


def _compressed(arguments: argparse.Namespace, opened: OpenedModel, settings: Compression) -> dict[str, Any]:
    """The report of the model that was written, pruned before if that was asked for."""
    read = settings.calibrated or arguments.calibrate or arguments.structured
    ids, name = _text(arguments, opened) if read else (None, "")
    with blas_threads(threads_for_width(opened.model.config.width)):
        pruned = None
        if arguments.prune is not None:
            form = arguments.prune == TWO_OF_FOUR
            share = None if form else arguments.prune
            opened, pruned = pruned_model(
                opened, share, settings, structured=arguments.structured, two_of_four=form, text=ids
            )
        return compress_model(
            opened, arguments.out, settings, text=ids, text_name=name, pruned=pruned, progress=not arguments.json
        )


def _next(config: TransformerConfig) -> str:
    """The command that shows what the new model does; its folder is left open."""
    if config.head != "language":
        return "predict {} FILE"
    if config.architecture == "decoder":
        return "evaluate {} FILE"
    return "embed {} FILE" if config.architecture == "encoder" else "generate {} --prompt TEXT"


def _share(text: str) -> float | str:
    """A share, or the word for two of four."""
    if text == TWO_OF_FOUR:
        return text
    with suppress(ValueError):
        if 0 < float(text) < 1:
            return float(text)
    raise argparse.ArgumentTypeError(f"{text} is neither a share above 0 and below 1 nor {TWO_OF_FOUR}")


def _group(text: str) -> int | None:
    if text == "none":
        return None
    if not text.isdecimal() or int(text) not in GROUPS:
        raise argparse.ArgumentTypeError(f"{text} is none of {', '.join(map(str, GROUPS))} and none")
    return int(text)


def _text(arguments: argparse.Namespace, opened: OpenedModel) -> tuple[np.ndarray, str]:
    """Ids to calibrate with, and what they are called."""
    if opened.tokenizer is None:
        raise UserError(f"{arguments.model} has no tokenizer, so no text can be read to calibrate with; use nearest")
    training = opened.training_tokens()
    if arguments.calibrate is None and training is not None:
        starts = np.linspace(0, max(0, len(training) - LEAST), max(1, arguments.tokens // LEAST)).astype(int)
        return np.concatenate([training[start : start + LEAST] for start in starts]).astype(np.int64), "its training"
    name = arguments.calibrate or TEXT
    text = sample_text("\n\n".join(load_corpus(name).training), LETTERS * arguments.tokens)
    return opened.tokenizer.encode(text)[: arguments.tokens], name


def table_of(report: dict[str, Any]) -> str:
    """Lines for people: the error of each block and table, and the sizes."""
    kind = "output_error" if any("output_error" in row for row in report["matrices"]) else "weight_error"
    what = "output" if kind == "output_error" else "weights"
    lines = [f"{f'error of the {what}, relative':28}{'mean':>9}{'worst':>9}"]
    for place, rows in groupby(report["matrices"], key=lambda row: _place(row["name"])):
        errors = [(row.get(kind, row["weight_error"]), row["name"], row["bits"]) for row in rows]
        worst = max(errors)
        mean = sum(error for error, *_ in errors) / len(errors)
        which = worst[1].removeprefix(f"{place}.") if worst[1] != place else "to the nearest"
        lines.append(f"  {place:26}{mean:9.4f}{worst[0]:9.4f}  {which}, {worst[2]} bits")
    lines.append(
        f"{report['parameters']:,} numbers, {report['rounded']:,} rounded: {report['bits_per_weight']} bits each, "
        f"{report['file_bytes'] / 1e6:.1f} MB; {report['bytes_in_16_bits'] / 1e6:.1f} MB in 16 bits, "
        f"{report['bytes_in_32_bits'] / 1e6:.1f} in 32"
    )
    return "\n".join(lines)


def _place(name: str) -> str:
    """The block of a matrix, or its own name."""
    parts = name.split(".")
    return ".".join(parts[: parts.index("blocks") + 2]) if "blocks" in parts else name
