"""What passes between a student's functions and those who judge them: who is asked, and what may be an answer."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from minigpt.grade.sandbox.frames import Unknown
from minigpt.grade.work import Work


class Caller(Protocol):
    """Who is asked: a `Submission` or, for trusted code, a `Direct`."""

    functions: dict[str, dict[str, Any]]
    """name -> how it is called, as `worker.parameters` describes it."""

    def call(
        self, function: str, arguments: Sequence[Any], options: dict[str, Any] | None = None, *, keep: bool = False
    ) -> Any:
        """What the function returns; `Failed` if it gives nothing that can be graded."""

    def load(
        self,
        work: Work,
        wanted: Sequence[str],
        *,
        prefix: str = "",
        given: Mapping[str, str] | None = None,
        own: bool = True,
    ) -> None:
        """Run one more file beside the student's; see `Submission.load`."""


class Failed(Exception):
    """The student's code could not be run, or what it gave cannot be graded: the message is for the student.

    final: asking again is of no use, since the process has ended or the code is not written. raised: the student's code
    raised an error, so that the inputs may say why.
    """

    def __init__(self, message: str, *, final: bool = False, raised: bool = False):
        super().__init__(message)
        self.final, self.raised = final, raised


def demand_array(what: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """`Failed` unless the value is an array of finite numbers of this shape."""
    if isinstance(value, (int, float)) and shape == () and abs(value) < 1e300:  # more is no array of numbers
        value = np.asarray(value)
    if not isinstance(value, np.ndarray):
        kind = value.kind if isinstance(value, Unknown) else type(value).__name__
        hint = "; is a return missing?" if value is None else ""
        raise Failed(f"{what} is a {kind}, but it must be a NumPy array{hint}")
    if value.shape != shape:
        raise Failed(f"{what} has shape {value.shape}, but it must have shape {shape}")
    if not np.isfinite(value).all():
        first = [int(i) for i in np.argwhere(~np.isfinite(value))[0]]
        where = f", the first at {first}" if first else ""
        raise Failed(f"{what} has entries that are not finite numbers (NaN or infinity){where}")
    return value


def demand_signatures(found: Any) -> dict[str, dict[str, Any]]:
    """name -> how it is called; `Failed` if it is anything else."""
    lists = ("positional", "needed", "named", "needed_by_name")
    if isinstance(found, dict) and all(
        isinstance(name, str)
        and isinstance(how, dict)
        and isinstance(how.get("any"), bool)
        and all(isinstance(how.get(key), list) and all(isinstance(n, str) for n in how[key]) for key in lists)
        for name, how in found.items()
    ):
        return found
    raise Failed("the file disturbed the process that graded it", final=True)


def read_exactly(stream: Any, size: int) -> bytes | None:
    """So many bytes of a stream, or None if it ends before."""
    data = bytearray()
    while len(data) < size:
        part = stream.read(min(size - len(data), 1 << 16))
        if not part:
            return None
        data += part
    return bytes(data)
