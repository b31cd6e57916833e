"""Measures of bias as lines for people."""

import textwrap
from collections.abc import Iterator
from typing import Any

from minigpt.measure.intervals import spread
from minigpt.measure.permutations import said_p


def lines_of(name: str, found: dict[str, Any]) -> list[str]:
    """What was measured, each with its 95% interval and p, and below it what the measure misses."""
    lines = [f"{name}: {found['what']}", f"  ({found['source']}; {found['asked']:,} asked)"]
    lines += [f"  {line}" for line in TABLES[name](found)]
    return [
        *lines,
        *textwrap.wrap(f"What it misses: {found['misses']}", 110, initial_indent="  ", subsequent_indent="  "),
    ]


def _row(what: str, interval: dict[str, float] | None, p: float | None = None, raised: float | None = None) -> str:
    shown = "-" if interval is None else f"{interval['value']:8.3f}  ({spread(interval)})"
    chance = "" if p is None else f"   p {said_p(p)}"
    more = "" if raised is None else f"   for so many {said_p(raised)}"
    return f"{what:44}{shown}{chance}{more}"


def _associations(found: dict[str, Any]) -> Iterator[str]:
    yield "effect size, from -2 to 2; 0: no association"
    for test in found["tests"]:
        if "refused" in test:
            yield f"{test['question']:44}{test['refused']}"
            continue
        yield _row(test["question"], test["effect"], test["p"], test["p_holm"])
        if test["missing"]:
            yield f"    without vectors: {', '.join(test['missing'])}"


def _crows(found: dict[str, Any]) -> Iterator[str]:
    yield "how often the sentence with the stereotype is preferred; 0.5 is neutral"
    yield _row("all, by what both sentences say", found.get("prefers"), found.get("p"))
    for kind, part in found["by_kind"].items():
        yield _row(f"  {kind}, {part['pairs']:,} pairs", part.get("prefers"), part.get("p"), part.get("p_holm"))
    whole = found["whole_sentences"]
    yield _row("all, with the name of the group counted", whole.get("prefers"), whole.get("p"))


def _stereoset(found: dict[str, Any]) -> Iterator[str]:
    yield f"per cent of {found['choices']:,} choices, over {found['targets']:,} targets"
    yield _row("sense before nonsense (lms)", found["lms"], found["p_lms"])
    yield _row("stereotype before its opposite (ss), 50 neutral", found["ss"], found["p"])
    yield _row("both (icat), lms if ss is 50", found["icat"], found["p"])
    for name in ("within_a_sentence", "after_a_sentence"):
        if name in found:
            yield _row(f"  ss {name.replace('_', ' ')}", found[name]["ss"], found[name]["p"])
    for kind, part in found["by_kind"].items():
        yield _row(f"  ss of {kind}", part["ss"], part["p"], part["p_holm"])


def _winobias(found: dict[str, Any]) -> Iterator[str]:
    form = found["likelier_form"]
    yield f"{found['riddles']:,} sentences, each with both pronouns"
    yield _row("the stereotype's pronoun is likelier; 0.5 neutral", form.get("prefers"), form.get("p"))
    for kind, part in form["by_kind"].items():
        yield _row(f"  settled {kind}", part.get("prefers"), part.get("p"), part.get("p_holm"))
    if "who_is_meant" in found:
        meant = found["who_is_meant"]
        yield _row("who is meant, right where it agrees", meant["agrees"])
        yield _row("who is meant, right where it does not", meant["differs"])
        yield _row("the gap; 0: no bias", meant["gap"], meant["p"])
        for kind, part in meant["by_kind"].items():
            yield _row(f"  settled {kind}", part["gap"], part["p"], part["p_holm"])


def _bbq(found: dict[str, Any]) -> Iterator[str]:
    yield "bias score, from -1 to 1: 1 always names whom the stereotype would, 0 neutral"
    settled = found["settled"]
    yield _row("settled: exact match", settled["accuracy"])
    yield _row(
        "settled: more right if the stereotype is too", settled["accuracy_agrees_less_differs"], settled["p_agrees"]
    )
    for part in ("settled", "ambiguous"):
        yield _row(f"{part}: bias, {found[part]['groups']} groups", found[part].get("bias"), found[part].get("p"))
        for category, one in found[part]["by_category"].items():
            yield _row(f"  {category}", one.get("bias"), one.get("p"), one.get("p_holm"))


def _groups(found: dict[str, Any]) -> Iterator[str]:
    yield f"positive: {found['positive']}"
    for name, rates in found["groups"].items():
        yield f"{name}: {rates['examples']:,} examples, {rates['positives']:.1%} of them positive"
        for rate in ("true_positive_rate", "false_positive_rate", "positive_rate"):
            yield _row(f"  {rate.replace('_', ' ')}", rates[rate])
        yield _row("  calibration error", rates["calibration_error"])
    yield "largest gap between two groups (never below 0: p says whether it is more than chance)"
    for name, gap in found["gaps"].items():
        yield _row(f"  {name.replace('_', ' ')}", gap["gap"], gap["p"], gap["p_holm"])
    odds = found["equalized_odds"]
    yield _row("equalized odds: the larger of the first two", odds["gap"], odds["p"])


TABLES = {
    "weat": _associations,
    "seat": _associations,
    "crows-pairs": _crows,
    "stereoset": _stereoset,
    "winobias": _winobias,
    "bbq": _bbq,
    "groups": _groups,
}
