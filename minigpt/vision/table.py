"""Images in a table: every row of a .csv file is one, square and grey, its pixels row after row.

The class of a row is in the column `label`, if the first row names columns; if it does not, the class is the value
after the pixels, if there is one. A first row names columns if it begins with a word, if it ends with the name of that
column, or if it only counts them: 0, 1, 2 and so on, as other programs name columns that have no name.
"""

import csv
import gzip
import io
import math
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from minigpt.errors import UserError
from minigpt.values import shown
from minigpt.vision.images import Images, check_pixels, check_room

MOST_BYTES = 1 << 31  # of a file, unpacked
LABEL = "label"  # the column, and the array, that names classes
COUNTED = 9  # as many pixels that only count, from 0 on, are names: a picture of fewer may look like that
LARGEST = float(np.finfo(np.float32).max)


def read_table(path: Path, label: str | None) -> Images:
    """The images of a .csv or .csv.gz. label: the column of the classes where it is called otherwise.

    `UserError` names the line, counted as an editor does, and what is wrong in it.
    """
    text = _text(path)
    first = next(_rows(path, text), (0, []))[1]
    named = _names_columns(first, label or LABEL)
    column = _label_column(path, first, named, label)
    side = _side(path, len(first) - (column is not None))
    most = text.count("\n") + text.count("\r") - text.count("\r\n") + 1  # rows
    check_room(most * side * side, str(path), 8)
    labels: list[str | None] = []
    places: list[str] = []
    numbers = np.empty((most, side * side), np.float32)
    rows = _rows(path, text)
    if named:
        next(rows)
    for line, row in rows:
        if len(row) != len(first):
            raise UserError(f"{path}, line {line}: there are {len(row):,} values, but {len(first):,} in the first line")
        labels.append(None if column is None else row.pop(column).strip())
        if labels[-1] == "":
            raise UserError(f"{path}, line {line}: the class is empty; name it")
        _read_pixels(numbers[len(places)], row, f"{path}, line {line}")
        places.append(f"{path.name}, line {line}")
    pixels = check_pixels(numbers[: len(places)].reshape(-1, side, side), str(path))
    if (pixels == np.floor(pixels)).all() and pixels.min() >= 0 and pixels.max() <= 255:
        pixels = pixels.astype(np.uint8)
    return Images(pixels, tuple(labels), tuple(places))


def _read_pixels(into: np.ndarray, row: list[str], place: str) -> None:
    """into: (P,) float32."""
    try:
        with np.errstate(over="ignore"):
            into[...] = row
    except ValueError:
        into[0] = np.nan
    if not np.isfinite(into).all():
        wrong = next(value for value in row if not _is_number(value))
        raise UserError(f"{place}: {shown(wrong)} is no finite number; all but the class are pixels")


def _text(path: Path) -> str:
    """`UserError` for a file that unpacks to too much, is empty, or is no text."""
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else open(path, "rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise UserError(f"{path} unpacks to more than {MOST_BYTES:,} bytes; give fewer images")
        text = data.decode("utf-8-sig")
    except UserError:
        raise
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise UserError(f"{path} is damaged or no UTF-8 text ({error}); save it again") from None
    if not text.strip():
        raise UserError(f"{path} is empty; give a file with images")
    return text


def _rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """The line in which each row begins, and its values. Empty lines are passed over."""
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    before = 0
    try:
        for row in rows:
            if row and (len(row) > 1 or row[0].strip()):
                yield before + 1, row
            before = rows.line_num
    except csv.Error as error:
        raise UserError(f"{path}, line {before + 1}: this is no row of values ({error}); mend it") from None


def _names_columns(first: list[str], wanted: str) -> bool:
    """Whether the first row holds names and no image."""
    cells = [cell.strip() for cell in first]
    if not _is_number(cells[0]) or cells[-1] == wanted:
        return True
    counted = [str(number) for number in range(len(cells))]
    return len(cells) >= COUNTED and cells[:-1] == counted[:-1] and (cells == counted or not _is_number(cells[-1]))


def _side(path: Path, count: int) -> int:
    """Of a square of so many pixels."""
    side = math.isqrt(count)
    if side < 1 or side * side != count:
        raise UserError(
            f"{path}: a line has {count:,} values beside its class, which is no square of pixels; save other images as "
            ".npz, with arrays `images` and `labels`"
        )
    return side


def _label_column(path: Path, first: list[str], named: bool, label: str | None) -> int | None:
    """Which column names the classes; None where all values of a line are the pixels of a square."""
    if label is not None and not named:
        raise UserError(f"the first line of {path} names no columns, so none is called {label!r}; leave --label out")
    names = [name.strip() for name in first]
    if label is not None and label not in names:
        raise UserError(f"{path} has no column {label!r}; its first is {shown(names[0])}, its last {shown(names[-1])}")
    wanted = label or LABEL
    if named and wanted in names:
        return names.index(wanted)
    if math.isqrt(len(first)) ** 2 == len(first) > 1:
        return None
    if named:
        raise UserError(
            f"the first line of {path} names columns, from {shown(names[0])} to {shown(names[-1])}, but none of them "
            f"{LABEL!r}; say with --label where the classes are; in a file without names they come last"
        )
    return len(first) - 1


def _is_number(text: str) -> bool:
    """Whether it is a number that a float32 can hold."""
    try:
        return abs(float(text)) <= LARGEST
    except ValueError:
        return False
