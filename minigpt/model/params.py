"""Parameters: one contiguous vector, with a named view for every array in it."""

import hashlib
import math
import zlib
from collections.abc import Callable, ItemsView, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from minigpt.errors import UserError
from minigpt.model.arrays import MATRIX, ArrayRecord, Arrays, Whole, as_records, lay_out
from minigpt.values import check, number, shown


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

    def together(self, beside: str) -> "Together | None":
        """The arrays whose records say `beside`, in the one matrix in which they lie; None unless all of them do."""


class Together(NamedTuple):
    """Arrays side by side."""

    matrix: np.ndarray
    columns: list[slice]  # which are whose, in the order of the layers


class Gradients(Protocol):
    """What a backward writes gradients into; an array that is absent is frozen. `Params` answers."""

    @property
    def blocks(self) -> Any:
        """The names of the blocks in which something is trained, a set."""

    def __getitem__(self, name: str) -> np.ndarray: ...
    def __setitem__(self, name: str, value: np.ndarray) -> None: ...
    def __contains__(self, name: object) -> bool: ...
    def get(self, name: str) -> Any:
        """The array called `name`, or None."""

    def together(self, beside: str) -> "Together | None":
        """The arrays whose records say `beside`, in the one matrix in which they lie; None unless all of them do."""


class Place(NamedTuple):
    """Where an array lies in a flat vector: some columns of the matrix (or vector) that begins at `start`."""

    start: int
    shape: tuple[int, ...]  # of the matrix
    columns: slice = slice(None)  # of its last axis

    def view(self, flat: np.ndarray) -> np.ndarray:
        """The array, inside of `flat`: writing into it changes `flat`."""
        return flat[self.start : self.start + math.prod(self.shape)].reshape(self.shape)[..., self.columns]


class Layout:
    """Where named arrays lie in a flat vector: the same for parameters, gradients and moments."""

    def __init__(self, arrays: Arrays):
        self.arrays, self.wholes = arrays, lay_out(arrays)
        self.blocks = {record.block for record in arrays.values()}
        self.words = {record.beside for record in arrays.values()}
        sizes = [(math.prod(whole.record.shape), whole.record.decays) for whole in self.wholes]
        self.size = sum(size for size, _ in sizes)
        self.matrix_size = sum(size for size, decays in sizes if decays)
        self.places: dict[str, Place] = {}
        self.together: dict[str, tuple[Place, list[slice]]] = {}
        for whole in self.wholes:
            for name, columns in whole.columns.items():
                self.places[name] = Place(whole.start, whole.record.shape, columns)
            if len(whole.columns) == whole.record.siblings > 1:
                place = Place(whole.start, whole.record.shape)
                self.together[whole.record.beside] = place, list(whole.columns.values())


class Params:
    """Named arrays that lie one after another, or side by side in one matrix, in the vector `flat`.

    `params["blocks.0.attention.query.weight"]` is a view: writing into it changes `flat`, and the other way round.
    Gradients and optimizer moments have the same layout, so an optimizer, an all-reduce or a norm is one line over
    `flat`. What decays, matrices and embeddings, comes first, `flat[:matrix_size]`; gains and biases come after it.

    Parameters
    ----------
    arrays : dict of str to ArrayRecord, or to shapes
        As `Transformer.arrays()` gives them.
    flat : (P,) floats, optional
        The vector to view; None makes one of zeros.
    dtype, optional
        Of that one (float32).

    Examples
    --------
    >>> params = minigpt.Params({"weight": (2, 3), "bias": (3,)})
    >>> params["bias"][...] = 1
    >>> params.flat.astype(int)
    array([0, 0, 0, 0, 0, 0, 1, 1, 1])
    """

    def __init__(
        self,
        arrays: "Mapping[str, ArrayRecord | tuple[int, ...]] | Layout",
        *,
        flat: np.ndarray | None = None,
        dtype: Any = None,
    ):
        """arrays: name -> record (or bare shape). flat: the vector to view; None makes one of zeros (float32)."""
        self.layout = arrays if isinstance(arrays, Layout) else Layout(as_records(arrays))
        self.flat = np.zeros(self.layout.size, dtype or np.float32) if flat is None else flat
        if self.flat.shape != (self.layout.size,):
            raise UserError(f"the vector has shape {self.flat.shape}, but these parameters need ({self.layout.size},)")
        self._views = {name: place.view(self.flat) for name, place in self.layout.places.items()}
        self._together = {
            word: Together(place.view(self.flat), columns) for word, (place, columns) in self.layout.together.items()
        }

    @property
    def arrays(self) -> Arrays:
        """Name and record of every array."""
        return self.layout.arrays

    @property
    def wholes(self) -> list[Whole]:
        """What lies in one piece in `flat`, in order."""
        return self.layout.wholes

    @property
    def blocks(self) -> set[str]:
        """The blocks that the arrays belong to; "" for those outside."""
        return self.layout.blocks

    @property
    def matrix_size(self) -> int:
        """How many numbers decay; they come first in `flat`."""
        return self.layout.matrix_size

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

    def together(self, beside: str) -> Together | None:
        """The arrays whose records say `beside`, in the one matrix in which they lie; None unless all of them do."""
        return self._together.get(beside)

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
            self.layout.places[name]
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
        return Params(self.layout, dtype=self.flat.dtype)

    def copy(self) -> "Params":
        """The same values in a new vector."""
        return Params(self.layout, flat=self.flat.copy())

    def astype(self, dtype: Any) -> "Params":
        """The same values in a new vector of another dtype."""
        return Params(self.layout, flat=self.flat.astype(dtype))

    def __repr__(self) -> str:
        return f"Params({len(self)} arrays, {self.flat.size:,} values, {self.flat.dtype})"


class Overlay:
    """A base that stays as it is, with parameters on top of it that are trained: they hide those of the same name.

    Gradients are made for `trained` alone (`loss_and_gradient` does so), so the base costs neither gradients nor
    moments, and no optimizer can move it. The base may be any `Weights`, quantized ones too.

    Parameters
    ----------
    base : Weights
        What stays.
    trained : Params
        What learns.
    adapter_dropout : float
        While training (a call with `rng`), the share of what goes into each adapter that is set to zero; what goes into
        the frozen matrix beside it stays whole.

    Examples
    --------
    >>> model = minigpt.Transformer(minigpt.preset("tiny", vocabulary_size=50, layers=1))
    >>> base = model.init(np.random.default_rng(0))
    >>> overlay = minigpt.Overlay(base, minigpt.low_rank_adapters(model, np.random.default_rng(1), rank=4))
    >>> loss, grads = minigpt.loss_and_gradient(model, overlay, minigpt.causal_lm(np.array([[5, 6, 7]])))
    >>> grads.flat.size, base.flat.size
    (2048, 207488)
    """

    def __init__(self, base: Weights, trained: Params, adapter_dropout: float = 0.0) -> None:
        """`UserError` if an array on top is described otherwise than the one below: its gradient would not be found."""
        check("adapter_dropout", adapter_dropout, number(0.0, 1.0))
        below = getattr(base, "arrays", {})
        for name, record in trained.arrays.items():
            if name in below and (record.block, record.beside) != (below[name].block, below[name].beside):
                raise UserError(
                    f"{name} on top is recorded in block {record.block!r}, below in {below[name].block!r}; take its "
                    "record from the base, with Params.only or Params.split"
                )
        self.base, self.trained, self.adapter_dropout = base, trained, adapter_dropout

    def __getitem__(self, name: str) -> Any:
        return self.trained[name] if name in self.trained else self.base[name]

    def __contains__(self, name: object) -> bool:
        return name in self.trained or name in self.base

    def get(self, name: str) -> Any:
        """The array called `name`, or None."""
        return self.trained[name] if name in self.trained else self.base.get(name)

    def together(self, beside: str) -> Together | None:
        """The arrays whose records say `beside`, in the one matrix in which they lie; None unless all of them do."""
        return self.trained.together(beside) if beside in self.trained.layout.words else self.base.together(beside)

    def items(self) -> Iterator[tuple[str, Any]]:
        """Pairs of name and array, the base's own first."""
        yield from ((name, array) for name, array in self.base.items() if name not in self.trained)
        yield from self.trained.items()

    def zeros_like(self) -> Params:
        """Zeros for the gradients of what is trained."""
        return self.trained.zeros_like()


def check_dtype(dtype: Any) -> None:
    """`UserError` for a dtype that a model cannot compute in."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = None
    if found not in (np.float32, np.float64):
        what = shown(dtype) if found is None else found
        raise UserError(f"a model cannot compute in {what}; choose float32 or float64")


def sha256_of(params: Weights) -> str:
    """SHA-256 of all values of a model, as float32, with their names: whoever has other weights has another one."""
    digest = hashlib.sha256()
    for name, array in sorted(params.items()):
        digest.update(name.encode() + b"\0")
        digest.update(np.ascontiguousarray(array, np.float32).data)
    return digest.hexdigest()


def checksum_of(params: Weights) -> str:
    """The CRC-32 of all values of a model, as float32, eight hexadecimal digits."""
    value = 0
    for name, array in sorted(params.items()):
        value = zlib.crc32(np.ascontiguousarray(array, np.float32).data, zlib.crc32(name.encode(), value))
    return f"{value:08x}"
