"""Cross-entropy: how many nats the model needs, on average, to encode the targets.

-log p(target) is Shannon's code length. Label smoothing: Szegedy et al. (2015), arXiv:1512.00567, section 7.
"""

from typing import NamedTuple

import numpy as np

from minigpt.errors import UserError

IGNORED = -1  # a target with this value is not scored


class CrossEntropyCache(NamedTuple):
    probabilities: np.ndarray  # (N, V)
    targets: np.ndarray  # (N,) ignored ones hold 0
    weights: np.ndarray  # (N, 1)  how much each target counts, a share of all that is scored; 0 where ignored
    smoothing: float
    shape: tuple[int, ...]  # of logits


def cross_entropy_forward(
    logits: np.ndarray,
    targets: np.ndarray,
    *,
    ignored: int = IGNORED,
    smoothing: float = 0.0,
    count: float | None = None,
    importance: np.ndarray | None = None,
) -> tuple[np.floating, CrossEntropyCache]:
    """loss = mean over scored targets of  -sum_v q_v log softmax(logits)_v, in nats.

    q puts 1 - smoothing on the target and spreads `smoothing` evenly over all V classes.
    logits: (..., V); targets: (...) integers in 0..V-1, or `ignored`.
    importance: (...) floats, how much each target counts in a weighted mean; None: all alike.
    count: divide the sum by this number instead of the number of scored targets, or the sum of what they count (when a
    batch is split into parts, each part divides by the count of the whole).
    Returns the loss, a scalar, and the cache for `cross_entropy_backward`. With nothing to score both are 0.
    `UserError` if a target is neither a class nor `ignored`, is not a whole number, or stands at no row of the logits.
    """
    vocabulary = logits.shape[-1]
    labels, scored = checked_targets(targets, logits.shape[:-1], vocabulary, ignored)
    counted = scored if importance is None else scored * importance.reshape(-1)
    total_count = count or (max(1, np.count_nonzero(scored)) if importance is None else counted.sum() or 1)
    weights = counted[:, None].astype(logits.dtype) / logits.dtype.type(total_count)  # (N, 1)

    shifted = logits.reshape(-1, vocabulary)
    shifted = shifted - shifted.max(axis=-1, keepdims=True)  # (N, V)
    target_logit = np.take_along_axis(shifted, labels[:, None], axis=-1)  # (N, 1)
    mean_logit = shifted.mean(axis=-1, keepdims=True) if smoothing else 0
    probabilities = np.exp(shifted, out=shifted)
    total = probabilities.sum(axis=-1, keepdims=True)  # (N, 1)
    probabilities /= total
    losses = np.log(total) - (1 - smoothing) * target_logit - smoothing * mean_logit  # (N, 1)
    loss = (losses * weights).sum()
    return loss, CrossEntropyCache(probabilities, labels, weights, smoothing, logits.shape)


def checked_targets(
    targets: np.ndarray, shape: tuple[int, ...], classes: int, ignored: int = IGNORED
) -> tuple[np.ndarray, np.ndarray]:
    """The targets in a row, (N,), with class 0 in place of ignored ones; and which of them are scored, (N,).

    shape: of the logits without their classes. `UserError` as `cross_entropy_forward` says.
    """
    check_whole("targets", targets)
    if targets.shape != shape:
        raise UserError(f"targets of shape {targets.shape} do not fit logits of shape {(*shape, classes)}")
    labels = targets.reshape(-1)
    scored = labels != ignored
    labels = labels * scored
    if labels.size and not (labels.min() >= 0 and labels.max() < classes):
        wrong = labels[(labels < 0) | (labels >= classes)][0]
        raise UserError(f"target {wrong} is not a class in 0..{classes - 1} and not the ignored value {ignored}")
    return labels, scored


def check_whole(name: str, targets: np.ndarray) -> None:
    """`UserError` unless the targets, called `name`, are integers."""
    if targets.dtype.kind not in "iu":
        raise UserError(f"{name} are {targets.dtype} values, but classes and tokens are whole numbers; convert them")


def cross_entropy_backward(dloss: float | np.floating, cache: CrossEntropyCache) -> np.ndarray:
    """Gradient of logits: (..., V).

    d loss / d logits = (softmax(logits) - q) / number of scored targets: what the model said minus what it should say.
    Every row sums to zero, and rows of ignored targets are zero.
    """
    probabilities, targets, weights, smoothing, shape = cache
    weights = weights * weights.dtype.type(dloss)
    dlogits = probabilities * weights
    if smoothing:
        dlogits -= weights * (smoothing / shape[-1])
    dlogits[np.arange(len(targets)), targets] -= (1 - smoothing) * weights[:, 0]
    return dlogits.reshape(shape)
