"""Dropout: while training, each entry is zeroed with probability `rate` and the rest is scaled up.

Srivastava et al. (2014), "Dropout", JMLR 15, section 4 (here with the scaling at training time, "inverted" dropout).
"""

from typing import NamedTuple

import numpy as np

from minigpt.errors import UserError


class DropoutCache(NamedTuple):
    keep: np.ndarray | None  # (...) boolean
    rate: float


def dropout_mask(rng, shape, rate):
    """Which entries to keep: booleans of `shape`, each True with probability 1 - rate.

    None, which keeps all, if rate is 0 or rng is None. `UserError` if the rate is not in [0, 1).
    """
    if not 0 <= rate < 1:
        raise UserError(f"dropout rate {rate} must be at least 0 and less than 1")
    if rng is None or rate == 0:
        return None
    return rng.random(shape, dtype=np.float32) >= rate


def dropout_forward(x, *, keep, rate):
    """y = x * keep / (1 - rate), so that the mean of y over masks is x. keep None: y is x.

    x: (...); keep: booleans of x's shape from `dropout_mask`. Returns y: (...) and the cache for `dropout_backward`.
    The mask comes from outside so that the operation itself is a plain function, which can be checked numerically.
    """
    return _scale_kept(x, keep, rate), DropoutCache(keep, rate)


def dropout_backward(dy, cache):
    """Gradient of x: (...). The same mask and the same factor: dropout is a multiplication."""
    return _scale_kept(dy, cache.keep, cache.rate)


def _scale_kept(x, keep, rate):
    if keep is None:
        return x
    y = x * keep
    y *= 1 / (1 - rate)
    return y
