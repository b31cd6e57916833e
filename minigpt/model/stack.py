"""A stack: embeddings, then blocks. An encoder, a decoder, and both halves of an encoder-decoder are this code."""

import math
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.model.block import Sight, block_backward, block_forward, block_shapes
from minigpt.model.parts import Shapes, apply_dropout, apply_norm, back_norm, norm_shapes
from minigpt.ops import (
    dropout_backward,
    embedding_backward,
    embedding_forward,
    rotary_angles,
    sinusoidal_positions,
)

TOKENS = "token_embedding.weight"  # one table, for every stack and for a tied head


class StackCache(NamedTuple):
    embedding: Any
    positions: np.ndarray  # (T,)
    segments: Any
    embedding_norm: Any
    dropout: Any
    blocks: list[Any]
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


def stack_forward(params, prefix: str, config, tokens, *, sight: Sight, start: int = 0, segments=None, run):
    """tokens: (B, T) integers, at the positions from `start` on. Returns the hidden states (B, T, C) and the cache.

    segments: (B, T) integers, or None for all zeros. sight: what may be seen; its rotary angles are filled in here.
    `UserError` if there are more positions than the context, or a token is outside the vocabulary.
    """
    positions = np.arange(start, start + tokens.shape[1])
    if len(positions) == 0 or positions[-1] >= config.context:
        raise UserError(
            f"{start + len(positions)} positions do not fit the context of 1 to {config.context}; shorten the input"
        )
    x, embedding_cache = embedding_forward(tokens, params[TOKENS])  # (B, T, C)
    x, rotary = _add_positions(params, prefix, config, x, positions)
    segments_cache = norm_cache = final_cache = None
    if config.segments:
        segments = np.zeros_like(tokens) if segments is None else segments
        kinds, segments_cache = embedding_forward(segments, params[f"{prefix}segment_embedding.weight"])
        x = x + kinds
    if config.embedding_norm:
        x, norm_cache = apply_norm(params, f"{prefix}embedding_norm", config, x)
    x, dropout_cache = apply_dropout(config, x, run)
    x = run.tap(f"{prefix}embedding", x)
    sight = sight._replace(rotary=rotary)
    blocks = []
    for layer in range(config.layers):
        x, block_cache = block_forward(params, f"{prefix}blocks.{layer}", config, x, sight=sight, run=run)
        blocks.append(block_cache)
    if config.norm_place == "pre":
        x, final_cache = apply_norm(params, f"{prefix}final_norm", config, x)
    x = run.tap(f"{prefix}final", x)
    return x, StackCache(embedding_cache, positions, segments_cache, norm_cache, dropout_cache, blocks, final_cache)


def stack_backward(grads, prefix: str, config, dx, cache: StackCache, *, run, dmemory=None):
    """Write the gradients of a stack into `grads`, and add that of the tokens to the token embedding's.

    dx: (B, T, C), of the hidden states. dmemory: where to add the gradient of the memory, (B, M, C).
    """
    dx = run.tap(f"{prefix}dfinal", dx)
    if config.norm_place == "pre":
        dx = back_norm(grads, f"{prefix}final_norm", config, dx, cache.norm)
    for layer in reversed(range(config.layers)):
        name = f"{prefix}blocks.{layer}"
        dx = block_backward(grads, name, config, dx, cache.blocks[layer], run=run, dmemory=dmemory)
    dx = dropout_backward(run.tap(f"{prefix}dembedding", dx), cache.dropout)
    if config.embedding_norm:
        dx = back_norm(grads, f"{prefix}embedding_norm", config, dx, cache.embedding_norm)
    if config.segments:
        grads[f"{prefix}segment_embedding.weight"] = embedding_backward(dx, cache.segments)
    if config.position == "learned":
        grads[f"{prefix}position_embedding.weight"][...] = 0
        # Every sequence used the same rows.
        grads[f"{prefix}position_embedding.weight"][cache.positions] = dx.sum(axis=0)
    if config.scale_embedding:
        dx = dx * math.sqrt(config.width)
    if config.padding is not None:
        dx = dx * (cache.embedding.tokens != config.padding)[..., None]
    embedding_backward(dx, cache.embedding, add_to=grads[TOKENS])  # a tied or shared table has several uses


def _add_positions(params, prefix, config, x, positions):
    """x with positions added to it, and the angles for rotary positions (which act inside attention), or None."""
    if config.scale_embedding:
        x = x * math.sqrt(config.width)
    if config.position == "learned":
        return x + params[f"{prefix}position_embedding.weight"][positions], None
    if config.position == "sinusoidal":
        return x + sinusoidal_positions(positions, config.width, dtype=x.dtype), None
    return x, rotary_angles(positions, config.head_width, theta=config.rotary_theta, dtype=x.dtype)
