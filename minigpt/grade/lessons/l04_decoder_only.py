"""The exercises of lesson 04, decoder-only."""

import numpy as np

from minigpt.grade.exercise import Exercise, Question, larger


def draw_sizes(rng: np.random.Generator) -> Question:
    return [int(size) for size in rng.integers(1, 30, 4)], {}


def parameter_count(layers, width, vocabulary, context):
    block = 12 * width * width + 13 * width
    return layers * block + (vocabulary + context) * width + 2 * width


def without_biases(layers, width, vocabulary, context):
    """You left the biases and gains out: 13 C in each block and 2 C at the end."""
    return layers * 12 * width * width + (vocabulary + context) * width


def without_last_norm(layers, width, vocabulary, context):
    """You left out the norm after the last block: its gain and bias are 2 C."""
    return parameter_count(layers, width, vocabulary, context) - 2 * width


def head_not_tied(layers, width, vocabulary, context):
    """You counted the head's matrix: it is the token embedding itself."""
    return parameter_count(layers, width, vocabulary, context) + vocabulary * width


def draw_sampling(rng: np.random.Generator) -> Question:
    size = larger(rng, rng.integers(3, 9))
    logits = rng.integers(-3, 3, size) * 0.7
    return [logits, int(rng.integers(1, size + 1)), float(rng.random())], {}


def sample_top_k(logits, k, uniform):
    kept = np.sort(np.argsort(-logits, kind="stable")[:k])
    p = np.exp(logits[kept] - logits[kept].max())
    cumulative = np.cumsum(p / p.sum())
    return int(kept[min(np.searchsorted(cumulative, uniform, side="right"), k - 1)])


def by_likelihood(logits, k, uniform):
    """You go through the tokens from the likeliest on; the rule here is increasing ids."""
    kept = np.argsort(-logits, kind="stable")[:k]
    p = np.exp(logits[kept] - logits[kept].max())
    return int(kept[min(np.searchsorted(np.cumsum(p / p.sum()), uniform, side="right"), k - 1)])


def not_renormalized(logits, k, uniform):
    """You divide by the sum over all tokens; after the cut, the k that stay must sum to 1."""
    kept = np.sort(np.argsort(-logits, kind="stable")[:k])
    p = np.exp(logits - logits.max())
    return int(kept[min(np.searchsorted(np.cumsum((p / p.sum())[kept]), uniform, side="right"), k - 1)])


def later_of_equals(logits, k, uniform):
    """Of equal logits at the border you keep those with the higher ids; those with lower ids stay."""
    kept = np.sort(np.argsort(logits, kind="stable")[-k:])
    p = np.exp(logits[kept] - logits[kept].max())
    return int(kept[min(np.searchsorted(np.cumsum(p / p.sum()), uniform, side="right"), k - 1)])


EXERCISES = (
    Exercise.of(
        parameter_count, points=3, draw=draw_sizes, mistakes=(without_biases, without_last_norm, head_not_tied)
    ),
    Exercise.of(
        sample_top_k, points=4, draw=draw_sampling, mistakes=(by_likelihood, not_renormalized, later_of_equals)
    ),
    Exercise("rms_norm", 3, needs=("rms_norm_forward",), like=lambda x, gain, *, epsilon=1e-5: None),
)
