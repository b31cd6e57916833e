"""Toy tasks with known answers: letters to be copied, turned round or sorted; a prefix says which.

A row of `Sequences` is the prefix, the letters, and the answer; the answer's letters are what is scored:

    reverse d b a c -> c a b d         tokens   [reverse d b a c c a b]
                                       targets  [.       . . . c a b d]

A second prefix may say which letter is written for each one: the letter itself, the next or the previous one in the
alphabet, or the one as far from its end.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Batch
from minigpt.multitask.task import Task
from minigpt.ops import IGNORED

ORDERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {  # of the last axis
    "copy": lambda letters: letters,
    "reverse": lambda letters: letters[..., ::-1],
    "sort": lambda letters: np.sort(letters, axis=-1),
}
MAPS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "same": lambda letters, _count: letters,
    "next": lambda letters, count: (letters + 1) % count,
    "previous": lambda letters, count: (letters - 1) % count,
    "opposite": lambda letters, count: count - 1 - letters,
}
WORDS = (*ORDERS, *MAPS)


@dataclass(frozen=True)
class Sequences:
    """Rows of drawn letters with a prefix of one or two words.

    Parameters
    ----------
    letters : int
        In the alphabet; their ids are 0, 1, ..., and those of the words come after them.
    length : int
        Letters in a row.

    Examples
    --------
    >>> rows = minigpt.multitask.Sequences(letters=10, length=3)
    >>> batch = rows.batch(("reverse",), np.array([[7, 2, 5]]))
    >>> batch.tokens.tolist(), batch.targets[:, 3:].tolist()
    ([[11, 7, 2, 5, 5, 2]], [[5, 2, 7]])
    """

    letters: int = 16
    length: int = 6

    @property
    def vocabulary_size(self) -> int:
        """Letters and words."""
        return self.letters + len(WORDS)

    def context(self, words: int = 1) -> int:
        """Positions of a row with so many words in its prefix."""
        return words + 2 * self.length - 1

    def answer(self, prefix: Sequence[str], letters: np.ndarray) -> np.ndarray:
        """What is to be written for letters (..., N). `UserError` for a prefix that names nothing."""
        known = (list(ORDERS), list(MAPS))
        if not 1 <= len(prefix) <= 2 or any(word not in names for word, names in zip(prefix, known, strict=False)):
            raise UserError(
                f"the prefix {tuple(prefix)!r} must be one of {', '.join(ORDERS)}, and perhaps "
                f"one of {', '.join(MAPS)} after it"
            )
        found = ORDERS[prefix[0]](letters)
        return MAPS[prefix[1]](found, self.letters) if len(prefix) == 2 else found

    def batch(self, prefix: Sequence[str], letters: np.ndarray) -> Batch:
        """letters: (B, N). Returns tokens and targets, (B, words + 2 N - 1)."""
        answer, words = self.answer(prefix, letters), [self.letters + WORDS.index(word) for word in prefix]
        tokens = np.concatenate([np.tile(words, (len(letters), 1)), letters, answer[:, :-1]], axis=1)
        targets = np.full(tokens.shape, IGNORED)
        targets[:, -answer.shape[1] :] = answer
        return Batch(tokens, targets)

    def task(self, *prefix: str, reader: str = "") -> Task:
        """The task that a prefix names, its letters drawn."""
        self.answer(prefix, np.zeros((1, 1), np.int64))  # refuses what it does not know, now

        def make(rng: np.random.Generator, rows: int) -> Batch:
            return self.batch(prefix, rng.integers(0, self.letters, (rows, self.length)))

        return Task(" ".join(prefix), make, reader)
