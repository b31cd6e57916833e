"""Ranks as threads of one process: for a notebook, and for tests. They share nothing but what they send."""

import threading
from collections.abc import Callable, Sequence
from contextvars import copy_context
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.parallel.communicator import Counted

SECONDS = 300.0  # after which a rank that waits takes the others for lost


class Broken(RuntimeError):
    """Another rank failed, or never came, so this one stopped waiting."""


def launch(function: Callable[..., Any], size: int, *arguments: Any, seconds: float = SECONDS) -> list[Any]:
    """function(comm, *arguments) on `size` ranks at once, as threads of this process.

    Parameters
    ----------
    function : callable
        What a rank does. comm has `rank`, `size` and MPI's methods, see `minigpt.parallel.Communicator`, and counts
        what it carries (`Counted`).
    size : int
        How many ranks.
    *arguments
        The same for every rank.
    seconds : float
        How long a rank waits for another.

    Returns
    -------
    list
        What each returned, in the order of ranks.

    Raises
    ------
    UserError
        For fewer than one rank. An exception on one rank ends the others, which would wait for it for ever, and is
        raised here.

    Examples
    --------
    >>> def add_up(comm):
    ...     total = np.zeros(1)
    ...     comm.Allreduce(np.array([comm.rank + 1.0]), total)
    ...     return float(total[0])
    >>> minigpt.launch(add_up, 3)
    [6.0, 6.0, 6.0]
    """
    if size < 1:
        raise UserError(f"{size} ranks cannot run anything; ask for at least 1")
    world = _World(size, seconds)
    results: list[Any] = [None] * size
    errors: list[BaseException | None] = [None] * size

    def work(rank: int) -> None:
        try:
            results[rank] = function(Counted(ThreadCommunicator(rank, world)), *arguments)
        except BaseException as error:  # whatever it is, the others must hear of it
            errors[rank] = error
            world.abort()

    # A new thread starts with NumPy's default error handling; running in a copy of this context keeps ours.
    threads = [
        threading.Thread(target=copy_context().run, args=(work, rank), name=f"rank {rank}", daemon=True)
        for rank in range(size)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first = [error for error in errors if error is not None and not isinstance(error, Broken)]
    if first or any(errors):
        raise first[0] if first else next(error for error in errors if error is not None)
    return results


def alone() -> "ThreadCommunicator":
    """The communicator of a rank that has no others."""
    return ThreadCommunicator(0, _World(1, SECONDS))


class ThreadCommunicator:
    """One rank's end of a `_World`; the methods are described in `minigpt.parallel.communicator`."""

    def __init__(self, rank: int, world: "_World"):
        self.rank, self.size, self._world = rank, world.size, world

    def Barrier(self) -> None:
        """Wait for all."""
        self._world.wait()

    def Bcast(self, buffer: np.ndarray, root: int = 0) -> None:
        """Everyone gets root's buffer."""
        buffers = self._exchange(_contiguous(buffer))
        if self.rank != root:
            _copy(buffer, buffers[root])
        self._world.wait()

    def Allreduce(self, send: np.ndarray, receive: np.ndarray) -> None:
        """Everyone gets the sum, added in the order of ranks."""
        buffers = self._exchange(_contiguous(send))
        total = sum(buffers[1:], buffers[0].astype(buffers[0].dtype, copy=True))
        self._world.wait()  # all have read before anyone overwrites
        _copy(_contiguous(receive), total)

    def Reduce_scatter(self, send: np.ndarray, receive: np.ndarray, recvcounts: Sequence[int]) -> None:
        """Rank r gets recvcounts[r] numbers of the sum, one rank's after another's, added in the order of ranks."""
        buffers = self._exchange(_contiguous(send))
        start = sum(recvcounts[: self.rank])
        parts = [buffer.reshape(-1)[start : start + recvcounts[self.rank]] for buffer in buffers]
        total = sum(parts[1:], parts[0].copy())
        self._world.wait()  # all have read before anyone overwrites
        _copy(_contiguous(receive), total)

    def Allgather(self, send: np.ndarray, receive: np.ndarray) -> None:
        """Everyone gets all parts, in the order of ranks."""
        buffers = self._exchange(_contiguous(send))
        parts = np.concatenate([buffer.reshape(-1) for buffer in buffers])
        self._world.wait()
        _copy(_contiguous(receive), parts)

    def Reduce(self, send: np.ndarray, receive: np.ndarray | None, *, root: int = 0) -> None:
        """root gets the sum, added in the order of ranks."""
        buffers = self._exchange(_contiguous(send))
        if self.rank == root:
            assert receive is not None, "the root of a Reduce needs a buffer to receive"
            _copy(_contiguous(receive), sum(buffers[1:], buffers[0].copy()))
        self._world.wait()  # nobody goes on to change what the root still reads

    def Send(self, buffer: np.ndarray, dest: int, tag: int = 0) -> None:
        """Returns when dest has it: a buffered Send would hide dead-locks that MPI has."""
        self.Isend(buffer, dest, tag).Wait()

    def Isend(self, buffer: np.ndarray, dest: int, tag: int = 0) -> "_Request":
        """Returns at once a request whose Wait() returns when dest has it."""
        return self._world.send(_contiguous(buffer), (self.rank, dest, tag))

    def Recv(self, buffer: np.ndarray, source: int, tag: int = 0) -> None:
        """Waits for source's Send."""
        self._world.receive(_contiguous(buffer), (source, self.rank, tag))

    def Split(self, color: int = 0, key: int = 0) -> "ThreadCommunicator":
        """The ranks with the same color, ordered by key and then by rank."""
        asked = self._exchange((color, key, self.rank))
        members = sorted((k, rank) for c, k, rank in asked if c == color)
        place = [rank for _, rank in members].index(self.rank)
        leader = members[0][1]
        self._world.wait()
        worlds = self._exchange(self._world.part(len(members)) if self.rank == leader else None)
        self._world.wait()
        return ThreadCommunicator(place, worlds[leader])

    def Abort(self, errorcode: int = 0) -> None:
        """End all ranks."""
        self._world.abort()
        raise Broken(f"rank {self.rank} ended the job with code {errorcode}")

    def _exchange(self, mine: Any) -> list[Any]:
        """What every rank put in. All must `wait` once they have read it: the next exchange overwrites it."""
        self._world.slots[self.rank] = mine
        self._world.wait()
        return list(self._world.slots)


class _World:
    """What the ranks of one communicator share."""

    def __init__(self, size: int, seconds: float):
        self.size, self.seconds = size, seconds
        self.slots: list[Any] = [None] * size
        self._barrier = threading.Barrier(size)
        self._changed = threading.Condition()
        self._mail: dict[tuple[int, int, int], list[_Request]] = {}
        self._broken = False
        self._parts: list[_World] = []

    def part(self, size: int) -> "_World":
        """A world for some of the ranks, which breaks with this one."""
        with self._changed:
            self._parts.append(_World(size, self.seconds))
            return self._parts[-1]

    def abort(self) -> None:
        """Wake everyone who waits here, with `Broken`."""
        with self._changed:
            self._broken = True
            self._changed.notify_all()
        self._barrier.abort()
        for part in self._parts:
            part.abort()

    def wait(self) -> None:
        """Until all ranks are here."""
        try:
            self._barrier.wait(self.seconds)
        except threading.BrokenBarrierError:
            raise Broken("another rank failed or never came") from None

    def send(self, buffer: np.ndarray, address: tuple[int, int, int]) -> "_Request":
        """Put a letter in the box."""
        request = _Request(self, buffer, address)
        with self._changed:
            self._mail.setdefault(address, []).append(request)
            self._changed.notify_all()
        return request

    def receive(self, buffer: np.ndarray, address: tuple[int, int, int]) -> None:
        """Wait for a letter, copy it and take it out."""
        with self._changed:
            box = self._mail.setdefault(address, [])
            self.until(lambda: bool(box), address)
            _copy(buffer, box[0].buffer)
            box.pop(0).taken = True
            self._changed.notify_all()

    def until(self, happened: Callable[[], bool], address: tuple[int, int, int]) -> None:
        """Wait, with the lock held, until it has happened; `Broken` if it cannot any more."""
        if not self._changed.wait_for(lambda: self._broken or happened(), self.seconds) or self._broken:
            raise Broken(f"a message from rank {address[0]} to rank {address[1]} was never exchanged")

    def taken(self, request: "_Request") -> None:
        """Wait until a letter has been taken out."""
        with self._changed:
            self.until(lambda: request.taken, request.address)


class _Request:
    """A letter that was put in the box."""

    def __init__(self, world: _World, buffer: np.ndarray, address: tuple[int, int, int]):
        self.world, self.buffer, self.address, self.taken = world, buffer, address, False

    def Wait(self) -> None:
        """Until it has been taken out."""
        self.world.taken(self)


def _contiguous(buffer: np.ndarray) -> np.ndarray:
    """`buffer`, refused where MPI would refuse it."""
    if not (isinstance(buffer, np.ndarray) and buffer.flags.c_contiguous):
        raise UserError("a message must be a contiguous NumPy array, as under MPI; use np.ascontiguousarray")
    return buffer


def _copy(to: np.ndarray, source: np.ndarray) -> None:
    if to.size != source.size or to.dtype != source.dtype:
        raise UserError(
            f"a message of {source.size} {source.dtype} values does not fit a buffer of {to.size} {to.dtype} values"
        )
    to.reshape(-1)[...] = source.reshape(-1)
