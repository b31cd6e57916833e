"""Soft targets: how far a model is from another one, its teacher, on every token of the vocabulary.

Hinton, Vinyals & Dean (2015), "Distilling the Knowledge in a Neural Network", arXiv:1503.02531, section 2.
"""

from typing import NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.ops.softmax import softmax_forward


class SoftTargetsCache(NamedTuple):
    difference: np.ndarray  # (N, V)  what the model says minus what the teacher says, at this temperature
    weights: np.ndarray  # (N, 1)  how much each row counts, a share of all that do; 0 where it does not
    temperature: float
    shape: tuple[int, ...]  # of logits


def soft_targets_forward(
    logits: np.ndarray,
    *,
    teacher: np.ndarray,
    temperature: float = 1.0,
    counted: np.ndarray | None = None,
    count: float | None = None,
) -> tuple[np.floating, SoftTargetsCache]:
    """loss = temperature^2 * mean over counted rows of  sum_v q_v (log q_v - log p_v),  in nats.

    q = softmax(teacher / temperature), p = softmax(logits / temperature): the divergence of the model from the teacher.
    The gradient of the rest shrinks as 1 / temperature^2, so with this factor a soft loss weighs as much as a hard one
    at any temperature. logits, teacher: (..., V); the teacher is a constant. counted: (...) booleans; None: all rows.
    count: divide the sum by this number instead of the number of counted rows. Returns the loss, a scalar, and the
    cache for `soft_targets_backward`. `UserError` if the shapes differ or the temperature is not above 0.
    """
    if teacher.shape != logits.shape:
        raise UserError(f"the teacher's scores have shape {teacher.shape}, but the model's {logits.shape}")
    if not temperature > 0:
        raise UserError(f"temperature is {temperature}, but it must be a positive number")
    weights = shares(logits.shape[:-1], counted, count, logits.dtype)
    rows = logits.reshape(-1, logits.shape[-1]) / logits.dtype.type(temperature)
    wanted = teacher.reshape(rows.shape) / teacher.dtype.type(temperature)
    p, q = softmax_forward(rows)[0], softmax_forward(wanted)[0]  # (N, V)
    divergence = (q * (_log_softmax(wanted) - _log_softmax(rows))).sum(axis=-1, keepdims=True)  # (N, 1)
    loss = (divergence * weights).sum() * logits.dtype.type(temperature * temperature)
    return loss, SoftTargetsCache(p - q, weights, temperature, logits.shape)


def soft_targets_backward(dloss: float | np.floating, cache: SoftTargetsCache) -> np.ndarray:
    """Gradient of logits: (..., V).

    d loss / d logits = temperature * (p - q) / number of counted rows: temperature^2 from the loss, 1 / temperature
    from the softmax. Every row sums to zero.
    """
    difference, weights, temperature, shape = cache
    return (difference * (weights * weights.dtype.type(dloss * temperature))).reshape(shape)


def shares(shape: tuple[int, ...], counted: np.ndarray | None, count: float | None, dtype: np.dtype) -> np.ndarray:
    """How much each row counts in a mean, (N, 1): 1 / count, and 0 where it does not count.

    shape: of the rows. `UserError` if `counted` has another one.
    """
    if counted is not None and counted.shape != shape:
        raise UserError(f"counted has shape {counted.shape}, but there are rows of shape {shape}")
    rows = np.ones(shape, bool) if counted is None else counted
    return rows.reshape(-1, 1).astype(dtype) / dtype.type(count or max(1, np.count_nonzero(rows)))


def _log_softmax(x: np.ndarray) -> np.ndarray:
    """x: (N, V), to the logarithm of its softmax."""
    shifted = x - x.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
