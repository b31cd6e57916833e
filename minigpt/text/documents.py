"""Reading documents: text, JSON Lines and folders of them, gzipped or not, one at a time.

What others wrote is read here and nowhere else: every refusal names the file, and the line where there is one.
"""

import codecs
import difflib
import gzip
import io
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from minigpt.errors import UserError
from minigpt.files import check_is_file
from minigpt.text.named_corpora import CORPORA
from minigpt.values import TEXT, about, parse_json, read

SUFFIXES = {".txt", ".md", ".rst", ".py", ".tex", ".html", ".csv", ".json"}  # what counts as text in a folder
LINES = {".jsonl", ".ndjson"}  # JSON Lines: a JSON object in every line (jsonlines.org)
GZIP = ".gz"
FIELD = "text"
BLOCK = 1 << 20  # bytes that are decoded at a time
MOST_LINE = 1 << 26  # bytes of a line of JSON


class Document(NamedTuple):
    """A text and where it is from."""

    text: str
    source: str  # the file's path, in a folder relative to it
    line: int  # of the file, where the document begins, from 1
    fields: dict[str, Any]  # what else its line of JSON holds


class TextFile(NamedTuple):
    """A file of documents: its path and what it is called."""

    path: Path
    name: str

    @property
    def is_json_lines(self) -> bool:
        """By its name."""
        return _suffix(self.path) in LINES


def text_files(path: str | Path) -> list[TextFile]:
    """The file at `path`; or, in order, those with text in the folder and the folders in it, but for hidden ones.

    `UserError` if there is nothing, or no such file in the folder.
    """
    path = Path(path)
    if not path.exists():
        near = difflib.get_close_matches(str(path), CORPORA, n=1)
        hint = f"did you mean {near[0]}?" if near else f"give a path, or one of {', '.join(CORPORA)}"
        raise UserError(f"there is no corpus or file {path}; {hint}")
    if not path.is_dir():
        return [TextFile(path, path.name)]
    known = SUFFIXES | LINES
    files = [TextFile(file, file.relative_to(path).as_posix()) for file in _below(path) if _suffix(file) in known]
    files = [file for file in files if not _is_hidden(file.name)]
    for file in files:
        if not file.path.exists():
            raise UserError(f"{file.path} is a link that leads nowhere; mend or remove it")
    files = [file for file in files if file.path.is_file()]
    if not files:
        kinds = ", ".join(sorted(known))
        pictures = any(_suffix(file) == ".png" for file in _below(path))
        raise UserError(
            f"the folder {path} has no text files ({kinds}, or these with {GZIP}); "
            + ("a model learns from its pictures with --task classify" if pictures else "choose another")
        )
    return sorted(files, key=lambda file: file.path)


def _below(folder: Path) -> Iterator[Path]:
    """The files in a folder and the folders in it, but for hidden ones. Links to folders are not followed."""

    def unreadable(error: OSError) -> None:
        raise UserError(f"{error.filename} could not be read ({error.strerror}); ask for the right to, or leave it out")

    for where, folders, names in os.walk(folder, onerror=unreadable):
        folders[:] = [name for name in folders if not _is_hidden(name)]
        yield from (Path(where, name) for name in names)


def read_documents(file: TextFile, *, field: str = FIELD, longest: int | None = None) -> Iterator[Document]:
    """The documents of a file: each line of JSON Lines, or the whole text with its line ends made equal.

    field: of JSON Lines, the one that holds the text. longest: characters above which a text is cut, at the end of a
    paragraph, else of a line, where there is one; None: it is read whole. What is held in memory is one document.
    `UserError`, with the place, for what is no UTF-8, no JSON, no text, or a damaged archive.
    """
    check_is_file(file.path)
    with _opened(file.path) as binary:
        yield from _json_lines(binary, file, field) if file.is_json_lines else _text(binary, file, longest)


def _suffix(path: Path) -> str:
    """What a file is, by its name: the ending before .gz."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    return (suffixes[-2:-1] or [""])[0] if suffixes[-1:] == [GZIP] else (suffixes or [""])[-1]


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The bytes of the file, unpacked. What goes wrong while they are read is a sentence."""
    opener: Callable[..., Any] = gzip.open if path.suffix.lower() == GZIP else open
    try:
        with opener(path, "rb") as binary:
            yield binary
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(f"{path} is no whole gzip file ({error}); fetch or pack it again") from None
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte in it
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path} could not be read ({getattr(error, 'strerror', error)}); check the path") from None


def _text(binary: BinaryIO, file: TextFile, longest: int | None) -> Iterator[Document]:
    """The text, in pieces of at most `longest` characters; none if it is empty."""
    parts: list[str] = []
    length, line = 0, 1
    for part in _decoded(binary, file.path):
        parts.append(part)
        length += len(part)
        while longest is not None and length > longest:
            text = "".join(parts)
            end = _cut(text, longest)
            yield Document(text[:end], file.name, line, {})
            line += text.count("\n", 0, end)
            parts, length = [text[end:]], length - end
    if length:
        yield Document("".join(parts), file.name, line, {})


def _cut(text: str, longest: int) -> int:
    """Where to cut: after the last paragraph that ends in the second half of what fits, else after such a line."""
    for mark in ("\n\n", "\n"):
        end = text.rfind(mark, longest // 2, longest) + len(mark)
        if end >= len(mark):
            return end
    return longest


def _decoded(binary: BinaryIO, path: Path) -> Iterator[str]:
    """The text in blocks, without a byte-order mark, its line ends as `minigpt.files.equal_line_ends` makes them."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    equal = io.IncrementalNewlineDecoder(None, translate=True)
    taken, lines, is_last = 0, 1, False
    while not is_last:
        block = binary.read(BLOCK)
        taken, is_last = taken + len(block), not block
        try:
            text = equal.decode(decoder.decode(block, final=is_last), final=is_last)
        except UnicodeDecodeError as error:
            line = lines + error.object.count(b"\n", 0, error.start)
            byte = taken - len(error.object) + error.start
            raise UserError(
                f"{path} is not UTF-8 text (byte {byte}) in line {line}; convert it to UTF-8 first"
            ) from None
        lines += text.count("\n")
        yield text


def _json_lines(binary: BinaryIO, file: TextFile, field: str) -> Iterator[Document]:
    """A document for each line that is not blank."""
    number = 0
    while line := binary.readline(MOST_LINE + 1):
        number += 1
        with about(f"{file.path}, line {number}"):
            if len(line) > MOST_LINE:
                raise UserError(f"it has more than {MOST_LINE:,} bytes; cut its text into several documents")
            record = _record(line.removeprefix(codecs.BOM_UTF8) if number == 1 else line)
            if record is None:
                continue
            _check_names(record)
            text = _field(record, field)
        yield Document(text, file.name, number, {name: value for name, value in record.items() if name != field})


def _record(line: bytes) -> dict[str, Any] | None:
    """The JSON object in a line; None for a blank one."""
    try:
        text = line.decode("utf-8")
        record = parse_json(text) if text.strip() else None
    except UserError:
        raise
    except UnicodeDecodeError as error:
        raise UserError(f"byte {error.start} of it is not UTF-8 text; convert the file to UTF-8 first") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"it is not JSON ({error}); mend or remove it") from None
    if record is not None and not isinstance(record, dict):
        raise UserError(f"it holds a {type(record).__name__} where a JSON object must be; mend or remove it")
    if record is None and text.strip():
        raise UserError("it holds null where a JSON object must be; mend or remove it")
    return record


def _check_names(record: dict[str, Any]) -> None:
    try:
        "".join(record).encode("utf-8")
    except UnicodeEncodeError:
        raise UserError("the name of a field holds half of a surrogate pair, which is no character; mend it") from None


def _field(record: dict[str, Any], field: str) -> str:
    """The text of an object, its line ends made equal."""
    if field not in record:
        there = ", ".join(sorted(record)[:8]) or "none"
        raise UserError(f"there is no field {field!r}, but: {there}; name the one that holds the text (--field)")
    text = read(record, field, TEXT)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise UserError(f"{field} holds half of a surrogate pair, which is no character; mend or remove it") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")
