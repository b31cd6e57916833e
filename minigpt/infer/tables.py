"""The pages of every sequence of an engine: taken, found, copied where samples part, let go.

Pages that were full stay known (`minigpt.infer.pages`), also after they were let go: another text with the same
beginning finds them, until their place is needed.
"""

import sys

import numpy as np

from minigpt.infer.paged import PagedPast, Stretch
from minigpt.infer.pages import Pages
from minigpt.infer.request import Sequence
from minigpt.model import TransformerConfig

TOKEN = np.int64  # how tokens are told apart, by their bytes


class Tables:
    """Keeps the table of each sequence: its pages in order.

    Of a model with a window, a sequence keeps the pages of the sinks and those that its next token reaches. The last
    full page stays too, since the next one is known by what stands before it.
    """

    def __init__(self, config: TransformerConfig, pages: Pages, past: PagedPast, piece: int):
        """piece: how many tokens one step computes at most."""
        self.pages, self.past = pages, past
        self._window = config.window
        self._sinks = _pages_of(config.sinks, pages.size)
        self._most = most_pages(config, pages.size, piece)

    def pages_for(self, positions: int) -> int:
        """How many pages so many positions take, at most: a window forgets."""
        return min(_pages_of(positions, self.pages.size), self._most)

    def missing(self, sequence: Sequence) -> int:
        """How many pages it still takes for all its tokens."""
        return max(0, self.pages_for(len(sequence.tokens)) - len(sequence.table))

    def begin(self, sequence: Sequence) -> None:
        """Begin with the pages that others have left of the same beginning; the last token is computed in any case."""
        tokens = np.array(sequence.tokens[:-1], TOKEN)
        sequence.table = self.pages.find(tokens.tobytes(), tokens.itemsize)
        for page in sequence.table:
            self.pages.share(page)
        sequence.sealed = len(sequence.table)
        sequence.computed = sequence.sealed * self.pages.size
        self._let_go(sequence)

    def fits(self, sequence: Sequence, count: int) -> bool:
        """Whether there are pages for `count` tokens more, the one they begin in its own."""
        return self._new(sequence, count) + self._copies(sequence) <= self.pages.available

    def extend(self, sequence: Sequence, count: int) -> None:
        """Take them."""
        if self._copies(sequence):
            shared = sequence.table.pop()  # what is begun is the last
            self.pages.take(sequence.table)
            self.past.copy(shared, sequence.table[-1])
            self.pages.release([shared])
        for _ in range(self._new(sequence, count)):
            self.pages.take(sequence.table)

    def stretch(self, sequence: Sequence, count: int) -> Stretch:
        """What comes next of it, for `PagedPast.see`."""
        size = self.pages.size
        gone = slice(self._sinks * size, (self._sinks + sequence.gone) * size)
        return Stretch(sequence.table, sequence.computed, count, gone)

    def advance(self, sequence: Sequence, count: int) -> None:
        """So many tokens more are computed: full pages are known from now on, those that no window reaches let go."""
        size = self.pages.size
        sequence.computed += count
        for place in range(sequence.sealed, sequence.computed // size):
            tokens = np.array(sequence.tokens[place * size : (place + 1) * size], TOKEN)
            self.pages.seal(sequence.table, place - sequence.gone, tokens.tobytes())
        sequence.sealed = sequence.computed // size
        self._let_go(sequence)

    def share(self, first: Sequence, other: Sequence) -> None:
        """`other` begins with all that is computed of `first`."""
        for page in first.table:
            self.pages.share(page)
        other.table, other.gone = [*first.table], first.gone
        other.computed, other.sealed = first.computed, first.sealed

    def forget(self, sequence: Sequence) -> None:
        """Release all that is computed."""
        self.pages.release(sequence.table)
        sequence.computed = sequence.sealed = sequence.gone = 0

    def _let_go(self, sequence: Sequence) -> None:
        """Release the pages between the sinks and the first position that the next token sees."""
        if self._window is None:
            return
        reached = (sequence.computed - self._window + 1) // self.pages.size
        first, count = self._sinks, min(reached, sequence.sealed - 1) - self._sinks - sequence.gone
        if count > 0:
            self.pages.release(sequence.table[first : first + count])
            del sequence.table[first : first + count]
            sequence.gone += count

    def _new(self, sequence: Sequence, count: int) -> int:
        return _pages_of(sequence.computed + count, self.pages.size) - sequence.gone - len(sequence.table)

    def _copies(self, sequence: Sequence) -> bool:
        """Whether the page that the next token is written into belongs to others too."""
        begun = sequence.computed // self.pages.size - sequence.gone
        return begun < len(sequence.table) and self.pages.shared(sequence.table[begun])


def most_pages(config: TransformerConfig, size: int, piece: int) -> int:
    """How many pages one sequence has at a time, however long it is. piece: tokens that one step computes."""
    if config.window is None:
        return sys.maxsize
    return _pages_of(config.sinks, size) + _pages_of(max(config.window - 1, size) + piece, size) + 1


def _pages_of(positions: int, size: int) -> int:
    return -(-positions // size)
