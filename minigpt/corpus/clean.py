"""`minigpt corpus clean`: a corpus read, filtered, rid of duplicates and written, in bounded memory.

In three steps, each of which a killed process leaves so that the next one goes on: every chunk of the input is filtered
by a worker into a hidden folder; duplicates are found among what is left; the documents and the report are written, and
last `corpus.json`, by which a cleaned corpus is known.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from minigpt import __version__
from minigpt.corpus.chunk import CHARACTERS, Chunk, Cleaner, chunks_of, is_done
from minigpt.corpus.settings import CleanSettings
from minigpt.corpus.source import Source
from minigpt.corpus.worker import in_order
from minigpt.corpus.write import NothingLeft, write_corpus
from minigpt.errors import UserError
from minigpt.files import drop_parts, read_json, write_json
from minigpt.progress import progress_bar
from minigpt.text.corpora import CLEANED, CLEANING, DOCUMENTS, FORMAT
from minigpt.text.documents import Document
from minigpt.train.lock import NAME as LOCK
from minigpt.train.lock import locked

ASKED = "asked.json"


class InputChanged(UserError):
    """Somebody wrote to the input while it was read; what was made of it is thrown away."""


def clean(
    source: str | Path,
    out: str | Path,
    settings: CleanSettings | None = None,
    *,
    workers: int = 1,
    progress: bool = True,
) -> dict[str, Any]:
    """Clean a corpus into a new folder, which `minigpt.load_corpus` reads.

    Parameters
    ----------
    source : str or Path
        A named corpus, a file (text or JSON Lines, also gzipped) or a folder of them.
    out : str or Path
        A folder that is not there yet, or in which the same cleaning was interrupted; nothing is overwritten.
    settings : CleanSettings, optional
        What is done.
    workers : int
        Processes that share the work; the result does not depend on it.
    progress : bool
        Draw bars.

    Returns
    -------
    dict
        The report, as `report.json` in the folder has it.

    Raises
    ------
    UserError
        For input that cannot be read (file and line are named), settings that do not fit, a folder that holds
        something else, one in which a cleaning is at work, and if nothing is left.

    Examples
    --------
    >>> import pathlib
    >>> from minigpt.corpus import CleanSettings, clean
    >>> fox = "The fox met a hen and asked her for an egg."
    >>> _ = pathlib.Path("fables.txt").write_text(f"{fox}\\n{fox}\\nThe cat sat on a mat and slept.", encoding="utf-8")
    >>> report = clean("fables.txt", "cleaned", CleanSettings(split="lines"), progress=False)
    >>> report["input"]["documents"], report["output"]["documents"]
    (3, 2)
    """
    settings, out = settings or CleanSettings(), Path(out)
    settings.check()
    if workers < 1:
        raise UserError(f"workers is {workers}, but it must be 1 or more")
    opened = Source.open(source, field=settings.field, split=settings.split)
    _check_place(opened, Path(source), out)
    total, characters = _count(opened, settings, progress)
    workers = min(workers, 1 + characters // CHARACTERS)  # for less than a chunk none is started
    asked = _asked(opened, settings)
    if (out / CLEANED).exists():
        report = _finished(out, asked)
        _tidy(out)
        return report
    _check_same(out, asked)
    task = settings.cleaner(out / CLEANING)  # what is missing for it is said before anything is written
    is_new = not out.exists()
    try:
        with locked(out, make_folder=True, what="cleaning"):
            if (out / CLEANED).exists():  # by another process, just now
                return _finished(out, asked)
            _check_same(out, asked)
            drop_parts(out / DOCUMENTS)
            write_json(out / CLEANING / ASKED, asked)
            chunks = _filter(opened, settings, task, total, workers, progress)
            _check_unchanged(source, settings, asked)
            report = write_corpus(out, task, chunks, settings, asked, progress=progress)
            shutil.rmtree(out / CLEANING)
            return report
    except (NothingLeft, InputChanged):
        shutil.rmtree(out / CLEANING)
        if is_new:
            out.rmdir()
        raise


def _check_place(opened: Source, source: Path, out: Path) -> None:
    """`UserError` if the output would be among the input, or cannot be a folder."""
    if not str(out).strip() or str(out) == ".":
        raise UserError("the cleaned corpus needs a folder of its own; name one that is not there")
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file, which is not overwritten; choose another folder")
    if opened.files and source.is_dir() and out.resolve().is_relative_to(source.resolve()):
        raise UserError(f"{out} lies in {source}, which would then be read with it; choose a folder outside")


def _count(opened: Source, settings: CleanSettings, progress: bool) -> tuple[int, int]:
    """How many documents and characters are read, those to compare with among them.

    So everything is read once before anything is written, and a broken line is named before hours of work.
    """
    with progress_bar(desc="reading", unit=" documents", disable=not progress) as bar:
        total = characters = 0
        has_text = False
        fields: set[str] = set()
        for document in opened.documents():
            total, characters = total + 1, characters + len(document.text)
            has_text = has_text or bool(document.text.strip())
            fields.update(document.fields)
            _check_kept(document, settings.keep)
            bar.update()
        if not has_text:
            raise UserError(f"{opened.name} is empty; choose a corpus with text in it")
        if missing := [name for name in settings.keep if name not in fields]:
            there = ", ".join(sorted(fields)[:8]) or "none"
            raise UserError(f"no document of {opened.name} has a field {missing[0]!r} to keep; there are: {there}")
        for path in settings.against:
            before = characters
            for document in Source.open(path).documents():
                total, characters = total + 1, characters + len(document.text.strip())
                bar.update()
            if characters == before:
                raise UserError(f"{path} is empty, so there is nothing to compare with; leave it out")
    return total, characters


def _check_kept(document: Document, names: tuple[str, ...]) -> None:
    """`UserError` for a number in a field to keep that JSON has no word for: Python's reader takes NaN and 1e999."""
    kept = {name: document.fields[name] for name in names if name in document.fields}
    try:
        json.dumps(kept, allow_nan=False)
    except ValueError:
        raise UserError(
            f"{document.source}, line {document.line}: a number in {', '.join(kept)} is not finite, which JSON cannot "
            "say; mend it, or do not keep that field"
        ) from None


def _asked(opened: Source, settings: CleanSettings) -> dict[str, Any]:
    """What makes a cleaning the same: version, settings, and the bytes of all that is read."""
    asked = {
        "format": FORMAT,
        "minigpt": __version__,
        "settings": settings.fingerprint(),
        "input": {"name": Path(opened.name).name, "files": opened.fingerprints()},
    }
    return json.loads(json.dumps(asked))


def _check_unchanged(source: str | Path, settings: CleanSettings, asked: dict[str, Any]) -> None:
    """`InputChanged` if what was read is not what it was at the beginning."""
    opened = Source.open(source, field=settings.field, split=settings.split)
    if _asked(opened, settings) != asked:
        raise InputChanged(f"{opened.name} changed while it was read; give the command again when nothing writes to it")


def _check_same(out: Path, asked: dict[str, Any]) -> None:
    """`UserError` unless the folder is empty, or has the beginning of the same cleaning."""
    there = sorted(path.name for path in out.iterdir() if path.name != LOCK) if out.exists() else []
    if (out / CLEANING / ASKED).exists():
        _compare(out, read_json(out / CLEANING / ASKED), asked, "begun")
    elif [name for name in there if name != CLEANING]:
        raise UserError(f"{out} holds {there[0]} already, and nothing is overwritten; choose another folder")


def _finished(out: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """The report of a cleaning that was done before."""
    made = read_json(out / CLEANED)
    _compare(out, made, asked, "made")
    return read_json(out / "report.json")


def _tidy(out: Path) -> None:
    """Remove what a process has left that was killed when only that was still to do, unless one is at it now."""
    if (out / LOCK).exists() or (out / CLEANING).exists():
        with suppress(UserError), locked(out, what="cleaning"):
            shutil.rmtree(out / CLEANING, ignore_errors=True)


def _compare(out: Path, made: dict[str, Any], asked: dict[str, Any], how: str) -> None:
    """`UserError`, which names what is different, unless the same is asked for again."""
    for name, now in asked.items():
        was = made.get(name)
        if was == now:
            continue
        parts = [key for key in now if was.get(key) != now[key]] if isinstance(now, dict) and was else []
        other = "other settings" if name == "settings" else f"another {name}"
        raise UserError(
            f"{out} was {how} with {other}{' (' + ', '.join(parts) + ')' if parts else ''}, and nothing is "
            "overwritten; repeat what was asked for then, or choose another folder"
        )


def _filter(opened: Source, settings: CleanSettings, task: Cleaner, total: int, workers: int, progress: bool) -> int:
    """Have every chunk filtered that is not yet; how many there are."""
    seen = 0

    def chunks(bar: Any) -> Iterator[Chunk]:
        nonlocal seen
        for chunk in _all_chunks(opened, settings):
            seen += 1
            if is_done(task.folder, chunk.number):
                bar.update(len(chunk.documents))
            else:
                yield chunk

    with progress_bar(total=total, desc="cleaning", unit=" documents", disable=not progress) as bar:
        for count in in_order(task, chunks(bar), workers):
            bar.update(count)
    return seen


def _all_chunks(opened: Source, settings: CleanSettings) -> Iterator[Chunk]:
    """Those of what is compared with, then those of the input."""
    number = 0
    for source, is_other in [*((Source.open(path), True) for path in settings.against), (opened, False)]:
        for chunk in chunks_of(source.documents(), is_other, number):
            number = chunk.number + 1
            yield chunk
