"""The audit as text of a given width, for a terminal."""

import textwrap
from collections.abc import Sequence

from minigpt.course.audit import COUNTED, MEASURED, NOT_MEASURED, Audit, Claim

GAP = 2  # spaces between two columns
LESSON = 6  # wide enough for the number and the heading
KIND = 8  # for "measured"


def overview(audit: Audit, width: int) -> str:
    """All claims as a table of `width` columns, the cells wrapped."""
    free = width - 3 - KIND - LESSON - 5 * GAP
    verdict, measured = int(free * 0.28), int(free * 0.34)
    widths = (3, free - verdict - measured, verdict, KIND, measured, LESSON)
    rows = [("id", "claim", "verdict", "kind", "number (band)", "lesson"), tuple("-" * size for size in widths)]
    lines = [line for row in rows for line in _wrapped([[cell] for cell in row], widths)]
    part = None
    for claim in audit.claims:
        lines += ["", claim.part.upper()] if claim.part != part else []
        readings = [one.reading for one in claim.measures] if claim.status != NOT_MEASURED else [NOT_MEASURED]
        cells = [[claim.id], [claim.claim], [claim.verdict], [claim.kind], readings, [claim.lesson[:2]]]
        lines += _wrapped(cells, widths)
        part = claim.part
    with_measured, with_counted = audit.with_numbers(MEASURED), audit.with_numbers(COUNTED)
    counts = ", ".join(f"{sum(mark in claim.marks for claim in audit.claims)} {mark}" for mark in audit.verdicts)
    closing = [
        f"{len(audit.claims)} claims. Every verdict is argued from documents. The numbers of {with_measured} claims "
        f"were measured on a small model or a method, those of {with_counted} counted in a record of the article and "
        "the card that was made by hand.",
        f"Verdicts: {counts} (some claims have two).",
        f"One in full, with its sources: minigpt claims {audit.claims[0].id}",
    ]
    return "\n".join([*lines, "", *(textwrap.fill(line, width) for line in closing)])


def _wrapped(cells: Sequence[Sequence[str]], widths: Sequence[int]) -> list[str]:
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


def _lines(text: str, width: int, indent: str) -> list[str]:
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
        (
            "Numbers",
            [f"{one.name}, {one.kind}: {one.shown_value}; band {one.band}. {one.what}" for one in claim.measures],
        ),
        ("Sources", claim.sources),
    ]
    lines = _lines(f"{claim.id}  {claim.claim}", width, " " * 5)
    for name, paragraphs in entries:
        lines.append("")
        lines += _wrapped([[name], list(paragraphs)], (10, width - 10 - GAP))
    return "\n".join(
        [*lines, "", "* The identifier or wording was confirmed in an archive; the others are from memory."]
    )
