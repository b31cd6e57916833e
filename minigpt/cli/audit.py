"""`minigpt audit`: what a run gives away of the text that it was trained on."""

import argparse
from pathlib import Path
from typing import Any

from minigpt.cli.options import add_command, checkpoint_option, file, positive, print_json
from minigpt.errors import UserError
from minigpt.files import check_place
from minigpt.machine import blas_threads, threads_for_width
from minigpt.pretrained import open_model
from minigpt.privacy import audit_run, read_canaries
from minigpt.privacy.audit import AuditSettings
from minigpt.privacy.report import lines_of

DEFAULTS = AuditSettings()


def add(subparsers: Any) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "audit",
        execute,
        "  minigpt audit runs/pydocs-tiny\n"
        "  minigpt audit runs/pydocs-tiny --figure audit.png\n"
        "  minigpt corpus plant my.txt planted.txt\n"
        "  minigpt train planted.txt --out runs/planted\n"
        "  minigpt audit runs/planted --canaries planted.canaries.json",
    )
    parser.add_argument("run", metavar="RUN", help="the folder of a run")
    parser.add_argument("--canaries", metavar="FILE", help="the sentences that `minigpt corpus plant` planted")
    for name, what in (
        ("pieces", "of the training text, and as many of the held-out text"),
        ("length", "tokens of a piece"),
        ("given", "tokens of a piece that are shown before it has to go on"),
        ("others", "random numbers that a planted one is compared with"),
    ):
        help_ = f"{what} (default {getattr(DEFAULTS, name)})"
        parser.add_argument(f"--{name}", type=positive, metavar="N", help=help_)
    parser.add_argument("--seed", type=int, default=DEFAULTS.seed, help="of what is drawn (default 0)")
    parser.add_argument("--figure", type=file, metavar="FILE.png", help="draw it")
    checkpoint_option(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")


def execute(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    names = ("pieces", "length", "given", "others", "seed")
    settings = AuditSettings(**{name: value for name in names if (value := getattr(arguments, name)) is not None})
    if arguments.others is not None and arguments.canaries is None:
        raise UserError("--others changes nothing without --canaries; leave it out")
    if arguments.figure is not None:
        if Path(arguments.figure).suffix.lower() != ".png":
            raise UserError(f"{arguments.figure} would hold a PNG; give it the ending .png")
        check_place(arguments.figure)
        if Path(arguments.figure).exists():
            raise UserError(f"{arguments.figure} is there already; choose another name for --figure")
    canaries = () if arguments.canaries is None else read_canaries(arguments.canaries)
    opened = open_model(arguments.run, checkpoint=arguments.checkpoint)
    with blas_threads(threads_for_width(opened.model.config.width)):
        report = audit_run(opened, settings, canaries, progress=not arguments.json)
    if arguments.json:
        print_json(report)
    else:
        print(lines_of(report))
    if arguments.figure is not None:
        from minigpt.plot import audited

        audited(report, arguments.figure)
    return 0
