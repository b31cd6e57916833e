"""MinHash: short signatures that agree as much as two sets are alike; bands of them find pairs without comparing all.

Broder 1997, "On the resemblance and containment of documents"; Leskovec, Rajaraman and Ullman, "Mining of Massive
Datasets", chapter 3.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from minigpt.corpus.shingles import mixed
from minigpt.errors import UserError

VALUES = 128  # of a signature
FOUND = 0.99  # the least chance that a pair at the threshold is compared
BLOCK = 1024  # shingles that are hashed at a time, so that the table stays in the processor's cache


@dataclass(frozen=True)
class Bands:
    """A signature of bands * rows values. Two texts are compared if all rows of some band agree.

    The chance of that for two sets of likeness s is the S-curve, `chance(s)` = 1 - (1 - s^rows)^bands.
    """

    bands: int
    rows: int
    seed: int = 0

    def __post_init__(self) -> None:
        if self.bands < 1 or self.rows < 1:
            raise UserError(f"bands ({self.bands}) and rows ({self.rows}) must be 1 or more")

    def chance(self, likeness: np.ndarray | float) -> np.ndarray:
        """That a pair of this Jaccard likeness is compared."""
        return 1 - (1 - np.asarray(likeness, float) ** self.rows) ** self.bands

    @cached_property
    def _functions(self) -> tuple[np.ndarray, np.ndarray]:
        """x -> multiplier * x + addend modulo 2^64, of which the upper half is used (Dietzfelbinger et al. 1997)."""
        drawn = np.random.default_rng(self.seed).integers(0, 1 << 64, (2, self.bands * self.rows), np.uint64)
        return drawn[0] | np.uint64(1), drawn[1]

    def signature(self, shingles: np.ndarray) -> np.ndarray:
        """The smallest value that each hash function takes on the set: (S,) uint64 -> (bands * rows,) uint32."""
        multipliers, addends = self._functions
        least = np.full(len(multipliers), ~np.uint64(0))
        for start in range(0, len(shingles), BLOCK):
            table = shingles[start : start + BLOCK] * multipliers[:, None]  # (bands * rows, up to BLOCK)
            table += addends[:, None]
            np.minimum(least, table.min(axis=1), out=least)
        return (least >> np.uint64(32)).astype(np.uint32)

    def keys(self, signature: np.ndarray) -> np.ndarray:
        """One number for each band: (..., bands * rows) -> (..., bands) uint32. Others that meet by chance are few."""
        rows = signature.reshape(*signature.shape[:-1], self.bands, self.rows)
        keys = np.zeros(rows.shape[:-1], np.uint64)
        for row in range(self.rows):
            keys = mixed(keys ^ rows[..., row])
        return (keys >> np.uint64(32)).astype(np.uint32)


def bands_for(threshold: float) -> Bands:
    """The narrowest bands with which a pair at the threshold is compared with a chance of at least `FOUND`.

    The more rows, the fewer pairs below the threshold are compared in vain; at 0.8 there are 21 bands of 6 rows.
    """
    if not 0.1 <= threshold <= 1:
        raise UserError(f"the likeness of near duplicates is {threshold:g}, but it must be from 0.1 to 1")
    fitting = (Bands(VALUES // rows, rows) for rows in range(VALUES, 0, -1))
    return next((bands for bands in fitting if bands.chance(threshold) >= FOUND), Bands(VALUES, 1))
