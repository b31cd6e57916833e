"""What goes out: standard streams whose reader may leave, JSON, and the sentence in which a command fails."""

import errno
import json
import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from minigpt.errors import visible
from minigpt.files import REMEDIES

LEFT = {errno.EPIPE, errno.EIO, errno.EBADF, errno.EINVAL}  # pipe, terminal or file is gone; EINVAL: Windows' pipe
HEAVY = ("--preset", "--start", "--tokenizer")  # flags whose value is a name, and costs memory
ONE_SENTENCE = (MemoryError, OSError, OverflowError, RecursionError)


class Outlet:
    """A standard stream. Once nobody reads it, or the disk behind it is full, what is written is dropped.

    The first such error is raised, `BrokenPipeError` where the reader left, unless the command goes on without display.
    """

    def __init__(self, stream: TextIO, name: str):
        self._stream, self._name = stream, name
        self.goes_on = False
        self.lost: OSError | None = None

    def write(self, text: str) -> int:
        """As a text stream's."""
        if self.lost is None:
            try:
                self._stream.write(text)
            except (OSError, ValueError) as error:
                self._lose(error)
        return len(text)

    def flush(self) -> None:
        """As a text stream's."""
        if self.lost is None:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self._lose(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def check(self) -> None:
        """Raise what was put off, unless the reader has just left."""
        if self.lost is not None and not isinstance(self.lost, BrokenPipeError):
            raise self.lost

    def silence(self) -> None:
        """After a loss: let what the interpreter still holds for this stream go nowhere when it ends."""
        if self.lost is None:
            return
        with suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), self._stream.fileno())

    def _lose(self, error: Exception) -> None:
        if isinstance(error, OSError) and error.errno not in LEFT:
            self.lost = OSError(error.errno, error.strerror, self._name)
        elif isinstance(error, OSError) or self._stream.closed:
            self.lost = BrokenPipeError(errno.EPIPE, "the reader left", self._name)
        else:
            raise error
        if not self.goes_on:
            raise self.lost from None


@contextmanager
def outlets() -> Iterator[tuple[Outlet, Outlet]]:
    """Standard output and error as `Outlet`s, in UTF-8 whatever the console's code page.

    Standard input that was closed from the start is at its end. An output that was goes nowhere; its number must not be
    given to a file that is opened later, or a message would be written into that.
    """
    before = sys.stdout, sys.stderr
    for stream in before:
        if hasattr(stream, "reconfigure"):  # a Windows console may default to a code page without most characters
            stream.reconfigure(encoding="utf-8", errors="replace")
    there = [stream or open(os.devnull, "w", encoding="utf-8") for stream in before]  # noqa: SIM115
    stdin = sys.stdin
    if stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115
    out, err = Outlet(there[0], "standard output"), Outlet(there[1], "standard error")
    sys.stdout, sys.stderr = out, err
    try:
        yield out, err
    finally:
        for outlet in (out, err):
            outlet.goes_on = True
            outlet.flush()
            outlet.silence()
        sys.stdout, sys.stderr = before
        if stdin is None:
            sys.stdin.close()
            sys.stdin = stdin
        for stream, was in zip(there, before, strict=True):
            if was is None:
                stream.close()


def sentence(error: BaseException, words: list[str]) -> str:
    """What a command says when it ends in `error`. words: of the command line, the flags that are named."""
    if isinstance(error, MemoryError):
        return f"there is not enough memory for {_sizes(words)}; ask for less, or free some"
    if isinstance(error, OverflowError):
        return f"a number is too large ({error}): {_sizes(words)}; choose smaller ones"
    if isinstance(error, RecursionError):
        return f"something in {_sizes(words)} is nested too deeply; check the files"
    if isinstance(error, OSError):
        where = error.filename if error.filename is not None else _sizes(words)
        return f"{where}: {error.strerror or error}; {REMEDIES.get(error.errno or 0, 'check the path')}"
    return str(error)


def _sizes(words: list[str]) -> str:
    """The flags with numbers, and those that name something large; without any, the command."""
    pairs = [(flag, value) for flag, value in _flags(words) if flag in HEAVY or _is_number(value)]
    return ", ".join(f"{flag} {value}" for flag, value in pairs) or f"`minigpt {' '.join(words)}`"


def _flags(words: list[str]) -> Iterator[tuple[str, str]]:
    for word, after in zip(words, [*words[1:], ""], strict=True):
        if word.startswith("--"):
            flag, equals, value = word.partition("=")
            yield flag, value if equals else after


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def remark(line: str) -> None:
    """A line for who reads along, on standard error: what is printed for programs stays as it is."""
    print(f"minigpt: {visible(line)}", file=sys.stderr, flush=True)


def report_failure(message: str, *, as_json: bool) -> None:
    """Print the sentence on standard error and, for programs, as JSON on standard output."""
    with suppress(OSError):
        remark(message)
    if as_json:
        with suppress(OSError):
            print_json({"error": message})
            sys.stdout.flush()


def print_json(value: Any, *, indent: int | None = 2) -> None:
    """For programs: one JSON value on standard output, with indent None on a single line.

    What is no finite number is null, as JSON has no other word.
    """
    print(json.dumps(_finite(value), indent=indent, ensure_ascii=False, allow_nan=False), flush=indent is None)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return value
