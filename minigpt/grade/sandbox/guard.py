"""What a student's code may not do in its process: an audit hook (PEP 578), which cannot be taken away again.

It keeps honest code honest and the easy ways of cheating shut: reading the reference, importing it, changing files,
starting processes, loading C libraries. It is no wall: code that forges bytecode or writes into the interpreter's
memory gets past it, and then can do what the user can whom the process runs as.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

REFUSED = ("minigpt", "torch", "tensorflow", "jax", "autograd", "transformers")
UNWATCHED = (  # act without an event, or in an interpreter that has no hook
    "_posixsubprocess", "_sqlite3", "_dbm", "_gdbm", "_posixshmem", "readline",
    "_xxsubinterpreters", "_interpreters", "_interpqueues", "_interpchannels", "_testcapi", "_testinternalcapi",
)  # fmt: skip
FOREIGN = ("site-packages", "dist-packages")  # what is installed, in Python's own folder on many systems
FORBIDDEN = (
    "subprocess.", "os.system", "os.exec", "os.spawn", "os.posix_spawn", "os.fork", "os.startfile", "pty.",
    "os.kill", "signal.pthread_kill", "socket.", "ctypes.", "gc.", "code.__new__", "os.chdir", "os.fchdir",
    "os.link", "os.symlink", "os.chmod", "os.chown", "fcntl.", "resource.", "mmap.", "syslog.", "winreg.", "_winapi.",
    "msvcrt.", "cpython.PyInterpreterState_New",
)  # fmt: skip  # audit events that begin so
FILES = (
    "open",
    "os.listdir",
    "os.scandir",
    "os.mkdir",
    "os.rename",
    "os.remove",
    "os.rmdir",
    "os.truncate",
    "os.utime",
)
READING = ("open", "os.listdir", "os.scandir")


def refuse(library: str, numpy: str, writable: str) -> None:
    """For the life of the process. Folders: Python's own library, NumPy, and where files may be changed."""
    import subprocess  # NumPy's tests need the module, and nobody its way to start a process

    for name in ("_fork_exec", "_posixsubprocess"):
        if hasattr(subprocess, name):
            setattr(subprocess, name, None)
    sys.modules.pop("_posixsubprocess", None)
    sys.addaudithook(_hook((library, str(Path(library).resolve())), (numpy, str(Path(numpy).resolve())), writable))


def _hook(library: tuple[str, ...], numpy: tuple[str, ...], writable: str) -> Callable[[str, tuple[Any, ...]], None]:
    """The hook. It holds all that it uses, so that code which changes modules does not change it."""
    separator, devices = os.sep, (os.devnull, "/dev/urandom")
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
    refused, unwatched, forbidden, files, foreign, reading = REFUSED, UNWATCHED, FORBIDDEN, FILES, FOREIGN, READING

    def within(path: str, *folders: str) -> bool:
        return any(path == folder or path.startswith(folder + separator) for folder in folders)

    def whole(path: Any) -> str:
        """The path from the root, without `..`."""
        path = path.decode("utf-8", "surrogateescape") if type(path) is bytes else path
        if type(path) is not str:
            raise PermissionError("an exercise may open files by a plain path only")
        path = path.replace("/", separator)
        if path[1:2] != ":" and path[:1] != separator:
            path = writable + separator + path  # the working folder, which cannot be left
        parts: list[str] = []
        for part in path.split(separator):
            if part == "..":
                del parts[-1:]
            elif part not in ("", "."):
                parts.append(part)
        return separator * (path[:1] == separator) + separator.join(parts)

    def allowed(path: str, changes: bool) -> bool:
        if within(path, writable) or path in devices:
            return True
        own = within(path, *library) and not any(part in foreign for part in path.split(separator))
        return not changes and (own or within(path, *numpy))

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "import":
            top = arguments[0].partition(".")[0]
            path = arguments[1]  # of a library in C, the file; of anything else None
            if top in unwatched or (type(path) is str and within(whole(path), writable)):
                raise PermissionError(f"an exercise may not use {top}: it computes, and does nothing else")
            if top in refused:
                raise ImportError(f"an exercise may not import {top}: that would grade its code, not yours")
        elif event in files:
            changes = event not in reading or (event == "open" and bool((arguments[2] or 0) & writing))
            for path in arguments[:2] if event == "os.rename" else arguments[:1]:
                if type(path) is int and event == "open":  # what is open already
                    continue
                if not allowed(whole("." if path is None else path), changes):
                    raise PermissionError("an exercise may not read or change files outside of its working folder")
        elif event.startswith(forbidden):
            raise PermissionError(f"an exercise may not use {event}: it computes, and does nothing else")

    return hook
