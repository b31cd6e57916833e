"""Mistakes in the linear layer and the embedding."""

import numpy as np

from minigpt.check.planted.bug import planted
from minigpt.ops import linear_backward


def weight_gradient_transposed(dy, cache):
    """This is the gradient you get when dweight is dy^T @ x instead of x^T @ dy: it is transposed, which a square
    matrix does not reveal."""
    dx, dweight, *dbias = linear_backward(dy, cache)
    return dx, dweight.T, *dbias


def weight_not_transposed(dy, cache):
    """This is the gradient you get when dx is dy @ weight: the weight must be transposed on the way back."""
    _, dweight, *dbias = linear_backward(dy, cache)
    return dy @ cache.weight, dweight, *dbias


def x_reshaped(dy, cache):
    """This is the gradient you get when x is reshaped to (C, N) for dweight instead of transposed: the shape is right,
    but the numbers are in the wrong places."""
    dx, dweight, *dbias = linear_backward(dy, cache)
    return dx, cache.x.reshape(len(dweight), -1) @ dy.reshape(-1, dy.shape[-1]), *dbias


def weight_averaged(dy, cache):
    """This is the gradient you get when dweight is averaged over the rows: the loss sums over them, and any average
    is already in dy."""
    dx, dweight, *dbias = linear_backward(dy, cache)
    return dx, dweight / (dy.size // dy.shape[-1]), *dbias


def bias_averaged(dy, cache):
    """This is the gradient you get when dbias is the mean of dy over the rows: the bias is added to every row, so its
    gradient is their sum."""
    dx, dweight, _ = linear_backward(dy, cache)
    return dx, dweight, dy.reshape(-1, dy.shape[-1]).mean(axis=0)


def bias_not_summed(dy, cache):
    """This is the gradient you get when dbias is dy itself: the bias was broadcast to every row, so the gradients of
    the rows must be summed."""
    dx, dweight, _ = linear_backward(dy, cache)
    return dx, dweight, dy


def bias_summed_over_batch_only(dy, cache):
    """This is the gradient you get when dy is summed over the batch but one position is taken for all: every axis
    except the last must be summed."""
    dx, dweight, _ = linear_backward(dy, cache)
    return dx, dweight, dy.sum(axis=0)[-1]


def rows_overwritten(dy, cache):
    """This is the gradient you get from dweight[tokens] = dy or dweight[tokens] += dy: where a token occurs twice,
    only its last gradient stays, while all of them must be added."""
    dweight = np.zeros_like(cache.weight)
    dweight[cache.tokens] = dy
    return dweight


def occurrences_averaged(dy, cache):
    """This is the gradient you get when a token's gradients are averaged over its occurrences instead of added."""
    dweight = np.zeros_like(cache.weight)
    np.add.at(dweight, cache.tokens, dy)
    counts = np.bincount(cache.tokens.ravel(), minlength=len(dweight)).astype(dweight.dtype)
    return dweight / np.maximum(counts, 1)[:, None]


def off_by_one_row(dy, cache):
    """This is the gradient you get when every token's gradient goes to the row after its own."""
    dweight = np.zeros_like(cache.weight)
    np.add.at(dweight, (cache.tokens + 1) % len(dweight), dy)
    return dweight


def spread_over_all_rows(dy, cache):
    """This is the gradient you get when rows of tokens that do not occur receive something: they did not take part,
    so their gradient is exactly zero."""
    return np.broadcast_to(dy.reshape(-1, dy.shape[-1]).mean(axis=0), cache.weight.shape).copy()


BUGS = (
    *planted("backward", "linear", "linear, square", weight_gradient_transposed, weight_not_transposed),
    *planted("backward", "linear", "linear", x_reshaped, weight_averaged),
    *planted("backward", "linear", "linear", bias_averaged, bias_not_summed, bias_summed_over_batch_only),
    *planted("backward", "embedding", "embedding", rows_overwritten, occurrences_averaged, off_by_one_row),
    *planted("backward", "embedding", "embedding", spread_over_all_rows),
)
