"""`minigpt gradcheck`: every hand-written gradient against numerical derivatives."""

from minigpt.check.table import format_rows, gradcheck_rows
from minigpt.cli.options import add_command, print_json


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "gradcheck",
        execute,
        "  minigpt gradcheck\n  minigpt gradcheck --json",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of a table")


def execute(arguments) -> int:
    """0 if every gradient is right, else 1."""
    rows = gradcheck_rows(progress=not arguments.json)
    if arguments.json:
        print_json(rows)
    else:
        print(format_rows(rows))
    return 0 if all(row["passed"] for row in rows) else 1
