"""Writing files so that a crash, a full disk or a power cut never leaves a half-written one."""

import errno
import json
import os
import stat
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from minigpt.errors import UserError

MOST_JSON = 1 << 27  # bytes; the largest published tokenizer.json has a quarter of that
PART = ".part"  # how the name of a file ends that is being written
REMEDIES = {  # what to do when a file cannot be read or written, by the system's reason
    errno.EACCES: "ask for the right to do that, or choose another folder",
    errno.EPERM: "ask for the right to do that, or choose another folder",
    errno.ENOSPC: "free some space or choose another folder",
    errno.EROFS: "nothing can be written there; choose another folder",
    errno.EEXIST: "a file stands where a folder must be; choose another folder",
    errno.ENOTDIR: "a file stands where a folder must be; choose another folder",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOENT: "its folder is gone; put it back, or choose another one",
}
ATTEMPTS = 6  # to rename onto a file that somebody has open, which Windows refuses; 0.6 s together
CHUNK = 1 << 22  # bytes


@contextmanager
def replacing(path: str | Path, *, make_folder: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path`; when the block ends well, it takes the name `path` in one step.

    The new bytes are on the disk (fsync) before the rename, so that a reader, or a machine that
    loses power, sees the whole old file or the whole new one. If the block raises, the old file stays.
    The file has the permissions of any new file, however the block wrote it.
    make_folder: whether a folder that is not there is made; a run that was deleted must not come to life again.
    """
    path = Path(path)
    check_place(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}{PART}")
    try:
        if make_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
        mode = temporary.stat().st_mode
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        if temporary.stat().st_mode != mode:  # safetensors replaces the file by one that its owner alone may read
            temporary.chmod(mode)
        rename(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def check_place(path: str | Path) -> None:
    """`UserError` where no file can be: at a folder or a device, below a file, or in a folder that may not be written.

    Before long work, too, so that its result has a place.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise UserError(f"{path} is a folder, a device or a pipe, which no file may replace; name a file")
    folder = next((parent for parent in path.parents if parent.exists()), path.parent)
    if not folder.is_dir():
        raise UserError(f"could not write {path}: {folder} is a file; choose another folder")
    if not os.access(folder, os.W_OK):
        raise unwritable(path, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def unwritable(path: str | Path, error: OSError) -> UserError:
    """The sentence for a file that could not be written."""
    remedy = REMEDIES.get(error.errno or 0, "free some space or choose another folder")
    return UserError(f"could not write {path}: {error.strerror or error}; {remedy}")


def rename(source: Path, target: Path) -> None:
    """`os.replace`, tried again for a moment while another program has `target` open, which Windows refuses."""
    for attempt in range(ATTEMPTS):
        try:
            return os.replace(source, target)
        except PermissionError:
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(0.02 * 2**attempt)


def checksum(path: str | Path) -> str:
    """The CRC-32 of a file's bytes, eight hexadecimal digits.

    It notices every burst of up to 32 flipped bits, and any other damage but one in 2^32. The hashes of hashlib, which
    also withstand forgery, take two to six times as long, and whoever forges a file can write its checksum too.
    """
    value = 0
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            value = zlib.crc32(chunk, value)
    return f"{value:08x}"


def drop_parts(folder: Path) -> None:
    """Remove what killed processes have left half-written in `folder`. Only who holds the folder's lock may."""
    for part in folder.glob(f".*{PART}"):
        with suppress(OSError):
            part.unlink()


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
