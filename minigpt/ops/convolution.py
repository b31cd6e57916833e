"""Convolution: one small kernel is laid over every place of a sound or an image, and multiplied with what is there.

LeCun et al. (1989), "Backpropagation Applied to Handwritten Zip Code Recognition". The kernel is not turned round: what
the field calls a convolution is, in the words of mathematics, a cross-correlation. Image patches are convolutions whose
stride is the kernel's size (Dosovitskiy et al. 2020, arXiv:2010.11929, section 3.1); Whisper listens through two
(Radford et al. 2022, arXiv:2212.04356, section 2.2).

Both pairs are one computation. Letters: C channels, F filters, Y and X height and width, K and L those of the kernel.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from minigpt.errors import UserError

Numbers = int | Sequence[int]  # one for all axes, or one for each


class ConvolutionCache(NamedTuple):
    windows: np.ndarray  # (B, C, Y', X', K, L)  a view of the padded x, so a number under many windows is kept once
    weight: np.ndarray  # (F, C, K, L)
    size: tuple[int, ...]  # Y, X
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    has_bias: bool


def convolution_1d_forward(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None, *, stride: Numbers = 1, padding: Numbers = 0
) -> tuple[np.ndarray, ConvolutionCache]:
    """y_ft = bias_f + sum over c and k of weight_fck * x_c(t * stride + k), where x has `padding` zeros at each end.

    x: (B, C, T); weight: (F, C, K); bias: (F,) or None. Returns y: (B, F, T'), T' = (T + 2 padding - K) // stride + 1,
    and the cache for `convolution_1d_backward`. The memory of y runs along F, so y.swapaxes(1, 2) is contiguous.
    `UserError` if the shapes do not fit, the kernel is longer than the padded x, stride < 1 or padding < 0.
    """
    return _forward(1, x, weight, bias, stride, padding)


def convolution_1d_backward(dy: np.ndarray, cache: ConvolutionCache) -> tuple[np.ndarray, ...]:
    """Gradients of x, weight and (if there was one) bias: (B, C, T), (F, C, K), (F,).

    With w_tck = x_c(t * stride + k), what lies under the window at t:  dweight = dy^T @ w,  dw = dy @ weight, and each
    x collects from every window over it. A number that no window sees has gradient exactly 0.
    """
    return _backward(dy, cache)


def convolution_2d_forward(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None, *, stride: Numbers = 1, padding: Numbers = 0
) -> tuple[np.ndarray, ConvolutionCache]:
    """y_fyx = bias_f + sum over c, k, l of weight_fckl * x_c(y * stride + k, x * stride + l), and zeros around x.

    x: (B, C, Y, X), height before width; weight: (F, C, K, L); bias: (F,) or None; stride, padding: for both axes, or
    a pair; `padding` zeros stand at each end of an axis. Returns y: (B, F, Y', X'), Y' = (Y + 2 padding - K) // stride
    + 1, and the cache for `convolution_2d_backward`. The memory of y runs along F.
    `UserError` if the shapes do not fit, the kernel is larger than the padded x, stride < 1 or padding < 0.
    """
    return _forward(2, x, weight, bias, stride, padding)


def convolution_2d_backward(dy: np.ndarray, cache: ConvolutionCache, *, need_dx: bool = True) -> tuple[np.ndarray, ...]:
    """Gradients of x, weight and (if there was one) bias: (B, C, Y, X), (F, C, K, L), (F,).

    As in one dimension: dweight sums dy * x over all windows, and each x collects dy * weight from every window over
    it. A number that no window sees has gradient exactly 0. need_dx: False leaves that of x out of the work, where x is
    what was given and nobody learns from it; it is then empty.
    """
    return _backward(dy, cache, need_dx)


def _forward(
    axes: int, x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, stride: Numbers, padding: Numbers
) -> tuple[np.ndarray, ConvolutionCache]:
    """axes: 1 or 2, how many axes the kernel moves along."""
    _check_shapes(axes, x, weight, bias)
    size, kernel = x.shape[2:], weight.shape[2:]
    stride = _each_axis("stride", stride, axes, least=1)
    padding = _each_axis("padding", padding, axes, least=0)
    if any(k > n + 2 * p for k, n, p in zip(kernel, size, padding, strict=True)):
        raise UserError(f"the kernel {kernel} is larger than x {size} with padding {padding}; pad more or shrink it")
    padded = np.pad(x, ((0, 0), (0, 0), *((p, p) for p in padding))) if any(padding) else x
    space = tuple(range(2, 2 + axes))  # the axes Y, X of x, and K, L of weight
    windows = sliding_window_view(padded, kernel, axis=space)[:, :, *(slice(None, None, s) for s in stride)]
    under = tuple(range(2 + axes, 2 + 2 * axes))  # the axes K, L of windows
    y = np.tensordot(windows, weight, ((1, *under), (1, *space)))  # (B, Y', X', F), one matrix product
    if bias is not None:
        y += bias
    return np.moveaxis(y, -1, 1), ConvolutionCache(windows, weight, size, stride, padding, bias is not None)


def _backward(dy: np.ndarray, cache: ConvolutionCache, need_dx: bool = True) -> tuple[np.ndarray, ...]:
    windows, has_bias = cache.windows, cache.has_bias
    places = (0, *range(2, dy.ndim))  # the axes B, Y', X', which dweight and dbias sum over
    dweight = np.tensordot(dy, windows, (places, places))  # (F, C, K, L)
    dx = _back_to_x(dy, cache) if need_dx else np.empty(0, dy.dtype)
    return (dx, dweight, dy.sum(axis=places)) if has_bias else (dx, dweight)


def _back_to_x(dy: np.ndarray, cache: ConvolutionCache) -> np.ndarray:
    windows, weight, size, stride, padding, _ = cache
    dwindows = np.tensordot(weight, dy, (0, 1))  # (C, K, L, B, Y', X')
    ends = [n + 2 * p for n, p in zip(size, padding, strict=True)]
    dpadded = np.zeros((*windows.shape[:2], *ends), dy.dtype)
    for offset in np.ndindex(*weight.shape[2:]):
        # In the forward pass this entry of the kernel lay at offset, offset + stride, offset + 2 stride ...
        seen = (slice(o, o + s * n, s) for o, s, n in zip(offset, stride, dy.shape[2:], strict=True))
        dpadded[:, :, *seen] += dwindows[:, *offset].swapaxes(0, 1)
    return dpadded[:, :, *(slice(p, p + n) for p, n in zip(padding, size, strict=True))]


def _check_shapes(axes: int, x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None) -> None:
    if not x.ndim == weight.ndim == axes + 2:
        shapes = ("x (B, C, T) and weight (F, C, K)", "x (B, C, Y, X) and weight (F, C, K, L)")[axes - 1]
        raise UserError(f"convolution_{axes}d takes {shapes}, but they have the shapes {x.shape} and {weight.shape}")
    if x.shape[1] != weight.shape[1]:
        raise UserError(f"x has {x.shape[1]} channels but weight takes {weight.shape[1]}; they must be equal")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise UserError(f"bias has shape {bias.shape} but weight has {weight.shape[0]} filters; give one for each")


def _each_axis(name: str, value: Numbers, axes: int, *, least: int) -> tuple[int, ...]:
    """`value` as one number for each axis."""
    numbers = tuple(value) if isinstance(value, Sequence) else (value,) * axes
    if len(numbers) != axes or not all(isinstance(n, int | np.integer) and n >= least for n in numbers):
        raise UserError(
            f"{name} {value} must be a whole number of at least {least}, or {axes} of them, one for an axis"
        )
    return tuple(int(n) for n in numbers)
