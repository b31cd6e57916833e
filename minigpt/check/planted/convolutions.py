"""Mistakes in convolutions, in one dimension and in two."""

import numpy as np

from minigpt.check.planted.bug import planted
from minigpt.ops import convolution_1d_forward, convolution_2d_backward, convolution_2d_forward


def _right(dy, cache):
    """The gradients of x and weight, and of the bias in a list, if there is one."""
    dx, dweight, *dbias = convolution_2d_backward(dy, cache)  # the one in one dimension does the same
    return dx, dweight, dbias


def _forward(x, weight, bias=None, **options):
    return (convolution_1d_forward if x.ndim == 3 else convolution_2d_forward)(x, weight, bias, **options)


def _turned(kernel):
    """The kernel back to front, along each of its axes."""
    return np.flip(kernel, tuple(range(2, kernel.ndim)))


def _dpadded(dy, cache):
    """The gradient of the padded x."""
    size = tuple(n + 2 * p for n, p in zip(cache.size, cache.padding, strict=True))
    return convolution_2d_backward(dy, cache._replace(size=size, padding=(0,) * len(size)))[0]


def kernel_turned_for_x(dy, cache):
    """This is the gradient you get when the kernel is laid back to front over dx: each window gives its gradient back
    to the very numbers it read."""
    _, dweight, dbias = _right(dy, cache)
    return convolution_2d_backward(dy, cache._replace(weight=_turned(cache.weight)))[0], dweight, *dbias


def weight_gradient_turned(dy, cache):
    """This is the gradient you get when dweight is back to front, as for a true convolution: here the kernel was not
    turned in the forward pass (a cross-correlation)."""
    dx, dweight, dbias = _right(dy, cache)
    return dx, _turned(dweight).copy(), *dbias


def stride_forgotten(dy, cache):
    """This is the gradient you get when the stride is forgotten on the way back, as if neighbouring outputs had seen
    neighbouring windows."""
    _, dweight, dbias = _right(dy, cache)
    return convolution_2d_backward(dy, cache._replace(stride=(1,) * len(cache.stride)))[0], dweight, *dbias


def padding_cut_off_at_the_end(dy, cache):
    """This is the gradient you get when all padding is cut off at the end of dx: half of it lies before the
    beginning."""
    _, dweight, dbias = _right(dy, cache)
    return _dpadded(dy, cache)[:, :, *map(slice, cache.size)], dweight, *dbias


def windows_overwritten(dy, cache):
    """This is the gradient you get when each window writes its gradient over its neighbours': where windows overlap,
    x takes part in several outputs and the gradients are added."""
    _, dweight, dbias = _right(dy, cache)
    dx = np.zeros((*cache.windows.shape[:2], *cache.size), dy.dtype)
    for place in np.ndindex(*dy.shape[2:]):
        window = (slice(p * s, p * s + k) for p, s, k in zip(place, cache.stride, cache.weight.shape[2:], strict=True))
        dx[:, :, *window] = np.tensordot(dy[:, :, *place], cache.weight, 1)
    return dx, dweight, *dbias


def overlaps_averaged(dy, cache):
    """This is the gradient you get when a number under several windows is given the mean of their gradients: they are
    added."""
    dx, dweight, dbias = _right(dy, cache)
    ones = cache._replace(weight=np.ones_like(cache.weight[:1]))
    count = convolution_2d_backward(np.ones_like(dy[:, :1]), ones)[0]  # how many windows lie over each number
    return dx / np.maximum(count, 1), dweight, *dbias


def bias_averaged(dy, cache):
    """This is the gradient you get when dbias is the mean of dy over batch and places: the bias is added at every
    place, so its gradient is their sum."""
    dx, dweight, (dbias,) = _right(dy, cache)
    return dx, dweight, dbias * dy.shape[1] / dy.size


def bias_of_one_place(dy, cache):
    """This is the gradient you get when dbias is summed over the batch at one place only: the bias is added at every
    place."""
    dx, dweight, (_,) = _right(dy, cache)
    return dx, dweight, dy[(..., *(0,) * (dy.ndim - 2))].sum(axis=0)


def weight_averaged(dy, cache):
    """This is the gradient you get when dweight is averaged over the windows: one kernel lies at all of them, so it
    collects from each."""
    dx, dweight, dbias = _right(dy, cache)
    return dx, dweight * dy.shape[1] / dy.size, *dbias


def filters_and_channels_exchanged(dy, cache):
    """This is the gradient you get when the first two axes of dweight are exchanged: they are filters and channels,
    (F, C, ...), which F = C hides."""
    dx, dweight, dbias = _right(dy, cache)
    return dx, dweight.swapaxes(0, 1), *dbias


def kernel_axes_exchanged(dy, cache):
    """This is the gradient you get when height and width of the kernel are exchanged in dweight, which a square kernel
    hides."""
    dx, dweight, dbias = _right(dy, cache)
    return dx, dweight.swapaxes(2, 3), *dbias


def forward_kernel_turned(x, weight, bias=None, *, stride=1, padding=0):
    """Your kernel is turned back to front, as in mathematics; the field's convolution leaves it as it is."""
    return _forward(x, _turned(weight), bias, stride=stride, padding=padding)


def forward_edges_repeated(x, weight, bias=None, *, stride=1, padding=0):
    """Your padding repeats the edge; here it is zeros."""
    around = ((0, 0), (0, 0), *[(padding, padding)] * (x.ndim - 2))
    return _forward(np.pad(x, around, mode="edge"), weight, bias, stride=stride)


def forward_padded_at_the_end(x, weight, bias=None, *, stride=1, padding=0):
    """Your padding lies at the end only; half of it belongs before the beginning."""
    return _forward(np.pad(x, ((0, 0), (0, 0), *[(0, 2 * padding)] * (x.ndim - 2))), weight, bias, stride=stride)


def forward_rest_at_the_beginning(x, weight, bias=None, *, stride=1, padding=0):
    """Your last window touches the end of x; the first one touches its beginning, and what is left over is at the
    end."""
    backwards = tuple(range(2, x.ndim))
    y, _ = _forward(np.flip(x, backwards), _turned(weight), bias, stride=stride, padding=padding)
    return np.flip(y, backwards), None


def forward_kernel_axes_exchanged(x, weight, bias=None, *, stride=1, padding=0):
    """Your kernel's height lies along the width; weight is (F, C, K, L), height before width, as x is."""
    return _forward(x, weight.swapaxes(2, 3), bias, stride=stride, padding=padding)


def _both(operation: str):
    """What goes wrong in one dimension as well as in two."""
    padded = f"{operation}, stride 2, padded"
    square = f"{operation}, square"
    return (
        *planted("backward", operation, operation, kernel_turned_for_x, weight_gradient_turned, windows_overwritten),
        *planted("backward", operation, operation, overlaps_averaged, bias_averaged, bias_of_one_place),
        *planted("backward", operation, operation, weight_averaged),
        *planted("backward", operation, padded, stride_forgotten, padding_cut_off_at_the_end),
        *planted("backward", operation, square, filters_and_channels_exchanged),
        *planted("forward", operation, operation, forward_kernel_turned),
        *planted("forward", operation, padded, forward_edges_repeated, forward_padded_at_the_end),
    )


BUGS = (
    *_both("convolution_1d"),
    *_both("convolution_2d"),
    *planted("forward", "convolution_1d", "convolution_1d, stride 3, a rest", forward_rest_at_the_beginning),
    *planted("forward", "convolution_2d", "convolution_2d, patches, a rest", forward_rest_at_the_beginning),
    *planted("backward", "convolution_2d", "convolution_2d, square", kernel_axes_exchanged),
    *planted("forward", "convolution_2d", "convolution_2d, square", forward_kernel_axes_exchanged),
)
