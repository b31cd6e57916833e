"""Mistakes in rotary positions."""

import numpy as np

from minigpt.check.planted.bug import planted
from minigpt.ops import rotary_backward, rotary_forward


def turned_forward_again(dy, cache):
    """This is the gradient you get when the backward turns by the same angle: a rotation's transpose turns back."""
    return rotary_forward(dy, cos=cache.cos, sin=cache.sin)[0]


def passed_through(dy, cache):
    """This is the gradient you get when the rotation is skipped on the way back."""
    return dy.copy()


def one_sine_with_the_wrong_sign(dy, cache):
    """This is the gradient you get when both sines have the same sign: in a rotation they differ."""
    a, b = np.split(dy, 2, axis=-1)
    return np.concatenate([a * cache.cos + b * cache.sin, b * cache.cos + a * cache.sin], axis=-1)


def neighbours_paired(dy, cache):
    """This is the gradient you get when neighbours (2i, 2i + 1) are paired on the way back: the forward paired entry
    i with i + D/2."""
    halves = np.concatenate([dy[..., 0::2], dy[..., 1::2]], axis=-1)
    a, b = np.split(rotary_backward(halves, cache), 2, axis=-1)
    return np.stack([a, b], axis=-1).reshape(dy.shape)


def forward_neighbours_paired(x, *, cos, sin):
    """Your rotation pairs neighbours (2i, 2i + 1); here entry i is paired with i + D/2, as in GPT-NeoX and Llama."""
    halves = np.concatenate([x[..., 0::2], x[..., 1::2]], axis=-1)
    a, b = np.split(rotary_forward(halves, cos=cos, sin=sin)[0], 2, axis=-1)
    return np.stack([a, b], axis=-1).reshape(x.shape), None


def forward_turned_backwards(x, *, cos, sin):
    """Your rotation turns the other way: y = (a cos - b sin, b cos + a sin)."""
    return rotary_forward(x, cos=cos, sin=-sin)


BUGS = (
    *planted("backward", "rotary", "rotary", turned_forward_again, passed_through, one_sine_with_the_wrong_sign),
    *planted("backward", "rotary", "rotary", neighbours_paired),
    *planted("forward", "rotary", "rotary", forward_neighbours_paired, forward_turned_backwards),
)
