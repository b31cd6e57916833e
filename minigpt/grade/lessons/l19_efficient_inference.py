"""The exercises of lesson 19, efficient inference."""

import numpy as np

from minigpt.grade.exercise import Exercise, Question, larger


def draw_step(rng: np.random.Generator) -> Question:
    groups, shared, width = int(rng.integers(1, 4)), int(rng.integers(1, 4)), int(rng.integers(2, 6))
    length = larger(rng, rng.integers(0, 6))
    query = rng.standard_normal((groups * shared, width))
    key, value = rng.standard_normal((2, groups, width))
    keys, values = rng.standard_normal((2, groups, length, width))
    return [query, key, 1 + value, keys, 1 + values], {}


def cached_attention(query, key, value, keys, values):
    keys, values = _behind(keys, key), _behind(values, value)
    return _attend(query, keys, values), keys, values


def not_itself(query, key, value, keys, values):
    """Your token does not see itself: append its key and value first, then attend."""
    longer = _behind(keys, key), _behind(values, value)
    return (_attend(query, keys, values) if keys.shape[1] else np.zeros_like(query)), *longer


def not_kept(query, key, value, keys, values):
    """You attend to the new key and value, and give back the old ones: the next token would not find this one."""
    return cached_attention(query, key, value, keys, values)[0], keys, values


def in_front(query, key, value, keys, values):
    """You put the new key and value before the others; they come last, as the token does."""
    keys, values = (np.concatenate([new[:, None], old], axis=1) for new, old in ((key, keys), (value, values)))
    return _attend(query, keys, values), keys, values


def unscaled(query, key, value, keys, values):
    """You did not divide the scores by sqrt(D)."""
    return cached_attention(query * np.sqrt(query.shape[1]), key, value, keys, values)


def divided_by_width(query, key, value, keys, values):
    """You divide the scores by D; it is its root."""
    return cached_attention(query / np.sqrt(query.shape[1]), key, value, keys, values)


def heads_by_turns(query, key, value, keys, values):
    """Your query heads take the key-value heads by turns; those that share one stand side by side."""
    keys, values = _behind(keys, key), _behind(values, value)
    each = np.arange(len(query)) % len(keys)
    return _attend(query, keys[each], values[each]), keys, values


def only_first_head(query, key, value, keys, values):
    """All of your query heads look at key-value head 0; each group of them has its own."""
    keys, values = _behind(keys, key), _behind(values, value)
    return _attend(query, keys[:1], values[:1]), keys, values


def across_heads(query, key, value, keys, values):
    """Your softmax goes over the heads; every head has its own, over the positions."""
    keys, values = _behind(keys, key), _behind(values, value)
    scores = _scores(query, keys)
    weights = np.exp(scores - scores.max(axis=0))
    return _mix(weights / weights.sum(axis=0), values), keys, values


def keys_for_values(query, key, value, keys, values):
    """You take the weighted average of the keys; it is that of the values."""
    keys, values = _behind(keys, key), _behind(values, value)
    return _attend(query, keys, keys), keys, values


def draw_rows(rng: np.random.Generator) -> Question:
    group = int(rng.integers(3, 7))
    rows = rng.standard_normal((larger(rng, rng.integers(1, 4)), group * int(rng.integers(2, 4))))
    rows *= np.exp(rng.standard_normal((len(rows), 1)))
    rows[rng.integers(len(rows)), group:] *= 10
    rows += rng.choice([-0.7, 0.0, 2.0])
    if rng.random() < 0.4:
        rows[-1, :group] = 0.25
    return [rows, int(rng.choice([2, 3, 4, 6])), group], {}


def round_in_groups(rows, bits, group):
    return _rounded(rows.reshape(len(rows), -1, group), 2**bits - 1).reshape(rows.shape)


def scale_of_a_row(rows, bits, group):
    """Your scale is that of a whole row; each group of a row has its own."""
    return _rounded(rows, 2**bits - 1)


def scale_of_the_matrix(rows, bits, group):
    """One scale for the whole matrix; each group of a row has its own."""
    return _rounded(rows.reshape(1, -1), 2**bits - 1).reshape(rows.shape)


def one_step_too_many(rows, bits, group):
    """You divide the range by 2^bits; from 0 to 2^bits - 1 there are 2^bits - 1 steps."""
    return _rounded(rows.reshape(len(rows), -1, group), 2**bits).reshape(rows.shape)


def cut_off(rows, bits, group):
    """You cut the fraction off; take the nearest code."""
    return _rounded(rows.reshape(len(rows), -1, group), 2**bits - 1, np.floor).reshape(rows.shape)


def least_forgotten(rows, bits, group):
    """You did not add the least number of the group again; code 0 stands for that, and not for zero."""
    return (round_in_groups(rows, bits, group) - _least(rows, group)).reshape(rows.shape)


def codes_themselves(rows, bits, group):
    """Those are the codes; what they stand for is wanted."""
    groups = rows.reshape(len(rows), -1, group)
    step = np.ptp(groups, axis=-1, keepdims=True) / (2**bits - 1)
    return np.rint((groups - groups.min(axis=-1, keepdims=True)) / np.where(step == 0, 1, step)).reshape(rows.shape)


def symmetric(rows, bits, group):
    """Your codes lie on both sides of zero; here they go from the least number of a group to its greatest."""
    groups = rows.reshape(len(rows), -1, group)
    step = np.abs(groups).max(axis=-1, keepdims=True) / (2 ** (bits - 1) - 1)
    return (np.rint(groups / step) * step).reshape(rows.shape)


def divided_by_nothing(rows, bits, group):
    """Where all numbers of a group are equal you divide by zero; they stay as they are."""
    rounded = round_in_groups(rows, bits, group)
    flat = np.ptp(rows.reshape(len(rows), -1, group), axis=-1) == 0
    rounded[np.repeat(flat, group, axis=1)] = np.nan
    return rounded


def across_outputs(rows, bits, group):
    """Your groups take every so-manieth number of a row; the numbers of a group follow each other."""
    groups = rows.reshape(len(rows), group, -1).swapaxes(1, 2)
    return _rounded(groups, 2**bits - 1).swapaxes(1, 2).reshape(rows.shape)


def draw_chances(rng: np.random.Generator) -> Question:
    size = larger(rng, rng.integers(2, 6))
    p, q = (rng.dirichlet(np.ones(size)) + 1e-3 for _ in range(2))
    p = np.where(rng.random(size) < 0.2, 0, p)
    p = p if p.any() else np.ones(size)
    if rng.random() < 0.15:
        p = q
    return [p / p.sum(), q / q.sum()], {}


def judge_guesses(p, q):
    return _judged(np.minimum(1, p / q), np.maximum(0, p - q))


def always_accepted(p, q):
    """You write every guess as it is; the text is then the draft's."""
    return np.eye(len(p))


def guess_ignored(p, q):
    """You draw from p whatever the guess was; that is right and saves nothing: keep a guess where it can be kept."""
    return np.tile(p, (len(p), 1))


def drawn_from_p_again(p, q):
    """After a refusal you draw from p; it has had its chance already, so draw from max(0, p - q)."""
    return _judged(np.minimum(1, p / q), p)


def rest_not_divided(p, q):
    """You did not divide max(0, p - q) by its sum: a row must sum to 1."""
    accepted = np.minimum(1, p / q)
    return np.diag(accepted) + np.outer(1 - accepted, np.maximum(0, p - q))


def size_of_difference(p, q):
    """You take the size of p - q; where it is negative, the draft guesses too often as it is, so take 0 there."""
    return _judged(np.minimum(1, p / q), np.abs(p - q))


def other_difference(p, q):
    """You draw from max(0, q - p), which the draft guesses too often; what it guesses too rarely is max(0, p - q)."""
    return _judged(np.minimum(1, p / q), np.maximum(0, q - p))


def accepted_by_p(p, q):
    """You accept with probability p; it is p / q, since the draft has drawn the guess with q already."""
    return _judged(p, np.maximum(0, p - q))


def upside_down(p, q):
    """You accept with q / p; it is p / q."""
    return _judged(np.minimum(1, q / np.where(p == 0, 1e-9, p)), np.maximum(0, p - q))


def rest_of_nothing(p, q):
    """Where p and q are equal you divide max(0, p - q), all zero, by its sum; nothing is refused there."""
    return judge_guesses(p, q) if np.maximum(0, p - q).any() else np.full((len(p), len(p)), np.nan)


def columns_for_rows(p, q):
    """Your columns are the guesses; row x is what is written after guess x."""
    return judge_guesses(p, q).T


def _behind(old, new):
    return np.concatenate([old, new[:, None]], axis=1)


def _scores(query, keys):
    return np.einsum("hd,hsd->hs", query, np.repeat(keys, len(query) // len(keys), axis=0)) / np.sqrt(query.shape[1])


def _mix(weights, values):
    return np.einsum("hs,hsd->hd", weights, np.repeat(values, len(weights) // len(values), axis=0))


def _attend(query, keys, values):
    scores = _scores(query, keys)
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return _mix(weights / weights.sum(axis=1, keepdims=True), values)


def _rounded(groups, steps, whole=np.rint):
    low = groups.min(axis=-1, keepdims=True)
    step = np.ptp(groups, axis=-1, keepdims=True) / steps
    return low + whole((groups - low) / np.where(step == 0, 1, step)) * step


def _least(rows, group):
    return np.repeat(rows.reshape(len(rows), -1, group).min(axis=-1), group, axis=1)


def _judged(accepted, rest):
    rest = rest / rest.sum() if rest.any() else rest
    return np.diag(accepted) + np.outer(1 - accepted, rest)


EXERCISES = (
    Exercise.of(
        cached_attention,
        points=4,
        draw=draw_step,
        mistakes=(
            not_itself,
            not_kept,
            in_front,
            unscaled,
            divided_by_width,
            heads_by_turns,
            only_first_head,
            across_heads,
            keys_for_values,
        ),
    ),
    Exercise.of(
        round_in_groups,
        points=3,
        draw=draw_rows,
        mistakes=(
            scale_of_a_row,
            scale_of_the_matrix,
            one_step_too_many,
            cut_off,
            least_forgotten,
            codes_themselves,
            symmetric,
            divided_by_nothing,
            across_outputs,
        ),
    ),
    Exercise.of(
        judge_guesses,
        points=3,
        draw=draw_chances,
        mistakes=(
            always_accepted,
            guess_ignored,
            drawn_from_p_again,
            rest_not_divided,
            size_of_difference,
            other_difference,
            accepted_by_p,
            upside_down,
            rest_of_nothing,
            columns_for_rows,
        ),
    ),
)
