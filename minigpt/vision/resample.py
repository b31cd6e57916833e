"""Pictures of bytes made larger or smaller, as Pillow does it: each new pixel a weighted mean of the old ones near it.

Where a picture shrinks, the filter grows with it, so that every old pixel counts (no aliasing). Bicubic: Keys (1981),
"Cubic Convolution Interpolation for Digital Image Processing", with a = -1/2.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Filter(NamedTuple):
    """What a pixel at a distance counts."""

    support: float  # pixels that it reaches, either way
    weight: Callable[[np.ndarray], np.ndarray]  # of distances


def _lanczos(x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)


def _bilinear(x: np.ndarray) -> np.ndarray:
    return np.maximum(1 - np.abs(x), 0)


def _bicubic(x: np.ndarray) -> np.ndarray:
    x = np.abs(x)
    near, far = (1.5 * x - 2.5) * x * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0))


NEAREST = "nearest"
UNIT = 1 << 22  # weights are whole numbers of its parts, as Pillow has them, so that the bytes are equal
FILTERS = {"lanczos": Filter(3, _lanczos), "bilinear": Filter(1, _bilinear), "bicubic": Filter(2, _bicubic)}


def resized(pixels: np.ndarray, size: tuple[int, int], how: str) -> np.ndarray:
    """Pictures, (N, Y, X, Z) bytes, as (N, *size, Z) bytes. how: `nearest`, or one of `FILTERS`.

    Along a row first, then along a column, rounded to bytes after each: the bytes of Pillow. (Pillow 13 begins with
    columns in some sizes; then the rounding in between differs.)
    """
    if how == NEAREST:
        rows, columns = (_nearest(old, new) for old, new in zip(pixels.shape[1:3], size, strict=True))
        return pixels[:, rows][:, :, columns]
    for axis, new in ((2, size[1]), (1, size[0])):
        if pixels.shape[axis] != new:
            weights = _weights(pixels.shape[axis], new, FILTERS[how])
            moved = np.moveaxis(pixels, axis, -1) @ weights.T  # whole numbers below 2 ** 53: exact
            pixels = np.clip(np.floor(np.moveaxis(moved, -1, axis) / UNIT + 0.5), 0, 255).astype(np.uint8)
    return pixels


def _nearest(old: int, new: int) -> np.ndarray:
    """(new,) which old pixel is under the middle of each new one; summed up step by step, as Pillow has it."""
    steps = np.full(new, old / new)
    steps[0] /= 2
    return np.minimum(np.cumsum(steps).astype(int), old - 1)


def _weights(old: int, new: int, how: Filter) -> np.ndarray:
    """(new, old): how much each old pixel counts for each new one, in whole parts of `UNIT`."""
    stretch = max(old / new, 1)
    middle = (np.arange(new)[:, None] + 0.5) * old / new  # of each new pixel, in old ones
    first, last = ((middle + sign * how.support * stretch + 0.5).astype(int) for sign in (-1, 1))
    place = np.arange(old)
    weights = how.weight((place + 0.5 - middle) / stretch) * ((place >= first) & (place < last))
    return np.rint(UNIT * weights / weights.sum(axis=1, keepdims=True))
