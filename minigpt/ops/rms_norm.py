"""RMS normalization: each row is divided by its root mean square, then given a learnt gain.

Zhang & Sennrich (2019), "Root Mean Square Layer Normalization", arXiv:1910.07467, eq. 4.
Layer normalization without the centring and without the bias; used by T5, Llama and gpt-oss.
"""

from typing import NamedTuple

import numpy as np

from minigpt.ops.sums import sum_of_rows


class RMSNormCache(NamedTuple):
    normalized: np.ndarray  # (..., C)  x after scaling
    inverse_rms: np.ndarray  # (..., 1)
    gain: np.ndarray  # (C,)


def rms_norm_forward(x: np.ndarray, gain: np.ndarray, *, epsilon: float = 1e-5) -> tuple[np.ndarray, RMSNormCache]:
    """y = gain * x / sqrt(mean(x * x) + epsilon), over the last axis.

    x: (..., C); gain: (C,). Returns y: (..., C) and the cache for `rms_norm_backward`.
    """
    width, squares = x.shape[-1], np.vecdot(x, x)[..., None]  # (..., 1)
    inverse_rms = np.sqrt(width / (squares + width * epsilon))  # 1 / sqrt(squares / width + epsilon), in fewer calls
    normalized = x * inverse_rms
    return gain * normalized, RMSNormCache(normalized, inverse_rms, gain)


def rms_norm_backward(dy: np.ndarray, cache: RMSNormCache) -> tuple[np.ndarray, np.ndarray]:
    """Gradients of x and gain: (..., C), (C,).

    With n = normalized and g = dy * gain:  dx = (g - n * mean(g * n)) * inverse_rms.
    The subtracted term is the path through the root mean square that all of a row's x share.
    When epsilon is small, dx is orthogonal to x: making the whole row longer changes nothing.
    """
    normalized, inverse_rms, gain = cache
    width = gain.shape[0]
    rows = dy.reshape(-1, width)  # (N, C)
    products = rows * normalized.reshape(-1, width)
    dgain = sum_of_rows(products)
    mean_gn = products @ (gain / width)  # (N,)  as a matrix product, which is the fastest sum
    dx = rows * gain
    dx -= np.multiply(normalized.reshape(-1, width), mean_gn[:, None], out=products)
    dx = dx.reshape(dy.shape)
    dx *= inverse_rms
    return dx, dgain
