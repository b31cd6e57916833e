"""Which documents of a corpus are copies, or nearly copies, of earlier ones."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from minigpt.corpus.minhash import Bands, bands_for
from minigpt.corpus.shingles import digest, jaccard, shingles

DOUBT = 4  # standard deviations below the threshold at which an estimate still leads to a comparison
NONE = -1


class Duplicates(NamedTuple):
    """For each document (N,): the earlier one that it repeats, or -1; and what it took to find out."""

    exact: np.ndarray
    near: np.ndarray
    likeness: np.ndarray  # to the one that it nearly repeats; 0 where there is none
    estimated: int  # pairs whose signatures were compared
    compared: int  # pairs whose shingles were compared

    @property
    def kept(self) -> np.ndarray:
        """Whether a document repeats none: (N,) booleans."""
        return (self.exact == NONE) & (self.near == NONE)


def find_duplicates(texts: Sequence[str], threshold: float = 0.8) -> Duplicates:
    """The documents that repeat an earlier one.

    Parameters
    ----------
    texts : sequence of str
    threshold : float
        The Jaccard likeness of two sets of shingles (five words in a row) from which one is a near duplicate; above 1
        there are only exact ones.

    Returns
    -------
    Duplicates
        `exact`: the same words; `near`: of those documents that are kept, the likest that was found. A document that
        is like one which is taken itself, but like none that is kept, is kept.

    Raises
    ------
    UserError
        If the threshold is below 0.1.

    Examples
    --------
    >>> from minigpt.corpus import find_duplicates
    >>> fable = "The fox met a hen and asked her for an egg, but the hen said no and ran away."
    >>> find_duplicates([fable, "Another.", fable.upper(), fable + " Then"], 0.7).kept.tolist()
    [True, True, False, False]
    """
    digests = np.frombuffer(b"".join(map(digest, texts)), np.uint64).reshape(-1, 2)
    exact = first_of_each(digests)
    if threshold > 1:
        return Duplicates(exact, np.full(len(texts), NONE), np.zeros(len(texts)), 0, 0)
    bands, sets = bands_for(threshold), [shingles(text) for text in texts]
    signatures = [bands.signature(one) for one in sets]
    keys = np.array([bands.keys(one) for one in signatures]).reshape(-1, bands.bands)
    return find_near(exact, keys, signatures.__getitem__, sets.__getitem__, threshold, bands)


def first_of_each(digests: np.ndarray) -> np.ndarray:
    """(N, 2) uint64 -> (N,): the first with the same digest; -1 where it is the first itself."""
    order = np.lexsort((np.arange(len(digests)), digests[:, 1], digests[:, 0]))
    ordered = digests[order]
    is_new = np.append(True, (ordered[1:] != ordered[:-1]).any(axis=1))[: len(order)]
    first = np.empty(len(order), np.int64)
    first[order] = order[np.flatnonzero(is_new)[np.cumsum(is_new) - 1]] if len(order) else order
    return np.where(first == np.arange(len(first)), NONE, first)


def find_near(
    exact: np.ndarray,
    keys: np.ndarray,
    signature: Callable[[int], np.ndarray],
    shingles_of: Callable[[int], np.ndarray],
    threshold: float,
    bands: Bands,
    *,
    always: int = 0,
    progress: Callable[[Any], Any] = lambda items: items,
) -> Duplicates:
    """`Duplicates` from what was computed of each document before.

    exact: (N,) as `first_of_each` gives it. keys: (N, bands) of `Bands.keys`. signature, shingles_of: of the document
    with a number. always: so many at the beginning are kept whatever they are.
    """
    near, likeness = np.full(len(exact), NONE), np.zeros(len(exact))
    least = threshold - DOUBT * np.sqrt(threshold * (1 - threshold) / (bands.bands * bands.rows))
    estimated = compared = 0
    kept = KeptBuckets(exact, keys)
    for row, document in enumerate(progress(kept.documents.tolist())):
        set_ = shingles_of(document)
        if not len(set_):  # without words all are alike
            continue
        found = kept.candidates(row) if document >= always else []
        estimated += len(found)
        for candidate in _likeliest(found, signature(document), signature, least):
            compared += 1
            share = jaccard(set_, shingles_of(candidate))
            if share >= threshold:
                near[document], likeness[document] = candidate, share
                break
        else:
            kept.add(row)
    return Duplicates(exact, near, likeness, estimated, compared)


class KeptBuckets:
    """The documents that are kept so far, by the keys of their bands: a linked list for each key, in arrays.

    Only documents that share a key with another one are here, exact copies aside: M of them, each with a row.
    In memory are 8 bytes for each of their bands.
    """

    def __init__(self, exact: np.ndarray, keys: np.ndarray):
        """exact: (N,). keys: (N, bands)."""
        there = np.flatnonzero(exact == NONE)
        buckets, count = np.empty((len(there), keys.shape[1]), np.int32), 0
        for band in range(keys.shape[1]):
            _, places, counts = np.unique(keys[there, band], return_inverse=True, return_counts=True)
            is_shared = counts > 1
            buckets[:, band] = np.where(is_shared, count + np.cumsum(is_shared) - 1, NONE)[places]
            count += int(is_shared.sum())
        shares = (buckets != NONE).any(axis=1)
        self.documents = there[shares]  # (M,) in order
        self._buckets = buckets[shares]  # (M, bands) number of the key, -1: nobody else has it
        self._last = np.full(count, NONE, np.int32)  # the row that was added last, of each key
        self._before = np.full(self._buckets.shape, NONE, np.int32)  # the row that was added before this one
        self._bands = np.arange(keys.shape[1])

    def candidates(self, row: int) -> list[int]:
        """The kept documents that share a key with the one in this row, in order."""
        found: set[int] = set()
        buckets = self._buckets[row]
        bands = self._bands[buckets != NONE]
        rows = self._last[buckets[bands]]
        while (rows != NONE).any():
            bands, rows = bands[rows != NONE], rows[rows != NONE]
            found.update(rows.tolist())
            rows = self._before[rows, bands]
        return self.documents[sorted(found)].tolist()

    def add(self, row: int) -> None:
        """The document in this row is kept."""
        bands = self._bands[self._buckets[row] != NONE]
        buckets = self._buckets[row, bands]
        self._before[row, bands] = self._last[buckets]
        self._last[buckets] = row


def _likeliest(
    found: list[int], own: np.ndarray, signature: Callable[[int], np.ndarray], least: float
) -> Iterator[int]:
    """The candidates whose signature is like enough, the likest first."""
    if not found:
        return
    estimates = np.array([np.mean(signature(one) == own) for one in found])
    for place in np.argsort(-estimates, kind="stable"):
        if estimates[place] >= least:
            yield found[place]


def exact_pairs(sets: Sequence[np.ndarray], threshold: float) -> set[tuple[int, int]]:
    """All pairs of sets at least so like, without chance: what an approximate search is compared with.

    Two such sets share one of the rarest elements of either: of |A| elements, sorted by rarity, one of the first
    |A| - ceil(threshold * |A|) + 1 (Bayardo, Ma and Srikant 2007, "Scaling up all pairs similarity search").
    """
    values, counts = np.unique(np.concatenate([*sets, np.zeros(0, np.uint64)]), return_counts=True)
    pairs: set[tuple[int, int]] = set()
    lists: dict[int, list[int]] = {}
    for number, one in enumerate(sets):
        rarest = one[np.argsort(counts[np.searchsorted(values, one)], kind="stable")]
        prefix = rarest[: len(one) - int(np.ceil(threshold * len(one) - 1e-9)) + 1].tolist()
        found = set().union(*(lists.get(element, ()) for element in prefix))
        pairs |= {(other, number) for other in found if jaccard(sets[other], one) >= threshold}
        for element in prefix:
            lists.setdefault(element, []).append(number)
    return pairs
