"""What the positions of a stack may see. All that tells an encoder from a decoder is in here.

One builder makes every mask, for a whole model in one process and for a pipeline's stage alike.
"""

from typing import NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.model.call import Batch
from minigpt.ops import causal_mask, padding_mask


class Sight(NamedTuple):
    """Who may look where."""

    mask: np.ndarray | None  # booleans that broadcast to (B, H, T, S), of the text itself; None: everything
    rotary: tuple[np.ndarray, np.ndarray] | None = None  # (cos, sin) of its positions
    memory: np.ndarray | None = None  # (B, M, C), what an encoder made of another text
    memory_mask: np.ndarray | None = None  # booleans that broadcast to (B, H, T, M)


def encoder_sight(present: np.ndarray | None) -> Sight:
    """Every position sees every other on both sides, but for padding. present: (B, T) booleans, or None."""
    return Sight(None if present is None else padding_mask(present))


def decoder_sight(batch: Batch, length: int, *, start: int = 0, memory: np.ndarray | None = None) -> Sight:
    """Every position sees itself and what came before; the first `batch.prefix` tokens see each other.

    length: T, of the positions from `start` on. memory: (B, M, C), what the encoder made of the batch's source.
    `UserError` if the prefix does not fit the batch.
    """
    mask = None
    if length > 1:  # a single query is the last position, which sees everything: no mask
        mask = causal_mask(length, start + length)  # (T, S)
        if batch.prefix is not None:
            if np.shape(batch.prefix) != (len(batch.tokens),):
                raise UserError(
                    f"prefix has shape {np.shape(batch.prefix)}, not ({len(batch.tokens)},); one length a row"
                )
            mask = mask | (np.arange(start + length) < batch.prefix[:, None, None, None])  # (B, 1, T, S)
    if batch.present is not None:
        mask = padding_mask(batch.present) if mask is None else mask & padding_mask(batch.present)
    memory_mask = None if batch.source_present is None else padding_mask(batch.source_present)
    return Sight(mask, None, memory, memory_mask)
