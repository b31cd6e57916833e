"""Functions of this process, asked as a student's would be."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from minigpt.grade.sandbox.frames import Kept
from minigpt.grade.sandbox.values import Failed
from minigpt.grade.sandbox.worker import parameters
from minigpt.grade.work import Work


class Direct:
    """A `Caller` without a process of its own: for trusted code only, such as the planted bugs."""

    def __init__(self, **functions: Callable[..., Any]):
        self._functions = functions
        self.functions = {name: parameters(function) for name, function in functions.items()}
        self._kept: list[Any] = []

    def load(
        self,
        work: Work,
        wanted: Sequence[str],
        *,
        prefix: str = "",
        given: Mapping[str, str] | None = None,
        own: bool = True,
    ) -> None:
        """See `Submission.load`."""
        namespace: dict[str, Any] = {}
        for place, source in work.blocks:
            exec(compile(source, place, "exec"), namespace)
        namespace["PIECES"] = {name: self._functions[other] for name, other in (given or {}).items()}
        self._functions |= {prefix + name: namespace[name] for name in wanted}
        self.functions = {name: parameters(function) for name, function in self._functions.items()}

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
