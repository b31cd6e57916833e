"""What ranks say to each other. Three engines, one set of methods, mpi4py's for buffers: the same code runs on all.

A communicator here is anything with `rank`, `size` and these methods over contiguous NumPy arrays:
    Barrier(), Bcast(buffer, root), Reduce(send, receive, root=0), Allreduce(send, receive),
    Reduce_scatter(send, receive, counts), Allgather(send, receive), Send(buffer, dest, tag), Isend(buffer, dest, tag),
    Recv(buffer, source, tag), Split(color, key), Abort(code)
Reductions are sums. mpi4py's communicators have them (Dalcin & Fang 2021, "mpi4py: Status Update After 12 Years of
Development"); `ThreadCommunicator` in `minigpt.parallel.threads` has them for ranks that are threads of one process.
`ProcessCommunicator` in `minigpt.parallel.processes`, for worker processes of one machine, is for replicas alone: there
is no Send, Isend or Recv, Split keeps all ranks together or sets each apart, and `shared` gives memory that all see.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np


class Communicator(Protocol):
    """The methods that a rank function may use."""

    rank: int
    size: int

    def Barrier(self) -> None: ...
    def Bcast(self, buffer: np.ndarray, root: int = 0) -> None: ...
    def Reduce(self, send: np.ndarray, receive: np.ndarray | None, *, root: int = 0) -> None: ...
    def Allreduce(self, send: np.ndarray, receive: np.ndarray) -> None: ...
    def Reduce_scatter(self, send: np.ndarray, receive: np.ndarray, recvcounts: Sequence[int]) -> None: ...
    def Allgather(self, send: np.ndarray, receive: np.ndarray) -> None: ...
    def Send(self, buffer: np.ndarray, dest: int, tag: int = 0) -> None: ...
    def Isend(self, buffer: np.ndarray, dest: int, tag: int = 0) -> Any: ...
    def Recv(self, buffer: np.ndarray, source: int, tag: int = 0) -> None: ...
    def Split(self, color: int = 0, key: int = 0) -> "Communicator": ...
    def Abort(self, errorcode: int = 0) -> None: ...


class Counted:
    """A communicator that counts what passes through it: messages, and the bytes that this rank hands over.

    Counted is the buffer that goes in: of an Allgather, the part that this rank gives. What a network really carries
    depends on the algorithm; the formulas for rings are in `minigpt.measure.scale`.
    """

    def __init__(self, comm: Any, messages: Counter | None = None, sent: Counter | None = None):
        self.comm = comm
        self.rank, self.size = comm.rank, comm.size
        self.messages = Counter() if messages is None else messages  # method -> calls
        self.sent = Counter() if sent is None else sent  # method -> bytes

    def Barrier(self) -> None:
        """Wait for all."""
        self.comm.Barrier()

    def Bcast(self, buffer: np.ndarray, root: int = 0) -> None:
        """Everyone gets root's buffer."""
        self._count("Bcast", buffer)
        self.comm.Bcast(buffer, root)

    def Reduce(self, send: np.ndarray, receive: np.ndarray | None, *, root: int = 0) -> None:
        """root gets the sum; the others' `receive` may be None."""
        self._count("Reduce", send)
        self.comm.Reduce(send, receive, root=root)

    def Allreduce(self, send: np.ndarray, receive: np.ndarray) -> None:
        """Everyone gets the sum."""
        self._count("Allreduce", send)
        self.comm.Allreduce(send, receive)

    def Reduce_scatter(self, send: np.ndarray, receive: np.ndarray, recvcounts: Sequence[int]) -> None:
        """Rank r gets recvcounts[r] numbers of the sum, one rank's after another's."""
        self._count("Reduce_scatter", send)
        self.comm.Reduce_scatter(send, receive, recvcounts)

    def Allgather(self, send: np.ndarray, receive: np.ndarray) -> None:
        """Everyone gets all parts, in the order of ranks."""
        self._count("Allgather", send)
        self.comm.Allgather(send, receive)

    def Send(self, buffer: np.ndarray, dest: int, tag: int = 0) -> None:
        """Returns when dest has it."""
        self._count("Send", buffer)
        self.comm.Send(buffer, dest, tag)

    def Isend(self, buffer: np.ndarray, dest: int, tag: int = 0) -> Any:
        """Returns at once a request whose Wait() returns when dest has it; leave the buffer alone until then."""
        self._count("Isend", buffer)
        return self.comm.Isend(buffer, dest, tag)

    def Recv(self, buffer: np.ndarray, source: int, tag: int = 0) -> None:
        """Waits for source's Send or Isend."""
        self.comm.Recv(buffer, source, tag)

    def Split(self, color: int = 0, key: int = 0) -> "Counted":
        """The ranks with the same color, ordered by key; it counts into the same counters."""
        return Counted(self.comm.Split(color, key), self.messages, self.sent)

    def Abort(self, errorcode: int = 0) -> None:
        """End all ranks."""
        self.comm.Abort(errorcode)

    def _count(self, method: str, buffer: np.ndarray) -> None:
        self.messages[method] += 1
        self.sent[method] += buffer.nbytes
