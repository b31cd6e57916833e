"""Where the arrays of a model are in a GGUF file: the same table is read by and written by."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.model import TransformerConfig
from minigpt.model.inputs import TOKENS
from minigpt.pretrained.gguf import GGUF
from minigpt.pretrained.quantized_matrix import QuantizedMatrix

TABLES = (TOKENS, "position_embedding.weight")  # have a row for each token or position; other matrices are transposed


class Place(NamedTuple):
    """One of their arrays, and the arrays of ours that it holds, one below the other (their rows are our columns)."""

    ours: tuple[str, ...]
    theirs: str
    paired: bool = False  # its rows turn in pairs of neighbours, ours in halves
    optional: bool = False  # a bias that is left out is zero
    whole: bool = False  # stays in 32 bits


class Architecture(NamedTuple):
    """A family of models in the words of llama.cpp."""

    name: str
    family: str  # as it is called here
    sizes: Mapping[str, str]  # their settings -> our fields
    config: Callable[[GGUF], TransformerConfig]
    places: Callable[[TransformerConfig], Iterable[Place]]
    said: Callable[[TransformerConfig], dict[str, Any]]  # further settings that are written
    made: Callable[[TransformerConfig], dict[str, np.ndarray]]  # arrays that say a setting, float32


def check_place(place: Place, file: GGUF, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """`UserError` unless the array is there and of this shape. shapes: of ours."""
    found = file.tensors[place.theirs].shape if place.theirs in file.tensors else None
    wanted = their_shape(place, shapes)
    if found != wanted and not (found is None and place.optional):
        raise UserError(
            f"{place.theirs} has the shape {found}, not {wanted}; the file is incomplete or of another kind"
        )


def their_shape(place: Place, shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    """Of the array in the file."""
    ours = [shapes[name] for name in place.ours]
    if place.ours[0] in TABLES:
        return ours[0]
    return (sum(shape[-1] for shape in ours), *ours[0][:-1])


def decoded(place: Place, file: GGUF, config: TransformerConfig) -> np.ndarray:
    """Their array with its rows in our order, float32."""
    array = file.tensors[place.theirs].decode()
    return array[halves_from_pairs(len(array), config.head_width)] if place.paired else array


def apart(place: Place, array: np.ndarray, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Our arrays in theirs, which is `decoded`."""
    if place.ours[0] in TABLES:
        return {place.ours[0]: array}
    ends = np.cumsum([shapes[name][-1] for name in place.ours])[:-1]
    return {name: part.T for name, part in zip(place.ours, np.split(array, ends), strict=True)}


def stored(
    place: Place, file: GGUF, config: TransformerConfig, shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, Any]:
    """Our weights: quantized matrices where theirs is a matrix of few bits, else arrays."""
    if place.theirs not in file.tensors:
        return {name: np.zeros(shapes[name], np.float32) for name in place.ours}
    tensor = file.tensors[place.theirs]
    if len(tensor.shape) != 2 or tensor.kind == "F32":
        return apart(place, decoded(place, file, config), shapes)
    raw = tensor.raw.reshape(tensor.shape[0], -1)
    raw = raw[halves_from_pairs(len(raw), config.head_width)] if place.paired else raw
    if place.ours[0] in TABLES:
        return {place.ours[0]: QuantizedMatrix(tensor.format, raw, tensor.shape[1])}
    ends = np.cumsum([shapes[name][-1] for name in place.ours])[:-1]
    parts = zip(place.ours, np.split(raw, ends), strict=True)
    return {name: QuantizedMatrix(tensor.format, part, tensor.shape[1], transposed=True) for name, part in parts}


def together(place: Place, params: Any, config: TransformerConfig) -> np.ndarray:
    """Their array of ours, float32: the inverse of `decoded` and `apart`."""
    ours = [np.asarray(params[name], np.float32) for name in place.ours]
    array = ours[0] if place.ours[0] in TABLES else np.concatenate([one.T for one in ours])
    return array[np.argsort(halves_from_pairs(len(array), config.head_width))] if place.paired else array


def halves_from_pairs(rows: int, head_width: int) -> np.ndarray:
    """The order of (H * D) rows whose pairs 2i and 2i + 1 turn together, so that rows i and i + D / 2 do."""
    return np.arange(rows).reshape(-1, head_width // 2, 2).swapaxes(1, 2).reshape(rows)
