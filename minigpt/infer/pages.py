"""The bookkeeping of a paged cache: which pages are used, by how many sequences, and what whole ones hold.

Kwon et al. (2023), "Efficient Memory Management for Large Language Model Serving with PagedAttention",
arXiv:2309.06180, section 4.2. Memory for keys and values is taken in pages of a fixed number of positions, as an
operating system takes memory for processes. A sequence has a table of pages, so it takes what it fills and no more, and
sequences that begin alike have pages in common (section 4.4).
"""

from collections import OrderedDict

import numpy as np

from minigpt.errors import UserError

BEGINNING = 0  # what stands before the first page of every sequence
SHARE = 16  # kept pages are given up a sixteenth of all at a time, so that free ones lie side by side


class Pages:
    """Pages 0 to count - 1, each free, used by one or more sequences, or kept for a later one.

    A page that is full never changes. It is known by the tokens in it and by what stands before it, which a number
    stands for that no other beginning ever gets: so two pages are taken for the same only if all tokens from the first
    on are equal, whatever a hash may say. A known page that nobody uses any more is kept until its place is needed; the
    one that was used least recently goes first. A page is given up before the one in front of it, so what is known is
    always whole from the beginning.

    A sequence whose pages lie side by side is read without a copy, so it gets the page after its last one where that is
    free, and begins in the middle of the longest row of free ones, where both it and its neighbour can grow.

    Parameters
    ----------
    count : int
        How many pages.
    size : int
        Positions in each.
    """

    def __init__(self, count: int, size: int):
        """count: how many pages; size: positions in each."""
        self.count, self.size = count, size
        self._free = np.ones(count, bool)
        self._count_free = count
        self._users = [0] * count
        self._kept: OrderedDict[int, None] = OrderedDict()  # known and unused, least recently used first
        self._pages: dict[tuple[int, bytes], int] = {}  # (what stands before, the tokens) -> page
        self._known: dict[int, tuple[int, tuple[int, bytes]]] = {}  # page -> the number of its contents, and its key
        self._contents = BEGINNING  # the last number given

    @property
    def available(self) -> int:
        """Pages that can be taken: free, or kept for later."""
        return self._count_free + len(self._kept)

    @property
    def used(self) -> int:
        """Pages that sequences use."""
        return self.count - self.available

    @property
    def kept(self) -> int:
        """Pages that nobody uses, whose contents are known."""
        return len(self._kept)

    def take(self, table: list[int]) -> None:
        """Put a page at the end of the table, to be written. `UserError` if all are in use."""
        if not self._count_free:
            self._give_up(max(1, self.count // SHARE))
        page = table[-1] + 1 if table else self.count
        if page >= self.count or not self._free[page]:
            page = _middle_of_longest(self._free)
        self._free[page] = False
        self._count_free -= 1
        self._users[page] = 1
        table.append(page)

    def _give_up(self, most: int) -> None:
        """Free kept pages, the least recently used first."""
        if not self._kept:
            raise UserError(f"all {self.count} pages are in use; give the cache more memory")
        for _ in range(min(most, len(self._kept))):
            page, _ = self._kept.popitem(last=False)
            del self._pages[self._known.pop(page)[1]]
            self._free[page] = True
            self._count_free += 1

    def share(self, page: int) -> None:
        """One user more."""
        self._users[page] += 1
        self._kept.pop(page, None)

    def shared(self, page: int) -> bool:
        """Whether more than one uses it: then it must be copied before it is written."""
        return self._users[page] > 1

    def release(self, table: list[int]) -> None:
        """One user less of all these pages, the last ones first; the table becomes empty."""
        while table:
            page = table.pop()
            self._users[page] -= 1
            if not self._users[page]:
                if page in self._known:
                    self._kept[page] = None
                else:
                    self._free[page] = True
                    self._count_free += 1

    def find(self, tokens: bytes, width: int) -> list[int]:
        """The known pages that hold the beginning of `tokens`, of `width` bytes each; nobody uses them for it yet."""
        found: list[int] = []
        before, step = BEGINNING, self.size * width
        for start in range(0, len(tokens) - step + 1, step):
            page = self._pages.get((before, tokens[start : start + step]))
            if page is None:
                break
            found.append(page)
            before = self._known[page][0]
        return found

    def seal(self, table: list[int], place: int, tokens: bytes) -> None:
        """Page `place` of the table is full, and so are those before it: from now on it is known.

        If another page holds the same already, the table has that one from now on.
        """
        key = (self._known[table[place - 1]][0] if place else BEGINNING, tokens)
        known = self._pages.get(key)
        if known is not None:
            self.share(known)
            self.release([table[place]])
            table[place] = known
            return
        self._contents += 1
        self._pages[key] = table[place]
        self._known[table[place]] = self._contents, key


def _middle_of_longest(free: np.ndarray) -> int:
    """The middle of the longest row of True; its beginning if that is where everything begins."""
    borders = np.flatnonzero(np.diff(free, prepend=False, append=False))  # where rows of True begin and end, in turn
    starts, ends = borders[::2], borders[1::2]
    longest = int((ends - starts).argmax())
    start, end = int(starts[longest]), int(ends[longest])
    return start if start == 0 else (start + end) // 2
