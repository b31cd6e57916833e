"""Mistakes in the low-rank product."""

import numpy as np

from minigpt.check.planted.bug import planted
from minigpt.ops import low_rank_backward


def scale_forgotten(dy, cache):
    """This is the gradient you get when the scale is forgotten on the way back: y was multiplied by it, so every
    gradient is."""
    return tuple(gradient / cache.scale for gradient in low_rank_backward(dy, cache))


def scale_in_up_alone(dy, cache):
    """This is the gradient you get when dy @ up^T is not multiplied by the scale: y is, so dx and ddown are as well as
    dup."""
    dx, ddown, dup = low_rank_backward(dy, cache)
    return dx / cache.scale, ddown / cache.scale, dup


def scale_missing_in_up(dy, cache):
    """This is the gradient you get when dup is (x @ down)^T dy without the scale, by which y was multiplied."""
    dx, ddown, dup = low_rank_backward(dy, cache)
    return dx, ddown, dup / cache.scale


def scale_twice_in_up(dy, cache):
    """This is the gradient you get when dup is multiplied by a scale that x @ down has in it already."""
    dx, ddown, dup = low_rank_backward(dy, cache)
    return dx, ddown, dup * cache.scale


def down_and_up_exchanged(dy, cache):
    """This is the gradient you get when the gradients of down and up are returned in each other's place, transposed so
    that the shapes fit."""
    dx, ddown, dup = low_rank_backward(dy, cache)
    return dx, dup.T, ddown.T


def matrices_not_transposed(dy, cache):
    """This is the gradient you get when dx is dy @ down @ up: on the way back dy meets up first, and both are
    transposed."""
    _, ddown, dup = low_rank_backward(dy, cache)
    return dy @ cache.down @ cache.up * cache.scale, ddown, dup


def down_from_its_own_product(dy, cache):
    """This is the gradient you get when ddown is x^T times x @ down, what down gave, where dy @ up^T, what it should
    have given more of, is meant."""
    dx, _, dup = low_rank_backward(dy, cache)
    return dx, cache.x.reshape(-1, len(cache.down)).T @ cache.narrow, dup


def path_to_x_left_out(dy, cache):
    """This is the gradient you get when nothing goes back to x through the two matrices, as if only they depended on
    it: the layers below see y too."""
    dx, ddown, dup = low_rank_backward(dy, cache)
    return np.zeros_like(dx), ddown, dup


def matrices_averaged(dy, cache):
    """This is the gradient you get when ddown and dup are averaged over the rows: the loss sums over them, and any
    average is already in dy."""
    dx, ddown, dup = low_rank_backward(dy, cache)
    return dx, ddown / len(cache.narrow), dup / len(cache.narrow)


def forward_scale_left_out(x, down, up, *, scale):
    """Your y is not multiplied by the scale: it is scale * (x @ down) @ up."""
    return x @ down @ up, None


def forward_divided_by_the_rank(x, down, up, *, scale):
    """Your y is divided by the rank once more: scale is alpha / r already, as the paper has it."""
    return scale / down.shape[1] * (x @ down @ up), None


BUGS = (
    *planted("backward", "low_rank", "low_rank", scale_forgotten, scale_twice_in_up, down_from_its_own_product),
    *planted("backward", "low_rank", "low_rank", scale_in_up_alone, scale_missing_in_up),
    *planted("backward", "low_rank", "low_rank", path_to_x_left_out, matrices_averaged),
    *planted("backward", "low_rank", "low_rank, square", down_and_up_exchanged, matrices_not_transposed),
    *planted("forward", "low_rank", "low_rank", forward_scale_left_out, forward_divided_by_the_rank),
)
