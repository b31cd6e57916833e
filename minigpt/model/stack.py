"""A stack: a beginning, then blocks, then an end. An encoder, a decoder, both halves of an encoder-decoder and every
stage of a pipeline are this code."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.model.arrays import Arrays, embedding_array, part
from minigpt.model.block import block_arrays, block_backward, block_forward
from minigpt.model.call import Call
from minigpt.model.config import TransformerConfig
from minigpt.model.inputs import INPUTS
from minigpt.model.inputs.images import grid_of
from minigpt.model.masks import Sight, bias_of
from minigpt.model.params import Gradients, Weights
from minigpt.model.parts import apply_dropout, apply_norm, back_norm, norm_arrays
from minigpt.model.scaling import scaled_frequencies
from minigpt.ops import (
    dropout_backward,
    embedding_backward,
    embedding_forward,
    rotary_angles,
    sinusoidal_grid,
    sinusoidal_positions,
)

NOWHERE = -1  # the position of padding that takes none


class BeginCache(NamedTuple):
    inputs: Any
    positions: np.ndarray  # (T,); (B, T) where padding takes none
    segments: Any
    norm: Any
    dropout: Any
    ahead: int = 0  # vectors before those of the inputs


class Recomputed(NamedTuple):
    """In place of a block's cache: enough to make it again."""

    x: np.ndarray  # (B, T, C)  what went into the block
    sight: Sight
    random_state: Any  # of dropout, before the block
    replaced: dict[str, np.ndarray]  # what a hook put in place of activations


class StackCache(NamedTuple):
    begin: Any  # a `BeginCache`; None on a later stage of a pipeline
    blocks: list[tuple[str, Any]]  # name and cache of each block
    norm: Any


def begin_arrays(prefix: str, config: TransformerConfig) -> Arrays:
    """The arrays of a stack's beginning."""
    arrays = INPUTS[config.input].arrays(prefix, config)
    if config.position == "learned":
        table = embedding_array(config.context, config.width, std=config.init_std)
        arrays[f"{prefix}position_embedding.weight"] = table
    if config.segments:
        table = embedding_array(config.segments, config.width, std=config.init_std)
        arrays[f"{prefix}segment_embedding.weight"] = table
    if config.embedding_norm:
        arrays |= norm_arrays(f"{prefix}embedding_norm", config)
    return arrays


def blocks_arrays(prefix: str, config: TransformerConfig, layers: range, *, cross: bool = False) -> Arrays:
    """The arrays of the blocks `layers`. cross: with cross-attention."""
    arrays: Arrays = {}
    for layer in layers:
        arrays |= block_arrays(f"{prefix}blocks.{layer}", config, cross=cross)
    return arrays


def end_arrays(prefix: str, config: TransformerConfig) -> Arrays:
    """The arrays of a stack's end."""
    return norm_arrays(f"{prefix}final_norm", config) if config.norm_place == "pre" else {}


def stack_arrays(prefix: str, config: TransformerConfig, *, cross: bool = False) -> Arrays:
    """The arrays of a whole stack. prefix: of their names. cross: with cross-attention."""
    return {
        **begin_arrays(prefix, config),
        **blocks_arrays(prefix, config, range(config.layers), cross=cross),
        **end_arrays(prefix, config),
    }


def stack_forward(
    params: Weights,
    prefix: str,
    config: TransformerConfig,
    layers: range,
    inputs: np.ndarray,
    *,
    see: Callable[[tuple[int, int]], Sight],
    x: np.ndarray | None = None,
    start: int | np.ndarray = 0,
    segments: np.ndarray | None = None,
    ahead: np.ndarray | None = None,
    call: Call,
) -> tuple[np.ndarray, StackCache]:
    """A stack, or the part of it that has the blocks `layers`: the first block's also begins, the last's also ends.

    inputs: what the configuration's kind of input takes, such as (B, T) tokens; start: the position of the first, or
    (T,) those of all. ahead: (B, M, C), vectors that stand before the inputs; T then counts both. x: (B, T, C), what a
    part that does not begin goes on with. see: who may look where, given
    (B, T). Returns the hidden states (B, T, C) and the cache. `UserError` if there are more positions than the context,
    or something has another shape.
    """
    begun = norm_cache = None
    if layers.start == 0:
        x, begun = begin_forward(params, prefix, config, inputs, start=start, segments=segments, ahead=ahead, call=call)
    assert x is not None, "a part after the first needs what the one before it made"
    rotary = rotary_of(config, positions_from(start, x.shape[1]), x.dtype)
    sight = see(x.shape[:2])._replace(rotary=rotary)
    sight = sight._replace(bias=bias_of(sight.bias, _own_heads(config, call), x.dtype))
    x, blocks = blocks_forward(params, prefix, config, layers, x, sight=sight, call=call)
    if layers.stop == config.layers:
        x, norm_cache = end_forward(params, prefix, config, x, call=call)
    return x, StackCache(begun, blocks, norm_cache)


def stack_backward(
    params: Weights,
    grads: Gradients,
    prefix: str,
    config: TransformerConfig,
    layers: range,
    dx: np.ndarray,
    cache: StackCache,
    *,
    call: Call,
    dmemory: np.ndarray | None = None,
) -> np.ndarray:
    """Write the gradients of a stack, or of a part, into `grads`; that of the tokens is added to the table's.

    dx: (B, T, C), of the hidden states. dmemory: (B, S, C), to which that of an encoder's states is added, or that of
    the vectors ahead; a decoder that has one is walked down to its first block, since the encoder needs all of it.
    Returns the gradient of what went into the first block that was reached, (B, T, C).
    """
    first = layers.start == 0
    if layers.stop == config.layers:
        dx = end_backward(grads, prefix, config, dx, cache.norm, call=call)
    lowest = lowest_trained(grads, prefix, config, cache.blocks) if first and dmemory is None else 0
    dx = blocks_backward(params, grads, prefix, config, dx, cache.blocks[lowest:], call=call, dmemory=dmemory)
    if first and lowest == 0:
        begin_backward(grads, prefix, config, dx, cache.begin, call=call, dahead=dmemory)
    return dx


def begin_forward(
    params: Weights,
    prefix: str,
    config: TransformerConfig,
    inputs: np.ndarray,
    *,
    start: int | np.ndarray = 0,
    segments: np.ndarray | None = None,
    ahead: np.ndarray | None = None,
    call: Call,
) -> tuple[np.ndarray, BeginCache]:
    """Inputs, positions and segments to the beginning of the residual stream: (B, T, C), and the cache."""
    x, inputs_cache = INPUTS[config.input].forward(params, prefix, config, inputs, call)
    if ahead is not None:
        x = np.concatenate([ahead, x], axis=1)
    positions = positions_from(start, x.shape[1])
    if len(positions) == 0 or (positions.max() >= config.context and not config.endless):
        count = positions.max(initial=-1) + 1
        raise UserError(f"{count} positions do not fit the context of 1 to {config.context}; shorten the input")
    segments_cache = norm_cache = None
    if not config.padding_positions:
        present = inputs != config.padding
        positions = np.where(present, np.cumsum(present, axis=1) - 1, NOWHERE)
        x = x + params[f"{prefix}position_embedding.weight"][positions] * present[..., None]
    elif config.position == "learned":
        x = x + params[f"{prefix}position_embedding.weight"][positions]
    elif config.position == "sinusoidal":
        x = x + sinusoidal_positions(positions, config.width, dtype=x.dtype)
    elif config.position == "sinusoidal_2d":
        patches = x[:, config.class_token :]  # the class token is nowhere
        patches += sinusoidal_grid(*grid_of(config), config.width, dtype=x.dtype)
    if config.segments:
        segments = np.zeros(x.shape[:2], np.int64) if segments is None else segments
        if np.shape(segments) != x.shape[:2]:
            raise UserError(f"segments have shape {np.shape(segments)}, not {x.shape[:2]}; one number a position")
        kinds, segments_cache = embedding_forward(segments, params[f"{prefix}segment_embedding.weight"])
        x = x + kinds
    if config.embedding_norm:
        x, norm_cache = apply_norm(params, f"{prefix}embedding_norm", config, x)
    x, dropout_cache = apply_dropout(config, x, call)
    x = call.hook(f"{prefix}embedding", x)
    count = 0 if ahead is None else ahead.shape[1]
    return x, BeginCache(inputs_cache, positions, segments_cache, norm_cache, dropout_cache, count)


def begin_backward(
    grads: Gradients,
    prefix: str,
    config: TransformerConfig,
    dx: np.ndarray,
    cache: BeginCache,
    *,
    call: Call,
    dahead: np.ndarray | None = None,
) -> None:
    """Write the gradients of the beginning; that of a token table is added, since it may have more uses.

    dahead: (B, M, C), to which that of the vectors ahead is added, if there were any.
    """
    dx = dropout_backward(call.hook(f"{prefix}dembedding", dx), cache.dropout)
    if config.embedding_norm:
        dx = back_norm(grads, f"{prefix}embedding_norm", config, dx, cache.norm)
    if config.segments and f"{prefix}segment_embedding.weight" in grads:
        grads[f"{prefix}segment_embedding.weight"] = embedding_backward(dx, cache.segments)
    if config.position == "learned" and f"{prefix}position_embedding.weight" in grads:
        table = grads[f"{prefix}position_embedding.weight"]
        table[...] = 0
        if config.padding_positions:
            table[cache.positions] = dx.sum(axis=0)  # every sequence used the same rows
        else:
            present = cache.positions != NOWHERE
            np.add.at(table, cache.positions[present], dx[present])
    if cache.ahead:
        assert dahead is not None, "what stood ahead needs its gradient"
        dahead += dx[:, : cache.ahead]
    INPUTS[config.input].backward(grads, prefix, config, dx[:, cache.ahead :], cache.inputs)


def positions_from(start: int | np.ndarray, length: int) -> np.ndarray:
    """(T,) positions: so many from `start` on, or those that it lists."""
    return start if isinstance(start, np.ndarray) else np.arange(start, start + length)


def rotary_of(config: TransformerConfig, positions: np.ndarray, dtype: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """(cos, sin) of these positions, which act inside attention; None for the other kinds of position."""
    if config.position != "rotary":
        return None
    scaling, length = config.rotary_scaling, int(positions.max()) + 1
    if (
        scaling is not None
        and scaling.follows_length
        and positions[0] > 0
        and length > scaling.original(config.context)
    ):
        raise UserError(
            f"with dynamic rotary scaling, {length} positions change the keys of all that came before, so they cannot "
            "be kept; read the whole text again, or take another kind"
        )
    frequencies, factor = scaled_frequencies(scaling, config.head_width, config.rotary_theta, config.context, length)
    return rotary_angles(positions, config.head_width, frequencies=frequencies, factor=factor, dtype=dtype)


def _own_heads(config: TransformerConfig, call: Call) -> slice:
    """The heads of this tensor-parallel rank."""
    if call.comm is None:
        return slice(0, config.heads)
    own = part(config.heads, call.comm.rank, call.comm.size)
    return slice(own.start, own.stop)


def blocks_forward(
    params: Weights, prefix: str, config: TransformerConfig, layers: range, x: np.ndarray, *, sight: Sight, call: Call
) -> tuple[np.ndarray, list[tuple[str, Any]]]:
    """The blocks `layers`, one after another. Returns the residual stream, (B, T, C), and a cache for each.

    With `call.recompute` a cache is only what went into the block: the backward computes the rest again (Chen et al.
    2016, "Training Deep Nets with Sublinear Memory Cost", arXiv:1604.06174).
    """
    caches: list[Any] = []
    for layer in layers:
        name = f"{prefix}blocks.{layer}"
        if call.recompute:
            kept = Recomputed(x, sight, call.random_state(), {})
            x = block_forward(params, name, config, x, sight=sight, call=call.recording(kept.replaced))[0]
            caches.append((name, kept))
        else:
            x, cache = block_forward(params, name, config, x, sight=sight, call=call)
            caches.append((name, cache))
    return x, caches


def blocks_backward(
    params: Weights,
    grads: Gradients,
    prefix: str,
    config: TransformerConfig,
    dx: np.ndarray,
    caches: list[Any],
    *,
    call: Call,
    dmemory: Any = None,
) -> np.ndarray:
    """Gradient of what went into the first of these blocks: (B, T, C)."""
    for name, cache in reversed(caches):
        if isinstance(cache, Recomputed):
            again = call.replayed(cache.random_state, cache.replaced)
            cache = block_forward(params, name, config, cache.x, sight=cache.sight, call=again)[1]
        dx = block_backward(grads, name, config, dx, cache, call=call, dmemory=dmemory)
    return dx


def lowest_trained(grads: Gradients, prefix: str, config: TransformerConfig, caches: list[Any]) -> int:
    """The first of these blocks that the backward has to reach, since it or what is before it learns.

    It is the number of blocks, none, if all of them and the beginning are frozen.
    """
    if any(name in grads for name in begin_arrays(prefix, config)):
        return 0
    return next((number for number, (name, _) in enumerate(caches) if name in grads.blocks), len(caches))


def end_forward(
    params: Weights, prefix: str, config: TransformerConfig, x: np.ndarray, *, call: Call
) -> tuple[np.ndarray, Any]:
    """The last normalization, if there is one. Returns the hidden states (B, T, C) and the cache."""
    cache = None
    if config.norm_place == "pre":
        x, cache = apply_norm(params, f"{prefix}final_norm", config, x)
    return call.hook(f"{prefix}final", x), cache


def end_backward(
    grads: Gradients, prefix: str, config: TransformerConfig, dx: np.ndarray, cache: Any, *, call: Call
) -> np.ndarray:
    """Gradient of the residual stream after the last block: (B, T, C)."""
    dx = call.hook(f"{prefix}dfinal", dx)
    return back_norm(grads, f"{prefix}final_norm", config, dx, cache) if config.norm_place == "pre" else dx
