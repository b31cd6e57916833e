"""metrics.csv: one row for every few steps, safe against interruption."""

import csv
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from minigpt.errors import UserError
from minigpt.files import read_text, unwritable, write_text
from minigpt.values import shown

COLUMNS = (
    "step",
    "loss",
    "validation_loss",
    "validation_bits_per_byte",
    "validation_accuracy",
    "learning_rate",
    "gradient_norm",
    "tokens_per_second",
    "seconds",
)
LATER = {"validation_accuracy"}  # columns that files of version 0.1 lack
WHOLE = re.compile(r"[0-9]{1,18}")
NUMBER = re.compile(r"[+-]?([0-9]{1,40}(\.[0-9]{0,40})?([eE][+-]?[0-9]{1,3})?|inf|nan)")  # as Python writes floats


@contextmanager
def open_metrics(path: str | Path, step: int, *, written: bool = True) -> Iterator[Callable[[dict[str, float]], None]]:
    """A function that appends a row; columns that the row lacks stay empty.

    Rows after `step` are dropped first: training goes on from there and writes them again. Each row is handed to the
    system at once. written: False leaves the file to another rank, and the function does nothing.
    """
    if not written:
        yield lambda row: None
        return
    lines = [",".join(COLUMNS)]
    if step and Path(path).exists():
        lines += [",".join(row.get(name, "") for name in COLUMNS) for row in _rows(path) if int(row["step"]) <= step]
    write_text(path, "\n".join(lines) + "\n")
    with open(path, "a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")

        def append(row: dict[str, float]) -> None:
            if not Path(path).exists():
                raise UserError(f"{path} is gone, so training stopped; put the folder back as it was, or train again")
            try:
                writer.writerow(row)
                file.flush()
            except OSError as error:
                raise unwritable(path, error) from error

        yield append


def read_metrics(path: str | Path) -> dict[str, list[tuple[int, float]]]:
    """Every column as pairs (step, value), without the empty cells. `UserError` for a cell that is no number."""
    rows = _rows(path)
    return {name: [(int(row["step"]), float(row[name])) for row in rows if row.get(name)] for name in COLUMNS[1:]}


def _rows(path: str | Path) -> list[dict[str, str]]:
    """Complete rows, every cell a number or empty; a last line that was cut off is left out."""
    text = read_text(path)
    lines = text[: text.rfind("\n") + 1].split("\n")[:-1]
    names = lines[0].split(",") if lines else []
    if lines and (len(set(names)) < len(names) or not set(COLUMNS) - LATER <= set(names) <= set(COLUMNS)):
        raise UserError(f"{path} is not a metrics file of minigpt: its first line is {shown(lines[0])}; move it away")
    rows = []
    for place, line in enumerate(lines[1:], 2):
        cells = line.split(",")
        if len(cells) != len(names):
            raise UserError(f"line {place} of {path} has {len(cells)} cells, but {len(names)} are wanted; move it away")
        rows.append(dict(zip(names, cells, strict=True)))
        for name, cell in rows[-1].items():
            fits = WHOLE.fullmatch(cell) if name == "step" else not cell or NUMBER.fullmatch(cell)
            if not fits:
                wanted = "a whole number" if name == "step" else "a number"
                raise UserError(f"{name} in line {place} of {path} is {shown(cell)}, not {wanted}; move it away")
    return rows
