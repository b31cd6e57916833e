"""Numbers to codes of few bits: a scale for each group, and the nearest code for each number.

Every matrix is taken as rows, (outputs, inputs), so that a group is some inputs of one output.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.pretrained.packed import join_rows, row_kind
from minigpt.pretrained.quantized_matrix import QuantizedMatrix

LARGEST = float(np.finfo(np.float16).max)


class Scales(NamedTuple):
    """Of groups: what is stored of them, numbers of 16 bits in a wider type."""

    step: np.ndarray  # d
    least: np.ndarray | None  # m; None: symmetric

    def each(self, change: Callable[[np.ndarray], np.ndarray]) -> "Scales":
        """Both changed in one way."""
        return Scales(change(self.step), None if self.least is None else change(self.least))


class Grid(NamedTuple):
    """The codes that a number may have."""

    bits: int
    group: int
    symmetric: bool

    @property
    def middle(self) -> int:
        """The code of zero, where that is fixed."""
        return 1 << self.bits - 1

    def fit(self, groups: np.ndarray) -> Scales:
        """The scales of groups, (..., numbers), each just wide enough: (..., 1). `UserError` beyond 16 bits."""
        least = None
        if self.symmetric:  # the number that is largest in size becomes code 0
            places = np.abs(groups).argmax(axis=-1, keepdims=True)
            step = np.take_along_axis(groups, places, axis=-1) / -self.middle
        else:
            least = _sixteen(groups.min(axis=-1, keepdims=True))
            step = (groups.max(axis=-1, keepdims=True) - least) / ((1 << self.bits) - 1)
        return Scales(_sixteen(step), least)

    def codes(self, numbers: np.ndarray, scales: Scales) -> np.ndarray:
        """The nearest code of each number, uint8. The scales broadcast against the numbers."""
        start = -self.middle * scales.step if scales.least is None else scales.least
        inverse = np.divide(1, scales.step, out=np.zeros_like(scales.step), where=scales.step != 0)
        steps = np.rint((numbers - start) * inverse)
        return np.clip(steps, 0, (1 << self.bits) - 1, out=steps).astype(np.uint8)

    def values(self, codes: np.ndarray, scales: Scales) -> np.ndarray:
        """What codes stand for."""
        if scales.least is None:
            return (codes - np.asarray(self.middle, scales.step.dtype)) * scales.step
        return codes * scales.step + scales.least


class Rounded(NamedTuple):
    """Rows as codes."""

    grid: Grid
    codes: np.ndarray  # (rows, columns) uint8
    scales: Scales  # (rows, groups)
    factors: np.ndarray | None = None  # (columns,) with which rows are multiplied when they are decoded

    def values(self) -> np.ndarray:
        """The rows, (rows, columns), as they will be decoded."""
        groups = self.codes.reshape(len(self.codes), -1, self.grid.group)
        rows = self.grid.values(groups, self.scales.each(lambda part: part[..., None]))
        rows = rows.reshape(self.codes.shape)
        return rows if self.factors is None else rows * self.factors

    def matrix(self, *, transposed: bool) -> QuantizedMatrix:
        """The rows packed, or their transpose."""
        bits, group, symmetric = self.grid
        kind = row_kind(self.codes.shape[1], bits, group, symmetric=symmetric)
        raw = join_rows(self.codes, *self.scales, bits)
        factors = None if self.factors is None else self.factors.astype(np.float32)
        return QuantizedMatrix(kind, raw, self.codes.shape[1], transposed=transposed, factors=factors)


def nearest(rows: np.ndarray, grid: Grid) -> Rounded:
    """Each number of (rows, columns) by itself."""
    groups = rows.reshape(len(rows), -1, grid.group)
    scales = grid.fit(groups)
    codes = grid.codes(groups, scales).reshape(rows.shape)
    return Rounded(grid, codes, scales.each(lambda part: part[..., 0]))


def _sixteen(numbers: np.ndarray) -> np.ndarray:
    """Rounded to 16 bits, in their own type."""
    if not (np.abs(numbers) <= LARGEST).all():
        raise UserError(
            "a matrix has numbers that no scale of 16 bits can reach, or that are not finite; check the model"
        )
    return numbers.astype(np.float16).astype(numbers.dtype)
