"""`minigpt claims`: what the article says, what is known, and what the course measured."""

import shutil

from minigpt.cli.options import add_command, print_json
from minigpt.course.claims import load_claims
from minigpt.course.claims_text import overview, page

NARROWEST, WIDEST = 72, 160  # a table beyond these is hard to read


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "claims",
        execute,
        "  minigpt claims\n  minigpt claims C09\n  minigpt claims C09 --json",
    )
    parser.add_argument("claim", nargs="?", metavar="ID", help="show this one in full, such as C09 (default: all)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def execute(arguments) -> int:
    """Print the table, or one claim."""
    audit = load_claims()
    chosen = audit.claim(arguments.claim) if arguments.claim else None
    if arguments.json:
        print_json(chosen.to_dict() if chosen else [claim.to_dict() for claim in audit.claims])
    else:
        width = min(max(shutil.get_terminal_size((100, 24)).columns, NARROWEST), WIDEST)
        print(page(audit, chosen, width) if chosen else overview(audit, width))
    return 0
