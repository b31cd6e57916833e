"""Cross-entropy when each tensor-parallel rank has the scores of some of the vocabulary."""

from typing import Any, NamedTuple

import numpy as np

from minigpt.ops.cross_entropy import checked_targets


class ShardedCache(NamedTuple):
    probabilities: np.ndarray  # (N, V / ranks)
    local: np.ndarray  # (N,)  where the target stands among this rank's tokens
    inside: np.ndarray  # (N,)  whether it does
    weights: np.ndarray  # (N, 1)
    shape: tuple[int, ...]


def sharded_cross_entropy_forward(
    logits: np.ndarray, targets: np.ndarray, *, comm: Any, first: int, count: int | None = None
) -> tuple[Any, ShardedCache]:
    """`cross_entropy_forward` without ever having all logits in one place.

    logits: (..., V / ranks), of the tokens from `first` on; targets: (...) integers, of the whole vocabulary. Three
    numbers a row are exchanged: the largest score, the sum of exponentials, and the target's score, instead of V.
    Shoeybi et al. (2019), arXiv:1909.08053, section 3. Returns the loss, the same on every rank, and the cache.
    `UserError` as `cross_entropy_forward` says.
    """
    last = comm.rank == comm.size - 1  # the only one that knows where the vocabulary ends
    classes = first + logits.shape[-1] if last else np.iinfo(np.int64).max
    wanted, scored = checked_targets(targets, logits.shape[:-1], classes)
    weights = scored[:, None] / logits.dtype.type(count or max(1, np.count_nonzero(scored)))
    shifted = logits.reshape(len(wanted), -1)
    every = np.empty((comm.size, len(wanted)), logits.dtype)
    comm.Allgather(np.ascontiguousarray(shifted.max(axis=-1)), every)
    shifted = shifted - every.max(axis=0)[:, None]

    local = wanted - first
    inside = scored & (local >= 0) & (local < shifted.shape[1])
    local = local * inside
    probabilities = np.exp(shifted)
    mine = np.stack([probabilities.sum(axis=-1), shifted[np.arange(len(wanted)), local] * inside])
    total = np.empty_like(mine)
    comm.Allreduce(mine, total)
    probabilities /= total[0][:, None]
    loss = ((np.log(total[0]) - total[1]) * weights[:, 0]).sum()
    return loss, ShardedCache(probabilities, local, inside, weights, logits.shape)


def sharded_cross_entropy_backward(dloss: Any, cache: ShardedCache) -> np.ndarray:
    """Gradient of this rank's logits: (..., V / ranks). Nothing needs to be exchanged."""
    probabilities, local, inside, weights, shape = cache
    weights = weights * weights.dtype.type(dloss)
    dlogits = probabilities * weights
    dlogits[np.arange(len(local)), local] -= weights[:, 0] * inside
    return dlogits.reshape(shape)
