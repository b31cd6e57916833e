"""Parameters: one contiguous vector, with a named view for every array in it."""

import math
from collections.abc import Callable, ItemsView, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from minigpt.errors import UserError
from minigpt.model.arrays import MATRIX, ArrayRecord, Arrays, as_records, lay_out


class Weights(Protocol):
    """What a model asks of its parameters. `Params` answers; so does a base with something trained on top of it.

    An answer need not be an array: a matrix that is stored in few bits offers `x @ weight`, `dy @ weight.T`, the rows
    `weight[ids]` and its `shape`, and nothing else is asked of it.
    """

    def __getitem__(self, name: str) -> Any: ...
    def __contains__(self, name: object) -> bool: ...
    def get(self, name: str) -> Any:
        """The array called `name`, or None."""

    def items(self) -> Any:
        """Pairs of name and array."""

    def together(self, names: tuple[str, ...]) -> Any:
        """The one matrix in which just these arrays lie side by side, in this order; None if they do not."""


class Place(NamedTuple):
    """Where an array lies in a flat vector: some columns of the matrix (or vector) that begins at `start`."""

    start: int
    shape: tuple[int, ...]  # of the matrix
    columns: slice = slice(None)  # of its last axis

    def view(self, flat: np.ndarray) -> np.ndarray:
        """The array, inside of `flat`: writing into it changes `flat`."""
        return flat[self.start : self.start + math.prod(self.shape)].reshape(self.shape)[..., self.columns]


class Params:
    """Named arrays that lie one after another, or side by side in one matrix, in the vector `flat`.

    `params["blocks.0.attention.query.weight"]` is a view: writing into it changes `flat`, and the other way round.
    Gradients and optimizer moments have the same layout, so an optimizer, an all-reduce or a norm is one line over
    `flat`. What decays, matrices and embeddings, comes first, `flat[:matrix_size]`; gains and biases come after it.
    """

    def __init__(
        self, arrays: Mapping[str, ArrayRecord | tuple[int, ...]], *, flat: np.ndarray | None = None, dtype: Any = None
    ):
        """arrays: name -> record (or bare shape). flat: the vector to view; None makes one of zeros (float32)."""
        self.arrays: Arrays = as_records(arrays)
        self.wholes = lay_out(self.arrays)
        self.blocks = {record.block for record in self.arrays.values()}
        size = sum(math.prod(whole.record.shape) for whole in self.wholes)
        self.matrix_size = sum(math.prod(whole.record.shape) for whole in self.wholes if whole.record.decays)
        self.flat = np.zeros(size, dtype or np.float32) if flat is None else flat
        if self.flat.shape != (size,):
            raise UserError(f"the vector has shape {self.flat.shape}, but these parameters need ({size},)")
        self.places = {
            name: Place(whole.start, whole.record.shape, columns)
            for whole in self.wholes
            for name, columns in whole.columns.items()
        }
        self._views = {name: place.view(self.flat) for name, place in self.places.items()}
        self._together = {
            tuple(whole.columns): Place(whole.start, whole.record.shape).view(self.flat)
            for whole in self.wholes
            if len(whole.columns) > 1
        }

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every array."""
        return {name: self.arrays[name].shape for name in self._views}

    def __getitem__(self, name: str) -> np.ndarray:
        return self._views[name]

    def __setitem__(self, name: str, value: np.ndarray) -> None:
        """Copy `value` into the array called `name`; `UserError` if the shapes differ."""
        if np.shape(value) != self.arrays[name].shape:
            raise UserError(f"{name} has shape {self.arrays[name].shape}, not {np.shape(value)}")
        self._views[name][...] = value

    def get(self, name: str) -> np.ndarray | None:
        """The array called `name`, or None."""
        return self._views.get(name)

    def together(self, names: tuple[str, ...]) -> np.ndarray | None:
        """The one matrix in which just these arrays lie side by side, in this order; None if they do not."""
        return self._together.get(names)

    def items(self) -> ItemsView[str, np.ndarray]:
        """Pairs of name and view, in the order of `flat`."""
        return self._views.items()

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __contains__(self, name: object) -> bool:
        return name in self._views

    def __len__(self) -> int:
        return len(self._views)

    def block_matrices(self) -> list[Place]:
        """Where the matrices inside of the blocks lie: what Muon is for. Embeddings and the head are not among them."""
        return [
            self.places[name]
            for name, record in self.arrays.items()
            if record.kind == MATRIX and record.block and len(record.shape) == 2
        ]

    def split(self, chosen: Callable[[str], bool]) -> tuple["Params", "Params"]:
        """Two copies: the arrays whose names are not chosen, and those that are (to be trained, say)."""
        halves = [], []  # type: ignore[var-annotated]
        for name in self:
            halves[chosen(name)].append(name)
        return self.only(halves[0]), self.only(halves[1])

    def only(self, names: list[str]) -> "Params":
        """A copy of some of the arrays."""
        some = Params({name: self.arrays[name] for name in names}, dtype=self.flat.dtype)
        for name in names:
            some[name] = self[name]
        return some

    def zeros_like(self) -> "Params":
        """Zeros in the same layout, for gradients and moments."""
        return Params(self.arrays, dtype=self.flat.dtype)

    def copy(self) -> "Params":
        """The same values in a new vector."""
        return Params(self.arrays, flat=self.flat.copy())

    def astype(self, dtype: Any) -> "Params":
        """The same values in a new vector of another dtype."""
        return Params(self.arrays, flat=self.flat.astype(dtype))

    def __repr__(self) -> str:
        return f"Params({len(self)} arrays, {self.flat.size:,} values, {self.flat.dtype})"


class Overlay:
    """A base that stays as it is, with parameters on top of it that are trained: they hide those of the same name.

    Gradients are made for `trained` alone (`loss_and_gradient` does so), so the base costs neither gradients nor
    moments, and no optimizer can move it. The base may be any `Weights`, quantized ones too.
    """

    def __init__(self, base: Weights, trained: Params):
        self.base, self.trained = base, trained

    def __getitem__(self, name: str) -> Any:
        return self.trained[name] if name in self.trained else self.base[name]

    def __contains__(self, name: object) -> bool:
        return name in self.trained or name in self.base

    def get(self, name: str) -> Any:
        """The array called `name`, or None."""
        return self.trained[name] if name in self.trained else self.base.get(name)

    def together(self, names: tuple[str, ...]) -> Any:
        """The one matrix in which just these arrays lie side by side, in this order; None if they do not."""
        hidden = sum(name in self.trained for name in names)
        return self.trained.together(names) if hidden == len(names) else None if hidden else self.base.together(names)

    def items(self) -> Iterator[tuple[str, Any]]:
        """Pairs of name and array, the base's own first."""
        yield from ((name, array) for name, array in self.base.items() if name not in self.trained)
        yield from self.trained.items()

    def zeros_like(self) -> Params:
        """Zeros for the gradients of what is trained."""
        return self.trained.zeros_like()
