"""metrics.csv: one row for every few steps, safe against interruption."""

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from minigpt.errors import UserError
from minigpt.files import unwritable, write_text

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
    """Every column as pairs (step, value), without the empty cells."""
    rows = _rows(path)
    return {name: [(int(row["step"]), float(row[name])) for row in rows if row.get(name)] for name in COLUMNS[1:]}


def _rows(path: str | Path) -> list[dict[str, str]]:
    """Complete rows; a last line that was cut off is left out."""
    text = Path(path).read_text(encoding="utf-8")
    rows = list(csv.DictReader(text[: text.rfind("\n") + 1].splitlines()))
    known = not rows or set(COLUMNS) - LATER <= set(rows[0]) <= set(COLUMNS)
    if not known or not all(row["step"].isdigit() for row in rows):
        raise UserError(f"{path} is not a metrics file of minigpt; move it away")
    return rows
