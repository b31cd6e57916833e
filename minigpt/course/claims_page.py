"""The audit as a page in Markdown."""

from collections.abc import Iterable, Sequence
from typing import Any

from minigpt.course.audit import COUNTED, MEASURED, NOT_MEASURED, Audit, Claim


def claims_page(audit: Audit) -> str:
    """lessons/CLAIMS.md: the whole audit for a reader."""
    numbers = {kind: audit.with_numbers(kind) for kind in (COUNTED, MEASURED)}
    counts = {mark: sum(mark in claim.marks for claim in audit.claims) for mark in audit.verdicts}
    facts = [(fact.number, fact.text, _links(fact.full) or "none", _links(fact.part) or "none") for fact in audit.facts]
    overview = [
        (_links([claim.id]), claim.claim, claim.verdict, claim.kind, _readings(claim), _lesson(audit, claim))
        for claim in audit.claims
    ]
    sections = [
        _INTRODUCTION.format(count=len(audit.claims), **numbers, **audit.article),
        "## The marks of a verdict",
        'Two marks mean what they say together: "NOT IN THE CARD / UNVERIFIABLE" is a false attribution of something '
        "that cannot be checked either way.",
        _table(("mark", "meaning", "claims"), [(*pair, counts[pair[0]]) for pair in audit.verdicts.items()]),
        "## The grades of evidence",
        _table(("grade", "meaning"), audit.grades.items()),
        "A source that ends in \\* had its identifier or wording confirmed in an archive; the others are from memory.",
        "## All claims",
        _table(("id", "claim", "verdict", "counted / measured", "number (band)", "lesson"), overview),
        "## Ten facts of the card, and who states them",
        _table(("", "fact", "in full", "in part"), facts),
        "## What could not be verified",
        "\n".join(f"- {' '.join(limit.split())}" for limit in audit.limits),
    ]
    part = None
    for claim in audit.claims:
        sections += [f"## {claim.part}"] if claim.part != part else []
        sections.append(_page(audit, claim))
        part = claim.part
    return "\n\n".join(sections) + "\n"


_INTRODUCTION = """\
<!-- Written by `python -m lessons.build` from claims.toml and results.json; change those instead. -->

# {count} claims of an article, and what is known

An article called "{title}" (attributed to {attributed_to}, {dated}; no author, no citation, no link to the document
that it describes) says how GPT-5.5 is built and trained. Here stands every technical statement that it makes, in our
words, with a verdict, the evidence, and an experiment.

Every verdict is argued from documents, and no number decides it alone. The numbers are of two kinds. Those of
{measured} claims were *measured*, on a small transformer or a method that the claim names. Those of {counted} were
*counted*, in our own record of the article and the card, which was made by hand: whoever reads the two otherwise counts
otherwise. Each number was asserted to lie in its band when its lesson ran. An experiment that has not run reads "not
yet measured", and its band is what we expect.

A verdict speaks of the *article's statement*. No experiment on a small model shows how GPT-5.5 is built: an experiment
shows what a method does, and so whether the article's account of it can be right. "Documented for other models, never
for a GPT; undisclosed for 5.5" is not "disproved"."""


def _page(audit: Audit, claim: Claim) -> str:
    """One claim in full."""
    numbers = [(f"`{one.name}`", one.what, one.kind, one.shown_value, one.band) for one in claim.measures]
    questions = " ".join(f"{name}: {audit.experiments[name]}" for name in claim.experiments)
    where = {"both": "its summary and its body", "omission": "neither: left out"}.get(claim.where, f"its {claim.where}")
    return "\n\n".join(
        [
            f"### {claim.id}",
            f"**Claim.** {claim.claim} *(In the article: {where}.)*",
            f"**Verdict.** {claim.verdict}",
            f"**Why.** {claim.why} *(Evidence: {', '.join(claim.grade)}.)*",
            f"**Experiment.** {questions} Lesson: {_lesson(audit, claim)}.",
            _table(("number", "what it is", "counted / measured", "value", "band"), numbers),
            "**Sources.**\n" + "\n".join(f"- {_plain(source)}" for source in claim.sources),
        ]
    )


def _readings(claim: Claim) -> str:
    """The numbers of a claim, one under the other."""
    if claim.status == NOT_MEASURED:
        return NOT_MEASURED
    return "<br>".join(one.reading for one in claim.measures)


def _lesson(audit: Audit, claim: Claim) -> str:
    """A link to the lesson, once it has measured something."""
    return f"[{claim.lesson}]({claim.lesson}.ipynb)" if claim.lesson in audit.lessons else claim.lesson


def _links(ids: Iterable[str]) -> str:
    return ", ".join(f"[{name}](#{name.lower()})" for name in ids)


def _plain(text: str) -> str:
    """`text` without what Markdown would take for emphasis."""
    return text.replace("*", r"\*").replace("_", r"\_")


def _table(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table in Markdown."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
