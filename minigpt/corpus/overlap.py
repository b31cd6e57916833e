"""Contamination: which documents of a corpus hold what another one holds, a test set above all."""

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from minigpt.corpus.shingles import normalized, word_hashes
from minigpt.errors import UserError

WORDS, FEWEST = 13, 5  # of an n-gram (Brown et al. 2020, arXiv:2005.14165, appendix C), and of a short document
SHARE = 0.5  # of a document's n-grams from which another one holds it
MOST = 1 << 24  # n-grams, with the number of their document: 256 MB


class Overlap:
    """The n-grams of other documents, and which of them a text holds.

    Counted is the share of the *other* document's n-grams, so that a question of a test is found in a long page. One of
    5 to 12 words is a single n-gram; a shorter one is left out, as anything may hold it.
    """

    def __init__(self, texts: Iterable[str]):
        hashes, sizes = [], set()
        for text in texts:
            words = normalized(text).count(" ") + 1
            sizes |= {min(words, WORDS)} if words >= FEWEST else set()
            hashes.append(np.unique(word_hashes(text, WORDS)) if words >= FEWEST else np.zeros(0, np.uint64))
        self.lengths = np.array([len(one) for one in hashes], np.int64)  # (D,)
        if self.lengths.sum() > MOST:
            raise UserError(f"what is compared with has more than {MOST:,} n-grams of {WORDS} words; give less of it")
        together = np.concatenate([*hashes, np.zeros(0, np.uint64)])
        order = np.argsort(together, kind="stable")
        self.hashes = together[order]  # (G,)
        self.owners = np.repeat(np.arange(len(hashes)), self.lengths.astype(np.intp))[
            order
        ]  # (G,) the document that each is from
        self.sizes = sorted(sizes)

    def shares(self, text: str) -> dict[int, float]:
        """The other documents that share an n-gram with the text: number -> share of its n-grams that are in it."""
        own = np.unique(np.concatenate([np.zeros(0, np.uint64), *(word_hashes(text, size) for size in self.sizes)]))
        first = np.searchsorted(self.hashes, own, "left")
        last = np.searchsorted(self.hashes, own, "right")
        ranges = [np.arange(*pair) for pair in zip(first[first < last], last[first < last], strict=True)]
        if not ranges:
            return {}
        owners, counts = np.unique(self.owners[np.concatenate(ranges)], return_counts=True)
        return dict(zip(owners.tolist(), (counts / self.lengths[owners]).tolist(), strict=True))

    def held(self, text: str, share: float = SHARE) -> list[int]:
        """The other documents of which the text holds at least this share."""
        return [owner for owner, found in self.shares(text).items() if found >= share]


def contamination(pieces: list[str], training: str) -> dict[str, Any]:
    """How many of the pieces share an n-gram of words with the training text, and how many are in it by half or more.

    Brown et al. (2020), arXiv:2005.14165, appendix C. A piece of fewer than five words is not looked for.
    """
    overlap = Overlap(pieces)
    found = overlap.shares(training)
    looked = int((overlap.lengths > 0).sum())
    return {
        "words": WORDS,
        "pieces": looked,
        "sharing": len(found),
        "half_in": sum(share >= SHARE for share in found.values()),
        "sha256": hashlib.sha256(training.encode("utf-8")).hexdigest(),
    }
