"""`minigpt claims`: what the article says, what is known, and what the course measured."""

import shutil
import textwrap

from minigpt.cli.options import add_command, print_json
from minigpt.course.claims import NOT_MEASURED, Audit, Claim, load_claims

GAP = 2  # spaces between two columns
LESSON = 6  # wide enough for the number and the heading
NARROWEST, WIDEST = 72, 160  # a table beyond these is hard to read


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "claims",
        execute,
        "list the claims of the article with their verdicts and what was measured",
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


def overview(audit: Audit, width: int) -> str:
    """All claims as a table of `width` columns, the cells wrapped."""
    free = width - 3 - LESSON - 4 * GAP
    verdict, measured = int(free * 0.28), int(free * 0.34)
    widths = (3, free - verdict - measured, verdict, measured, LESSON)
    rows = [("id", "claim", "verdict", "measured (band)", "lesson"), tuple("-" * size for size in widths)]
    lines = [line for row in rows for line in _wrapped([[cell] for cell in row], widths)]
    part = None
    for claim in audit.claims:
        lines += ["", claim.part.upper()] if claim.part != part else []
        readings = [one.reading for one in claim.measures] if claim.status != NOT_MEASURED else [NOT_MEASURED]
        lines += _wrapped([[claim.id], [claim.claim], [claim.verdict], readings, [claim.lesson[:2]]], widths)
        part = claim.part
    done = sum(claim.status != NOT_MEASURED for claim in audit.claims)
    counts = ", ".join(f"{sum(mark in claim.marks for claim in audit.claims)} {mark}" for mark in audit.verdicts)
    closing = [
        f"{len(audit.claims)} claims, {done} with measured numbers. Verdicts: {counts} (some claims have two).",
        f"One in full, with its sources: minigpt claims {audit.claims[0].id}",
    ]
    return "\n".join([*lines, "", *(textwrap.fill(line, width) for line in closing)])


def _wrapped(cells: list[list[str]], widths) -> list[str]:
    """One row of a table. cells: the paragraphs of each; `widths`: columns of each. Returns lines."""
    columns = []
    for paragraphs, size in zip(cells, widths, strict=True):
        indent = " " if len(paragraphs) > 1 else ""  # shows where the next paragraph begins
        columns.append([line for text in paragraphs for line in _lines(text, size, indent)])
    height = max(map(len, columns))
    filled = [column + [""] * (height - len(column)) for column in columns]
    gap = " " * GAP
    return [
        gap.join(part.ljust(size) for part, size in zip(line, widths, strict=True)).rstrip()
        for line in zip(*filled, strict=True)
    ]


def _lines(text, width, indent):
    return textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False)


def page(audit: Audit, claim: Claim, width: int) -> str:
    """One claim in full, wrapped to `width` columns."""
    grades = " ".join(f"{grade}: {audit.grades[grade]}" for grade in claim.grade)
    places = {"both": "its summary and its body", "omission": "nowhere; it is left out"}
    entries = [
        ("Verdict", [claim.verdict]),
        ("Why", [claim.why]),
        ("Evidence", [grades]),
        ("Said in", [places.get(claim.where, f"its {claim.where}")]),
        ("Experiment", [f"{name}: {audit.experiments[name]}" for name in claim.experiments]),
        ("Lesson", [claim.lesson]),
        ("Measured", [f"{one.name}: {one.shown_value}; band {one.band}. {one.what}" for one in claim.measures]),
        ("Sources", claim.sources),
    ]
    lines = _lines(f"{claim.id}  {claim.claim}", width, " " * 5)
    for name, paragraphs in entries:
        lines.append("")
        lines += _wrapped([[name], list(paragraphs)], (10, width - 10 - GAP))
    return "\n".join(
        [*lines, "", "* The identifier or wording was confirmed in an archive; the others are from memory."]
    )
