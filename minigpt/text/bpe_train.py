"""Learning the merges of byte-pair encoding from text.

Sennrich, Haddow & Birch (2016), "Neural Machine Translation of Rare Words with Subword Units", arXiv:1508.07909,
section 3.2 and algorithm 1; on bytes instead of characters: Radford et al. (2019), "Language Models are
Unsupervised Multitask Learners", section 2.2.
"""

from collections import defaultdict
from collections.abc import Mapping
from heapq import heapify, heappop, heappush, heapreplace
from itertools import pairwise

from minigpt.errors import UserError
from minigpt.progress import progress_bar

Pair = tuple[int, int]
EDGE = -1  # stands between two pieces, and where a token was swallowed by its left neighbour; in no pair


def learn_merges(
    piece_counts: Mapping[bytes, int],
    merge_count: int,
    *,
    special_count: int = 1,
    at_most: bool = False,
    progress: bool = False,
) -> list[Pair]:
    """The `merge_count` pairs of token ids to merge, in order; the pair at place i becomes the token 256 + i.

    Each time the most frequent pair of neighbours (of equals, the one of smallest ids) becomes a token everywhere.
    `piece_counts` says how often each piece of the text occurs; no merge crosses the edge of a piece.
    `special_count`: special tokens in the same vocabulary. A text that has too few pairs gives fewer if `at_most`, else
    a `UserError`.
    """
    text = _Text(piece_counts)
    heap = [(-count, pair) for pair, count in text.counts.items()]
    heapify(heap)
    merges: list[Pair] = []
    for new in progress_bar(range(256, 256 + merge_count), desc="learning merges", unit="", disable=not progress):
        pair = _pop_most_frequent(heap, text.counts)
        if pair is None and at_most:
            break
        if pair is None:
            others = 256 + special_count
            raise UserError(
                f"the text allows a vocabulary of at most {others + len(merges)} tokens, not {others + merge_count}; "
                "ask for a smaller one (--vocabulary) or give more text"
            )
        merges.append(pair)
        for new_pair in text.merge(pair, new):
            heappush(heap, (-text.counts[new_pair], new_pair))
    return merges


def _pop_most_frequent(heap: list[tuple[int, Pair]], counts: Mapping[Pair, int]) -> Pair | None:
    """Take the most frequent pair off the heap; None if no pair is left.

    Once a pair is in the heap its count can only fall. An entry that is out of date
    therefore comes up too early, never too late, and goes back with its true count.
    """
    while heap:
        count, pair = heap[0]
        if counts[pair] == -count:
            return heappop(heap)[1]
        if counts[pair]:
            heapreplace(heap, (-counts[pair], pair))
        else:
            heappop(heap)
    return None


class _Text:
    """All pieces as one linked list of tokens, and the pairs in it.

    The textbook counts every pair again after every merge. But a merge changes only the pairs at its own places, so
    `places` remembers where each pair stands and `counts` is corrected there: the same merges, far sooner.
    """

    def __init__(self, piece_counts: Mapping[bytes, int]):
        self.symbols = [EDGE]  # the pieces end to end, with an EDGE around each
        self.weights = [0]  # how often the piece at this place occurs in the text
        for piece, count in piece_counts.items():
            self.symbols += [*piece, EDGE]
            self.weights += [count] * (len(piece) + 1)
        self.previous = list(range(-1, len(self.symbols) - 1))
        self.following = list(range(1, len(self.symbols) + 1))
        self.counts: dict[Pair, int] = defaultdict(int)
        self.places: dict[Pair, list[int]] = defaultdict(list)  # of the left one of each pair, ascending
        for place, pair in enumerate(pairwise(self.symbols)):
            if EDGE not in pair:
                self.counts[pair] += self.weights[place]
                self.places[pair].append(place)

    def merge(self, pair: Pair, new: int) -> set[Pair]:
        """Make `pair` the token `new` wherever it stands; returns the pairs that came into being."""
        symbols, changed = self.symbols, set()
        for i in self.places.pop(pair):
            j = self.following[i]
            if (symbols[i], symbols[j]) != pair:
                continue  # gone since it was noted, as the second pair of a a a after the first is merged
            left, right = self.previous[i], self.following[j]
            symbols[i], symbols[j] = new, EDGE
            self.following[i], self.previous[right] = right, i
            for place, old_pair, new_pair in (
                (left, (symbols[left], pair[0]), (symbols[left], new)),
                (i, (pair[1], symbols[right]), (new, symbols[right])),
            ):
                if EDGE not in old_pair:
                    self.counts[old_pair] -= self.weights[i]
                    self.counts[new_pair] += self.weights[i]
                    self.places[new_pair].append(place)
                    changed.add(new_pair)
        del self.counts[pair]
        return {pair for pair in changed if self.counts[pair]}
