"""Examples as people keep them: CSV, tab-separated and JSON Lines, read into records that know their line."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from minigpt.errors import UserError
from minigpt.files import read_text
from minigpt.values import TABLE, TEXT, Kind, about, check, parse_json, read, shown

LONGEST_FIELD = 1 << 27  # characters of a field of a CSV file: a whole document may be one


class Record(NamedTuple):
    """One example, before a task makes something of it."""

    values: dict[str, Any]  # column -> what stands there: text in a CSV file, any JSON value in a JSON Lines file
    place: str  # file and line, for messages

    def value(self, name: str, kind: Kind = TEXT) -> Any:
        """What is in the column called `name`. `UserError` names file, line and column if it is of another kind."""
        with about(self.place):
            if name not in self.values:
                known = ", ".join(map(str, self.values)) or "none"
                raise UserError(
                    f"there is no column {name!r}, but: {known}; rename one, or say at `minigpt finetune` which one it "
                    "is (--text, --label and others)"
                )
            return read(self.values, name, kind)

    def text(self, name: str) -> str:
        """The same of a text, which must not be empty."""
        text = self.value(name)
        if not text.strip():
            raise UserError(f"{self.place}: {name} is empty; leave the line out or write something there")
        return text


def read_records(path: str | Path) -> list[Record]:
    """The examples in a .csv, .tsv or .jsonl file, in their order.

    The first line of a .csv or .tsv file names its columns. `UserError` names the file and the line that is broken, or
    says that there is no example in it.
    """
    path = Path(path)
    readers = {".csv": _read_csv, ".tsv": _read_tsv, ".jsonl": _read_json_lines}
    if path.suffix.lower() not in readers:
        raise UserError(f"{path} has the ending {path.suffix!r}; examples are read from {', '.join(readers)}")
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a file")
    records = list(readers[path.suffix.lower()](path, read_text(path)))
    if not records:
        raise UserError(f"{path} holds no example; choose another file")
    return records


def _read_csv(path: Path, text: str) -> Iterator[Record]:
    return _read_table(path, text, ",")


def _read_tsv(path: Path, text: str) -> Iterator[Record]:
    return _read_table(path, text, "\t")


def _read_table(path: Path, text: str, delimiter: str) -> Iterator[Record]:
    before, line = csv.field_size_limit(LONGEST_FIELD), 1  # where a row begins: a quoted text may have several lines
    try:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        columns = _columns(path, next(rows, []))
        line = rows.line_num + 1
        for row in rows:
            place, line = f"{path}, line {line}", rows.line_num + 1
            if not row:
                continue
            if len(row) != len(columns):
                raise UserError(
                    f"{place}: there are {len(row)} values, but the first line names {len(columns)} columns; a text "
                    "with a separator in it must stand in double quotes"
                )
            yield Record(dict(zip(columns, row, strict=True)), place)
    except csv.Error as error:
        raise UserError(f"{path}, line {line}: {error}; mend the quotes of what begins there") from None
    finally:
        csv.field_size_limit(before)


def _columns(path: Path, names: list[str]) -> list[str]:
    for name in names:
        if not name.strip() or names.count(name) > 1:
            fault = "twice" if name.strip() else "without a name"
            raise UserError(f"{path}, line 1: the column {shown(name)} is there {fault}; the first line names columns")
    return names


def _read_json_lines(path: Path, text: str) -> Iterator[Record]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        with about(place):
            try:
                value = parse_json(line)
            except UserError:
                raise
            except (ValueError, RecursionError) as error:
                raise UserError(f"this is no JSON ({error}); each line must be one whole object") from None
            check("it", value, TABLE)
            _check_unicode(value)
        yield Record(value, place)


def _check_unicode(value: dict[str, Any]) -> None:
    """`UserError` for half of a surrogate pair, which JSON can spell and a tokenizer would replace by another sign."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise UserError("it holds half of a surrogate pair, which is no character; mend or remove it") from None
