"""Arrays from their names to ours and back. Every array of a file is read, known to be harmless, or named."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Params
from minigpt.model.arrays import Arrays
from minigpt.pretrained.families.family import Link

WRAPPERS = {  # what some programs put before every name
    "_orig_mod.": "torch.compile; save the model that it was made of",
    "module.": "torch's DataParallel; save its .module",
    "base_model.": "PEFT, which saves adapters apart from their model; merge them and save the whole model",
}


def read_params(
    arrays: Arrays, links: Iterable[Link], tensors: Mapping[str, np.ndarray], *, unused: Iterable[str] = (), dtype: Any
) -> Params:
    """Parameters of these records, copied from their arrays. `UserError` names one that is missing or does not fit.

    unused: patterns of arrays that may be there and are not read; any other that no link reads is refused by name.
    Nothing is made before everything fits, so a damaged configuration cannot ask for more memory than the file has.
    """
    links = list(links)
    parts: dict[str, np.ndarray] = {}
    for link in links:
        array = _from_theirs(link, _find(link, tensors))
        widths = [arrays[name].shape[-1] for name in link.ours]
        expected = (*arrays[link.ours[0]].shape[:-1], sum(widths))
        if array.shape != expected:
            wanted = _their_shape(link, expected)
            found = _find(link, tensors).shape
            raise UserError(f"{link.theirs} has the shape {found}, but its configuration asks for {wanted}")
        parts.update(zip(link.ours, np.split(array, np.cumsum(widths)[:-1], axis=-1), strict=True))
    check_all_read(tensors, [name for link in links for name in (link.theirs, *link.also)], unused)
    params = Params(arrays, dtype=dtype)
    for name, part in parts.items():
        params[name] = part
    return params


def write_params(params: Params, links: Iterable[Link], *, also: bool = False) -> dict[str, np.ndarray]:
    """Our arrays under their names, in their layout. also: under each of the names that an array may have."""
    tensors = {}
    for link in links:
        array = np.concatenate([params[name] for name in link.ours], axis=-1)
        array = array.T if link.transposed else array
        array = array[None] if link.one_row else array
        if link.unused_rows:
            array = np.concatenate([np.zeros((link.unused_rows, *array.shape[1:]), array.dtype), array])
        for name in (link.theirs, *(link.also if also else ())):
            tensors[name] = np.array(array, order="C")
    return tensors


def check_all_read(found: Iterable[str], read: Iterable[str], unused: Iterable[str]) -> None:
    """`UserError` for the first array that is found and neither read nor of one of the patterns `unused`."""
    patterns = [re.compile(pattern) for pattern in unused]
    for name in sorted(set(found) - set(read)):
        if not any(pattern.fullmatch(name) for pattern in patterns):
            raise UserError(f"the file has an array {name!r}, which this model would not use; it is of another kind")


def check_wrappers(names: Iterable[str]) -> None:
    """`UserError` if a program has put something before the names."""
    for name in names:
        for mark, program in WRAPPERS.items():
            if name.startswith(mark) or (mark == "_orig_mod." and mark in name):
                raise UserError(f"the array {name!r} has {mark!r} in its name, from {program}")


def _find(link: Link, tensors: Mapping[str, np.ndarray]) -> np.ndarray:
    """Their array, under the one or the other of its names."""
    names = [name for name in (link.theirs, *link.also) if name in tensors]
    if not names:
        raise UserError(f"the weights have no array {link.theirs!r}; the file is incomplete or of another model")
    first = tensors[names[0]]
    for name in names[1:]:
        if not np.array_equal(first, tensors[name], equal_nan=True):
            raise UserError(f"{names[0]} and {name} are one array by the configuration, but differ in the file")
    return first


def _from_theirs(link: Link, array: np.ndarray) -> np.ndarray:
    if link.one_row:
        array = array[0] if len(array) == 1 else array
    array = array[link.unused_rows :] if array.ndim else array
    return array.T if link.transposed else array


def _their_shape(link: Link, shape: tuple[int, ...]) -> tuple[int, ...]:
    """What the shape of theirs must be so that ours is `shape`."""
    shape = shape[::-1] if link.transposed else shape
    shape = (1, *shape) if link.one_row else shape
    return (shape[0] + link.unused_rows, *shape[1:])
