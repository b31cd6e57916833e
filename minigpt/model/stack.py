"""A stack: embeddings, then blocks. An encoder, a decoder, and both halves of an encoder-decoder are this code."""

import math
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.model.block import Sight, block_backward, block_forward, block_shapes
from minigpt.model.parts import Shapes, apply_dropout, apply_norm, back_norm, norm_shapes, sum_over_ranks
from minigpt.ops import (
    dropout_backward,
    embedding_backward,
    embedding_forward,
    rotary_angles,
    sinusoidal_positions,
)

TOKENS = "token_embedding.weight"  # one table, for every stack and for a tied head


class EmbeddedCache(NamedTuple):
    tokens: Any
    inside: (
        np.ndarray | None
    )  # (B, T)  tokens whose rows learn from this: not padding, and here on this rank; None: all
    positions: np.ndarray  # (T,)
    segments: Any
    norm: Any
    dropout: Any


class Recomputed(NamedTuple):
    """In place of a block's cache: enough to make it again."""

    x: np.ndarray  # (B, T, C)  what went into the block
    sight: Sight
    random_state: Any  # of dropout, before the block


class StackCache(NamedTuple):
    embedded: EmbeddedCache
    blocks: list[tuple[str, Any]]  # name and cache of each block
    norm: Any


def stack_shapes(prefix: str, config, *, cross: bool = False) -> Shapes:
    """The arrays of a stack but for the token embedding. prefix: of their names. cross: with cross-attention."""
    shapes: Shapes = {}
    if config.position == "learned":
        shapes[f"{prefix}position_embedding.weight"] = (config.context, config.width)
    if config.segments:
        shapes[f"{prefix}segment_embedding.weight"] = (config.segments, config.width)
    if config.embedding_norm:
        shapes.update(norm_shapes(f"{prefix}embedding_norm", config))
    for layer in range(config.layers):
        shapes.update(block_shapes(f"{prefix}blocks.{layer}", config, cross=cross))
    if config.norm_place == "pre":
        shapes.update(norm_shapes(f"{prefix}final_norm", config))
    return shapes


def stack_forward(params, prefix: str, config, tokens, *, sight: Sight, start: int = 0, segments=None, call):
    """tokens: (B, T) integers, at the positions from `start` on. Returns the hidden states (B, T, C) and the cache.

    segments: (B, T) integers, or None for all zeros. sight: what may be seen; its rotary angles are filled in here.
    `UserError` if there are more positions than the context, or a token is outside the vocabulary.
    """
    x, embedded = embed_forward(params, prefix, config, tokens, start=start, segments=segments, call=call)
    sight = sight._replace(rotary=rotary_of(config, embedded.positions, x.dtype))
    x, blocks = blocks_forward(params, prefix, config, range(config.layers), x, sight=sight, call=call)
    x, norm_cache = end_forward(params, prefix, config, x, call=call)
    return x, StackCache(embedded, blocks, norm_cache)


def stack_backward(params, grads, prefix: str, config, dx, cache: StackCache, *, call, dmemory=None):
    """Write the gradients of a stack into `grads`, and add that of the tokens to the token embedding's.

    dx: (B, T, C), of the hidden states. dmemory: where to add the gradient of the memory, (B, M, C).
    """
    dx = end_backward(grads, prefix, config, dx, cache.norm, call=call)
    dx = blocks_backward(params, grads, prefix, config, dx, cache.blocks, call=call, dmemory=dmemory)
    embed_backward(grads, prefix, config, dx, cache.embedded, call=call)


def embed_forward(params, prefix: str, config, tokens, *, start: int = 0, segments=None, call):
    """Tokens, positions and segments to the beginning of the residual stream: (B, T, C), and the cache."""
    positions = np.arange(start, start + tokens.shape[1])
    if len(positions) == 0 or positions[-1] >= config.context:
        raise UserError(
            f"{start + len(positions)} positions do not fit the context of 1 to {config.context}; shorten the input"
        )
    x, tokens_cache, inside = _look_up(tokens, params[TOKENS], call)  # (B, T, C)
    if config.padding is not None:
        learns = tokens != config.padding
        inside = learns if inside is None else inside & learns
    segments_cache = norm_cache = None
    if config.scale_embedding:
        x = x * math.sqrt(config.width)
    if config.position == "learned":
        x = x + params[f"{prefix}position_embedding.weight"][positions]
    elif config.position == "sinusoidal":
        x = x + sinusoidal_positions(positions, config.width, dtype=x.dtype)
    if config.segments:
        segments = np.zeros_like(tokens) if segments is None else segments
        kinds, segments_cache = embedding_forward(segments, params[f"{prefix}segment_embedding.weight"])
        x = x + kinds
    if config.embedding_norm:
        x, norm_cache = apply_norm(params, f"{prefix}embedding_norm", config, x)
    x, dropout_cache = apply_dropout(config, x, call)
    return call.hook(f"{prefix}embedding", x), EmbeddedCache(
        tokens_cache, inside, positions, segments_cache, norm_cache, dropout_cache
    )


def rotary_of(config, positions, dtype):
    """(cos, sin) of these positions, which act inside attention; None for the other kinds of position."""
    if config.position != "rotary":
        return None
    return rotary_angles(positions, config.head_width, theta=config.rotary_theta, dtype=dtype)


def blocks_forward(params, prefix: str, config, layers: range, x, *, sight: Sight, call):
    """The blocks `layers`, one after another. Returns the residual stream, (B, T, C), and a cache for each.

    With `call.recompute` a cache is only what went into the block: the backward computes the rest again (Chen et al.
    2016, "Training Deep Nets with Sublinear Memory Cost", arXiv:1604.06174).
    """
    caches: list[Any] = []
    for layer in layers:
        name, state = f"{prefix}blocks.{layer}", call.random_state()
        y, cache = block_forward(params, name, config, x, sight=sight, call=call)
        caches.append((name, Recomputed(x, sight, state) if call.recompute else cache))
        x = y
    return x, caches


def blocks_backward(params, grads, prefix: str, config, dx, caches, *, call, dmemory=None):
    """Gradient of what went into the first of these blocks: (B, T, C)."""
    for name, cache in reversed(caches):
        if isinstance(cache, Recomputed):
            again = call.replayed(cache.random_state)
            cache = block_forward(params, name, config, cache.x, sight=cache.sight, call=again)[1]
        dx = block_backward(grads, name, config, dx, cache, call=call, dmemory=dmemory)
    return dx


def end_forward(params, prefix: str, config, x, *, call):
    """The last normalization, if there is one. Returns the hidden states (B, T, C) and the cache."""
    cache = None
    if config.norm_place == "pre":
        x, cache = apply_norm(params, f"{prefix}final_norm", config, x)
    return call.hook(f"{prefix}final", x), cache


def end_backward(grads, prefix: str, config, dx, cache, *, call):
    """Gradient of the residual stream after the last block: (B, T, C)."""
    dx = call.hook(f"{prefix}dfinal", dx)
    return back_norm(grads, f"{prefix}final_norm", config, dx, cache) if config.norm_place == "pre" else dx


def embed_backward(grads, prefix: str, config, dx, cache: EmbeddedCache, *, call) -> None:
    """Write the gradients of the embeddings; that of the tokens is added: a tied or shared table has more uses."""
    dx = dropout_backward(call.hook(f"{prefix}dembedding", dx), cache.dropout)
    if config.embedding_norm:
        dx = back_norm(grads, f"{prefix}embedding_norm", config, dx, cache.norm)
    if config.segments:
        grads[f"{prefix}segment_embedding.weight"] = embedding_backward(dx, cache.segments)
    if config.position == "learned":
        grads[f"{prefix}position_embedding.weight"][...] = 0
        # Every sequence used the same rows.
        grads[f"{prefix}position_embedding.weight"][cache.positions] = dx.sum(axis=0)
    if config.scale_embedding:
        dx = dx * math.sqrt(config.width)
    if cache.inside is not None:
        dx = dx * cache.inside[..., None]
    embedding_backward(dx, cache.tokens, add_to=grads[TOKENS])


def _look_up(tokens, table, call):
    """Rows of the token table; of one that is shared among ranks, each looks up what it has, and the sum is complete.

    Returns x: (B, T, C), the cache, and which tokens' rows learn from this: None for all.
    """
    if call.comm is None:
        x, cache = embedding_forward(tokens, table)
        return x, cache, None
    local = tokens - call.vocabulary_offset
    inside = (local >= 0) & (local < len(table))
    x, cache = embedding_forward(local * inside, table)
    return sum_over_ranks(x * inside[..., None], call), cache, inside
