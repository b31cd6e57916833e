"""What tells one family of published models from another: the words in its files for the same things."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Params, TransformerConfig
from minigpt.model.arrays import Arrays
from minigpt.ops import ACTIVATIONS

OURS = {theirs: ours for ours, record in ACTIVATIONS.items() for theirs in record.published}


class Link(NamedTuple):
    """One of their arrays and the arrays of ours that it holds, side by side along the last axis."""

    theirs: str
    ours: tuple[str, ...]
    transposed: bool = False  # their linear layers hold (outputs, inputs)
    unused_rows: int = 0  # at the beginning of theirs


@dataclass(frozen=True)
class Family:
    """How to read and write the models of one family."""

    name: str  # `model_type` in config.json
    base: str  # before the names of all that is not the head, in models that have a head
    classes: Mapping[str, dict[str, Any]]  # class in config.json -> what its head is in our configuration
    read_config: Callable[[dict[str, Any]], dict[str, Any]]  # their configuration -> fields of ours
    write_config: Callable[[TransformerConfig], dict[str, Any]]  # the other way round
    links: Callable[[TransformerConfig, str], Iterable[Link]]  # of a configuration, under a base name


def read_params(arrays: Arrays, links: Iterable[Link], tensors: Mapping[str, np.ndarray], *, dtype: Any) -> Params:
    """Parameters of these records, copied from their arrays. `UserError` names one that is missing or does not fit.

    Nothing is made before everything fits, so a damaged configuration cannot ask for more memory than the file has.
    """
    parts: dict[str, np.ndarray] = {}
    for link in links:
        if link.theirs not in tensors:
            raise UserError(f"the weights have no array {link.theirs!r}; the file is incomplete or of another model")
        array = tensors[link.theirs][link.unused_rows :]
        array = array.T if link.transposed else array
        widths = [arrays[name].shape[-1] for name in link.ours]
        expected = (*arrays[link.ours[0]].shape[:-1], sum(widths))
        if array.shape != expected:
            wanted = expected[::-1] if link.transposed else expected
            found = tensors[link.theirs].shape
            raise UserError(f"{link.theirs} has the shape {found}, but its configuration asks for {wanted}")
        parts.update(zip(link.ours, np.split(array, np.cumsum(widths)[:-1], axis=-1), strict=True))
    params = Params(arrays, dtype=dtype)
    for name, part in parts.items():
        params[name] = part
    return params


def write_params(params: Params, links: Iterable[Link]) -> dict[str, np.ndarray]:
    """Our arrays under their names, in their layout."""
    tensors = {}
    for link in links:
        array = np.concatenate([params[name] for name in link.ours], axis=-1)
        array = array.T if link.transposed else array
        if link.unused_rows:
            array = np.concatenate([np.zeros((link.unused_rows, *array.shape[1:]), array.dtype), array])
        tensors[link.theirs] = np.ascontiguousarray(array)
    return tensors


def linear(theirs: str, ours: str, bias: bool = True, *, transposed: bool = True) -> Iterable[Link]:
    """The links of a linear layer."""
    yield Link(f"{theirs}.weight", (f"{ours}.weight",), transposed)
    if bias:
        yield Link(f"{theirs}.bias", (f"{ours}.bias",))


def norm(theirs: str, ours: str, bias: bool = True) -> Iterable[Link]:
    """The links of a normalization."""
    yield Link(f"{theirs}.weight", (f"{ours}.gain",))
    if bias:
        yield Link(f"{theirs}.bias", (f"{ours}.bias",))


def activation(name: Any) -> str:
    """Our name of an activation. `UserError` if we have none."""
    if name not in OURS:
        raise UserError(f"the activation {name!r} is not supported; {', '.join(OURS)} are")
    return OURS[name]


def their_activation(config: TransformerConfig) -> str:
    """Their name of our activation."""
    return ACTIVATIONS[config.activation].published[0]


def refuse(found: dict[str, Any], **expected: Any) -> None:
    """`UserError` if a setting of theirs has another value than the one, or the default, that we can do."""
    for name, value in expected.items():
        if found.get(name, value) != value:
            raise UserError(f"models with {name} = {found[name]!r} are not supported; it must be {value!r}")
