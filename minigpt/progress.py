"""How far a long computation has come: a bar on a terminal, a plain line now and then anywhere else."""

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import Any, TextIO

EVERY = 10.0  # seconds between lines


def progress_bar(
    items: Iterable | None = None, *, total: int | None = None, initial: int = 0, disable: bool = False, **options: Any
) -> Any:
    """tqdm's bar on standard error where that is a terminal; else a `Lines`, which has the same methods.

    disable: say nothing. options: desc and unit, and on a terminal any of tqdm's.
    """
    if sys.stderr.isatty() and not disable:
        from tqdm import tqdm

        return tqdm(items, total=total, initial=initial, **options)
    return Lines(items, total, initial, options.get("desc", ""), options.get("unit", ""), silent=disable)


def say(line: str, file: TextIO | None = None) -> None:
    """Print a line, above the bars that are there; file: default standard error."""
    if sys.stderr.isatty():
        from tqdm import tqdm

        tqdm.write(line, file=file or sys.stderr)
    else:
        print(line, file=file or sys.stderr)
    (file or sys.stderr).flush()


class Lines:
    """For a log file: `training: 300 of 3000, 12 s` every few seconds, and nothing of what takes less."""

    def __init__(
        self, items: Iterable | None, total: int | None, initial: int, what: str, unit: str, *, silent: bool = False
    ):
        self._items, self._what, self._unit, self._silent = items, what, unit, silent
        self.n, self._total = initial, len(items) if total is None and isinstance(items, Sized) else total
        self._postfix = ""
        self._began = self._last = time.monotonic()

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Any]:
        for item in () if self._items is None else self._items:
            yield item
            self.update()

    def update(self, count: int = 1) -> None:
        """So many more are done."""
        self.n += count
        now = time.monotonic()
        if self._silent or now - self._last < EVERY:
            return
        self._last = now
        done = f"{self.n:,}" if self._total is None else f"{self.n:,} of {self._total:,}"
        line = f"{self._what}: {done}{self._unit}, {now - self._began:.0f} s"
        print(f"{line}, {self._postfix}" if self._postfix else line, file=sys.stderr, flush=True)

    def set_postfix_str(self, text: str) -> None:
        """What the next line ends with."""
        self._postfix = text

    def close(self) -> None:
        """As tqdm's."""
