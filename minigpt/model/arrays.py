"""What a parameter array is, said once: its shape, its kind, how it begins, how ranks cut it, what it lies beside.

Initialization, weight decay, Muon, the cuts of tensor parallelism, the slices of ZeRO, pipeline stages and the checks
all read these records; none of them looks at a name to find out the rest.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from minigpt.errors import UserError

MATRIX, EMBEDDING, GAIN, BIAS = "matrix", "embedding", "gain", "bias"
COLUMNS, ROWS = -1, 0  # the axis along which an array is cut, counted so that biases go with the columns


class ArrayRecord(NamedTuple):
    """One parameter array."""

    shape: tuple[int, ...]
    kind: str  # matrix | embedding | gain | bias; matrices and embeddings decay
    mean: float = 0.0  # it begins normal, with this mean
    std: float = 0.0  # and this standard deviation
    cut: int | None = None  # the axis that tensor-parallel ranks share out; None: every rank has all of it
    block: str = ""  # the block that it belongs to, such as encoder.blocks.3; "" outside of the blocks
    beside: str = ""  # the matrix, in which it lies beside others of the same word; "": it lies alone
    siblings: int = 1  # how many arrays that matrix holds when it is whole

    @property
    def decays(self) -> bool:
        """Whether weight decay pulls it to zero; gains and biases have no reason to be small."""
        return self.kind in (MATRIX, EMBEDDING)


Arrays = dict[str, ArrayRecord]


def linear_arrays(name: str, inputs: int, outputs: int, *, bias: bool, std: float, cut: int | None = None) -> Arrays:
    """The arrays of a linear layer.

    cut: `COLUMNS` (the outputs), `ROWS` (the inputs; the bias is then whole on every rank) or None.
    """
    arrays = {f"{name}.weight": ArrayRecord((inputs, outputs), MATRIX, std=std, cut=cut)}
    if bias:
        arrays[f"{name}.bias"] = ArrayRecord((outputs,), BIAS, cut=COLUMNS if cut == COLUMNS else None)
    return arrays


def linears_arrays(
    name: str, inputs: int, layers: dict[str, int], *, bias: bool, std: float, without: tuple[str, ...] = ()
) -> Arrays:
    """The arrays of layers of one input, NAME.LAYER: their matrices lie side by side, so that one product serves all.

    layers: their names and numbers of outputs, which tensor-parallel ranks share out. without: those that have no bias;
    if there are any, the biases of the others lie alone.
    """
    together, arrays = side_by_side(name, tuple(layers)), {}
    for layer, outputs in layers.items():
        biased = bias and layer not in without
        found = linear_arrays(f"{name}.{layer}", inputs, outputs, bias=biased, std=std, cut=COLUMNS)
        for array, record in found.items():
            kind = "weight" if record.kind == MATRIX else "bias"
            if len(layers) > 1 and (kind == "weight" or not {*without} & {*layers}):
                record = record._replace(beside=f"{together}.{kind}", siblings=len(layers))
            arrays[array] = record
    return arrays


def side_by_side(name: str, layers: tuple[str, ...]) -> str:
    """What the matrix of these layers together is called: `blocks.0.attention.query_key_value`."""
    return f"{name}.{'_'.join(layers)}"


def gain_array(width: int) -> ArrayRecord:
    """A gain of a normalization; it begins at 1."""
    return ArrayRecord((width,), GAIN, mean=1.0)


def embedding_array(rows: int, width: int, *, std: float, cut: int | None = None) -> ArrayRecord:
    """A table of which tokens, positions or segments pick rows."""
    return ArrayRecord((rows, width), EMBEDDING, std=std, cut=cut)


def as_records(arrays: Mapping[str, ArrayRecord | tuple[int, ...]]) -> Arrays:
    """Records for all; a bare shape stands for a matrix if it has two axes or more, else for a bias."""
    return {
        name: array if isinstance(array, ArrayRecord) else ArrayRecord(tuple(array), MATRIX if len(array) > 1 else BIAS)
        for name, array in arrays.items()
    }


def part(total: int, rank: int, size: int) -> range:
    """Which of `total` things a rank of `size` has: as equal as they can be, and all of them once."""
    return range(total * rank // size, total * (rank + 1) // size)


def cut_arrays(arrays: Arrays, rank: int, size: int) -> Arrays:
    """The records of one tensor-parallel rank's part."""
    return {name: record._replace(shape=_cut_shape(record, rank, size)) for name, record in arrays.items()}


def _cut_shape(record: ArrayRecord, rank: int, size: int) -> tuple[int, ...]:
    if record.cut is None:
        return record.shape
    shape = list(record.shape)
    shape[record.cut] = len(part(shape[record.cut], rank, size))
    return tuple(shape)


def cut_array(array: np.ndarray, record: ArrayRecord, rank: int, size: int) -> np.ndarray:
    """One tensor-parallel rank's part of a whole array. record: of the whole."""
    if record.cut is None or size == 1:
        return array
    here = part(array.shape[record.cut], rank, size)
    return array[(slice(None),) * (record.cut % array.ndim) + (slice(here.start, here.stop),)]


class Whole(NamedTuple):
    """What lies in one piece in the flat vector: an array, or a matrix (or vector) of several side by side."""

    start: int  # in the flat vector
    record: ArrayRecord  # of the array, or of the matrix
    columns: dict[str, slice]  # the arrays in it, each with its part of the last axis

    @property
    def place(self) -> range:
        """Its numbers in the flat vector."""
        return range(self.start, self.start + math.prod(self.record.shape))

    def arrays(self, flat: np.ndarray) -> dict[str, np.ndarray]:
        """The arrays in it, as views. flat: its own numbers."""
        whole = flat.reshape(self.record.shape)
        return {name: whole[..., columns] for name, columns in self.columns.items()}


def lay_out(arrays: Arrays) -> list[Whole]:
    """Where all arrays lie in the flat vector: what decays first, arrays that belong beside each other together.

    `UserError` if two that should lie side by side do not fit.
    """
    groups: dict[str, list[str]] = {}
    for name, record in arrays.items():
        groups.setdefault(record.beside or f"alone: {name}", []).append(name)
    ordered = sorted(groups.values(), key=lambda names: not arrays[names[0]].decays)  # stable
    wholes, start = [], 0
    for names in ordered:
        wholes.append(_join(start, names, arrays))
        start += math.prod(wholes[-1].record.shape)
    return wholes


def _join(start: int, names: list[str], arrays: Arrays) -> Whole:
    first = arrays[names[0]]
    columns, end = {}, 0
    for name in names:
        record = arrays[name]
        if (record.shape[:-1], record.kind, record.cut) != (first.shape[:-1], first.kind, first.cut):
            raise UserError(f"{name} {record.shape} cannot lie beside {names[0]} {first.shape}; give it another place")
        columns[name] = slice(end, end + record.shape[-1])
        end += record.shape[-1]
    return Whole(start, first._replace(shape=(*first.shape[:-1], end)), columns)
