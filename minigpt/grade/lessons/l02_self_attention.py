"""The exercises of lesson 02, self-attention."""

import numpy as np

from minigpt.grade.exercise import Exercise, Question, larger


def draw_mask(rng: np.random.Generator) -> Question:
    return [larger(rng, rng.integers(2, 7))], {}


def causal_mask(length):
    return np.tri(length, dtype=bool)


def mask_inverted(length):
    """Your mask is inverted: True means "may attend", and a position may not attend to what comes later."""
    return ~causal_mask(length)


def mask_without_diagonal(length):
    """Your mask hides each position from itself; a token may look at itself."""
    return np.tri(length, k=-1, dtype=bool)


def mask_upside_down(length):
    """Your rows are keys and your columns are queries: row t says what the query at t may look at."""
    return causal_mask(length).T


def draw_heads(rng: np.random.Generator) -> Question:
    heads, width = int(rng.integers(2, 5)), int(rng.integers(2, 5))
    return [rng.standard_normal((2, larger(rng, rng.integers(3, 6)), heads * width)), heads], {}


def split_heads(x, heads):
    batch, length, width = x.shape
    return x.reshape(batch, length, heads, width // heads).swapaxes(1, 2)


def reshape_alone(x, heads):
    """A reshape to (B, H, T, D) mixes tokens: cut the width into heads first, then swap the axes."""
    batch, length, width = x.shape
    return x.reshape(batch, heads, length, width // heads)


def interleaved(x, heads):
    """Your heads take every H-th entry of the width; a head is D entries side by side."""
    batch, length, width = x.shape
    return x.reshape(batch, length, width // heads, heads).transpose(0, 3, 1, 2)


EXERCISES = (
    Exercise.of(
        causal_mask, points=2, draw=draw_mask, mistakes=(mask_inverted, mask_without_diagonal, mask_upside_down)
    ),
    Exercise.of(split_heads, points=3, draw=draw_heads, mistakes=(reshape_alone, interleaved)),
    Exercise("attention", 5, functions=("attention_forward",), like=lambda query, key, value, *, mask=None: None),
)
