"""Low-rank adapters: beside a frozen matrix W a small product learns, x @ W + x @ down @ up.

Hu et al. (2021), "LoRA: Low-Rank Adaptation of Large Language Models", arXiv:2106.09685, section 4.1. Their factor
alpha / r is part of `up` here: it changes how fast `up` learns, not what can be learnt.

An adapter is there when its two arrays are: `blocks.0.attention.query.adapter.down` and `.up`. No configuration knows
of it. Put adapters on a model with `Overlay(params, adapters)`; then only they get gradients.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.model import ArrayRecord, Params, Transformer
from minigpt.model.arrays import COLUMNS, MATRIX, ROWS, Arrays

ATTENTION = ("attention.query", "attention.key", "attention.value", "attention.output")
DOWN, UP, WEIGHT = ".adapter.down", ".adapter.up", ".weight"


def low_rank_adapters(
    model: Transformer,
    rng: np.random.Generator,
    *,
    rank: int = 8,
    layers: Sequence[str] = ("attention.query", "attention.value"),
    dtype: Any = np.float32,
) -> Params:
    """Adapters that change nothing yet: `down` is random, `up` is zero.

    Hu et al. (2021), arXiv:2106.09685, section 4.1. For a layer of C inputs and F outputs, `down` is (C, r), normal
    with the standard deviation 1 / sqrt(C), and `up` is (r, F). Put them on a model with `Overlay(params, adapters)`;
    then only they learn.

    Parameters
    ----------
    model : Transformer
        What they are for.
    rng : numpy.random.Generator
        For `down`.
    rank : int
        r, the width between the two.
    layers : sequence of str
        The ends of the names of the linear layers in the blocks that get one (`minigpt.adapt.ATTENTION` has four).
    dtype
        Of the arrays: that of the parameters.

    Returns
    -------
    Params
        The arrays `LAYER.adapter.down` and `LAYER.adapter.up`.

    Raises
    ------
    UserError
        If no layer has such a name, or the rank does not fit.

    Examples
    --------
    >>> model = minigpt.Transformer(minigpt.preset("tiny", vocabulary_size=50, layers=1))
    >>> adapters = minigpt.low_rank_adapters(model, np.random.default_rng(0), rank=4, layers=["attention.query"])
    >>> adapters.shapes
    {'blocks.0.attention.query.adapter.down': (128, 4), 'blocks.0.attention.query.adapter.up': (4, 128)}
    """
    if type(rank) is not int or rank < 1:
        raise UserError(f"the rank of an adapter is {rank!r}, but it must be a whole number of at least 1")
    if isinstance(layers, str) or not layers:
        raise UserError(f"layers is {layers!r}, but it must be a sequence of names such as {ATTENTION[:2]}")
    matrices = {name: record for name, record in model.arrays().items() if record.kind == MATRIX and record.block}
    records: Arrays = {}
    for layer in layers:
        found = [name for name in matrices if f".{name}".endswith(f".{layer}{WEIGHT}")]
        if not found:
            raise UserError(f"no layer of this model is called {layer}; check the name")
        for name in found:
            records |= _records(name.removesuffix(WEIGHT), matrices[name], rank)
    adapters = Params(records, dtype=dtype)
    for name, record in records.items():
        if record.std:
            adapters[name] = record.std * rng.standard_normal(record.shape)
    return adapters


def merge(params: Params, adapters: Params) -> Params:
    """A copy of the parameters in which each adapter is added to its matrix, W + down @ up: it costs nothing more.

    Parameters
    ----------
    params, adapters : Params
        Of a model, and what `low_rank_adapters` made for it.

    Returns
    -------
    Params
        In the layout of `params`. `minigpt.adapt.unmerge` goes the other way.

    Raises
    ------
    UserError
        If the adapters belong to another model, an array is no adapter, or `params` is no `Params`.

    Examples
    --------
    >>> model = minigpt.Transformer(minigpt.preset("tiny", vocabulary_size=50, layers=1))
    >>> params = model.init(np.random.default_rng(0))
    >>> adapters = minigpt.low_rank_adapters(model, np.random.default_rng(1))
    >>> np.array_equal(minigpt.merge(params, adapters).flat, params.flat)  # `up` is still zero
    True
    """
    return _added(params, adapters, 1)


def unmerge(params: Params, adapters: Params) -> Params:
    """The other way round: what `merge` made, without the adapters again, but for rounding."""
    return _added(params, adapters, -1)


def _records(layer: str, record: ArrayRecord, rank: int) -> Arrays:
    """The two arrays beside a matrix: cut as it is cut, so that tensor-parallel ranks have what they need."""
    inputs, outputs = record.shape
    if rank > min(inputs, outputs):
        raise UserError(f"the rank {rank} is more than {layer} has, {inputs} x {outputs}; choose a smaller one")
    down = ArrayRecord((inputs, rank), MATRIX, std=1 / math.sqrt(inputs), block=record.block)
    up = ArrayRecord((rank, outputs), MATRIX, block=record.block)
    return {
        f"{layer}{DOWN}": down._replace(cut=ROWS) if record.cut == ROWS else down,
        f"{layer}{UP}": up._replace(cut=COLUMNS) if record.cut == COLUMNS else up,
    }


def _added(params: Params, adapters: Params, sign: int) -> Params:
    if not isinstance(params, Params):
        raise UserError(f"adapters are merged into Params, not into {type(params).__name__}; decode or merge it first")
    merged = params.copy()
    layers = [name.removesuffix(DOWN) for name in adapters if name.endswith(DOWN)]
    own = {f"{layer}{end}" for layer in layers for end in (DOWN, UP)}
    for name in own.symmetric_difference(adapters):
        raise UserError(f"{name} is {'missing' if name in own else 'no adapter'}; merge takes whole adapters alone")
    for layer in layers:
        name = f"{layer}{DOWN}"
        if f"{layer}{WEIGHT}" not in merged:
            raise UserError(f"there is no layer {layer} for the adapter {name}; it belongs to another model")
        weight = merged[f"{layer}{WEIGHT}"]
        if (len(adapters[name]), adapters[f"{layer}{UP}"].shape[1]) != weight.shape:
            raise UserError(f"the adapter of {layer} does not fit its {weight.shape}; it belongs to another model")
        weight += sign * (adapters[name] @ adapters[f"{layer}{UP}"])
    return merged
