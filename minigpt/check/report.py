"""What a gradient check found."""

from collections.abc import Iterable
from dataclasses import dataclass


class GradientError(AssertionError):
    """A forward or backward that is wrong: one sentence says which of its arrays, where, and how.

    Examples
    --------
    >>> x = np.array([1.0, 2.0])
    >>> try:
    ...     minigpt.check_gradient(lambda x: (3 * x, None), lambda dy, cache: dy.sum(), x)
    ... except minigpt.GradientError as error:
    ...     print("refused:", "shape" in str(error))
    refused: True
    """


@dataclass(frozen=True)
class ArgumentReport:
    """The gradient of one argument, compared with numerical derivatives."""

    name: str
    shape: tuple[int, ...]
    entries: int  # how many were compared
    max_absolute_error: float  # max |yours - numeric|
    max_relative_error: float  # max |yours - numeric| / (floor + max(|yours|, |numeric|)): true zeros stay comparable
    worst: tuple[int, ...] | None  # index of the largest relative error; None: along a random direction
    yours: float  # the gradient there
    numeric: float  # the numerical derivative there
    passed: bool

    @classmethod
    def worst_of(
        cls,
        name: str,
        shape: tuple[int, ...],
        relative: float,
        floor: float,
        entries: Iterable[tuple[tuple[int, ...] | None, float, float]],
    ) -> "ArgumentReport":
        """Sum up entries (index, yours, numeric). floor: below this size of gradient the absolute error decides."""
        worst: tuple[float, tuple[int, ...] | None, float, float] = (-1.0, None, 0.0, 0.0)
        count, largest = 0, 0.0
        for index, yours, numeric in entries:
            error = abs(yours - numeric)
            ratio = error / (floor + max(abs(yours), abs(numeric)))
            count, largest = count + 1, max(largest, error)
            if not ratio <= worst[0]:  # also when it is not a number
                worst = (ratio, index, yours, numeric)
        ratio, index, yours, numeric = worst
        return cls(name, shape, count, largest, max(ratio, 0.0), index, yours, numeric, ratio <= relative)

    def __str__(self) -> str:
        if self.passed:
            return f"{self.name}: right, relative error at most {self.max_relative_error:.1e}"
        where = "along a random direction" if self.worst is None else f"at {list(self.worst)}"
        return (
            f"the gradient of {self.name} is wrong, worst {where}: yours {self.yours:.8g}, numeric {self.numeric:.8g} "
            f"(relative error {self.max_relative_error:.1e})"
        )


@dataclass(frozen=True)
class GradientReport:
    """One `ArgumentReport` for each array that has a gradient."""

    arguments: tuple[ArgumentReport, ...]

    @property
    def passed(self) -> bool:
        """Whether every gradient is right."""
        return all(argument.passed for argument in self.arguments)

    @property
    def wrong(self) -> tuple[ArgumentReport, ...]:
        """The arguments whose gradient is wrong."""
        return tuple(argument for argument in self.arguments if not argument.passed)

    def raise_if_wrong(self) -> None:
        """`GradientError` that names the first wrong gradient, its worst index, and yours beside the numeric value."""
        if not self.passed:
            first, *others = self.wrong
            also = f"; also wrong: {', '.join(argument.name for argument in others[:3])}" if others else ""
            also += f" and {len(others) - 3} more" if len(others) > 3 else ""
            raise GradientError(f"{first}{also}")

    def __str__(self) -> str:
        return "\n".join(str(argument) for argument in self.arguments)
