"""Parameters: one contiguous vector, with a named view for every array in it."""

import math
from collections.abc import ItemsView, Iterator, Mapping
from typing import Any

import numpy as np

from minigpt.errors import UserError


class Params:
    """Named arrays that lie one after another in the vector `flat`.

    `params["blocks.0.attention.query.weight"]` is a view: writing into it changes `flat`, and the other way round.
    Gradients and optimizer moments have the same layout, so an optimizer, an all-reduce or a norm is one line over
    `flat`. Arrays with two or more axes come first, `flat[:matrix_size]`; gains and biases, which weight decay must
    leave alone, come after them.
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]], *, flat: np.ndarray | None = None, dtype: Any = None):
        """shapes: name -> shape, in order. flat: the vector to view; None makes one of zeros of `dtype` (float32)."""
        ordered = sorted(shapes.items(), key=lambda item: len(item[1]) < 2)  # a stable sort: matrices, then vectors
        self.shapes: dict[str, tuple[int, ...]] = {name: tuple(shape) for name, shape in ordered}
        size = sum(math.prod(shape) for shape in self.shapes.values())
        self.matrix_size = sum(math.prod(shape) for shape in self.shapes.values() if len(shape) > 1)
        self.flat = np.zeros(size, dtype or np.float32) if flat is None else flat
        if self.flat.shape != (size,):
            raise UserError(f"the vector has shape {self.flat.shape}, but these parameters need ({size},)")
        self._views: dict[str, np.ndarray] = {}
        start = 0
        for name, shape in self.shapes.items():
            end = start + math.prod(shape)
            self._views[name] = self.flat[start:end].reshape(shape)
            start = end

    def __getitem__(self, name: str) -> np.ndarray:
        return self._views[name]

    def __setitem__(self, name: str, value: np.ndarray) -> None:
        """Copy `value` into the array called `name`; `UserError` if the shapes differ."""
        if np.shape(value) != self.shapes[name]:
            raise UserError(f"{name} has shape {self.shapes[name]}, not {np.shape(value)}")
        self._views[name][...] = value

    def get(self, name: str) -> np.ndarray | None:
        """The array called `name`, or None."""
        return self._views.get(name)

    def items(self) -> ItemsView[str, np.ndarray]:
        """Pairs of name and view, in the order of `flat`."""
        return self._views.items()

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __contains__(self, name: object) -> bool:
        return name in self._views

    def __len__(self) -> int:
        return len(self._views)

    def zeros_like(self) -> "Params":
        """Zeros in the same layout, for gradients and moments."""
        return Params(self.shapes, dtype=self.flat.dtype)

    def copy(self) -> "Params":
        """The same values in a new vector."""
        return Params(self.shapes, flat=self.flat.copy())

    def astype(self, dtype: Any) -> "Params":
        """The same values in a new vector of another dtype."""
        return Params(self.shapes, flat=self.flat.astype(dtype))

    def __repr__(self) -> str:
        return f"Params({len(self)} arrays, {self.flat.size:,} values, {self.flat.dtype})"
