"""Dropout: while training, each entry is zeroed with probability `rate` and the rest is scaled up.

Srivastava et al. (2014), "Dropout", JMLR 15, section 4 (here with the scaling at training time, "inverted" dropout).
"""

from typing import NamedTuple

import numpy as np

from minigpt.errors import UserError


class DropoutCache(NamedTuple):
    mask: np.ndarray | None  # (...) boolean
    rate: float


class DropoutRule(NamedTuple):
    """A mask of attention weights, (B, H, T, S), that is drawn a tile at a time, and again whenever it is needed."""

    seed: int
    rate: float

    def tile(self, sequence: int, heads: slice, rows: slice, columns: slice) -> np.ndarray | None:
        """Booleans (h, t, s), which depend on the seed and on where the tile begins. All slices have both ends."""
        rng = np.random.default_rng([self.seed, sequence, heads.start, rows.start, columns.start])
        shape = tuple(place.stop - place.start for place in (heads, rows, columns))
        return draw_dropout_mask(rng, shape, self.rate)


def draw_dropout_mask(rng: np.random.Generator | None, shape: tuple[int, ...], rate: float) -> np.ndarray | None:
    """Which entries to mask: booleans of `shape`, each True with probability 1 - rate.

    None, which keeps all, if rate is 0 or rng is None. `UserError` if the rate is not in [0, 1).
    """
    if not 0 <= rate < 1:
        raise UserError(f"dropout rate {rate} must be at least 0 and less than 1")
    if rng is None or rate == 0:
        return None
    return rng.random(shape, dtype=np.float32) >= rate


def dropout_forward(x: np.ndarray, *, mask: np.ndarray | None, rate: float) -> tuple[np.ndarray, DropoutCache]:
    """y = x * mask / (1 - rate), so that the mean of y over masks is x. mask None: y is x.

    x: (...); mask: booleans of x's shape from `draw_dropout_mask`. Returns y: (...) and the cache for
    `dropout_backward`. The mask comes from outside so that the operation itself is a plain function, which can be
    checked numerically.
    """
    return x if mask is None else _scale_kept(x, mask, rate), DropoutCache(mask, rate)


def dropout_backward(dy: np.ndarray, cache: DropoutCache) -> np.ndarray:
    """Gradient of x: (...). The same mask and the same factor: dropout is a multiplication."""
    return dy if cache.mask is None else _scale_kept(dy, cache.mask, cache.rate)


def _scale_kept(x: np.ndarray, mask: np.ndarray, rate: float) -> np.ndarray:
    y = x * mask
    y *= 1 / (1 - rate)
    return y
