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

from minigpt.grade.sandbox import worker
from minigpt.grade.sandbox.values import Failed
from minigpt.grade.sandbox.worker import pack, unpack

SECONDS, MEGABYTES = 10.0, 1024


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
        self, function: str, arguments: Sequence[Any], options: dict[str, Any] | None = None, *, keep: bool = False
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

    def _kill(self) -> None:
        if os.name == "nt":
            self._process.kill()
        else:
            os.killpg(self._process.pid, signal.SIGKILL)

    def _reply(self, what: str) -> dict[str, Any]:
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

    def _value(self, reply: dict[str, Any], what: str) -> dict[str, Any]:
        if "error" not in reply:
            return reply
        kind, message, line = reply["error"], reply["message"], reply["line"]
        where = f" in line {line}" if line else ""
        if kind == "NotImplementedError":
            raise Failed(f"{what} is not written yet", final=True)
        if kind == "MemoryError":
            raise Failed(f"{what} needs more than {self.megabytes} MB of memory{where}; is an array larger than meant?")
        raise Failed(f"{what} raises {kind}{where}: {message}" if message else f"{what} raises {kind}{where}")
