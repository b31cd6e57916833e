"""The exercises of lesson 01, from text to tokens."""

import math
from collections import Counter
from itertools import pairwise

import numpy as np

from minigpt.grade.exercise import Exercise, Question, larger


def draw_ids(rng: np.random.Generator) -> Question:
    return [rng.integers(0, 3, larger(rng, rng.integers(0, 14))).tolist()], {}


def count_pairs(ids):
    return dict(Counter(pairwise(ids)))


def without_overlap(ids):
    """Pairs may overlap: in 5 5 5 the pair (5, 5) occurs twice."""
    return dict(Counter(zip(ids[::2], ids[1::2], strict=False)))


def draw_merge(rng: np.random.Generator) -> Question:
    return [rng.integers(0, 3, larger(rng, rng.integers(0, 14))).tolist(), tuple(rng.integers(0, 3, 2).tolist()), 7], {}


def merge_pair(ids, pair, new):
    merged, i = [], 0
    while i < len(ids):
        if tuple(ids[i : i + 2]) == tuple(pair):
            merged.append(new)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged


def merges_twice(ids, pair, new):
    """You use a token that is already part of a merge again: from the left, 5 5 5 becomes new 5."""
    merged = []
    for left, right in zip(ids, [*ids[1:], None], strict=False):
        merged.append(new if (left, right) == tuple(pair) else left)
    return merged


def draw_windows(rng: np.random.Generator) -> Question:
    return [rng.integers(0, 99, larger(rng, 30)), rng.integers(0, 22, larger(rng, 4)), 7], {}


def next_token_batch(tokens, starts, length):
    windows = np.stack([tokens[start : start + length + 1] for start in starts])
    return windows[:, :-1], windows[:, 1:]


def targets_not_moved(tokens, starts, length):
    """Your targets are the inputs themselves; the target of a position is the token after it."""
    inputs, _ = next_token_batch(tokens, starts, length)
    return inputs, inputs


def targets_behind(tokens, starts, length):
    """Your targets are moved the wrong way: the model would be asked for the token before."""
    windows = np.stack([tokens[start : start + length + 1] for start in starts])
    return windows[:, 1:], windows[:, :-1]


def targets_rolled(tokens, starts, length):
    """Your last target is the window's first token, as np.roll gives it; what comes after the window is asked for."""
    inputs, _ = next_token_batch(tokens, starts, length)
    return inputs, np.roll(inputs, -1, axis=1)


def draw_loss(rng: np.random.Generator) -> Question:
    return [float(rng.uniform(0.5, 6)), int(rng.integers(10, 99)), int(rng.integers(100, 400))], {}


def bits_per_byte(nats_per_token, tokens, size):
    return nats_per_token / math.log(2) * tokens / size


def in_nats(nats_per_token, tokens, size):
    """Your answer is in nats; a bit is log(2) = 0.693 nats."""
    return nats_per_token * tokens / size


def times_log2(nats_per_token, tokens, size):
    """You multiplied by log(2); nats become bits by dividing by it."""
    return nats_per_token * math.log(2) * tokens / size


def bytes_per_token(nats_per_token, tokens, size):
    """You divided by tokens and multiplied by bytes: it is tokens over bytes."""
    return nats_per_token / math.log(2) * size / tokens


EXERCISES = (
    Exercise.of(count_pairs, points=2, draw=draw_ids, mistakes=(without_overlap,)),
    Exercise.of(merge_pair, points=3, draw=draw_merge, mistakes=(merges_twice,)),
    Exercise.of(
        next_token_batch, points=3, draw=draw_windows, mistakes=(targets_not_moved, targets_behind, targets_rolled)
    ),
    Exercise.of(bits_per_byte, points=2, draw=draw_loss, mistakes=(in_nats, times_log2, bytes_per_token)),
)
