"""What the positions of a stack may see. All that tells an encoder from a decoder is in here.

One builder makes every mask, for a whole model in one process and for a pipeline's stage alike.
"""

from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError, described
from minigpt.model.call import Batch
from minigpt.model.config import TransformerConfig
from minigpt.ops import AlibiBias, MaskRule, alibi_slopes, causal_mask, padding_mask
from minigpt.ops.attention import KEPT


class Sight(NamedTuple):
    """Who may look where."""

    mask: Any  # booleans that broadcast to (B, H, T, S), or a `MaskRule`; None: everything; a list: of each span
    rotary: tuple[np.ndarray, np.ndarray] | None = None  # (cos, sin) of its positions
    memory: np.ndarray | None = None  # (B, M, C), what an encoder made of another text
    memory_mask: np.ndarray | None = None  # booleans that broadcast to (B, H, T, M)
    bias: Any = None  # an `AlibiBias`, or its array (H, T, S); a list: of each span


def encoder_sight(present: np.ndarray | None, size: tuple[int, ...]) -> Sight:
    """Every position sees every other on both sides, but for padding.

    present: booleans of shape `size`, (B, T) of the vectors that the input became; or None. `UserError` if not.
    """
    return Sight(_padding(present, size))


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
    padding = _padding(batch.present, (len(batch.tokens), start + length))
    if padding is not None:
        mask = padding if mask is None else mask & padding
    memory_mask = None if memory is None else _padding(batch.source_present, memory.shape[:2])
    return Sight(mask, None, memory, memory_mask)


def needs_rules(config: TransformerConfig, length: int, keys: int) -> bool:
    """Whether arrays do not say all, or there would be too many numbers in them. length: T; keys: S."""
    return config.window is not None or config.position == "alibi" or _is_long(config, length, keys)


def ruled_sight(
    config: TransformerConfig,
    batch: Batch,
    size: tuple[int, int],
    *,
    start: int = 0,
    gone: slice = slice(0, 0),
    memory: np.ndarray | None = None,
) -> Sight:
    """The same by a rule, of any stack, with a window and ALiBi; the mask as an array where that is not too large.

    size: (B, T), of the positions from `start` on. gone: those that a cache has let go.
    """
    queries = np.arange(start, start + size[1])
    keys = np.arange(start + size[1])
    keys = np.delete(keys, gone)
    causal = config.architecture != "encoder"
    if causal and batch.prefix is not None and np.shape(batch.prefix) != (size[0],):
        raise UserError(f"prefix has shape {np.shape(batch.prefix)}, not ({size[0]},); one length a row")
    _padding(batch.present, (size[0], len(keys)))  # refuses what does not fit
    rule = MaskRule(queries, keys, causal, config.window, config.sinks, batch.present, batch.prefix if causal else None)
    mask = rule if _is_long(config, size[1], len(keys)) else rule.array()
    memory_mask = None if memory is None else _padding(batch.source_present, memory.shape[:2])
    bias = AlibiBias(alibi_slopes(config.heads), queries, keys) if config.position == "alibi" else None
    return Sight(mask, None, memory, memory_mask, bias)


def _is_long(config: TransformerConfig, length: int, keys: int) -> bool:
    """Whether a sequence has more weights than are kept."""
    return config.heads * length * keys > KEPT


def bias_of(bias: Any, heads: slice, dtype: Any) -> Any:
    """The bias of these heads, a tensor-parallel rank's own; as an array where that is not too large.

    bias: of all heads, or a list of them.
    """
    if not isinstance(bias, AlibiBias):
        return [bias_of(one, heads, dtype) for one in bias] if isinstance(bias, list) else None
    own = bias._replace(slopes=bias.slopes[heads].astype(dtype))
    long = len(bias.slopes) * len(bias.queries) * len(bias.keys) > KEPT
    return own if long else own.array()


def _padding(present: np.ndarray | None, size: tuple[int, ...]) -> np.ndarray | None:
    """(B, 1, 1, S) booleans; None if there is no padding."""
    if present is None:
        return None
    if not isinstance(present, np.ndarray) or present.dtype != bool or present.shape != size:
        raise UserError(
            f"what is present must be booleans of shape {size}, one for each position of the stack (a class token is "
            f"one, two sound frames are one), not {described(present)}"
        )
    return padding_mask(present)
