"""Lesson 18: what a window shows, attention in one pass, and rotary frequencies for longer texts."""

import numpy as np


def window_mask(length: int, window: int, sinks: int) -> np.ndarray:
    """Who may look at whom in a decoder with a sliding window and sinks.

    length: T, of the text. window: how many positions one sees at most, itself and those just before it. sinks: the
    first so many positions of the text are seen by all that come after them, however far away.

    Returns (T, T) booleans, a row for each position that looks and a column for each that is looked at: True = may be
    seen. Nobody sees what comes later, sink or not.
    """
    # answer
    place = np.arange(length)
    distance = place[:, None] - place
    return (distance >= 0) & ((distance < window) | (place < sinks))
    # end of answer


def attention_in_one_pass(
    query: np.ndarray, key: np.ndarray, value: np.ndarray, columns: int
) -> np.ndarray:
    """Attention that meets the keys a few at a time and never holds a whole row of scores.

    query: (T, D); key, value: (S, D). Every query sees every key. The score of a query and a key is their product
    divided by sqrt(D). columns: how many keys are met at a time; the last time it may be fewer. Scores may be in the
    thousands, so what is exponentiated must never be above zero.

    Returns (T, D): softmax(scores) @ value. Three things are carried along for each query: the largest score so far,
    the sum of exp(score - largest), and the sum of the values with these weights. Where a larger score turns up, what
    was summed before shrinks.
    """
    # answer
    largest = np.full((len(query), 1), -np.inf)
    total = np.zeros((len(query), 1))
    summed = np.zeros_like(query, dtype=float)
    for start in range(0, len(key), columns):
        some = slice(start, start + columns)
        scores = query @ key[some].T / np.sqrt(query.shape[1])
        higher = np.maximum(largest, scores.max(axis=1, keepdims=True))
        shrink, weights = np.exp(largest - higher), np.exp(scores - higher)
        total = total * shrink + weights.sum(axis=1, keepdims=True)
        summed = summed * shrink + weights @ value[some]
        largest = higher
    return summed / total
    # end of answer


def stretched_frequencies(
    frequencies: np.ndarray, factor: float, original: int, low: float, high: float
) -> np.ndarray:
    """Rotary frequencies for texts that are `factor` times as long as those of training.

    frequencies: (N,), the angle in radians by which each pair turns from one position to the next. original: positions
    in a text of training. A pair makes original * frequency / (2 pi) turns within such a text. If it makes `high` turns
    or more, its frequency stays; if it makes `low` or fewer, it is divided by the factor. In between, the share that
    stays grows in a straight line from 0 at `low` to 1 at `high`, and the rest is divided.

    Returns (N,): the new frequencies.
    """
    # answer
    turns = original * frequencies / (2 * np.pi)
    stays = np.clip((turns - low) / (high - low), 0, 1)
    return stays * frequencies + (1 - stays) * frequencies / factor
    # end of answer
