"""What an exercise is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Question = tuple[list[Any], dict[str, Any]]  # arguments and options of one call


def larger(rng: np.random.Generator, size: Any) -> int:
    """`size`, and in one question of four several times that, so that no answer is right for small ones alone."""
    return int(size) * (int(rng.integers(4, 9)) if rng.random() < 0.25 else 1)


@dataclass(frozen=True)
class Exercise:
    """A function that a student writes or, if there is no `right`, an operation: NAME_forward and NAME_backward.

    lesson: `05_backprop`; empty for an operation that no lesson asks for. draw: one question, from a random generator.
    right: the reference. mistakes: wrong versions of it, whose docstrings are the hints.
    functions: what is judged, if it is there; who has one of them attempts it. needs: those that must be there, so that
    what a stub gives away earns nothing. like: takes what the stub's forward takes; a forward that takes less is wrong.
    An operation that no lesson asks for needs neither. harness: where several functions make one answer, the source of
    a file that is run beside them, finds them in its `PIECES`, and has a function called `name` that asks them.
    """

    name: str
    points: int
    lesson: str = ""
    draw: Callable[[np.random.Generator], Question] | None = None
    right: Callable[..., Any] | None = None
    mistakes: tuple[Callable[..., Any], ...] = ()
    functions: tuple[str, ...] = ()  # of an operation: both
    needs: tuple[str, ...] = ()
    like: Callable[..., None] | None = None
    harness: str = ""

    def __post_init__(self) -> None:
        if not self.functions:
            alone = self.right is not None or self.operation != self.name
            object.__setattr__(self, "functions", (self.name,) if alone else self.pair)
        if len(self.functions) == 1:
            object.__setattr__(self, "needs", self.functions)

    @classmethod
    def of(
        cls,
        right: Callable[..., Any],
        *,
        points: int,
        draw: Callable[[np.random.Generator], Question],
        mistakes: tuple[Callable[..., Any], ...],
        harness: str = "",
    ) -> "Exercise":
        """The exercise to write a function that is called as `right` is, and does the same."""
        return cls(right.__name__, points, draw=draw, right=right, mistakes=mistakes, harness=harness)

    @property
    def operation(self) -> str:
        """The name without `_forward` or `_backward`."""
        return self.name if self.right else self.name.removesuffix("_forward").removesuffix("_backward")

    @property
    def pair(self) -> tuple[str, ...]:
        """The functions that work together: of an operation, both, also where one of them alone is judged."""
        return self.functions if self.right else (f"{self.operation}_forward", f"{self.operation}_backward")


class Wrong(Exception):
    """The answer is not right. `likely`: the explanation of a known mistake that gives the same numbers, or None."""

    def __init__(self, message: str, likely: str | None = None):
        super().__init__(message)
        self.likely = likely
