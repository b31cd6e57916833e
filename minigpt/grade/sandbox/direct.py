"""Functions of this process, asked as a student's would be."""

from collections.abc import Callable, Sequence
from typing import Any

from minigpt.grade.sandbox.frames import Kept
from minigpt.grade.sandbox.values import Failed
from minigpt.grade.sandbox.worker import parameters


class Direct:
    """A `Caller` without a process of its own: for trusted code only, such as the planted bugs."""

    def __init__(self, **functions: Callable[..., Any]):
        self._functions = functions
        self.functions = {name: parameters(function) for name, function in functions.items()}
        self._kept: list[Any] = []

    def call(
        self, function: str, arguments: Sequence[Any], options: dict[str, Any] | None = None, *, keep: bool = False
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
