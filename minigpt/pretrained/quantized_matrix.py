"""A weight that is no array: it stays in few bits, and is decoded a few rows at a time whenever it is multiplied.

A model asks little of a weight: `x @ weight`, `dy @ weight.T`, the rows `weight[ids]` of an embedding, and its shape.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.pretrained.quantized import Kind, decode_blocks

PIECE = 1 << 18  # numbers that are decoded at a time: one MB


class QuantizedMatrix:
    """A matrix stored in blocks, (N, M), or the transpose of one that is."""

    __array_ufunc__ = None  # so that NumPy leaves `x @ self` to this class
    ndim = 2
    dtype = np.dtype(np.float32)  # of the decoded numbers

    def __init__(
        self,
        kind: Kind,
        raw: np.ndarray,
        columns: int,
        *,
        transposed: bool = False,
        factors: np.ndarray | None = None,
    ):
        """raw: (rows, bytes of a row), uint8, each row in whole blocks. columns: numbers in a stored row.

        transposed: this is the transpose of what is stored. factors: (columns,), with which every stored row is
        multiplied; None: with nothing. `UserError` if the bytes do not fit the columns.
        """
        if raw.ndim != 2 or columns % kind.block or raw.shape[1] != columns // kind.block * kind.size:
            raise UserError(f"rows of {columns} numbers in {kind.name} do not have the shape {raw.shape} in bytes")
        if factors is not None and factors.shape != (columns,):
            raise UserError(f"there are factors of the shape {factors.shape} for rows of {columns} numbers")
        self.kind, self.raw, self.columns, self.transposed, self.factors = kind, raw, columns, transposed, factors

    @property
    def shape(self) -> tuple[int, int]:
        """(N, M)."""
        return (self.columns, len(self.raw)) if self.transposed else (len(self.raw), self.columns)

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return len(self.raw) * self.columns

    @property
    def nbytes(self) -> int:
        """What is stored, in bytes."""
        return self.raw.nbytes + (0 if self.factors is None else self.factors.nbytes)

    @property
    def T(self) -> "QuantizedMatrix":
        """The transpose, of the same bytes: (M, N)."""
        return QuantizedMatrix(self.kind, self.raw, self.columns, transposed=not self.transposed, factors=self.factors)

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"QuantizedMatrix({self.shape}, {self.kind.name}, {self.nbytes:,} bytes)"

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        """All numbers, for those who want them after all."""
        stored = self._scaled(self._decode(self.raw))
        return np.asarray(stored.T if self.transposed else stored, dtype)

    def __getitem__(self, ids: np.ndarray) -> np.ndarray:
        """Rows: ids (...) integers, to (..., M) float32. Only of what is stored in rows."""
        if self.transposed:
            raise UserError("a transposed quantized matrix has no rows to look up; take them from what it was made of")
        ids = np.asarray(ids)
        return self._scaled(self._decode(self.raw[ids.reshape(-1)])).reshape(*ids.shape, self.columns)

    def __rmatmul__(self, x: np.ndarray) -> np.ndarray:
        """x @ self: (..., N) to (..., M), decoded a piece at a time."""
        if x.shape[-1] != self.shape[0]:
            raise UserError(f"x has width {x.shape[-1]} but the matrix has {self.shape[0]} rows; they must be equal")
        x_rows = x.reshape(-1, x.shape[-1])
        x_rows = self._scaled(x_rows) if self.transposed else x_rows  # cheaper than to scale the pieces
        y = np.zeros((len(x_rows), self.shape[1]), np.result_type(x.dtype, self.dtype))
        for rows, piece in self._pieces():
            if self.transposed:
                y[:, rows] = x_rows @ piece.T
            else:
                y += x_rows[:, rows] @ piece
        return (y if self.transposed else self._scaled(y)).reshape(*x.shape[:-1], -1)

    def _scaled(self, rows: np.ndarray) -> np.ndarray:
        """(..., columns), multiplied with the factors."""
        return rows if self.factors is None else rows * self.factors

    def _pieces(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Which rows, and their numbers: (rows, columns)."""
        step = max(1, PIECE // self.columns)
        for start in range(0, len(self.raw), step):
            rows = slice(start, start + step)
            yield rows, self._decode(self.raw[rows])

    def _decode(self, raw: np.ndarray) -> np.ndarray:
        """Whole rows: (n, bytes) to (n, columns) float32."""
        return decode_blocks(self.kind, raw.reshape(-1, self.kind.size)).reshape(len(raw), self.columns)


class StoredWeights(dict[str, Any]):
    """Named weights, some of them quantized, as a model asks for them. Nothing of them can be trained."""

    def together(self, _beside: str) -> None:
        """None: no two of them lie side by side in one matrix."""
