"""The S-curve measured: how often two texts of a known likeness are compared, beside what is predicted."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigpt.corpus.minhash import Bands
from minigpt.corpus.shingles import jaccard, shingles

COPIES, WIDTH = 40, 0.1  # of each text; width of a bin of likeness
LONGEST = 400  # words of a text that are copied
FEWEST = 20  # shingles of a text, below which a likeness has few values


def measured_curve(texts: Sequence[str], bands: Bands, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Copies of the texts with more and more other words in them: for each bin of likeness, pairs, chance and share.

    `predicted` is the mean chance at the likenesses of the pairs, `measured` the share that agree in some band. Each
    copy is compared under hash functions of its own, or the few texts would share their luck.
    """
    likeness, meets = [], []
    for text in texts:
        words = text.split()[:LONGEST]
        own = shingles(" ".join(words))
        for copy in range(COPIES if len(own) >= FEWEST else 0):
            changed = rng.random(len(words)) < rng.uniform(0, 0.25)
            other = [
                f"x{place}" if is_so else word for place, (word, is_so) in enumerate(zip(words, changed, strict=True))
            ]
            set_, drawn = shingles(" ".join(other)), Bands(bands.bands, bands.rows, seed=bands.seed + copy)
            keys = [drawn.keys(drawn.signature(one)) for one in (own, set_)]
            likeness.append(jaccard(own, set_))
            meets.append(bool((keys[0] == keys[1]).any()))
    return _binned(np.array(likeness), np.array(meets), bands)


def _binned(likeness: np.ndarray, meets: np.ndarray, bands: Bands) -> list[dict[str, Any]]:
    curve = []
    bins = np.minimum((likeness / WIDTH).astype(int), round(1 / WIDTH) - 1)
    for bin_ in np.unique(bins):
        there = bins == bin_
        curve.append(
            {
                "from": round(float(bin_ * WIDTH), 6),
                "to": round(float((bin_ + 1) * WIDTH), 6),
                "pairs": int(there.sum()),
                "likeness": float(likeness[there].mean()),
                "predicted": float(bands.chance(likeness[there]).mean()),
                "measured": float(meets[there].mean()),
            }
        )
    return curve
