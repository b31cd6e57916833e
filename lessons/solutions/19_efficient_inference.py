"""Lesson 19: attention with a key-value cache, rounding in groups, and the rule that judges a guess."""

import numpy as np


def cached_attention(
    query: np.ndarray, key: np.ndarray, value: np.ndarray, keys: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Attention of one new token, with the keys and values that are kept of the earlier ones.

    query: (H, D), of the new token. key, value: (G, D), its own, where G divides H: query heads 0 to H / G - 1 share
    key-value head 0, the next H / G share head 1, and so on. keys, values: (G, S, D), of the S earlier tokens, from
    the first on; S may be 0.

    Returns y: (H, D), what each head takes from the values, the new token's among them, with scores divided by
    sqrt(D); then the keys and the values with the new ones behind the others, (G, S + 1, D) each.
    """
    # answer
    keys = np.concatenate([keys, key[:, None]], axis=1)
    values = np.concatenate([values, value[:, None]], axis=1)
    shared = len(query) // len(keys)
    scores = np.einsum("hd,hsd->hs", query, np.repeat(keys, shared, axis=0)) / np.sqrt(
        query.shape[1]
    )
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    return np.einsum("hs,hsd->hd", weights, np.repeat(values, shared, axis=0)), keys, values
    # end of answer


def round_in_groups(rows: np.ndarray, bits: int, group: int) -> np.ndarray:
    """What a matrix becomes when its numbers are stored in few bits.

    rows: (O, I), a row for each output. Each `group` numbers of a row that follow each other have a scale of their own:
    with lo and hi the least and the greatest of them, code q, a whole number from 0 to 2^bits - 1, stands for
    lo + q * (hi - lo) / (2^bits - 1). Every number gets the nearest code. group divides I. Where all numbers of a group
    are equal they stay as they are.

    Returns (O, I): what the codes stand for.
    """
    # answer
    groups = rows.reshape(len(rows), -1, group)
    low = groups.min(axis=-1, keepdims=True)
    step = (groups.max(axis=-1, keepdims=True) - low) / (2**bits - 1)
    codes = np.rint((groups - low) / np.where(step == 0, 1, step))
    return (low + codes * step).reshape(rows.shape)
    # end of answer


def judge_guesses(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """What is written after each guess of a draft, as probabilities.

    p: (V,), the probabilities of the large model. q: (V,), those that the draft drew its guess with, all above 0. The
    guess x is accepted with probability min(1, p[x] / q[x]). If it is not, the token is drawn from max(0, p - q),
    divided by its sum. Where p and q are equal, every guess is accepted.

    Returns (V, V): row x holds the probability of every token, given that the guess was x. So q @ answer is p.
    """
    # answer
    accepted = np.minimum(1, p / q)
    rest = np.maximum(0, p - q)
    rest = rest / rest.sum() if rest.any() else rest
    return np.diag(accepted) + np.outer(1 - accepted, rest)
    # end of answer
