"""Lesson 01: merges, windows and bits."""

import math
from itertools import pairwise

import numpy as np


def count_pairs(ids: list[int]) -> dict[tuple[int, int], int]:
    """How often each pair of neighbours occurs.

    ids: token ids. Pairs overlap: in 5 5 5 the pair (5, 5) occurs twice.

    Returns a dictionary from pair to count, with the pairs that occur.
    """
    # answer
    counts: dict[tuple[int, int], int] = {}
    for pair in pairwise(ids):
        counts[pair] = counts.get(pair, 0) + 1
    return counts
    # end of answer


def merge_pair(ids: list[int], pair: tuple[int, int], new: int) -> list[int]:
    """Replace every occurrence of a pair by a new token.

    ids: token ids; pair: two ids; new: the id of the merged token. Go from the left; an id that has been merged is not
    merged again: 5 5 5 with the pair (5, 5) becomes new 5.

    Returns a new list.
    """
    # answer
    merged, i = [], 0
    while i < len(ids):
        if tuple(ids[i : i + 2]) == tuple(pair):
            merged.append(new)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged
    # end of answer


def next_token_batch(
    tokens: np.ndarray, starts: np.ndarray, length: int
) -> tuple[np.ndarray, np.ndarray]:
    """Windows of a text, and for each position the token that comes next.

    tokens: (N,) integers; starts: (B,) integers, where each window begins; length: T.

    Returns (inputs, targets), (B, T) each: inputs[b] is tokens[starts[b]] and the T - 1 after it; targets[b, t] is the
    token after inputs[b, t].
    """
    # answer
    places = starts[:, None] + np.arange(length)
    return tokens[places], tokens[places + 1]
    # end of answer


def bits_per_byte(nats_per_token: float, tokens: int, size: int) -> float:
    """A loss in a unit that does not depend on how the text was cut into tokens.

    nats_per_token: the mean loss; tokens: how many tokens were scored; size: how many bytes they spell.

    Returns bits per byte of text.
    """
    # answer
    return nats_per_token / math.log(2) * tokens / size
    # end of answer
