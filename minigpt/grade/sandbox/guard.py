"""What a student's code may not do in its process: an audit hook (PEP 578), which cannot be taken away again.

It keeps honest code honest and the easy ways of cheating shut: reading the reference, importing it, changing files,
starting processes, loading C libraries. It is no wall: code that forges bytecode or writes into the interpreter's
memory gets past it, and then can do what the user can whom the process runs as.
"""

import _imp
import importlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

REFUSED = ("minigpt", "torch", "tensorflow", "jax", "autograd", "transformers")
UNWATCHED = (  # act without an event, or in an interpreter that has no hook
    "_posixsubprocess", "_sqlite3", "_dbm", "_gdbm", "_posixshmem", "readline", "_tkinter", "nis",
    "_xxsubinterpreters", "_interpreters", "_interpqueues", "_interpchannels", "_testcapi", "_testinternalcapi",
)  # fmt: skip
EVENTLESS = (  # functions of `os` and `signal` that reach other processes, or the disk, without an event
    "pidfd_open", "pidfd_send_signal", "setpriority", "sched_setaffinity", "sched_setparam", "sched_setscheduler",
    "mkfifo", "mknod", "memfd_create", "chroot", "setns", "unshare",
)  # fmt: skip
FOREIGN = ("site-packages", "dist-packages")  # what is installed, in Python's own folder on many systems
FORBIDDEN = (  # audit events that begin so, but for those of FILES and HARMLESS
    "subprocess.", "os.", "signal.pthread_kill", "pty.", "socket.", "ctypes.", "gc.", "code.__new__", "fcntl.",
    "resource.", "mmap.", "syslog.", "winreg.", "_winapi.", "msvcrt.", "cpython.PyInterpreterState_New",
    "sys._current_frames",
)  # fmt: skip
HARMLESS = ("os.walk", "os.fwalk", "os.putenv", "os.unsetenv", "os.getxattr", "os.listxattr")
FILES = (
    "open", "os.listdir", "os.scandir", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.utime",
    "os.chmod",
)  # fmt: skip
READING = ("open", "os.listdir", "os.scandir")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
DEVICES = (os.devnull + os.sep, "/dev/urandom/")
MOST_FILES = 64  # may be opened to be written, each up to a limit, so that the disk does not fill up


def refuse(library: str, numpy: str, writable: str) -> None:
    """For the life of the process. Folders: Python's own library, NumPy, and where files may be changed."""
    import subprocess  # NumPy's tests need the module, and nobody its way to start a process

    for name in ("_fork_exec", "_posixsubprocess"):
        if hasattr(subprocess, name):
            setattr(subprocess, name, None)
    for name in sys.builtin_module_names:
        if name not in UNWATCHED:
            importlib.import_module(name)
    for name in UNWATCHED:
        sys.modules.pop(name, None)
    vars(_imp)["create_builtin"] = None  # would make a module anew, with all that is taken away, and has no event
    for module in (os, signal, *(sys.modules[name] for name in ("posix", "nt", "_signal") if name in sys.modules)):
        for name in EVENTLESS:
            vars(module).pop(name, None)
    own = tuple(dict.fromkeys((library, str(Path(library).resolve()))))
    sys.addaudithook(_hook(own, tuple(dict.fromkeys((numpy, str(Path(numpy).resolve())))), writable))


def _hook(  # noqa: PLR0915
    library: tuple[str, ...], numpy: tuple[str, ...], writable: str
) -> Callable[..., None]:
    """The hook. Who catches its error has its frame, and can change what a frame finds in cells, modules and builtins.

    So the functions in here look nothing up: they work with constants, methods of Python's own types and the defaults
    of their parameters, which nobody may set. They call nothing of the objects that they judge either.
    """
    sep, no, kind, text, data, number = os.sep, PermissionError, type, str, bytes, int
    left = iter(range(MOST_FILES))
    inside, own, beside = writable + sep, tuple(f + sep for f in library), tuple(f + sep for f in numpy)

    def whole(path: Any, kind=kind, text=text, data=data, no=no, sep=sep, inside=inside) -> str:
        """The path from the root, without `..`, and with a separator at its end."""
        if kind(path) is data:
            path = path.decode("utf-8", "surrogateescape")
        if kind(path) is not text:
            raise no("an exercise may open files by a plain path only")
        path = path.replace("/", sep)
        if path[1:2] != ":" and path[:1] != sep:
            path = inside + path  # the working folder, which cannot be left
        parts: list[str] = []
        for part in path.split(sep):
            if part == "..":
                del parts[-1:]
            elif part not in ("", "."):
                parts.append(part)
        return (sep if path[:1] == sep else "") + sep.join(parts) + sep

    def readable(path: str, own=own, beside=beside, foreign=FOREIGN, sep=sep) -> bool:
        """Whether it is in NumPy, or Python's own library but for what is installed there, by any name of its."""
        for folder in own:
            if path.startswith(folder) and not path.startswith(beside):
                for part in path.removeprefix(folder).lower().split(sep):
                    if part in foreign or "~" in part or not part.isascii():
                        return False
        return path.startswith(own + beside)

    def importing(
        name: Any, path: Any, refused=REFUSED, unwatched=UNWATCHED, whole=whole, readable=readable,
        kind=kind, text=text, no=no, missing=ImportError,
    ) -> None:  # fmt: skip
        """path: of a library in C, its file."""
        top = name.partition(".")[0] if kind(name) is text else "what has no plain name"
        compiled = kind(path) is text and path[-3:].lower() != ".py"
        if top in unwatched or kind(name) is not text or (compiled and not readable(whole(path))):
            raise no(f"an exercise may not use {top}: it computes, and does nothing else")
        if top in refused:
            raise missing(f"an exercise may not import {top}: that would grade its code, not yours")

    def touching(
        path: Any, changes: bool, whole=whole, readable=readable, inside=inside, devices=DEVICES,
        kind=kind, number=number, no=no,
    ) -> None:  # fmt: skip
        """A file or a folder."""
        if kind(path) is number:  # what is open already
            return
        path = whole("." if path is None else path)
        if not path.startswith(inside) and path not in devices and (changes or not readable(path)):
            raise no("an exercise may not read or change files outside of its working folder")

    def opening(
        path: Any, mode: Any, flags: Any, writing=WRITING, touching=touching, whole=whole, inside=inside,
        left=left, then=next, status=os.stat, failed=OSError, kind=kind, number=number, no=no,
    ) -> None:  # fmt: skip
        """mode: None if it is opened by `os.open`, then no folder, since paths might begin from there."""
        changes = kind(flags) is not number or flags & writing != 0
        touching(path, changes)
        if changes and then(left, None) is None:
            raise no("an exercise may not write so many files")
        if mode is None and kind(path) is not number and not whole(path).startswith(inside):
            try:
                folder = status(path).st_mode & 0o170000 == 0o040000
            except failed:
                folder = False
            if folder:
                raise no("an exercise may not open folders outside of its own")

    def hook(
        event: str, arguments: tuple[Any, ...], importing=importing, opening=opening, touching=touching, no=no,
        files=FILES, reading=READING, forbidden=FORBIDDEN, harmless=HARMLESS,
        guarding=(whole, readable, importing, touching, opening),
    ) -> None:  # fmt: skip
        if event == "import":
            importing(arguments[0], arguments[1])
        elif event == "open":
            opening(arguments[0], arguments[1], arguments[2])
        elif event in files:
            for path in arguments[:2] if event == "os.rename" else arguments[:1]:
                touching(path, event not in reading)
        elif event in ("object.__setattr__", "object.__delattr__"):
            for function in guarding:
                if arguments[0] is function:
                    raise no("an exercise may not change what guards it")
        elif event.startswith(forbidden) and event not in harmless:
            raise no(f"an exercise may not use {event}: it computes, and does nothing else")

    return hook
