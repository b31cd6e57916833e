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
    on 0 < t <= 1 (the form is that of Press et al., "Numerical Recipes", 3rd ed., section 6.2.2), here a polynomial of
    u = 2t - 1: its Chebyshev series, cut off where the dtype sees no more, in powers of u.
    """
    z = np.abs(x)
    z *= math.sqrt(0.5)
    t = 2 / (2 + z)
    exponent = _polynomial(2 * t - 1, ERFC_IN_POWERS[x.dtype.itemsize])
    z *= z
    exponent -= z
    tail = np.exp(exponent, out=exponent)  # erfc(z) = t * exp(polynomial - z*z)
    tail *= t
    tail *= 0.5  # P(normal < -|x|)
    positive = x > 0
    return tail + positive * (1 - 2 * tail)  # 1 - tail where x > 0; `where` would be ten times slower


def _polynomial(u: np.ndarray, coefficients: Sequence[float]) -> np.ndarray:
    """sum_k coefficients[k] * u**k by Horner's rule. u: (...) within -1..1."""
    total = u * coefficients[-1]
    for coefficient in reversed(coefficients[1:-1]):
        total += coefficient
        total *= u
    total += coefficients[0]
    return total


ERFC_IN_POWERS = {  # bytes of a number -> coefficients, which were computed with 50 digits
    4: (
        -0.6717940916807759, 0.672643154774543, 0.047343887612987114, -0.04689364055996262, -0.009880019324020219,
        0.008808825369385993, 0.0017940662497394012, -0.002288765238593006, -0.00022791096599906392,
        0.0005737663720050471, 8.000738161697865e-06, -8.728381021688478e-05,
    ),
    8: (
        -0.6717940840566923, 0.672643223977656, 0.04734330684190443, -0.046895610231083025, -0.009872689366389959,
        0.008824938553738764, 0.001758933557799016, -0.002345812444802156, -0.00014624686337800336,
        0.0006736782697069831, -9.37350311709817e-05, -0.00017429984933155644, 7.14010141275703e-05,
        3.173310599377061e-05, -3.0187884551394243e-05, 1.699233231227702e-07, 8.562623420121286e-06,
        -3.007645434410669e-06, -1.27231190486887e-06, 1.3267813608518889e-06, -1.6849800720653297e-07,
        -3.168341367694147e-07, 1.5334345920908177e-07, 3.972203547273795e-08, -3.9171820510271855e-08,
        -1.5867042924138042e-09, 4.06088214696972e-09,
    ),
}  # fmt: skip
