"""Lesson 12: the gradient of many workers, the ring, and the noise scale."""

import numpy as np


def average_gradients(gradients: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The gradient of the full batch, from those of workers that each took the mean over their own targets.

    gradients: (W, P), row w is the gradient of the mean loss over worker w's targets; zeros if it has none.
    counts: (W,) integers, how many targets each worker has. Their sum is above 0.

    Returns (P,): the gradient of the mean loss over all targets of all workers.
    """
    raise NotImplementedError("write average_gradients")


def ring_chunks(rank: int, ranks: int, step: int) -> tuple[int, int, bool]:
    """What a rank does in one step of the ring, if it runs to the LEFT: rank sends to rank - 1 (mod ranks).

    The vector is cut into as many chunks as there are ranks, numbered from 0. In step 0 every rank sends the chunk
    that has its own number; later it sends the chunk that it received in the step before. step: 0 to 2 * ranks - 3.
    In the first ranks - 1 steps a chunk that comes is added to one's own; in the others it replaces one's own.

    Returns (the chunk that is sent, the chunk that is received, whether it is added).
    """
    raise NotImplementedError("write ring_chunks")


def noise_scale(gradients: np.ndarray, rows: int) -> float:
    """McCandlish's B_simple = tr(Sigma) / |G|^2, in examples, from the gradients of the workers of one step.

    gradients: (W, P), row w is the gradient of worker w's mean loss over its `rows` examples. The small batch is that
    of one worker: take the mean of their squared lengths. The large batch is that of all workers together.

    Returns the estimate of tr(Sigma) divided by the estimate of |G|^2, as in appendix A.1 of arXiv:1812.06162.
    """
    raise NotImplementedError("write noise_scale")
