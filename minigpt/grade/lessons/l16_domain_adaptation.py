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


def rounded_up(new, old, share):
    """You round up to whole rows; take the nearest whole number, as `round` does."""
    return _of_rows(new, old, int(np.ceil(share * len(new))))


def halves_rounded_up(new, old, share):
    """You round halves up; `round` takes them to the even number."""
    return _of_rows(new, old, int(share * len(new) + 0.5))


def none_means_all(new, old, share):
    """Your new[:-replayed] is empty where nothing is replayed; count from the front: new[:len(new) - replayed]."""
    replayed = round(share * len(new))
    return np.concatenate([new[:-replayed], old[:replayed]])


def last_old_rows(new, old, share):
    """You take the last rows of the old text; take the first."""
    replayed = round(share * len(new))
    return np.concatenate([new[: len(new) - replayed], old[len(old) - replayed :]])


def last_old_rows_or_all(new, old, share):
    """Your old[-replayed:] are the last rows, and all of them where nothing is replayed; take the first rows."""
    replayed = round(share * len(new))
    return np.concatenate([new[: len(new) - replayed], old[-replayed:]])


def overwritten_from_the_front(new, old, share):
    """You write old rows over the first new ones; the first new rows stay, and old ones follow."""
    replayed = round(share * len(new))
    return np.concatenate([old[:replayed], new[replayed:]])


def mixed_tokens(new, old, share):
    """You take a share of each row; whole rows are old or new, or no window is a text."""
    replayed = round(share * new.shape[1])
    return np.concatenate([new[:, : new.shape[1] - replayed], old[:, :replayed]], axis=1)


def share_of_the_new(new, old, share):
    """Your share is of the new rows; it is of the whole batch."""
    return _of_rows(new, old, min(len(new), round(share / max(1 - share, 1e-9) * len(new))))


def _of_rows(new, old, replayed):
    return np.concatenate([new[: len(new) - replayed], old[:replayed]])


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


def one_too_many(change, share):
    """Yours is one too large: the rank that reaches the share is enough."""
    return rank_needed(change, share) + 1


def each_by_itself(change, share):
    """You compare each singular value with the share; add them up, the largest first, until the share is reached."""
    squares = np.linalg.svd(change, compute_uv=False) ** 2
    return int(np.sum(squares / squares.sum() >= share))


def against_the_largest(change, share):
    """You count singular values that are not small beside the largest; what counts is the share of the sum."""
    values = np.linalg.svd(change, compute_uv=False)
    return int(np.sum(values >= (1 - share) * values[0]))


def share_of_the_length(change, share):
    """You took the root of the share that is held; the share is of the sum of squares."""
    return _first_above(np.linalg.svd(change, compute_uv=False) ** 2, share**2)


def fourth_powers(change, share):
    """You squared twice: eigenvalues of change @ change.T are squared singular values already."""
    return _first_above(np.linalg.svd(change, compute_uv=False) ** 4, share)


def all_of_it(change, share):
    """This is the rank of the whole change; a smaller one holds the share."""
    return min(change.shape)


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
        mistakes=(
            replay_on_top,
            old_instead_of_new,
            old_first,
            rounded_down,
            rounded_up,
            halves_rounded_up,
            none_means_all,
            last_new_rows,
            last_old_rows,
            last_old_rows_or_all,
            overwritten_from_the_front,
            mixed_tokens,
            share_of_the_new,
        ),
    ),
    Exercise.of(
        rank_needed,
        points=3,
        draw=draw_change,
        mistakes=(
            not_squared,
            counted_from_zero,
            one_too_many,
            smallest_first,
            share_of_the_ranks,
            each_by_itself,
            against_the_largest,
            share_of_the_length,
            fourth_powers,
            all_of_it,
        ),
    ),
)
