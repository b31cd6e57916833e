"""`minigpt predict`: what a fine-tuned model says to each example of a file."""

import argparse
import csv
import io
import sys
from pathlib import Path
from typing import Any

from minigpt.cli.finetune import DATA
from minigpt.cli.options import add_command, checkpoint_option, file, print_json
from minigpt.errors import UserError
from minigpt.files import check_place, write_text
from minigpt.finetune import Tuned
from minigpt.finetune.prepare import records_of
from minigpt.machine import blas_threads, threads_for_width


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "predict",
        execute,
        "  minigpt predict runs/film-minilm-classify new.csv\n"
        "  minigpt predict runs/film-minilm-classify new.csv --out said.csv",
    )
    parser.add_argument("model", metavar="MODEL", help="the folder of a fine-tuned model")
    parser.add_argument(
        "data", metavar="DATA", help=f"examples to be asked: {DATA}; what they have of answers is not read"
    )
    parser.add_argument("--out", type=file, help="write a CSV file in place of printing one")
    parser.add_argument("--json", action="store_true", help="print a JSON list, with the probability of every class")
    checkpoint_option(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Ask, and print or write a row for each example, in their order."""
    if arguments.out is not None:
        check_place(arguments.out)
        if Path(arguments.out).exists():
            raise UserError(f"{arguments.out} is there already; choose another name for --out")
    tuned = Tuned(arguments.model, arguments.checkpoint)
    with blas_threads(threads_for_width(tuned.folder.config.width)):
        said = tuned.predict(records_of(arguments.data))
    if arguments.json:
        print_json(said)
        return 0
    text = _csv(said)
    if arguments.out is None:
        print(text, end="")
    else:
        write_text(arguments.out, text)
        print(f"{len(said):,} answers are in {arguments.out}", file=sys.stderr)
    return 0


def _csv(said: list[dict[str, Any]]) -> str:
    """A row for each answer; of a classifier with the probability of the class that was said."""
    out = io.StringIO()
    names = [name for name in said[0] if name != "probabilities"]
    likeliest = ["probability"] if "probabilities" in said[0] else []
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names + likeliest)
    for answer in said:
        cells = [" ".join(answer[name]) if isinstance(answer[name], list) else answer[name] for name in names]
        cells += [max(answer["probabilities"].values())] if likeliest else []
        writer.writerow([f"{cell:.4f}" if isinstance(cell, float) else cell for cell in cells])
    return out.getvalue()
