"""Where attention looks: its weights, and what of them reaches the input through all layers.

Abnar & Zuidema (2020), "Quantifying Attention Flow in Transformers", arXiv:2005.00928, propose rollout and flow. Both
take the residual connection for half of what a position hands on, and know nothing of what the values hold: they say
where something could have come from, not what it did.
"""

from collections import deque
from typing import NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.explain.watch import activations
from minigpt.model import Batch, Transformer, Weights
from minigpt.model.inputs import INPUTS
from minigpt.model.transformer import as_batch

MOST_BYTES = 1 << 31  # of all maps together
MOST_POSITIONS = 64  # for flow, whose time grows with their third power at least
LEAST = 1e-9  # capacity below which a path carries nothing


class Maps(NamedTuple):
    """The attention weights of one input, where there are such. Every row sums to 1."""

    attention: np.ndarray  # (L, H, T, T)  of the decoder, or of the only stack
    encoder: np.ndarray | None = None  # (L, H, S, S)  of the encoder beside a decoder
    cross: np.ndarray | None = None  # (L, H, T, S)  from the decoder's positions to the encoder's


def attention_maps(model: Transformer, params: Weights, batch: Batch | np.ndarray) -> Maps:
    """The weights of every head on one input, as the model used them. Looking changes no bit of the answer.

    Raises
    ------
    UserError
        For more than one row, and for an input whose maps would fill the memory.
    """
    batch = as_batch(batch)
    if len(batch.tokens) != 1:
        raise UserError(f"one input is explained at a time, but the batch has {len(batch.tokens)} rows; give one")
    _check_size(model, batch)
    seen = activations(model, params, batch, lambda name: name.endswith("attention.weights"))

    def stack(prefix: str, kind: str, layers: int) -> np.ndarray:
        return np.stack([seen[f"{prefix}blocks.{layer}.{kind}.weights"][0] for layer in range(layers)])

    config, encoder = model.config, model.config.encoder
    maps = Maps(stack("", "attention", config.layers))
    if encoder is None:
        return maps
    maps = maps._replace(encoder=stack("encoder.", "attention", encoder.layers))
    return maps if config.encoder_ahead else maps._replace(cross=stack("", "cross_attention", config.layers))


def rollout(weights: np.ndarray, *, residual: float = 0.5) -> np.ndarray:
    """How much of each input a position holds after each layer: the product of the layers' matrices so far.

    Parameters
    ----------
    weights : (L, H, T, T)
        Of self-attention. Their mean over heads is taken.
    residual : float
        The share that a position keeps of itself in a layer; Abnar & Zuidema take a half.

    Returns
    -------
    (L, T, T) floats
        Rows sum to 1. The last is that of the whole stack: [-1, t, s] is how much of input s is in position t.
    """
    so_far, found = np.eye(weights.shape[-1]), []
    for mixed in _mixed(weights, residual):
        so_far = mixed @ so_far
        found.append(so_far)
    return np.stack(found)


def rollout_across(maps: Maps, *, residual: float = 0.5) -> np.ndarray:
    """How much of each position of the source is in each of the decoder, after the last layer: (T, S).

    The encoder's rollout, entered through cross-attention in every layer of the decoder; what a position then has of
    the source is a mean of what it had and of what it looks at. `UserError` for a model without cross-attention.
    """
    if maps.encoder is None or maps.cross is None:
        raise UserError("this model has no cross-attention; `rollout` of its attention says what there is to say")
    source = rollout(maps.encoder, residual=residual)[-1]  # (S, S)
    found = np.zeros((maps.cross.shape[2], len(source)))
    for own, cross in zip(_mixed(maps.attention, residual), maps.cross.mean(axis=1, dtype=np.float64), strict=True):
        found = residual * (own @ found) + (1 - residual) * (cross @ source)
    return found


def flow(weights: np.ndarray, *, position: int = -1, residual: float = 0.5) -> np.ndarray:
    """The most that could flow to one position of the last layer from each input, if weights were widths of pipes.

    Every layer is a row of nodes; a pipe from a node to one of the layer below is as wide as the mean weight, with the
    residual connection as in `rollout`. The maximum flow is found by the shortest augmenting paths (Edmonds & Karp
    1972).

    Returns
    -------
    (T,) floats
        Of each input alone, between 0 and 1; together they may be more than 1.

    Raises
    ------
    UserError
        For more positions than can be done while one waits.
    """
    length = weights.shape[-1]
    if length > MOST_POSITIONS:
        raise UserError(
            f"attention flow of {length} positions takes too long; give at most {MOST_POSITIONS}, or use rollout"
        )
    pipes = list(_mixed(weights, residual))
    return np.array([_most(pipes, range(length)[position], goal) for goal in range(length)])


def _mixed(weights: np.ndarray, residual: float) -> np.ndarray:
    """(L, T, T): the mean over heads, with the residual connection; rows sum to 1, those that see nothing too."""
    mean = weights.mean(axis=1, dtype=np.float64)
    mean += (1 - mean.sum(axis=-1))[..., None] * np.eye(mean.shape[-1])
    return (1 - residual) * mean + residual * np.eye(mean.shape[-1])


def _most(pipes: list[np.ndarray], begin: int, goal: int) -> float:
    """The maximum flow from node `begin` above the last layer to node `goal` below the first.

    A node is (layer, position), with layer L above all. Residual capacities are kept both ways: down[l][t, s] from
    (l + 1, t) to (l, s), and up[l][t, s] back.
    """
    down, up = [pipe.copy() for pipe in pipes], [np.zeros_like(pipe) for pipe in pipes]
    start, end, total = (len(pipes), begin), (0, goal), 0.0
    while True:
        before = _shortest(down, up, start, end)
        if before is None:
            return total
        path, node = [], end
        while node != start:
            path.append((before[node], node))
            node = before[node]
        width = min(_pipe(down, up, *step)[0][_pipe(down, up, *step)[1]] for step in path)
        for step in path:
            there, where = _pipe(down, up, *step)
            back, _ = _pipe(up, down, *step)
            there[where] -= width
            back[where] += width
        total += float(width)


def _pipe(
    down: list[np.ndarray], up: list[np.ndarray], one: tuple[int, int], other: tuple[int, int]
) -> tuple[np.ndarray, tuple[int, int]]:
    """The matrix of capacities in which the pipe from one node to the next is, and where."""
    if one[0] > other[0]:
        return down[other[0]], (one[1], other[1])
    return up[one[0]], (other[1], one[1])


def _shortest(
    down: list[np.ndarray], up: list[np.ndarray], start: tuple[int, int], end: tuple[int, int]
) -> dict[tuple[int, int], tuple[int, int]] | None:
    """From which node each was reached, breadth first, once `end` is; None if no pipe leads there."""
    before, waiting = {start: start}, deque([start])
    while waiting:
        layer, position = node = waiting.popleft()
        next_ones = []
        if layer > 0:
            next_ones += [(layer - 1, int(s)) for s in np.flatnonzero(down[layer - 1][position] > LEAST)]
        if layer < len(down):
            next_ones += [(layer + 1, int(t)) for t in np.flatnonzero(up[layer][:, position] > LEAST)]
        for other in next_ones:
            if other not in before:
                before[other] = node
                if other == end:
                    return before
                waiting.append(other)
    return None


def _check_size(model: Transformer, batch: Batch) -> None:
    config, encoder = model.config, model.config.encoder
    length = INPUTS[config.input].length(config, batch.tokens)
    numbers = config.layers * config.heads * length * length
    if encoder is not None and batch.source is not None:
        source = INPUTS[encoder.input].length(encoder, batch.source)
        numbers += encoder.layers * encoder.heads * source * source + config.layers * config.heads * length * source
    if 8 * numbers > MOST_BYTES:
        raise UserError(
            f"the attention maps of this input are {8 * numbers / 1e9:.1f} GB; shorten it until they are below "
            f"{MOST_BYTES / 1e9:.1f}"
        )
