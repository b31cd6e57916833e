"""The report of a cleaning for people to read."""

from collections.abc import Iterable, Sequence
from typing import Any

from minigpt.errors import visible_line


def markdown(report: dict[str, Any]) -> str:
    """The report as Markdown; every number is of this cleaning."""
    parts = [
        f"# What was cleaned: {_plain(report['input']['name'])}",
        _summary(report),
        f"![{alternative(report)}](report.png)",
        "## What each filter took",
        _filters(report),
        "A document counts for the first filter that took it, in this order: empty, rules, language, classifier, "
        "contamination, exact duplicate, near duplicate.",
        "## Personal information",
        _personal(report),
        *_near(report),
        *_classifier(report),
        *_languages(report),
        *_fields(report),
        "## Rules",
        _table(("rule", "least", "most", "source"), ([row[name] for name in row] for row in report["rules"]))
        if report["rules"]
        else "None were asked for.",
        "Gopher: Rae et al. 2021, arXiv:2112.11446, table A1. C4: Raffel et al. 2020, arXiv:1910.10683, section 2.2.",
        *_examples(report),
    ]
    return "\n\n".join(parts) + "\n"


def alternative(report: dict[str, Any]) -> str:
    """What the picture shows, in words."""
    said = [f"{entry['name']} {_share(entry, report)}" for entry in report["filters"]]
    bars = f"Bars of the share of documents that each filter took: {', '.join(said) or 'none'}."
    curve = report["duplicates"].get("curve")
    if not curve:
        return _plain(bars)
    points = [f"{point['likeness']:.2f}: {point['predicted']:.2f} and {point['measured']:.2f}" for point in curve]
    return _plain(
        f"{bars} A curve of the chance that two texts are compared, predicted and measured, by their likeness: "
        f"{'; '.join(points)}."
    )


def _summary(report: dict[str, Any]) -> str:
    rows = [(name, report["input"][name], report["output"][name]) for name in ("documents", "bytes", "words")]
    return _table(
        ("", "before", "after", "left"),
        ((name, f"{was:,}", f"{now:,}", f"{now / max(1, was):.1%}") for name, was, now in rows),
    )


def _filters(report: dict[str, Any]) -> str:
    rows = (
        (entry["name"], f"{entry['documents']:,}", _share(entry, report), f"{entry['bytes']:,}")
        for entry in report["filters"]
    )
    return _table(("filter", "documents", "share", "bytes"), rows) if report["filters"] else "None took anything."


def _share(entry: dict[str, Any], report: dict[str, Any]) -> str:
    return f"{entry['documents'] / report['input']['documents']:.2%}"


def _personal(report: dict[str, Any]) -> str:
    settings = report["settings"]
    if not settings["personal"]:
        return "Nothing was looked for: what the corpus says of people is in it as it was."
    said = _table(
        ("kind", "replaced"), ((kind, f"{report['personal'].get(kind, 0):,}") for kind in settings["personal"])
    )
    return (
        f"{said}\n\nReplaced by: {settings['how']}.{_tagger(settings)} What the rules do not know stays in the text, "
        "and what is left may still point to one person: this reduces personal information, it does not make a corpus "
        "anonymous. How much is found on labelled text, `minigpt.corpus.personal` measures; on this corpus nobody has."
    )


def _tagger(settings: dict[str, Any]) -> str:
    return f" Names were found by the tagger {settings['name_tagger']['name']}." if settings["name_tagger"] else ""


def _near(report: dict[str, Any]) -> list[str]:
    about = report["duplicates"]
    parts = ["## Duplicates"]
    if report["compared_with"]["documents"]:
        other = report["compared_with"]
        parts.append(
            f"Of {other['documents']:,} documents that were compared with, {other['held']:,} have at least half of "
            "their n-grams of 13 words in one document of the corpus; such documents were taken out."
        )
    if "curve" not in about:
        return [*parts, f"Looked for: {about['looked_for']}."]
    parts.append(
        f"Near duplicates have a Jaccard likeness of {about['threshold']:g} or more, of sets of "
        f"{about['shingle_words']} words in a row. MinHash signatures in {about['bands']} bands of {about['rows']} "
        "rows propose pairs; one at the threshold is proposed with a chance of "
        f"{about['chance_at_threshold']:.4f}. {about['signatures_compared']:,} pairs of signatures were compared; of "
        f"{about['shingles_compared']:,} the true likeness was computed. Measured on copies of documents of this "
        "corpus with some words changed:"
    )
    rows = (
        (f"{p['from']:g} to {p['to']:g}", p["pairs"], f"{p['predicted']:.3f}", f"{p['measured']:.3f}")
        for p in about["curve"]
    )
    return [
        *parts,
        _table(("likeness", "pairs", "predicted", "measured"), rows)
        if about["curve"]
        else "(No document is long enough.)",
    ]


def _classifier(report: dict[str, Any]) -> list[str]:
    found = report.get("classifier")
    if not found:
        return []
    return [
        "## Classifier",
        f"On {found['held_out']:,} texts that were held out: accuracy {found['accuracy']:.3f}, good and bad counted "
        f"alike; a good text is put above a bad one in {found['area']:.1%} of pairs. Taken out: "
        f"below {report['settings']['min_quality']:g}.",
    ]


def _languages(report: dict[str, Any]) -> list[str]:
    rows = ((name, f"{count:,}") for name, count in report["languages"].items())
    return ["## Languages", _table(("language", "documents"), rows)] if report["languages"] else []


def _fields(report: dict[str, Any]) -> list[str]:
    kept = report["settings"]["keep"]
    rows = (
        (name, f"{count:,}", "kept, not examined" if name in kept else "left out")
        for name, count in report["fields"].items()
    )
    return ["## Other fields", _table(("field", "documents", ""), rows)] if report["fields"] else []


def _examples(report: dict[str, Any]) -> list[str]:
    parts = ["## Examples of what was taken", "Up to twenty for each filter, drawn by chance; the beginning of each."]
    for entry in report["filters"]:
        rows = ((f"{one['source']}, line {one['line']}", one["reason"], one["text"]) for one in entry["examples"])
        parts += [f"### {_plain(entry['name'])}", _table(("place", "why", "text"), rows)]
    return parts if report["filters"] else []


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [head, [":---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_plain(str(cell)) for cell in line)} |" for line in lines)


def _plain(text: str) -> str:
    """Text of others, so that it neither ends a cell nor becomes a link or HTML."""
    text = visible_line(text)
    for mark in ("\\", "|", "[", "]", "<", "`", "!"):
        text = text.replace(mark, f"\\{mark}")
    return text
