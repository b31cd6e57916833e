"""The exercises of lesson 07, encoder, decoder, and both."""

import numpy as np

from minigpt.grade.exercise import Exercise, Question, larger


def draw_prefix(rng: np.random.Generator) -> Question:
    length = larger(rng, rng.integers(2, 9))
    return [length, int(rng.integers(0, length + 1))], {}


def prefix_mask(length, prefix):
    positions = np.arange(length)
    return (positions <= positions[:, None]) | (positions < prefix)


def prefix_ignored(length, prefix):
    """This is a causal mask: inside the prefix, earlier tokens see later ones too."""
    return np.tri(length, dtype=bool)


def prefix_to_itself(length, prefix):
    """Inside the prefix it is right, but tokens after it must be causal, and see the prefix and themselves."""
    inside = np.arange(length) < prefix
    return inside & inside[:, None]


def prefix_sees_all(length, prefix):
    """Your prefix sees the whole text, and what is to be written with it; its tokens see each other only."""
    return np.tri(length, dtype=bool) | (np.arange(length) < prefix)[:, None]


def prefix_inverted(length, prefix):
    """Your mask is inverted: True means that a position may be looked at."""
    return ~prefix_mask(length, prefix)


def draw_targets(rng: np.random.Generator) -> Question:
    return [rng.integers(0, 50, (int(rng.integers(1, 4)), larger(rng, rng.integers(2, 7)))), 99], {}


def shift_right(targets, start):
    return np.concatenate([np.full((len(targets), 1), start), targets[:, :-1]], axis=1)


def not_shifted(targets, start):
    """Your decoder sees the very token that it is asked for; at place t it has seen those before t."""
    return np.concatenate([np.full((len(targets), 1), start), targets[:, 1:]], axis=1)


def shift_left(targets, start):
    """You moved the targets to the left: the decoder would see the future."""
    return np.concatenate([targets[:, 1:], np.full((len(targets), 1), start)], axis=1)


def start_dropped(targets, start):
    """You rolled the targets round, so that the decoder begins with the last of them instead of `start`."""
    return np.roll(targets, 1, axis=1)


def draw_crossing(rng: np.random.Generator) -> Question:
    written, read, width, head = (int(n) for n in rng.permutation([3, 4, 5, 6]))
    written, read = larger(rng, written), larger(rng, read)
    present = rng.random(read) < 0.6
    present[rng.integers(read)] = True
    matrices = [rng.standard_normal((width, head)) for _ in range(3)]
    return [rng.standard_normal((written, width)), rng.standard_normal((read, width)), present, *matrices], {}


def cross_attention(x, memory, present, query, key, value, *, divide=True, masked=True):
    scores = (x @ query) @ (memory @ key).T / (np.sqrt(query.shape[1]) if divide else 1)
    scores = np.where(present | (not masked), scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True) @ (memory @ value)


def padding_attended(x, memory, present, query, key, value):
    """You look at the padding too; where `present` is False the weight must be 0."""
    return cross_attention(x, memory, present, query, key, value, masked=False)


def scores_not_divided(x, memory, present, query, key, value):
    """You left 1/sqrt(D) out."""
    return cross_attention(x, memory, present, query, key, value, divide=False)


def looks_at_itself(x, memory, present, query, key, value):
    """You took keys and values from the text being written: that is self-attention; they come from the memory."""
    return cross_attention(x, x, np.ones(len(x), bool), query, key, value)


def padding_zeroed(x, memory, present, query, key, value):
    """You set the scores of the padding to 0, and exp(0) = 1: take them out before the softmax, with -inf."""
    scores = np.where(present, (x @ query) @ (memory @ key).T / np.sqrt(query.shape[1]), 0)
    weights = np.exp(scores)
    return weights / weights.sum(axis=1, keepdims=True) @ (memory @ value)


def padding_not_renormalized(x, memory, present, query, key, value):
    """You set the padding's weights to 0 after the softmax, so the others no longer sum to 1: take the padding out of
    the scores before."""
    scores = (x @ query) @ (memory @ key).T / np.sqrt(query.shape[1])
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True) * present @ (memory @ value)


EXERCISES = (
    Exercise.of(
        prefix_mask,
        points=2,
        draw=draw_prefix,
        mistakes=(prefix_ignored, prefix_to_itself, prefix_sees_all, prefix_inverted),
    ),
    Exercise.of(shift_right, points=2, draw=draw_targets, mistakes=(not_shifted, shift_left, start_dropped)),
    Exercise.of(
        cross_attention,
        points=4,
        draw=draw_crossing,
        mistakes=(
            padding_attended,
            scores_not_divided,
            looks_at_itself,
            padding_zeroed,
            padding_not_renormalized,
        ),
    ),
)
