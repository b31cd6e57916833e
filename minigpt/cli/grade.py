"""`minigpt grade`: is this exercise right, and if not, what is the likely mistake?"""

import sys
from pathlib import Path

from minigpt.cli.options import add_command, positive, print_json
from minigpt.errors import UserError
from minigpt.grade import Result, grade_file, grade_folder
from minigpt.grade.report import as_text, write_csv
from minigpt.grade.sandbox import MEGABYTES, SECONDS


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "grade",
        execute,
        "  minigpt grade lessons/exercises/05_backprop.py\n"
        "  minigpt grade my_file.py --exercise softmax_backward\n"
        "  minigpt grade submissions/ --csv                 a whole class, one folder or file per student",
    )
    parser.add_argument("path", type=Path, metavar="FILE", help="a file, or a folder with the work of a class")
    parser.add_argument("--exercise", metavar="NAME", help="grade this one only")
    parser.add_argument("--seconds", type=positive, default=int(SECONDS), help=f"for one call (default {SECONDS:g})")
    parser.add_argument(
        "--megabytes", type=positive, default=MEGABYTES, help=f"of memory; not on Windows (default {MEGABYTES})"
    )
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print a JSON list")
    output.add_argument("--csv", action="store_true", help="print a table for a spreadsheet")


def execute(arguments) -> int:
    """0 if all that was graded is right, else 1."""
    limits = {"seconds": arguments.seconds, "megabytes": arguments.megabytes, "exercise": arguments.exercise}
    if arguments.path.is_dir():
        graded = grade_folder(arguments.path, **limits)
    elif arguments.path.exists():
        graded = iter([("", grade_file(arguments.path, **limits))])
    else:
        raise UserError(f"there is no file or folder {arguments.path}; check the path")
    if arguments.csv:
        return 0 if write_csv(graded, sys.stdout) else 1
    everything: list[Result] = []
    for student, results in graded:
        everything += results
        if not arguments.json:
            print(as_text(student, results), flush=True)
    if arguments.json:
        print_json([result.to_dict() for result in everything])
    return 0 if all(result.passed for result in everything) else 1
