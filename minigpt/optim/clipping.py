"""Clipping: a gradient that is too long is shortened, its direction stays."""

import math

import numpy as np

BLOCK = 32768  # entries summed at a time: blocks keep float32's digits


def clip_by_global_norm(gradient: np.ndarray, maximum: float) -> float:
    """Shorten the gradient in place to at most `maximum`; its direction stays.

    One factor for all entries, min(1, maximum / (norm + 1e-6)) (Pascanu et al. 2013, arXiv:1211.5063, algorithm 1; the
    1e-6 is PyTorch's).

    Parameters
    ----------
    gradient : (P,) floats
        Is changed.
    maximum : float
        The longest that it may be.

    Returns
    -------
    float
        The norm it had. One that is infinite or NaN is returned as it is, for the caller to report.

    Examples
    --------
    >>> gradient = np.array([3.0, 4.0])
    >>> minigpt.clip_by_global_norm(gradient, 1.0)
    5.0
    >>> gradient.round(5)
    array([0.6, 0.8])
    """
    norm = math.sqrt(squared_norm(gradient))
    shorten(gradient, norm, maximum)
    return norm


def squared_norm(gradient: np.ndarray) -> float:
    """The sum of the squares of (P,) floats."""
    blocks = (gradient[start : start + BLOCK] for start in range(0, gradient.size, BLOCK))
    return sum(float(np.vdot(block, block)) for block in blocks)


def shorten(gradient: np.ndarray, norm: float, maximum: float) -> None:
    """`clip_by_global_norm` of a gradient, or of a part of one, whose whole has the length `norm`."""
    if math.isfinite(norm) and norm + 1e-6 > maximum:
        gradient *= maximum / (norm + 1e-6)
