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
    """

    name: str
    points: int
    lesson: str = ""
    draw: Callable[[np.random.Generator], Question] | None = None
    right: Callable[..., Any] | None = None
    mistakes: tuple[Callable[..., Any], ...] = ()

    @classmethod
    def of(
        cls,
        right: Callable[..., Any],
        *,
        points: int,
        draw: Callable[[np.random.Generator], Question],
        mistakes: tuple[Callable[..., Any], ...],
    ) -> "Exercise":
        """The exercise to write a function that is called as `right` is, and does the same."""
        return cls(right.__name__, points, draw=draw, right=right, mistakes=mistakes)

    @property
    def functions(self) -> tuple[str, ...]:
        """What a file must hold at least one of to attempt it."""
        return (self.name,) if self.right else (f"{self.name}_forward", f"{self.name}_backward")


class Wrong(Exception):
    """The answer is not right. `likely`: the explanation of a known mistake that gives the same numbers, or None."""

    def __init__(self, message: str, likely: str | None = None):
        super().__init__(message)
        self.likely = likely
