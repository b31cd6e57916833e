"""The exercises of lesson 16, domain adaptation."""

import numpy as np

from minigpt.grade.exercise import Exercise, Question, larger


def draw_replay(rng: np.random.Generator) -> Question:
    rows = larger(rng, rng.integers(2, 9))
    share = float(rng.choice([0.0, 0.125, 0.25, 0.4, 0.6, 0.75, 1.0]))
    return [rng.integers(0, 50, (rows, 5)), rng.integers(50, 99, (rows, 5)), share], {}


def with_replay(new, old, share):
    replayed = round(share * len(new))
    return np.concatenate([new[: len(new) - replayed], old[:replayed]])


def replay_on_top(new, old, share):
    """Your batch grows: the old rows come on top. They take the place of new ones, so that a step costs the same."""
    return np.concatenate([new, old[: round(share * len(new))]])


def old_instead_of_new(new, old, share):
    """Your share is that of the new text; `share` says how much of the batch is old."""
    return with_replay(new, old, 1 - share)


def old_first(new, old, share):
    """Your old rows come first; the rows of the new text do."""
    replayed = round(share * len(new))
    return np.concatenate([old[:replayed], new[: len(new) - replayed]])


def rounded_down(new, old, share):
    """You round down to whole rows; take the nearest whole number, as `round` does."""
    replayed = int(share * len(new))
    return np.concatenate([new[: len(new) - replayed], old[:replayed]])


def last_new_rows(new, old, share):
    """You keep the last rows of the new text; keep the first."""
    replayed = round(share * len(new))
    return np.concatenate([new[replayed:], old[:replayed]])


def draw_change(rng: np.random.Generator) -> Question:
    rows, columns = larger(rng, rng.integers(3, 7)), int(rng.integers(3, 9))
    sizes = 0.6 ** np.arange(min(rows, columns)) * rng.uniform(0.5, 1.5, min(rows, columns))
    left = np.linalg.qr(rng.standard_normal((rows, rows)))[0][:, : len(sizes)]
    right = np.linalg.qr(rng.standard_normal((columns, columns)))[0][:, : len(sizes)]
    return [left * sizes @ right.T, float(rng.uniform(0.3, 0.97))], {}


def rank_needed(change, share):
    return _first_above(np.linalg.svd(change, compute_uv=False) ** 2, share)


def not_squared(change, share):
    """You add up the singular values; the sum of the squared entries is that of their squares."""
    return _first_above(np.linalg.svd(change, compute_uv=False), share)


def counted_from_zero(change, share):
    """Yours is one too small: the place of a singular value counts from 0, the rank that reaches it from 1."""
    return rank_needed(change, share) - 1


def smallest_first(change, share):
    """You begin with the smallest singular values; the best matrix of a rank keeps the largest."""
    return _first_above(np.sort(np.linalg.svd(change, compute_uv=False)) ** 2, share)


def share_of_the_ranks(change, share):
    """You take that share of the number of singular values; they are not equally large."""
    return int(np.ceil(share * min(change.shape)))


def _first_above(parts, share):
    held = np.cumsum(parts) / parts.sum()
    return int(np.argmax(held >= share)) + 1


EXERCISES = (
    Exercise(
        "low_rank",
        4,
        needs=("low_rank_forward", "low_rank_backward"),
        like=lambda x, down, up, *, scale: None,
    ),
    Exercise.of(
        with_replay,
        points=2,
        draw=draw_replay,
        mistakes=(replay_on_top, old_instead_of_new, old_first, rounded_down, last_new_rows),
    ),
    Exercise.of(
        rank_needed,
        points=3,
        draw=draw_change,
        mistakes=(not_squared, counted_from_zero, smallest_first, share_of_the_ranks),
    ),
)
