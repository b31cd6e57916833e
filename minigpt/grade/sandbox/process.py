"""A student's functions, in a process of their own, and all that bounds it: time, memory, replies and output."""

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.grade.sandbox.frames import FRAME_BYTES, Malformed, pack, unpack
from minigpt.grade.sandbox.values import Failed, demand_signatures, read_exactly
from minigpt.grade.work import Work

SECONDS, MEGABYTES = 10.0, 1024
MOST_SECONDS, MOST_MEGABYTES = 86_400, 1_000_000  # a day; more than the memory of any machine that grades
CALLS = 12  # a file may take as long as so many of its longest calls
PRINTED_BYTES, PRINTED_LINES = 20_000, 5
START_SECONDS = 120.0  # for the process to begin; they count against nobody
KEEPER_SECONDS = 60.0  # for the keeper to end all others: it needs a moment, and longer where the machine is busy
JOIN_SECONDS = 2.0
PACKAGE = "minigpt.grade.sandbox"
COPIED = ("frames", "guard", "keeper", "worker")  # the modules that the process is made of
PASSED_ON = ("PATH", "SYSTEMROOT", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


@dataclass(frozen=True)
class Limits:
    """Of a process. unset: those that this system cannot set, gathered from the processes.

    seconds: of one call; a file may take `CALLS` times as long. megabytes: of memory, beyond that of an empty process.
    """

    seconds: float = SECONDS
    megabytes: int = MEGABYTES
    unset: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for name, most in (("seconds", MOST_SECONDS), ("megabytes", MOST_MEGABYTES)):
            value = getattr(self, name)
            if not 0 < value <= most:
                raise UserError(f"{name} is {value}, but it must be above 0 and at most {most:,}")

    def deadline(self) -> float:
        """Of a file that begins now, by `time.monotonic`."""
        return time.monotonic() + CALLS * self.seconds


class Submission:
    """A student's file, loaded. Use as a context: the process, and all that it started, ends with it.

    functions: name -> how it is called, as the worker describes it. ended: there is nobody to be asked any more.
    deadline: of the file, by `time.monotonic`, without the time that its processes took to begin.
    """

    def __init__(
        self, work: Work, wanted: Sequence[str], limits: Limits, deadline: float | None = None, *, prefix: str = ""
    ):
        """`Failed` if the file cannot be loaded. wanted: the names of the functions that may be asked.

        deadline: of the file, by `time.monotonic`; None: counted from now. prefix: as in `load`.
        """
        self.limits, self.ended = limits, False
        began, self.deadline = time.monotonic(), deadline if deadline is not None else limits.deadline()
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._replies: SimpleQueue[bytes | None] = SimpleQueue()
        self._requests: SimpleQueue[bytes | None] = SimpleQueue()
        self._said = bytearray()
        self._process, self._control = _start(Path(self._folder.name).resolve(), limits)
        self._threads = [
            threading.Thread(target=target, args=(stream,), daemon=True)
            for target, stream in (
                (self._write, self._process.stdin),
                (self._read, self._process.stdout),
                (self._listen, self._process.stderr),
            )
        ]
        try:
            for thread in self._threads:
                thread.start()
            self.functions: dict[str, dict[str, Any]] = {}
            self._await_start()
            self.deadline += time.monotonic() - began
            self.load(work, wanted, prefix=prefix)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Submission":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def load(
        self,
        work: Work,
        wanted: Sequence[str],
        *,
        prefix: str = "",
        given: Mapping[str, str] | None = None,
        own: bool = True,
    ) -> None:
        """Run one more file there, in a namespace of its own, and add those of `wanted` that it defines to `functions`.

        prefix: stands before their names from then on. given: name -> which of `functions` the file finds under that
        name in its `PIECES`. own: it is the student's, so that errors name its lines.
        """
        blocks = [[place, np.frombuffer(source, np.uint8)] for place, source in work.blocks]
        order = {"blocks": blocks, "notebook": work.notebook, "wanted": list(wanted)}
        order |= {"prefix": prefix, "given": dict(given or {}), "own": own, "megabytes": self.limits.megabytes}
        reply = self._ask(order, "loading the file", "the file")
        found = demand_signatures(reply.get("functions"))
        self.functions |= found
        unset = reply.get("unset")
        self.limits.unset.update(str(what)[:40] for what in (unset if isinstance(unset, list) else [])[:4])
        if reply.get("problem") and not found:
            self._raise(reply["problem"], "the notebook")

    def call(
        self, function: str, arguments: Sequence[Any], options: dict[str, Any] | None = None, *, keep: bool = False
    ) -> Any:
        """What the student's function returns. keep: its second result stays there, and a `Kept` comes in its place."""
        if function not in self.functions:
            raise Failed(f"{function} is no function once the file has run; define it with def", final=True)
        request = {"function": function, "arguments": list(arguments), "options": options or {}, "keep": keep}
        name = function.rpartition(" ")[2]  # a prefix ends with a space; the student's name has none
        reply = self._ask(request, name, name)
        if "changed" in reply:
            raise Failed(f"{name} changes one of its arguments in place; work on a copy, since the caller needs it")
        if "value" not in reply:
            raise Failed(f"{name} disturbed the process that graded it", final=True)
        return reply["value"]

    def printed(self) -> str:
        """The last lines that the student's code printed since this was asked before."""
        mark = secrets.token_hex(8)
        if not self.ended:
            with suppress(Failed):
                self._ask({"mark": mark}, "printing", "the file")
        until = time.monotonic() + self.limits.seconds
        while mark.encode() not in self._said and not self.ended and time.monotonic() < until:
            time.sleep(0.001)  # it is in the pipe, behind all that was printed, and takes a moment to come out
        text = bytes(self._said).decode("utf-8", "replace").partition(mark)[0]
        self._said.clear()
        return "\n".join(line[:500] for line in text.splitlines()[-PRINTED_LINES:])

    def close(self) -> None:
        """End the process, and all that it started; whoever still holds the pipes is not waited for."""
        self.ended = True
        self._requests.put(None)
        if self._control is not None:
            os.close(self._control)
            self._control = None
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(KEEPER_SECONDS)  # who ended it sooner would let the worker live on
        if self._process.returncode is None:  # its number is not free yet, so nobody else has it
            if os.name == "nt":
                self._process.kill()
            else:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(JOIN_SECONDS)
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(JOIN_SECONDS)
        self._folder.cleanup()

    def _await_start(self) -> None:
        """Wait for the process to be there. How long that takes tells of the machine, and nothing of the student."""
        try:
            if unpack(self._replies.get(timeout=START_SECONDS) or b"") == {"ready": True}:
                return
        except (Empty, Malformed):
            pass
        raise Failed("the process that grades did not begin; is the machine busy, or its memory full?", final=True)

    def _ask(self, request: dict[str, Any], what: str, who: str) -> dict[str, Any]:
        """Send a request and take the reply; `Failed` if there is none in time, or it tells of an error."""
        if self.ended:
            raise Failed(f"{what}: the process that graded it has ended", final=True)
        left = self.deadline - time.monotonic()
        self._requests.put(pack(request, asks=True))
        try:
            data = self._replies.get(timeout=max(0.0, min(self.limits.seconds, left)))
        except Empty:
            self.close()
            if left < self.limits.seconds:
                seconds = f"{CALLS * self.limits.seconds:g} seconds, {CALLS} times what one call may take (--seconds)"
                raise Failed(f"the file took longer than {seconds}", final=True) from None
            seconds = f"{self.limits.seconds:g} seconds"
            raise Failed(
                f"{what} took longer than {seconds} and was stopped; does a loop never end?", final=True
            ) from None
        if data is None:
            self.close()
            raise Failed(
                f"{what} ended the process that graded it; did it call exit, or use too much memory?", final=True
            )
        try:
            reply = unpack(data)
            if not isinstance(reply, dict):
                raise Malformed("it is no dict")
        except Malformed as error:
            self.close()
            raise Failed(f"{what} disturbed what graded it: its reply is wrong, {error}", final=True) from None
        if "error" in reply:
            self._raise(reply, who)
        return reply

    def _raise(self, reply: Any, who: str) -> None:
        """`Failed`, with what the reply tells of an error."""
        told = reply if isinstance(reply, dict) else {}
        kind, message, place = (str(told.get(name) or "")[:500] for name in ("error", "message", "place"))
        line = told.get("line")
        where = f" in line {line}" if type(line) is int else ""
        if where and place.startswith("cell"):
            where += f" of {place}"
        if kind == "NotImplementedError":
            raise Failed(f"{who} is not written yet", final=True)
        if kind == "MemoryError":
            raise Failed(
                f"{who} needs more than {self.limits.megabytes} MB of memory{where}; is an array larger than meant?"
            )
        if kind == "Malformed":
            raise Failed(f"{who} returns what cannot be graded: {message}")
        if kind == "ModuleNotFoundError":
            message += "; exercises run with NumPy and Python's own library alone"
        raise Failed(f"{who} raises {kind}{where}" + (f": {message}" if message else ""), raised=True)

    def _write(self, stream: Any) -> None:
        with stream, suppress(OSError, ValueError):
            while (frame := self._requests.get()) is not None:
                view = memoryview(frame)
                while view:
                    view = view[stream.write(view) :]

    def _read(self, stream: Any) -> None:
        """Put each frame, and None at the end or where no frame can be."""
        with stream, suppress(OSError, ValueError):
            while header := read_exactly(stream, 8):
                size = int.from_bytes(header, "big")
                data = read_exactly(stream, size) if size <= FRAME_BYTES else None
                if data is None or not self._replies.empty():  # nobody asked for a second one
                    break
                self._replies.put(data)
        self._replies.put(None)

    def _listen(self, stream: Any) -> None:
        """Keep the end of what is printed."""
        with stream, suppress(OSError, ValueError):
            while data := stream.read(1 << 16):
                self._said += data
                del self._said[:-PRINTED_BYTES]


def _start(folder: Path, limits: Limits) -> tuple[subprocess.Popen, int | None]:
    """The process, and the pipe that ends it where there is a keeper. All that it runs is copied into `folder`."""
    code = folder / "code"
    package = code.joinpath(*PACKAGE.split("."))
    package.mkdir(parents=True)
    for name in COPIED:
        (package / f"{name}.py").write_bytes((Path(__file__).parent / f"{name}.py").read_bytes())
    (code / "__main__.py").write_text(f"from {PACKAGE}.keeper import main\n\nmain()\n", encoding="utf-8")
    work = folder / "work"
    work.mkdir()
    user = "nobody" if _can_be_nobody() else ""
    if user:
        folder.chmod(0o711)
        os.chown(work, 65534, 65534)
    work.chmod(0o700)
    told, control = os.pipe() if sys.platform == "linux" else (None, None)
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    environment |= dict.fromkeys(("TMPDIR", "TEMP", "TMP", "HOME", "USERPROFILE"), str(work))
    environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    numpy = str(Path(np.__file__).parent.parent)
    command = [sys.executable, "-I", "-S", "-B", str(code), numpy, "" if told is None else str(told), user]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=environment,
            cwd=work,
            start_new_session=True,
            pass_fds=() if told is None else (told,),
        )
    finally:
        if told is not None:
            os.close(told)
    return process, control


def _can_be_nobody() -> bool:
    """Whether the code can run as another user: the grader is root, and others may read Python and NumPy."""
    if os.name == "nt" or os.geteuid() != 0:
        return False
    places = [Path(os.__file__).resolve(), Path(np.__file__).resolve()]
    return all(folder.stat().st_mode & 0o001 for place in places for folder in place.parents)
