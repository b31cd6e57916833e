"""A student's functions, in a process of their own with limits on time and memory."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.grade import worker
from minigpt.grade.worker import Kept, Unknown, pack, unpack

SECONDS, MEGABYTES = 10.0, 1024


class Failed(Exception):
    """The student's code could not be run, or what it gave cannot be graded: the message is for the student.

    final: asking again is of no use, since the process has ended or the code is not written.
    """

    def __init__(self, message: str, *, final: bool = False):
        super().__init__(message)
        self.final = final


class Submission:
    """A file of the student's, loaded. Use as a context: the process ends with it.

    functions: name -> how it is called, as the worker describes it.
    """

    def __init__(self, path: str | Path, *, seconds: float = SECONDS, megabytes: int = MEGABYTES):
        """`Failed` if the file cannot be loaded."""
        self.seconds, self.megabytes = seconds, megabytes
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  what is printed; a pipe could fill up and block
        command = [sys.executable, "-I", "-B", str(Path(worker.__file__)), str(Path(path).resolve()), str(megabytes)]
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env=environment,
            cwd=tempfile.gettempdir(),
            start_new_session=True,
        )
        try:
            self.functions: dict[str, Any] = self._value(self._reply("loading the file"), "the file")["functions"]
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Submission":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(
        self, function: str, arguments: Sequence[Any], options: dict[str, Any] | None = None, *, keep=False
    ) -> Any:
        """What the student's function returns. keep: its second result stays there, and a `Kept` comes in its place."""
        request = {"function": function, "arguments": list(arguments), "options": options or {}, "keep": keep}
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(pack(request))
            self._process.stdin.flush()
        except OSError:
            raise Failed(f"{function} ended the process that graded it", final=True) from None
        reply = self._value(self._reply(function), function)
        if "changed" in reply:
            raise Failed(f"{function} changes one of its arguments in place; work on a copy, since the caller needs it")
        return reply["value"]

    def printed(self) -> str:
        """The last lines that the student's code printed."""
        self._said.seek(0)
        lines = self._said.read()[-20_000:].decode("utf-8", "replace").splitlines()
        return "\n".join(lines[-5:])

    def close(self) -> None:
        """End the process, and all that it started."""
        if self._process.poll() is None:
            self._kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):  # unwritten bytes for a process that is gone
                    stream.close()
        self._said.close()

    def _kill(self):
        if os.name == "nt":
            self._process.kill()
        else:
            os.killpg(self._process.pid, signal.SIGKILL)

    def _reply(self, what):
        frame: list[bytes] = []
        reader = threading.Thread(target=lambda: frame.append(self._read()), daemon=True)
        reader.start()
        reader.join(self.seconds)
        if reader.is_alive():
            self._kill()
            reader.join()
            raise Failed(
                f"{what} took longer than {self.seconds:g} seconds and was stopped; does a loop never end?", final=True
            )
        if not frame[0]:
            raise Failed(
                f"{what} ended the process that graded it; did it call exit, or use too much memory?", final=True
            )
        return unpack(frame[0])

    def _read(self) -> bytes:
        stream = self._process.stdout
        assert stream is not None
        try:
            size = int.from_bytes(stream.read(8), "big")
            data = stream.read(size) if 0 < size <= self.megabytes << 21 else b""
        except (OSError, ValueError):
            return b""
        return data if len(data) == size else b""

    def _value(self, reply, what):
        if "error" not in reply:
            return reply
        kind, message, line = reply["error"], reply["message"], reply["line"]
        where = f" in line {line}" if line else ""
        if kind == "NotImplementedError":
            raise Failed(f"{what} is not written yet", final=True)
        if kind == "MemoryError":
            raise Failed(f"{what} needs more than {self.megabytes} MB of memory{where}; is an array larger than meant?")
        raise Failed(f"{what} raises {kind}{where}: {message}" if message else f"{what} raises {kind}{where}")


class Direct:
    """The same for functions of this process: for trusted code only, such as the planted bugs."""

    def __init__(self, **functions: Any):
        self._functions = functions
        self.functions = {name: worker.parameters(function) for name, function in functions.items()}
        self._kept: list[Any] = []

    def call(
        self, function: str, arguments: Sequence[Any], options: dict[str, Any] | None = None, *, keep=False
    ) -> Any:
        """See `Submission.call`."""
        values = [self._kept[value.number] if isinstance(value, Kept) else value for value in arguments]
        try:
            value = self._functions[function](*values, **(options or {}))
        except Exception as error:  # as a process would tell it
            raise Failed(f"{function} raises {type(error).__name__}: {error}") from None
        if keep and isinstance(value, tuple) and len(value) == 2:
            self._kept.append(value[1])
            return value[0], Kept(len(self._kept) - 1)
        return value


def demand_array(what: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """`Failed` unless the value is an array of finite numbers of this shape."""
    if isinstance(value, (int, float)) and shape == ():
        value = np.asarray(value)
    if not isinstance(value, np.ndarray):
        kind = value.kind if isinstance(value, Unknown) else type(value).__name__
        hint = "; is a return missing?" if value is None else ""
        raise Failed(f"{what} is a {kind}, but it must be a NumPy array{hint}")
    if value.shape != shape:
        raise Failed(f"{what} has shape {value.shape}, but it must have shape {shape}")
    if not np.isfinite(value).all():
        raise Failed(f"{what} has entries that are not finite numbers (NaN or infinity)")
    return value
