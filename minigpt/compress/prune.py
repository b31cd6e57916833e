"""Pruning: what matters least is taken out of a model.

prune_magnitude    the numbers nearest to zero become zero, so many of each matrix (Han et al. 2015, "Learning both
                   Weights and Connections", arXiv:1506.02626), or two of every four that follow each other, which
                   some processors skip (Mishra et al. 2021, arXiv:2104.08378). The model keeps its size, and NumPy
                   multiplies by zero as slowly as by anything else: it shows what could be left out, and packs smaller.
prune_structured   whole heads and whole units of the feed-forward networks go, and the model is smaller and faster.
                   Which ones, a first-order estimate says: how much the loss would change if what they say were zero,
                   |sum of activation * gradient| of a text, on the average of many (Molchanov et al. 2017,
                   arXiv:1611.06440, section 2.2, "Taylor expansion"; for heads Michel, Levy & Neubig 2019,
                   arXiv:1905.10650, equation 2).
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Batch, Call, Params, Transformer, TransformerConfig
from minigpt.model.arrays import MATRIX, ArrayRecord
from minigpt.objectives import loss_and_gradient

KEPT, OF = 2, 4  # numbers of a group that stay in 2:4


class Importance(NamedTuple):
    """How much the loss would change without each head and each unit, in nats: the larger the more it matters."""

    heads: np.ndarray  # (L, H)
    feed_forward: np.ndarray  # (L, F)


def prune_magnitude(params: Params, share: float | None = None, *, two_of_four: bool = False) -> Params:
    """A copy in which, of every matrix inside the blocks, the smallest numbers are zero.

    Embeddings, the head, gains and biases stay.

    Parameters
    ----------
    params : Params
        Of a model.
    share : float, optional
        How many become zero, 0 to 1.
    two_of_four : bool
        Half of them instead: two of every four inputs of an output that follow each other.

    Returns
    -------
    Params
        Of the same layout.

    Raises
    ------
    UserError
        Unless one of the two is asked for, and fits.

    Examples
    --------
    >>> model = minigpt.Transformer(minigpt.preset("tiny", vocabulary_size=50, layers=1, width=8, heads=2))
    >>> pruned = minigpt.prune_magnitude(model.init(np.random.default_rng(0)), two_of_four=True)
    >>> (pruned["blocks.0.attention.query.weight"][:4] != 0).sum(axis=0)
    array([2, 2, 2, 2, 2, 2, 2, 2])
    """
    if (share is None) != two_of_four:
        raise UserError("say either which share of the numbers becomes zero, or two of four")
    if share is not None and not 0 <= share <= 1:
        raise UserError(f"the share that becomes zero is {share}, but it must be 0 to 1")
    pruned = params.copy()
    for name, record in params.arrays.items():
        if prunable(record):
            matrix = pruned[name]
            zero = smallest_of_four(name, matrix) if share is None else smallest(matrix, share)
            matrix[zero] = 0
    return pruned


def prunable(record: ArrayRecord) -> bool:
    """Whether an array is a matrix inside of a block."""
    return record.kind == MATRIX and bool(record.block) and len(record.shape) == 2


def smallest(matrix: np.ndarray, share: float) -> np.ndarray:
    """Where the share of numbers nearest to zero are, booleans; of equal ones the first."""
    order = np.argsort(np.abs(matrix), axis=None, kind="stable")
    zero = np.zeros(matrix.size, bool)
    zero[order[: round(share * matrix.size)]] = True
    return zero.reshape(matrix.shape)


def smallest_of_four(name: str, matrix: np.ndarray) -> np.ndarray:
    """Where the two smallest of every four inputs are, (inputs, outputs) booleans."""
    inputs, outputs = matrix.shape
    if inputs % OF:
        raise UserError(f"{name} has {inputs} inputs, which are no groups of {OF}; give a share instead")
    order = np.argsort(np.abs(matrix.reshape(-1, OF, outputs)), axis=1, kind="stable")
    zero = np.zeros(order.shape, bool)
    np.put_along_axis(zero, order[:, : OF - KEPT], True, axis=1)
    return zero.reshape(matrix.shape)


def importance(model: Transformer, params: Params, batches: Iterable[Batch]) -> Importance:
    """The first-order estimate, from the texts of all batches. `UserError` without any."""
    config = model.config
    sums = Importance(
        np.zeros((config.layers, config.heads)), np.zeros((config.layers, 0 if config.experts else _units(config)))
    )
    texts = 0
    for batch in batches:
        seen: dict[str, np.ndarray] = {}
        loss_and_gradient(model, params, batch, Call(hook=partial(_watch, seen)))
        texts += len(batch.tokens)
        for layer in range(config.layers):
            sums.heads[layer] += _said(seen, f"blocks.{layer}.attention", "heads", head=True)
            if not config.experts:
                sums.feed_forward[layer] += _said(seen, f"blocks.{layer}.feed_forward", "hidden", head=False)
    if not texts:
        raise UserError("importance is measured on texts, and there are none; give at least one batch")
    return Importance(sums.heads / texts, sums.feed_forward / texts)


def prune_structured(
    model: Transformer,
    params: Params,
    batches: Iterable[Batch],
    *,
    heads: int | None = None,
    feed_forward: int | None = None,
) -> tuple[Transformer, Params]:
    """A smaller model: in every layer the `heads` heads and the `feed_forward` units that matter most.

    Which ones differs from layer to layer, how many does not.

    Parameters
    ----------
    model, params : Transformer, Params
        What is pruned; it stays as it is.
    batches : iterable of Batch
        Texts, on which is measured what matters.
    heads : int, optional
        How many stay; None: all. Those that share keys and values go together, so it must be a multiple of these.
    feed_forward : int, optional
        How many units stay; None: all.

    Returns
    -------
    tuple
        The model and its parameters.

    Raises
    ------
    UserError
        For numbers that do not fit, and for models whose heads or units cannot be taken out.

    Examples
    --------
    >>> model = minigpt.Transformer(minigpt.preset("tiny", vocabulary_size=50, layers=1, width=8, heads=2))
    >>> params, text = model.init(np.random.default_rng(0)), np.arange(12).reshape(2, 6)
    >>> smaller, pruned = minigpt.prune_structured(model, params, [minigpt.causal_lm(text)], heads=1, feed_forward=5)
    >>> pruned["blocks.0.attention.query.weight"].shape, pruned["blocks.0.feed_forward.up.weight"].shape
    ((8, 4), (8, 5))
    """
    config = model.config
    _check_structure(model, params, heads, feed_forward)
    shared = config.heads // groups_of(config)  # query heads that share a key-value head
    measured = importance(model, params, batches)
    smaller = Transformer(
        replace(
            config,
            heads=heads or config.heads,
            key_value_heads=(heads or config.heads) // shared,
            head_width=config.head_width,
            feed_forward_width=feed_forward or config.feed_forward_width,
        )
    )
    pruned = Params(smaller.arrays(), dtype=params.flat.dtype)
    cuts = _cuts(config, smaller.config, measured, feed_forward)
    for name in pruned:
        axis, indices = cuts.get(name, (0, None))
        pruned[name] = params[name] if indices is None else np.take(params[name], indices, axis=axis)
    return smaller, pruned


def _cuts(
    config: TransformerConfig, smaller: TransformerConfig, measured: Importance, feed_forward: int | None
) -> dict[str, tuple[int, np.ndarray]]:
    """Of each array that is cut, along which axis, and what stays."""
    groups, width, cuts = groups_of(config), config.head_width or 0, {}
    by_group = measured.heads.reshape(config.layers, groups, -1).sum(axis=-1)  # (L, G)
    for layer in range(config.layers):
        kept = most_important(by_group[layer], groups_of(smaller))
        shared = _spread(kept, width)
        queries = _spread(_spread(kept, config.heads // groups), width)
        outputs = {"attention.query": queries, "attention.key": shared, "attention.value": shared}
        inputs = {"attention.output": queries}
        if feed_forward is not None:
            units = most_important(measured.feed_forward[layer], feed_forward)
            outputs |= {"feed_forward.gate": units, "feed_forward.up": units}
            inputs |= {"feed_forward.down": units}
        for place, indices in outputs.items():
            cuts[f"blocks.{layer}.{place}.weight"] = 1, indices
            cuts[f"blocks.{layer}.{place}.bias"] = 0, indices
        cuts |= {f"blocks.{layer}.{place}.weight": (0, indices) for place, indices in inputs.items()}
    return cuts


def most_important(values: np.ndarray, count: int) -> np.ndarray:
    """The indices of the `count` largest values, in their order; of equal ones the first."""
    return np.sort(np.argsort(-values, kind="stable")[:count])


def groups_of(config: TransformerConfig) -> int:
    """Key-value heads."""
    return config.key_value_heads or config.heads


def _units(config: TransformerConfig) -> int:
    return config.feed_forward_width or 0


def _spread(heads: np.ndarray, width: int) -> np.ndarray:
    """Indices of heads to those of what they are made of, `width` each."""
    return (heads[:, None] * width + np.arange(width)).reshape(-1)


def _watch(seen: dict[str, np.ndarray], name: str, x: np.ndarray) -> np.ndarray:
    if name.rpartition(".")[2] in ("heads", "dheads", "hidden", "dhidden"):
        seen[name] = x
    return x


def _said(seen: dict[str, np.ndarray], name: str, last: str, *, head: bool) -> np.ndarray:
    """|sum of activation * gradient| of each text, summed over the texts: (H,) or (F,)."""
    product = seen[f"{name}.{last}"] * seen[f"{name}.d{last}"]  # (B, H, T, D), or (B, T, F)
    return np.abs(product.sum(axis=(2, 3) if head else 1)).sum(axis=0)


def _check_structure(model: Transformer, params: Params, heads: int | None, feed_forward: int | None) -> None:
    config = model.config
    shared = config.heads // groups_of(config)
    if heads is None and feed_forward is None:
        raise UserError("nothing is to be pruned; say how many heads or feed-forward units stay")
    if heads is not None and (not 1 <= heads <= config.heads or heads % shared):
        raise UserError(f"{heads} heads cannot stay: choose a multiple of {shared} up to {config.heads}")
    if feed_forward is not None and not 1 <= feed_forward <= _units(config):
        raise UserError(f"{feed_forward} units cannot stay: choose 1 to {_units(config)}")
    if feed_forward is not None and config.experts:
        raise UserError("the experts of a mixture are not pruned yet; prune its heads, and leave feed_forward out")
    if model.two_stacks:
        raise UserError("an encoder-decoder is not pruned by heads and units yet; prune it by magnitude")
    if heads is not None and config.position == "alibi":
        raise UserError(
            "each head of this model has a slope of its own (ALiBi), by its number, so none can be taken out"
        )
    strange = [name for name in params if name not in model.arrays()]
    if strange:
        raise UserError(f"there is an array {strange[0]} that the model does not know; merge adapters first")
