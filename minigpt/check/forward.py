"""Does a forward compute what it should? A gradient check cannot tell: a wrong forward may have a right backward."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minigpt.check.contract import as_dtype
from minigpt.check.report import GradientError


def check_forward(
    forward: Callable,
    reference: Callable,
    *arrays: np.ndarray,
    relative: float = 1e-10,
    absolute: float = 1e-12,
    **options: Any,
) -> None:
    """`GradientError` unless y of `forward` equals y of `reference`, in float64, within the tolerances."""
    arrays = tuple(as_dtype(array, np.float64) for array in arrays)
    options = {name: as_dtype(value, np.float64) for name, value in options.items()}
    yours, ours = (np.asarray(function(*arrays, **options)[0]) for function in (forward, reference))
    if yours.shape != ours.shape:
        raise GradientError(f"y has shape {yours.shape}, but it must be {ours.shape}")
    error = np.abs(yours - ours) - (absolute + relative * np.abs(ours))
    if not (error <= 0).all():
        index = np.unravel_index(np.nanargmax(error), error.shape)
        where = f" at {[int(i) for i in index]}" if index else ""
        raise GradientError(f"y is wrong, worst{where}: yours {yours[index]:.8g}, it must be {ours[index]:.8g}")
