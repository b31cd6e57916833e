"""Lesson 04: a norm, a count and a choice."""

import numpy as np


def rms_norm_forward(x, gain, *, epsilon=1e-5):
    """Divide each row by its root mean square, then multiply by the gain.

    x: (..., C); gain: (C,). The root mean square of a row is sqrt(mean(x * x) + epsilon).

    Returns (y, cache): y is (..., C); cache is whatever a backward would need, None will do here.
    """
    # answer
    rms = np.sqrt((x * x).mean(axis=-1, keepdims=True) + epsilon)
    return gain * x / rms, None
    # end of answer


def parameter_count(layers: int, width: int, vocabulary: int, context: int) -> int:
    """How many numbers a GPT-2 has.

    Learnt positions, a feed-forward width of 4 C, biases in every linear layer, layer norms with gain and bias (two in
    each block, one at the end), and a head that is the token embedding itself.

    Returns the count.
    """
    # answer
    attention = 4 * (width * width + width)
    feed_forward = 2 * 4 * width * width + 4 * width + width
    norms = 2 * 2 * width
    return layers * (attention + feed_forward + norms) + (vocabulary + context) * width + 2 * width
    # end of answer


def sample_top_k(logits: np.ndarray, k: int, uniform: float) -> int:
    """Choose one of the k likeliest tokens.

    logits: (V,); k: 1..V; uniform: a number in [0, 1). Keep the k largest logits (where equal ones stand at the
    border, those with lower ids stay), make them probabilities with softmax, and go through the kept ids in increasing
    order: the answer is the first whose cumulative probability is above `uniform`.

    Returns the id.
    """
    # answer
    kept = np.sort(np.argsort(-logits, kind="stable")[:k])
    p = np.exp(logits[kept] - logits[kept].max())
    cumulative = np.cumsum(p / p.sum())
    return int(kept[min(np.searchsorted(cumulative, uniform, side="right"), k - 1)])
    # end of answer
