"""Ranks as processes of one machine that share memory: what all of them can see need not be sent.

Two Python threads hand every call of NumPy over Python's lock, and on a virtual machine each handing over wakes a core
that sleeps; two processes compute side by side. They are started as `python -c`, not forked (threads of BLAS do not
survive a fork) and not through `multiprocessing` (which would run the user's script again, and pickle). The memory has
no name on Linux and macOS, so nothing is left behind however the processes end.
"""

import importlib
import json
import mmap
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.parallel.threads import alone

CHUNK = 1 << 16  # bytes of a message that are exchanged at a time
PATIENCE = 5.0  # seconds for a process to notice that it has no more to do
ENDING = 60.0  # seconds for one whose pipes are closed to be gone; it needs a moment, and longer on a busy machine
ALIGNED = 64  # bytes of a cache line, at which arrays begin
CHILD = "import sys; sys.path[:0] = {paths!r}; from minigpt.parallel.processes import child; child()"


class Unshared(UserError):
    """This system cannot start processes, or give them memory to share."""


class Lost(UserError):
    """Another process has ended before its work was done."""


class Segment(NamedTuple):
    """Memory that processes share, and how another process finds it."""

    memory: mmap.mmap
    file: BinaryIO | None  # open in every process; None: it has a name
    name: str

    @classmethod
    def make(cls, size: int) -> "Segment":
        """Of `size` bytes, all 0. OSError where there is no such memory."""
        if sys.platform == "win32":  # a name that is gone with the last process that has it open
            name = f"minigpt-{uuid.uuid4().hex}"
            return cls(mmap.mmap(-1, size, tagname=name), None, name)
        if hasattr(os, "memfd_create"):
            file = os.fdopen(os.memfd_create("minigpt"), "r+b", buffering=0)
        else:
            file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  (it stays open as long as the processes)
        os.ftruncate(file.fileno(), size)
        return cls(mmap.mmap(file.fileno(), size), file, "")

    @staticmethod
    def open(size: int, descriptor: int | None, name: str) -> mmap.mmap:
        """What another process made."""
        if descriptor is None:
            return mmap.mmap(-1, size, tagname=name)  # type: ignore[call-arg]  # Windows
        return mmap.mmap(descriptor, size)


class Pipe:
    """The two ends that a process has of its pipes to another one, and that one if it is a child."""

    def __init__(self, read: int, write: int, child: subprocess.Popen | None = None):
        self.read, self.write, self.child = read, write, child

    def tell(self) -> None:
        """Say that this process is here."""
        try:
            os.write(self.write, b".")
        except OSError:
            raise Lost(self._what_happened()) from None

    def hear(self) -> None:
        """Wait until the other one is there."""
        try:
            heard = os.read(self.read, 1)
        except OSError:
            heard = b""
        if not heard:
            raise Lost(self._what_happened())

    def close(self) -> None:
        """Whoever waits for this process from now on hears that it has gone."""
        if self.child is None:
            for descriptor in (self.read, self.write):
                with suppress(OSError):
                    os.close(descriptor)
            return
        for stream in (self.child.stdin, self.child.stdout):
            assert stream is not None
            stream.close()

    def end(self) -> None:
        """Close it; the child ends at its next meeting. One that computes for long, or stands still, is ended."""
        assert self.child is not None
        self.close()
        try:
            self.child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()

    def _what_happened(self) -> str:
        if self.child is None:
            return "the first process of this work has ended"
        with suppress(subprocess.TimeoutExpired):
            self.child.wait(ENDING)
        code = self.child.returncode
        how = f"was killed by signal {-code} (too little memory?)" if code and code < 0 else f"ended with code {code}"
        return f"a worker process {how}; what was saved stays, so go on with --resume, or with fewer --workers"


class ProcessCommunicator:
    """One rank's end; the methods are described in `minigpt.parallel.communicator`. There is no Send: use MPI for that.

    When a rank fails, or is killed, its pipes are closed; all who wait for it are told so by `Lost`.
    """

    def __init__(self, rank: int, size: int, memory: mmap.mmap, pipes: Sequence["Pipe"]):
        """memory: at least `room(size, [])` bytes. pipes: of rank 0 one to each other rank, else one to rank 0."""
        self.rank, self.size, self._pipes = rank, size, list(pipes)
        self._memory, self._taken, self._turn = memory, 0, 0
        self._slots = self.shared((2, size, CHUNK), np.uint8)

    def shared(self, shape: int | tuple[int, ...], dtype: Any) -> np.ndarray:
        """An array of zeros that all ranks see. All ranks ask for the same ones in the same order."""
        count, dtype = int(np.prod(shape)), np.dtype(dtype)
        array = np.frombuffer(self._memory, dtype, count, self._taken).reshape(shape)
        self._taken += _aligned(array.nbytes)
        return array

    def Barrier(self) -> None:
        """Wait for all: every rank tells the first one that it is here, which then tells all that they may go on."""
        if self.rank:
            self._pipes[0].tell()
            self._pipes[0].hear()
            return
        for pipe in self._pipes:
            pipe.hear()
        for pipe in self._pipes:
            pipe.tell()

    def Bcast(self, buffer: np.ndarray, root: int = 0) -> None:
        """Everyone gets root's buffer."""
        flat = buffer.reshape(-1)
        for here in _chunks(flat):
            flat[here] = self._exchange(flat[here])[root]

    def Allreduce(self, send: np.ndarray, receive: np.ndarray) -> None:
        """Everyone gets the sum, added in the order of ranks."""
        given, to = send.reshape(-1), receive.reshape(-1)
        for here in _chunks(given):
            to[here] = _sum(self._exchange(given[here]))

    def Reduce(self, send: np.ndarray, receive: np.ndarray | None, *, root: int = 0) -> None:
        """root gets the sum, added in the order of ranks."""
        given = send.reshape(-1)
        for here in _chunks(given):
            parts = self._exchange(given[here])
            if self.rank == root:
                assert receive is not None, "the root of a Reduce needs a buffer to receive"
                receive.reshape(-1)[here] = _sum(parts)

    def Reduce_scatter(self, send: np.ndarray, receive: np.ndarray, recvcounts: Sequence[int]) -> None:
        """Rank r gets recvcounts[r] numbers of the sum, one rank's after another's, added in the order of ranks."""
        begin = 0
        for rank, count in enumerate(recvcounts):
            self.Reduce(send.reshape(-1)[begin : begin + count], receive, root=rank)
            begin += count

    def Allgather(self, send: np.ndarray, receive: np.ndarray) -> None:
        """Everyone gets all parts, in the order of ranks."""
        given, to = send.reshape(-1), receive.reshape(self.size, -1)
        for here in _chunks(given):
            to[:, here] = self._exchange(given[here])

    def Split(self, color: int = 0, key: int = 0) -> Any:
        """The ranks with the same color: all of them in their order, or this one alone; `UserError` for any others."""
        asked = np.zeros((self.size, 2), np.int64)
        self.Allgather(np.array([color, key], np.int64), asked)
        if (asked[:, 0] == color).all() and (np.diff(asked[:, 1]) >= 0).all():
            return self
        if np.count_nonzero(asked[:, 0] == color) == 1:
            return alone()
        raise UserError("processes that share memory are replicas only; use MPI for a grid of several kinds of ranks")

    def Abort(self, errorcode: int = 0) -> None:
        """End all ranks."""
        for pipe in self._pipes:
            pipe.close()
        raise Lost(f"rank {self.rank} ended the job with code {errorcode}")

    def _exchange(self, mine: np.ndarray) -> np.ndarray:
        """What every rank put in, (size, n), until the exchange after the next: two places are used by turns, so that
        nobody overwrites what a slower rank still reads."""
        self._turn ^= 1
        slots = self._slots[self._turn][:, : mine.nbytes].view(mine.dtype)
        slots[self.rank] = mine
        self.Barrier()
        return slots


def room(size: int, arrays: Sequence[tuple[int, Any]]) -> int:
    """Bytes that `size` ranks need for what they say, and for these arrays, (count of numbers, dtype) each."""
    sizes = [2 * size * CHUNK, *(count * np.dtype(dtype).itemsize for count, dtype in arrays)]
    return sum(map(_aligned, sizes))


@contextmanager
def processes(
    target: str, size: int, arguments: Mapping[str, Any], arrays: Sequence[tuple[int, Any]] = ()
) -> Iterator[ProcessCommunicator]:
    """The communicator of rank 0, this process, while target(comm, **arguments) runs on the others.

    target: "module:function". arguments: plain values, as JSON has them. arrays: what they will share. When the block
    ends the others end, too, if they have not yet. `Unshared` if processes or memory cannot be had.
    """
    pipes: list[Pipe] = []
    try:
        try:
            memory = _start_all(pipes, size, room(size, arrays), {"target": target, "arguments": dict(arguments)})
        except (OSError, ValueError) as error:  # ValueError: mmap refuses the size
            raise Unshared(f"processes cannot share memory here ({error})") from error
        yield ProcessCommunicator(0, size, memory, pipes)
    finally:
        for pipe in pipes:
            pipe.close()
        for pipe in pipes:
            pipe.end()


def _start_all(pipes: list[Pipe], size: int, total: int, told: dict[str, Any]) -> mmap.mmap:
    """Start the other ranks and add the pipes to them to `pipes`; the memory of `total` bytes that all share."""
    with ExitStack() as held:
        segment = Segment.make(total)
        if segment.file is not None:
            held.callback(segment.file.close)  # the others have it open by then
        descriptor = segment.file.fileno() if segment.file else None
        told = {**told, "size": size, "bytes": total, "descriptor": descriptor, "name": segment.name}
        for rank in range(1, size):
            pipes.append(_start(descriptor))
            os.write(pipes[-1].write, json.dumps({**told, "rank": rank}).encode() + b"\n")
    return segment.memory


def child() -> None:
    """What a process does that `processes` started. What it prints goes where errors go."""
    pipe = Pipe(os.dup(0), os.dup(1))
    os.dup2(2, 1)
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    try:
        told = json.loads(_line(pipe.read))
        memory = Segment.open(told["bytes"], told["descriptor"], told["name"])
        comm = ProcessCommunicator(told["rank"], told["size"], memory, [pipe])
        module, _, name = told["target"].partition(":")
        function: Callable[..., None] = getattr(importlib.import_module(module), name)
        function(comm, **told["arguments"])
    except UserError:  # the first rank says it
        sys.exit(2)
    finally:
        pipe.close()


def _start(descriptor: int | None) -> Pipe:
    paths = [str(Path(__file__).resolve().parents[2]), *(path for path in sys.path if path)]
    kept = [] if descriptor is None else [descriptor]
    # A group of its own: Ctrl-C and a closed terminal reach the first process alone, which then ends the others.
    group: dict[str, Any] = (
        {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}  # type: ignore[attr-defined]
        if sys.platform == "win32"
        else {"start_new_session": True, "pass_fds": kept}
    )
    command = [sys.executable, "-c", CHILD.format(paths=paths)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, **group)
    assert process.stdin is not None and process.stdout is not None
    return Pipe(process.stdout.fileno(), process.stdin.fileno(), process)


def _line(descriptor: int) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        got = os.read(descriptor, 1)
        if not got:
            raise Lost("the first process has ended")
        line += got
    return line


def _chunks(flat: np.ndarray) -> Iterator[slice]:
    step = CHUNK // flat.itemsize
    return (slice(start, min(start + step, flat.size)) for start in range(0, flat.size, step))


def _sum(parts: np.ndarray) -> np.ndarray:
    total = parts[0].copy()
    for one in parts[1:]:
        total += one
    return total


def _aligned(size: int) -> int:
    return -(-size // ALIGNED) * ALIGNED
