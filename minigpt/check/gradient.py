"""Is a hand-written backward right? Its gradients are compared with numerical derivatives of the forward.

Baydin et al. (2018), "Automatic Differentiation in Machine Learning: a Survey", JMLR 18, section 2.1, on what numerical
derivatives can and cannot tell.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minigpt.check.contract import floating, parameter_names, run_once
from minigpt.check.report import ArgumentReport, GradientReport
from minigpt.errors import UserError

SHORT = 2.0**-16  # at which two evaluations agree with a right gradient, to about nine digits
STEPS = (2.0**-10, 2.0**-13, 2.0**-16, 2.0**-19)  # powers of two, so that x + step is exact


def check_gradient(
    forward: Callable,
    backward: Callable,
    *arrays: np.ndarray,
    seed: int = 0,
    relative: float = 1e-6,
    absolute: float = 1e-9,
    samples: int | None = None,
    names: list[str] | None = None,
    **options: Any,
) -> GradientReport:
    """Compare `backward` with numerical derivatives of `forward`, entry by entry, in float64.

    `y, cache = forward(*arrays, **options)`; `gradients = backward(dy, cache)`, one for each floating array, in order
    (a bare array will do for one). An entry is right if |yours - numeric| <= absolute + relative * max(|yours|,
    |numeric|). Both functions also run in float32, where y and every gradient must be float32. Baydin et al. (2018),
    section 2.1.

    Parameters
    ----------
    forward, backward : callable
        The pair.
    *arrays : arrays
        What forward takes. Integers (tokens, targets) are passed on and have no gradient.
    seed : int
        Of the upstream gradient dy, which is random: a dy of ones hides mistakes.
    relative, absolute : float
        As above.
    samples : int, optional
        Check at most so many entries of each array one by one, chosen at random, and the whole array along one random
        direction; None checks all.
    names : list of str, optional
        What the report calls the arrays; None: as forward's signature does.
    **options
        Passed on to forward.

    Returns
    -------
    GradientReport
        `str` shows it; `.passed` sums it up; `.raise_if_wrong()` raises `GradientError` for a wrong value.

    Raises
    ------
    GradientError
        If the pair promotes, changes its inputs, the cache or its answer, or if a gradient has the wrong number, type
        or shape or is not finite.
    UserError
        If an argument is no array, or none is of floats.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((2, 3))
    >>> square = lambda x: (x * x, x)
    >>> minigpt.check_gradient(square, lambda dy, x: 2 * x * dy, x).passed
    True
    >>> minigpt.check_gradient(square, lambda dy, x: x * dy, x).passed
    False
    """
    names = parameter_names(forward, len(arrays)) if names is None else names
    for name, array in zip(names, arrays, strict=True):
        if not isinstance(array, np.ndarray):
            raise UserError(f"{name} is a {type(array).__name__}, but check_gradient takes NumPy arrays; convert it")
    checked = [name for name, array in zip(names, arrays, strict=True) if floating(array)]
    if not checked:
        raise UserError("no argument is a floating array, so there is no gradient to check")

    run_once(forward, backward, names, arrays, options, np.random.default_rng(seed), np.float32)
    once = run_once(forward, backward, names, arrays, options, np.random.default_rng(seed), np.float64)
    rng = np.random.default_rng([seed, 1])
    moved = [array for array in once.arrays if floating(array)]
    slopes = _Slopes(lambda: np.array(forward(*once.arrays, **once.options)[0]), once.dy, relative, absolute)
    reports = []
    for name, x, gradient in zip(checked, moved, once.gradients, strict=True):
        entries = slopes.compare(x, gradient, rng, samples)
        reports.append(ArgumentReport.worst_of(name, x.shape, relative, absolute / relative, entries))
    return GradientReport(tuple(reports))


class _Slopes:
    """Numerical derivatives of sum(dy * y) while one array moves in place."""

    def __init__(self, evaluate: Callable[[], np.ndarray], dy: np.ndarray, relative: float, absolute: float):
        self.evaluate, self.dy, self.relative, self.absolute = evaluate, dy, relative, absolute

    def compare(
        self, x: np.ndarray, gradient: np.ndarray, rng: np.random.Generator, samples: int | None
    ) -> Iterator[tuple[tuple[int, ...] | None, float, float]]:
        """(index, yours, numeric) for entries of x; if not all were taken, (None, yours, numeric) for a direction."""
        chosen = np.arange(x.size)
        if samples is not None and samples < x.size:
            chosen = np.sort(rng.choice(x.size, samples, replace=False))
        for i in chosen:
            index = tuple(int(j) for j in np.unravel_index(i, x.shape))
            yours = float(gradient[index])
            yield index, yours, self.slope(x, index, 1.0, yours)
        if len(chosen) < x.size:
            direction = rng.standard_normal(x.shape) / np.sqrt(x.size)
            yours = float((gradient * direction).sum())
            yield None, yours, self.slope(x, ..., direction, yours)

    def slope(self, x: np.ndarray, index: Any, direction: Any, yours: float) -> float:
        """The derivative as x[index] moves along `direction`.

        One short step is enough to agree with `yours`, ten times closer than it must. Otherwise twice as many
        evaluations give a more precise answer. A step may be too large (a kink of ReLU within it) or too small
        (rounding). Then its two estimates, `near` and `far`, differ, and smaller steps are tried.
        """
        numeric = self.central(x, index, direction, SHORT)
        if abs(yours - numeric) <= self.tolerance(yours, numeric) / 10:
            return numeric
        estimates = []
        for step in STEPS:
            near, far = self.central(x, index, direction, step), self.central(x, index, direction, 2 * step)
            numeric = (4 * near - far) / 3  # Richardson: the error is of the order of step^4 instead of step^2
            tolerance = self.tolerance(yours, numeric)
            if abs(yours - numeric) <= tolerance or abs(near - far) <= 100 * tolerance:
                return numeric
            estimates.append((abs(near - far), numeric))
        return min(estimates)[1]

    def tolerance(self, yours: float, numeric: float) -> float:
        """How far apart the two may be."""
        return self.absolute + self.relative * max(abs(yours), abs(numeric))

    def central(self, x: np.ndarray, index: Any, direction: Any, step: float) -> float:
        """(f(x + step) - f(x - step)) / (2 step), where outputs that did not move cancel exactly before the sum."""
        start = x[index].copy()
        x[index] = start + step * direction
        above = self.evaluate()
        x[index] = start - step * direction
        below = self.evaluate()
        x[index] = start
        return float(((above - below) * self.dy).sum() / (2 * step))
