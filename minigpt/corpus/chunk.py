"""What is done with a chunk of documents: filters, personal information, and what duplicates are found by."""

import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minigpt.corpus.classifier import Quality
from minigpt.corpus.language import Languages
from minigpt.corpus.minhash import Bands
from minigpt.corpus.overlap import Overlap
from minigpt.corpus.personal import Pseudonyms, find, replace
from minigpt.corpus.personal.find import Detector
from minigpt.corpus.personal.names import find_names
from minigpt.corpus.rules import Rules
from minigpt.corpus.shingles import digest, shingles
from minigpt.errors import UserError
from minigpt.files import read_json, replacing, write_json
from minigpt.text.documents import Document

EXAMPLES, EXCERPT = 20, 240  # of what a filter took; characters of each
CHARACTERS, DOCUMENTS = 1 << 20, 4000  # of a chunk, about

Example = dict[str, Any]


class Chunk(NamedTuple):
    """Successive documents. is_other: they are only compared with."""

    number: int
    documents: list[Document]
    is_other: bool


class Taken(NamedTuple):
    """Which filter took a document, and why."""

    filter: str
    reason: str


def chunks_of(documents: Iterator[Document], is_other: bool, start: int = 0) -> Iterator[Chunk]:
    """The documents in chunks, numbered from `start`; which are in which depends on them alone."""
    chunk: list[Document] = []
    size = 0
    for document in documents:
        chunk.append(document)
        size += len(document.text)
        if size >= CHARACTERS or len(chunk) >= DOCUMENTS:
            yield Chunk(start, chunk, is_other)
            chunk, size, start = [], 0, start + 1
    if chunk:
        yield Chunk(start, chunk, is_other)


def is_done(folder: Path, number: int) -> bool:
    """Whether the files of a chunk are there, as long as they were written."""
    path = folder / f"{number:06d}.json"
    with suppress(OSError, UserError):
        return all(path.with_suffix(suffix).stat().st_size == size for suffix, size in read_json(path)["files"].items())
    return False


def excerpt(text: str) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text[: 2 * EXCERPT].split())
    return line if len(line) <= EXCERPT and len(text) <= 2 * EXCERPT else line[:EXCERPT] + " ..."


def drawn(examples: Sequence[Example]) -> list[Example]:
    """Twenty of the examples, by chance: those with the smallest hash of text and place, whoever found them."""
    return sorted(examples, key=lambda example: example["order"])[:EXAMPLES]


def example(text: str, source: str, line: int, reason: str) -> Example:
    """One for a report."""
    order = hashlib.blake2b(f"{source}\0{line}\0{text}".encode(), digest_size=8).hexdigest()
    return {"order": order, "source": source, "line": line, "reason": reason, "text": excerpt(text)}


@dataclass
class Cleaner:
    """The task of a worker: a chunk is read, judged, and its result written into `folder`, the .json of it last."""

    folder: Path
    rules: Rules
    bands: Bands | None  # None: no near duplicates are looked for
    languages: Languages | None = None
    wanted: tuple[str, ...] = ()  # languages
    quality: Quality | None = None
    least_quality: float = 0.0
    others: list[Overlap] = field(default_factory=list)
    kinds: tuple[str, ...] = ()  # of personal information
    how: str | Pseudonyms = "placeholder"
    names: Detector = find_names
    keep_fields: tuple[str, ...] = ()

    def __call__(self, chunk: Chunk) -> int:
        """How many documents the chunk had."""
        result = ChunkResult(chunk.is_other)
        lines, digests, signatures = [], [], []
        for document in chunk.documents:
            result.read(document)
            taken = None if chunk.is_other else self._judge(document.text, result)
            if taken is not None:
                shown = self._replaced(document.text[: 4 * EXCERPT])[0]
                result.take(taken, example(shown, document.source, document.line, taken.reason), document.text)
                continue
            text, found = self._replaced(document.text)
            result.personal.update(found)
            lines.append(self._line(document, text))
            digests.append(digest(text))
            if self.bands is not None:
                signatures.append(self.bands.signature(shingles(text)))
            result.keep(text)
        self._write(chunk.number, lines, digests, signatures, result)
        return len(chunk.documents)

    def _judge(self, text: str, result: "ChunkResult") -> Taken | None:
        """The first filter that takes the document; None if all let it pass."""
        if not text.strip():
            return Taken("empty", "no text")
        if finding := self.rules.judge(text):
            return Taken(f"rule: {finding.rule}", finding.reason)
        if self.languages is not None:
            guess = self.languages.guess(text)
            result.languages[guess.language] += 1
            if guess.language not in self.wanted:
                return Taken("language", f"{guess.language}, by {guess.margin:.3f} nats for an n-gram")
        if self.quality is not None and (score := self.quality.score(text)) < self.least_quality:
            return Taken("classifier", f"{score:.3f}, allowed at least {self.least_quality:g}")
        return self._contaminated(text, result)

    def _contaminated(self, text: str, result: "ChunkResult") -> Taken | None:
        found = {place: held for place, other in enumerate(self.others) if (held := other.held(text))}
        for place, held in found.items():
            result.held.setdefault(str(place), set()).update(held)
        if not found:
            return None
        place, held = next(iter(found.items()))
        return Taken("contamination", f"it holds document {held[0] + 1} of corpus {place + 1} that is compared with")

    def _replaced(self, text: str) -> tuple[str, Counter[str]]:
        if not self.kinds:
            return text, Counter()
        spans = find(text, self.kinds, names=self.names)
        return replace(text, spans, self.how), Counter(span.kind for span in spans)

    def _line(self, document: Document, text: str) -> bytes:
        """The document as a line of JSON."""
        kept = {name: document.fields[name] for name in self.keep_fields if name in document.fields}
        record = {"text": text, "source": document.source, "line": document.line, **kept}
        return json.dumps(record, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"

    def _write(
        self, number: int, lines: list[bytes], digests: list[bytes], signatures: list[np.ndarray], result: "ChunkResult"
    ) -> None:
        tables = io.BytesIO()
        np.savez(
            tables,
            offsets=np.cumsum([0, *map(len, lines)], dtype=np.int64),
            sizes=np.array(result.sizes, np.int64).reshape(-1, 2),
            digests=np.frombuffer(b"".join(digests), np.uint64).reshape(-1, 2),
        )
        parts = {".jsonl": b"".join(lines), ".npz": tables.getvalue()}
        if self.bands is not None:
            parts[".signatures"] = b"".join(signature.tobytes() for signature in signatures)
        for suffix, data in parts.items():
            with replacing(self.folder / f"{number:06d}{suffix}") as temporary:
                temporary.write_bytes(data)
        files = {suffix: len(data) for suffix, data in parts.items()}
        write_json(self.folder / f"{number:06d}.json", {**result.to_dict(), "files": files})


class ChunkResult:
    """What was counted in a chunk."""

    def __init__(self, is_other: bool):
        self.is_other = is_other
        self.documents = self.bytes = self.words = 0
        self.taken: dict[str, dict[str, Any]] = {}
        self.personal: Counter[str] = Counter()
        self.languages: Counter[str] = Counter()
        self.fields: Counter[str] = Counter()
        self.held: dict[str, set[int]] = {}
        self.sizes: list[tuple[int, int]] = []  # bytes and words of each document that is kept

    def read(self, document: Document) -> None:
        """Count a document of the input."""
        self.documents += 1
        self.bytes += len(document.text.encode())
        self.words += len(document.text.split())
        self.fields.update(document.fields.keys())

    def take(self, taken: Taken, example: Example, text: str) -> None:
        """Count one that is taken out."""
        entry = self.taken.setdefault(taken.filter, {"documents": 0, "bytes": 0, "examples": []})
        entry["documents"] += 1
        entry["bytes"] += len(text.encode())
        entry["examples"] = drawn([*entry["examples"], example])

    def keep(self, text: str) -> None:
        """Count one that stays, so far."""
        self.sizes.append((len(text.encode()), len(text.split())))

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        names = ("is_other", "documents", "bytes", "words", "taken", "personal", "languages", "fields")
        held = {place: sorted(numbers) for place, numbers in self.held.items()}
        return {**{name: getattr(self, name) for name in names}, "held": held, "kept": len(self.sizes)}
