"""Layer normalization: each row is centred, scaled to unit variance, then given a learnt gain and bias.

Ba, Kiros & Hinton (2016), "Layer Normalization", arXiv:1607.06450, section 3, eq. 3 and 4.
"""

from typing import NamedTuple

import numpy as np

from minigpt.ops.sums import sum_in_rows, sum_of_rows


class LayerNormCache(NamedTuple):
    normalized: np.ndarray  # (..., C)  x after centring and scaling
    inverse_std: np.ndarray  # (..., 1)
    gain: np.ndarray  # (C,)
    has_bias: bool


def layer_norm_forward(
    x: np.ndarray, gain: np.ndarray, bias: np.ndarray | None = None, *, epsilon: float = 1e-5
) -> tuple[np.ndarray, LayerNormCache]:
    """y = gain * (x - mean) / sqrt(variance + epsilon) + bias, over the last axis.

    x: (..., C); gain, bias: (C,), bias may be None. Returns y: (..., C) and the cache for `layer_norm_backward`.
    The variance is the mean of the squares (divided by C, not C - 1).
    """
    width = x.shape[-1]
    normalized = x - sum_in_rows(x) / width  # (..., C)
    squares = np.vecdot(normalized, normalized)[..., None]  # (..., 1)
    inverse_std = np.sqrt(width / (squares + width * epsilon))  # 1 / sqrt(squares / width + epsilon), in fewer calls
    normalized *= inverse_std
    y = gain * normalized
    if bias is not None:
        y += bias
    return y, LayerNormCache(normalized, inverse_std, gain, bias is not None)


def layer_norm_backward(dy: np.ndarray, cache: LayerNormCache) -> tuple[np.ndarray, ...]:
    """Gradients of x, gain and (if there was one) bias: (..., C), (C,), (C,).

    With n = normalized and g = dy * gain:  dx = (g - mean(g) - n * mean(g * n)) * inverse_std.
    Each x moves its row's mean and its row's variance; the two subtracted terms are those two paths.
    So dx sums to zero over a row, as it must: adding a constant to the row changes nothing.
    """
    normalized, inverse_std, gain, has_bias = cache
    width = gain.shape[0]
    rows = dy.reshape(-1, width)  # (N, C)
    products = rows * normalized.reshape(-1, width)
    dgain = sum_of_rows(products)
    mean_g = rows @ (gain / width)  # (N,)  as a matrix product, which is the fastest sum
    mean_gn = products @ (gain / width)
    dx = rows * gain
    dx -= mean_g[:, None]
    dx -= np.multiply(normalized.reshape(-1, width), mean_gn[:, None], out=products)
    dx = dx.reshape(dy.shape)
    dx *= inverse_std
    if not has_bias:
        return dx, dgain
    return dx, dgain, sum_of_rows(rows)
