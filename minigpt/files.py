"""Writing files so that a crash, a full disk or a power cut never leaves a half-written one."""

import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from minigpt.errors import UserError

MOST_JSON = 1 << 27  # bytes; the largest published tokenizer.json has a quarter of that


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; when the block ends well, it takes the name `path` in one step.

    The new bytes are on the disk (fsync) before the rename, so that a reader, or a machine that
    loses power, sees the whole old file or the whole new one. If the block raises, the old file stays.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise UserError(
            f"could not write {path}: {error.strerror or error}; free some space or choose another folder"
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable; Windows neither needs nor allows it."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: str | Path, text: str) -> None:
    """Replace the file at `path` by `text`, as UTF-8 with plain line feeds."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | Path, value: Any) -> None:
    """Replace the file at `path` by `value` as indented JSON."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_text(path: str | Path) -> str:
    """The text of the UTF-8 file at `path`, its line ends as `equal_line_ends` makes them, without a byte-order mark.

    `UserError` if it is missing, not a file or not UTF-8.
    """
    check_is_file(path)
    try:
        return equal_line_ends(Path(path).read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text (byte {error.start}); convert it to UTF-8 first") from None
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte in it
        raise UserError(f"{path} could not be read ({getattr(error, 'strerror', error)}); check the path") from None


def check_is_file(path: str | Path, most: int | None = None) -> None:
    """`UserError` for a device, a pipe or a socket, which may never end, and for more than `most` bytes.

    What is missing, or a folder, is left to whoever opens it.
    """
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
        raise UserError(f"{path} is no file but a device or a pipe; save what it gives to a file, and name that")
    if most is not None and found.st_size > most:
        raise UserError(f"{path} has {found.st_size:,} bytes, but such a file has at most {most:,}; check the path")


def equal_line_ends(text: str) -> str:
    """`text` with every line ended by a line feed alone, as a model has seen it in training."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: str | Path, check: Callable[[Any], bool] = lambda value: isinstance(value, dict)) -> Any:
    """The JSON value in the file at `path`; `UserError` if it is missing, not JSON, or fails `check`."""
    check_is_file(path, MOST_JSON)
    try:
        value = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise UserError(f"there is no file {path}; check the path") from None
    except (OSError, ValueError, RecursionError) as error:  # ValueError: no UTF-8, no JSON, or a number of 5,000 digits
        raise UserError(f"{path} could not be read as JSON ({error}); it is damaged or not a minigpt file") from None
    if not check(value):
        raise UserError(f"{path} does not hold what minigpt expects; it is damaged or from another program")
    return value
