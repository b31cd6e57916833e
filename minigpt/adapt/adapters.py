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

    rank: r, the width between the two. layers: the ends of the names of the linear layers in the blocks that get one
    (`ATTENTION` has four of them). For a layer of C inputs and F outputs, `down` is (C, r), normal with the standard
    deviation 1 / sqrt(C), and `up` is (r, F). `UserError` if no layer has such a name, or the rank does not fit.
    """
    if rank < 1:
        raise UserError(f"the rank of an adapter is {rank}, but it must be at least 1")
    ends = tuple(f".{layer}{WEIGHT}" for layer in layers)
    records: Arrays = {}
    for name, record in model.arrays().items():
        if record.kind == MATRIX and record.block and f".{name}".endswith(ends):
            records |= _records(name.removesuffix(WEIGHT), record, rank)
    if not records:
        raise UserError(f"no layer of this model is called {' or '.join(layers) or 'so'}; check the names")
    adapters = Params(records, dtype=dtype)
    for name, record in records.items():
        if record.std:
            adapters[name] = record.std * rng.standard_normal(record.shape)
    return adapters


def merge(params: Params, adapters: Params) -> Params:
    """A copy of the parameters in which each adapter is added to its matrix, W + down @ up: it costs nothing more."""
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
    merged = params.copy()
    for name in adapters:
        if not name.endswith(DOWN):
            continue
        layer = name.removesuffix(DOWN)
        if f"{layer}{WEIGHT}" not in merged:
            raise UserError(f"there is no layer {layer} for the adapter {name}; it belongs to another model")
        weight = merged[f"{layer}{WEIGHT}"]
        if (len(adapters[name]), adapters[f"{layer}{UP}"].shape[1]) != weight.shape:
            raise UserError(f"the adapter of {layer} does not fit its {weight.shape}; it belongs to another model")
        weight += sign * (adapters[name] @ adapters[f"{layer}{UP}"])
    return merged
