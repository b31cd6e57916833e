"""What is cleaned, or compared with: a named corpus, a file or a folder, read one document at a time."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import regex

from minigpt.errors import UserError
from minigpt.text import CORPORA
from minigpt.text.corpora import corpus_files
from minigpt.text.documents import FIELD, Document, TextFile, read_documents

LONGEST = 1 << 18  # characters of a document; longer texts are cut, or rules would find too many words in them
SPLITS = {"file": None, "paragraphs": r"\n\s*\n", "lines": r"\n"}  # where a text file is cut into documents


class Source(NamedTuple):
    """Files, or the documents of a named corpus; and how they are read."""

    name: str
    files: list[TextFile]
    named: list[str]
    field: str
    split: str

    @classmethod
    def open(cls, source: str | Path, *, field: str | None = None, split: str | None = None) -> "Source":
        """`UserError` if there is nothing, or if `field` or `split` have nothing to say about it."""
        if not str(source).strip():
            raise UserError(f"the name of the corpus is empty; give a path, or one of {', '.join(CORPORA)}")
        if split is not None and split not in SPLITS:
            raise UserError(f"there is no split {split!r}; choose one of {', '.join(SPLITS)}")
        entry = CORPORA.get(str(source))
        files = [] if entry else corpus_files(source)
        lines = [file.is_json_lines for file in files]
        if field is not None and not any(lines):
            raise UserError(f"{source} has no JSON Lines, so there is no field {field!r}; leave it out")
        if split is not None and (entry or all(lines)):
            raise UserError(f"{source} has no text files, so there is nothing to split; leave it out")
        named = entry.documents() if entry else []
        return cls(str(source), files, named, field or FIELD, split or "file")

    def documents(self) -> Iterator[Document]:
        """All of them, in order."""
        yield from (Document(text, self.name, number, {}) for number, text in enumerate(self.named, 1))
        for file in self.files:
            for document in read_documents(file, field=self.field, longest=LONGEST):
                if file.is_json_lines or self.split == "file":
                    yield document
                else:
                    yield from _pieces(document, str(SPLITS[self.split]))

    def fingerprints(self) -> list[dict[str, Any]]:
        """Name, bytes and SHA-256 of every file."""
        if self.named:
            together = "\0".join(self.named).encode("utf-8")
            return [{"name": self.name, "bytes": len(together), "sha256": hashlib.sha256(together).hexdigest()}]
        return [fingerprint(file.path, file.name) for file in self.files]


def fingerprint(path: Path, name: str) -> dict[str, Any]:
    """Name, bytes and SHA-256 of a file."""
    with open(path, "rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return {"name": name, "bytes": file.tell(), "sha256": sha256}


def _pieces(document: Document, mark: str) -> Iterator[Document]:
    """The document cut at each mark; blank pieces are left out."""
    start, line = 0, document.line
    ends = [(found.start(), found.end()) for found in regex.finditer(mark, document.text)]
    for end, following in [*ends, (len(document.text), len(document.text))]:
        piece = document.text[start:end]
        if piece.strip():
            yield document._replace(text=piece, line=line)
        line += document.text.count("\n", start, following)
        start = following
