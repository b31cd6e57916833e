"""The last two steps of a cleaning: duplicates are found, and documents, report and datasheet written."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.corpus.chunk import EXAMPLES, Cleaner, drawn, example
from minigpt.corpus.curve import measured_curve
from minigpt.corpus.datasheet import datasheet
from minigpt.corpus.duplicates import NONE, Duplicates, find_near, first_of_each
from minigpt.corpus.kept import Kept
from minigpt.corpus.report import markdown
from minigpt.corpus.settings import CleanSettings
from minigpt.corpus.shingles import SHINGLE, mixed
from minigpt.corpus.source import fingerprint
from minigpt.errors import UserError
from minigpt.files import replacing, write_json, write_text
from minigpt.progress import progress_bar
from minigpt.text.corpora import CLEANED, DOCUMENTS

FILE_BYTES = 1 << 26  # of a file of documents, about


class NothingLeft(UserError):
    """Everything was taken out."""


def write_corpus(
    out: Path,
    task: Cleaner,
    chunks: int,
    settings: CleanSettings,
    asked: dict[str, Any],
    *,
    progress: bool = True,
) -> dict[str, Any]:
    """Write what is left of the chunks that the task made, and the report, which is returned; `corpus.json` last."""
    kept = Kept(task.folder, chunks, task.bands)
    found = _duplicates(kept, settings, progress)
    stays = found.kept & (np.arange(len(kept)) >= kept.others)
    report: dict[str, Any] = {**asked, "rules": task.rules.table(), **_counted(kept)}
    report["input"] = {**asked["input"], **report["input"]}
    report["filters"] = _filters(kept, found)
    if not stays.any():
        most = max(report["filters"], key=lambda entry: entry["documents"])
        raise NothingLeft(
            f"nothing is left of {asked['input']['name']}: {most['name']} took {most['documents']:,} of "
            f"{report['input']['documents']:,} documents; change what is asked for"
        )
    report["output"] = {**_lengths(kept.sizes[stays]), "files": _write_documents(out, kept, stays)}
    report["duplicates"] = _about_duplicates(kept, found, settings, stays)
    if task.quality is not None:
        report["classifier"] = {name: getattr(task.quality, name) for name in ("accuracy", "area", "held_out")}
    write_json(out / "report.json", report)
    from minigpt.plots_corpus import cleaning  # only here: no worker has to load matplotlib

    cleaning(report, None if kept.bands is None else kept.bands.chance, out / "report.png")
    write_text(out / "report.md", markdown(report))
    write_text(out / "datasheet.md", datasheet(report))
    write_json(out / CLEANED, {**asked, "documents": report["output"]["documents"], "files": report["output"]["files"]})
    return report


def _duplicates(kept: Kept, settings: CleanSettings, progress: bool) -> Duplicates:
    none = np.full(len(kept), NONE)
    exact = none if settings.duplicates == "none" else first_of_each(kept.digests)
    exact = np.where(np.arange(len(kept)) < kept.others, NONE, exact)
    if kept.bands is None:
        return Duplicates(exact, none, np.zeros(len(kept)), 0, 0)

    def shown(items: Any) -> Any:
        return progress_bar(items, desc="comparing", unit=" documents", disable=not progress)

    return find_near(
        exact, kept.keys(), kept.signature, kept.shingles, settings.near, kept.bands, always=kept.others, progress=shown
    )


def _counted(kept: Kept) -> dict[str, Any]:
    """What the chunks counted, added up."""
    own = [result for result in kept.results if not result["is_other"]]
    totals = {name: sum(result[name] for result in own) for name in ("documents", "bytes", "words")}
    counts = {name: _sum(result[name] for result in own) for name in ("personal", "languages", "fields")}
    held: dict[str, set[int]] = {}
    for result in own:
        for place, numbers in result["held"].items():
            held.setdefault(place, set()).update(numbers)
    others = sum(result["documents"] for result in kept.results if result["is_other"])
    return {"input": totals, "compared_with": {"documents": others, "held": sum(map(len, held.values()))}, **counts}


def _sum(counts: Any) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(sorted(total.items(), key=lambda pair: (-pair[1], pair[0])))


def _filters(kept: Kept, found: Duplicates) -> list[dict[str, Any]]:
    """What each filter took, in the order of most: documents, bytes, twenty examples drawn by chance."""
    filters: dict[str, dict[str, Any]] = {}
    for result in kept.results:
        for name, taken in result["taken"].items():
            entry = filters.setdefault(name, {"name": name, "documents": 0, "bytes": 0, "examples": []})
            entry["documents"] += taken["documents"]
            entry["bytes"] += taken["bytes"]
            entry["examples"] = drawn([*entry["examples"], *taken["examples"]])
    for name, first in (("exact duplicate", found.exact), ("near duplicate", found.near)):
        places = np.flatnonzero(first != NONE)
        if len(places):
            filters[name] = {
                "name": name,
                "documents": len(places),
                "bytes": int(kept.sizes[places, 0].sum()),
                "examples": [_example(kept, found, int(place), int(first[place])) for place in _some(kept, places)],
            }
    return sorted(filters.values(), key=lambda entry: (-entry["documents"], entry["name"]))


def _some(kept: Kept, places: np.ndarray) -> np.ndarray:
    """Twenty of these documents, or all, by chance that depends on them alone."""
    order = mixed(kept.digests[places, 0] + places.astype(np.uint64))
    return places[np.argsort(order, kind="stable")[:EXAMPLES]]


def _example(kept: Kept, found: Duplicates, place: int, first: int) -> dict[str, Any]:
    record, other = kept.record(place), kept.record(first)
    said = "the same words as" if found.exact[place] != NONE else f"{found.likeness[place]:.3f} like"
    return example(record["text"], record["source"], record["line"], f"{said} {other['source']}, line {other['line']}")


def _write_documents(out: Path, kept: Kept, stays: np.ndarray) -> list[dict[str, Any]]:
    """The files of documents, each of about `FILE_BYTES`; name, bytes and SHA-256 of each."""
    groups: list[list[int]] = [[]]
    size = 0
    for chunk in range(len(kept.results)):
        rows = slice(*kept.starts[chunk : chunk + 2])
        if size >= FILE_BYTES:
            groups, size = [*groups, []], 0
        size += int(kept.sizes[rows, 0][stays[rows]].sum())
        groups[-1].append(chunk)
    files = []
    for number, group in enumerate(groups):
        path = out / DOCUMENTS / f"{number:05d}.jsonl"
        with replacing(path) as temporary, open(temporary, "wb") as file:
            for chunk in group:
                lines = kept.chunk(chunk).read_bytes()
                bounds = kept.offsets[chunk]
                for row in np.flatnonzero(stays[kept.starts[chunk] : kept.starts[chunk + 1]]):
                    file.write(lines[bounds[row] : bounds[row + 1]])
        files.append(fingerprint(path, f"{DOCUMENTS}/{path.name}"))
    return files


def _lengths(sizes: np.ndarray) -> dict[str, Any]:
    """(N, 2) -> numbers of documents, bytes and words, and how long documents are."""
    shares = {"shortest": 0, "tenth": 0.1, "median": 0.5, "nine tenths": 0.9, "longest": 1}
    words = {name: int(np.quantile(sizes[:, 1], share, method="lower")) for name, share in shares.items()}
    return {
        "documents": len(sizes),
        "bytes": int(sizes[:, 0].sum()),
        "words": int(sizes[:, 1].sum()),
        "words_of_a_document": words,
    }


def _about_duplicates(kept: Kept, found: Duplicates, settings: CleanSettings, stays: np.ndarray) -> dict[str, Any]:
    about: dict[str, Any] = {"looked_for": settings.duplicates}
    if kept.bands is None:
        return about
    texts = [kept.record(int(place))["text"] for place in _some(kept, np.flatnonzero(stays))]
    return {
        **about,
        "threshold": settings.near,
        "shingle_words": SHINGLE,
        "bands": kept.bands.bands,
        "rows": kept.bands.rows,
        "chance_at_threshold": float(kept.bands.chance(settings.near)),
        "signatures_compared": found.estimated,
        "shingles_compared": found.compared,
        "curve": measured_curve(texts, kept.bands, np.random.default_rng(settings.seed)),
    }
