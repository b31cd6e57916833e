"""GELU: x times the probability that a standard normal number is below x.

Hendrycks & Gimpel (2016), "Gaussian Error Linear Units", arXiv:1606.08415, section 2: the exact form, and the
cheaper one with tanh that GPT-1 and GPT-2 use.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from minigpt.ops.blocks import blocks
from minigpt.ops.sigmoid import write_falling_sigmoid

SQRT_2_OVER_PI = math.sqrt(2 / math.pi)
CUBIC = 0.044715  # makes the tanh form match the exact one to within 0.0005 everywhere


class GELUCache(NamedTuple):
    x: np.ndarray  # (...)
    cdf: np.ndarray  # (...)  P(normal < x)


class GELUTanhCache(NamedTuple):
    x: np.ndarray  # (...)
    share: np.ndarray  # (...)  (1 + tanh(u)) / 2, the share of x that passes


def gelu_forward(x: np.ndarray) -> tuple[np.ndarray, GELUCache]:
    """y = x * cdf(x). x: (...). Returns y: (...) and the cache for `gelu_backward`."""
    y, cdf = np.empty(x.shape, x.dtype), np.empty(x.shape, x.dtype)
    for x_, y_, share in blocks(x, y, cdf):
        share[...] = normal_cdf(x_)
        np.multiply(x_, share, out=y_)
    return y, GELUCache(x, cdf)


def gelu_backward(dy: np.ndarray, cache: GELUCache) -> np.ndarray:
    """Gradient of x: (...).  dy/dx = cdf(x) + x * density(x), density(x) = exp(-x*x/2) / sqrt(2 pi)."""
    dy = np.ascontiguousarray(dy)
    dx = np.empty_like(dy)
    for dy_, x, cdf, slope in blocks(dy, cache.x, cache.cdf, dx):
        np.exp(-0.5 * x * x, out=slope)
        slope *= 1 / math.sqrt(2 * math.pi)
        slope *= x
        slope += cdf
        slope *= dy_
    return dx


def gelu_tanh_forward(x: np.ndarray) -> tuple[np.ndarray, GELUTanhCache]:
    """y = x * s, s = (1 + tanh(u)) / 2 = sigmoid(2u), u = sqrt(2/pi) * (x + 0.044715 x^3).

    x: (...). Returns y: (...) and the cache for `gelu_tanh_backward`.
    """
    y, share = np.empty(x.shape, x.dtype), np.empty(x.shape, x.dtype)
    for x_, y_, s in blocks(x, y, share):
        np.multiply(x_, x_, out=s)  # x * x * x, since x ** 3 is a hundred times slower in NumPy
        s *= -2 * SQRT_2_OVER_PI * CUBIC
        s -= 2 * SQRT_2_OVER_PI
        s *= x_  # -2u
        write_falling_sigmoid(s, out=s)
        np.multiply(x_, s, out=y_)
    return y, GELUTanhCache(x, share)


def gelu_tanh_backward(dy: np.ndarray, cache: GELUTanhCache) -> np.ndarray:
    """Gradient of x: (...).

    s is the sigmoid of 2u, so ds/dx = s (1 - s) 2 du/dx, and
    dy/dx = s + x ds/dx = s (1 + x (1 - s) 2 du/dx),  du/dx = sqrt(2/pi) * (1 + 3 * 0.044715 x^2).
    """
    dy = np.ascontiguousarray(dy)
    dx = np.empty_like(dy)
    for dy_, x, s, slope in blocks(dy, cache.x, cache.share, dx):
        np.multiply(x, x, out=slope)
        slope *= 6 * CUBIC * SQRT_2_OVER_PI
        slope += 2 * SQRT_2_OVER_PI  # 2 du/dx
        slope *= x
        slope *= 1 - s
        slope += 1
        slope *= s
        slope *= dy_
    return dx


def normal_cdf(x: np.ndarray) -> np.ndarray:
    """P(standard normal < x), to the precision of x's dtype. x: (...). Returns (...).

    NumPy has no erf. With z = |x| / sqrt(2) and t = 2 / (2 + z), log(erfc(z) / t) + z*z is a smooth function of t
    on 0 < t <= 1, here as a Chebyshev series (the form is that of Press et al., "Numerical Recipes", 3rd ed.,
    section 6.2.2; the coefficients were computed with 40 digits). The series stops where the dtype sees no more.
    """
    z = np.abs(x)
    z *= math.sqrt(0.5)
    t = 2 / (2 + z)
    exponent = _chebyshev(2 * t - 1, [c for c in ERFC_SERIES if abs(c) > np.finfo(x.dtype).eps / 16])
    exponent -= z * z
    tail = np.exp(exponent, out=exponent)  # erfc(z) = t * exp(series - z*z)
    tail *= t
    tail *= 0.5  # P(normal < -|x|)
    positive = x > 0
    return tail + positive * (1 - 2 * tail)  # 1 - tail where x > 0; `where` would be ten times slower


def _chebyshev(u: np.ndarray, coefficients: Sequence[float]) -> np.ndarray:
    """sum_k coefficients[k] * T_k(u) by Clenshaw's recurrence. u: (...) within -1..1."""
    last, before = np.zeros_like(u), np.zeros_like(u)
    for coefficient in reversed(coefficients[1:]):
        following = 2 * u
        following *= last
        following -= before
        following += coefficient
        last, before = following, last
    return coefficients[0] + u * last - before


ERFC_SERIES = (
    -6.5132685989085472e-1, 6.4196979235649026e-1, 1.9476473204185836e-2, -9.5615147868086316e-3,
    -9.4659534448203687e-4, 3.6683949785276145e-4, 4.2523324806907772e-5, -2.0278578112534243e-5,
    -1.6242900046470255e-6, 1.3036558355805232e-6, 1.5626441722066143e-8, -8.5238095914926543e-8,
    6.5290544390988515e-9, 5.0593434955514689e-9, -9.9136415649303309e-10, -2.2736512229318359e-10,
    9.6467911020155268e-11, 2.3940380830391147e-12, -6.8860275264975534e-12, 8.9448792730907257e-13,
    3.1309213993429581e-13, -1.1270822361367252e-13, 3.8109052551892321e-16, 7.106097613609237e-15,
    -1.5230282014571043e-15, -9.457494571291234e-17, 1.210237189224279e-16,
)  # fmt: skip
