"""The exercises of lesson 12, data parallelism."""

import numpy as np

from minigpt.grade.exercise import Exercise, Question, larger


def draw_workers(rng: np.random.Generator) -> Question:
    workers = larger(rng, rng.integers(2, 6))
    counts = rng.integers(0, 9, workers)
    counts[rng.integers(workers)] = 9
    return [rng.standard_normal((workers, 4)) * (counts > 0)[:, None], counts], {}


def average_gradients(gradients, counts):
    return (gradients * counts[:, None]).sum(axis=0) / counts.sum()


def mean_of_means(gradients, counts):
    """You took the plain mean over workers: a target then weighs more if its worker has few."""
    return gradients.mean(axis=0)


def sum_of_means(gradients, counts):
    """You summed the workers' gradients; each has been divided by its own count, so this is too long by about W."""
    return gradients.sum(axis=0)


def not_divided(gradients, counts):
    """You multiplied by the counts, but did not divide by the count of all: this is a sum's gradient."""
    return (gradients * counts[:, None]).sum(axis=0)


def divided_by_workers(gradients, counts):
    """You multiplied by the counts and divided by the number of workers; divide by the number of all targets."""
    return (gradients * counts[:, None]).mean(axis=0)


def draw_ring(rng: np.random.Generator) -> Question:
    ranks = larger(rng, rng.integers(3, 9))
    return [int(rng.integers(ranks)), ranks, int(rng.integers(2 * (ranks - 1)))], {}


def ring_chunks(rank, ranks, step):
    sent = rank + step
    return sent % ranks, (sent + 1) % ranks, step < ranks - 1


def to_the_right(rank, ranks, step):
    """Yours is the lesson's ring, which sends to the right; here every rank sends to its left neighbour."""
    sent = rank - step
    return sent % ranks, (sent - 1) % ranks, step < ranks - 1


def comes_from_the_left(rank, ranks, step):
    """You send the right chunk, but what comes is wrong: it is what your *right* neighbour sends in this step."""
    sent, _, adds = ring_chunks(rank, ranks, step)
    return sent, (sent - 1) % ranks, adds


def always_the_first(rank, ranks, step):
    """Your rank sends the same chunk in every step; it must pass on what it received in the step before."""
    return rank % ranks, (rank + 1) % ranks, step < ranks - 1


def adds_once_more(rank, ranks, step):
    """You add in one step too many: after ranks - 1 steps a chunk is complete, and replaces what others have."""
    sent, received, _ = ring_chunks(rank, ranks, step)
    return sent, received, step < ranks


def draw_noise(rng: np.random.Generator) -> Question:
    workers = larger(rng, rng.integers(2, 7))
    return [1 + rng.random(5) + 0.7 * rng.standard_normal((workers, 5)), int(rng.integers(2, 9))], {}


def noise_scale(gradients, rows):
    few = float(np.mean(np.sum(gradients * gradients, axis=1)))
    mean = gradients.mean(axis=0)
    return _noise_scale(few, float(mean @ mean), rows, rows * len(gradients))


def noise_inverted(gradients, rows):
    """You divided the signal by the noise; the noise scale is tr(Sigma) / |G|^2."""
    return 1 / noise_scale(gradients, rows)


def squared_sum(gradients, rows):
    """Your large gradient is the sum over workers; that of the large batch is their mean."""
    few = float(np.mean(np.sum(gradients * gradients, axis=1)))
    total = gradients.sum(axis=0)
    return _noise_scale(few, float(total @ total), rows, rows * len(gradients))


def noise_left_in(gradients, rows):
    """You took the squared length of the mean gradient for |G|^2; it still holds the noise of the large batch."""
    few = float(np.mean(np.sum(gradients * gradients, axis=1)))
    mean = gradients.mean(axis=0)
    many = float(mean @ mean)
    return (few - many) / (1 / rows - 1 / (rows * len(gradients))) / many


def in_workers(gradients, rows):
    """Your answer counts workers; a worker has `rows` examples, and the noise scale is in examples."""
    return noise_scale(gradients, rows) / rows


def _noise_scale(few, many, small, large):
    """few, many: mean squared lengths of the gradients of `small` and of `large` examples."""
    signal = (large * many - small * few) / (large - small)
    noise = (few - many) / (1 / small - 1 / large)
    return noise / signal


EXERCISES = (
    Exercise.of(
        average_gradients,
        points=3,
        draw=draw_workers,
        mistakes=(mean_of_means, sum_of_means, not_divided, divided_by_workers),
    ),
    Exercise.of(
        ring_chunks,
        points=3,
        draw=draw_ring,
        mistakes=(to_the_right, comes_from_the_left, always_the_first, adds_once_more),
    ),
    Exercise.of(
        noise_scale, points=3, draw=draw_noise, mistakes=(noise_inverted, squared_sum, noise_left_in, in_workers)
    ),
)
