"""One training in a folder at a time: a lock that the system takes back when the process that holds it ends."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from minigpt.errors import UserError
from minigpt.files import drop_parts, unwritable

NAME = ".lock"
ATTEMPTS, PAUSE = 5, 0.05  # seconds, twice as many each time; somebody may only be looking whether it is locked
FAR = 1 << 30  # Windows locks bytes against reading, so one is locked that the file does not have


@contextmanager
def locked(path: str | Path, *, make_folder: bool = False, what: str = "training") -> Iterator[None]:
    """While inside, no other process is: `UserError` names the process that is there already.

    The lock is on the open file, not the file's existence, so a process that was killed leaves none behind. (On a file
    system or a system without such locks this does nothing.) What killed processes left half-written is removed.
    make_folder: whether the folder is made if it is not there. what: is at work, for the message.
    """
    folder = Path(path)
    try:
        if make_folder:
            folder.mkdir(parents=True, exist_ok=True)
        file = _acquire(folder / NAME)
    except OSError as error:
        raise unwritable(folder / NAME, error) from error
    if file is None:
        raise UserError(
            f"another {what}{holder(folder)} is at work in {folder}; wait until it is done, or choose another folder"
        )
    try:
        drop_parts(folder)
        yield
    finally:
        _release(folder / NAME, file)


def is_locked(path: str | Path) -> bool:
    """Whether a process is at work in the folder now."""
    try:
        with open(Path(path) / NAME, "rb") as file:
            return not try_lock(file)  # closing gives it back
    except OSError:
        return False


def try_lock(file: BinaryIO) -> bool:
    """Lock an open file, if nobody else has; False if somebody has. Where there are no locks: True."""
    lock = _system_lock()
    try:
        lock(file)
    except (BlockingIOError, PermissionError):  # taken; PermissionError is how Windows says so
        return False
    except OSError:  # a file system that has no locks
        return True
    return True


def _system_lock() -> Any:
    """The function that locks an open file here: flock, Windows' own, or one that does nothing."""
    with suppress(ImportError):
        import fcntl

        return lambda file: fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    with suppress(ImportError):
        import msvcrt

        def lock(file: BinaryIO) -> None:
            file.seek(FAR)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]

        return lock
    return lambda file: None


def _acquire(path: Path) -> BinaryIO | None:
    """The open, locked file; None if another process has it."""
    for attempt in range(ATTEMPTS):
        time.sleep(PAUSE * 2 ** (attempt - 1) if attempt else 0)
        file = open(path, "ab+")  # noqa: SIM115  (it stays open as long as the lock is held)
        if try_lock(file) and _is_at(path, file):
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}".encode())
            file.flush()
            return file
        file.close()
    return None


def _is_at(path: Path, file: BinaryIO) -> bool:
    """Whether the open file still has its name: who held the lock before may have removed it just now."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _release(path: Path, file: BinaryIO) -> None:
    """Remove the file while it is still locked; Windows removes no open file, so there it comes after."""
    for _ in range(2):
        with suppress(OSError):
            path.unlink()
            break
        file.close()
    file.close()


def holder(folder: Path) -> str:
    """Who holds the lock, in brackets, as far as can be read."""
    try:
        said = (folder / NAME).read_text(encoding="utf-8", errors="replace")[:100]
    except OSError:
        return ""
    return f" ({said})" if said else ""
