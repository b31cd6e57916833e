"""One text or two as a row of tokens, between the marks with which encoders are trained."""

from typing import Any, NamedTuple

import numpy as np

from minigpt.text.tokenizer import document_end

CLASSIFIER, SEPARATOR = "[CLS]", "[SEP]"  # of BERT
BEGIN = "<s>"  # of RoBERTa and BART, whose end is that of a document


class Frame(NamedTuple):
    """The marks around one text or two: ids before the first, between both, after the last."""

    begin: list[int]
    between: list[int]
    end: list[int]

    def row(self, first: np.ndarray, second: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The ids and segments, (T,) each, of one text or two. As in BERT, the second and its end are segment 1."""
        if second is None:
            ids = np.concatenate([self.begin, first, self.end]).astype(np.int64)
            return ids, np.zeros_like(ids)
        left = np.concatenate([self.begin, first, self.between])
        right = np.concatenate([second, self.end])
        segments = np.repeat([0, 1], [len(left), len(right)])
        return np.concatenate([left, right]).astype(np.int64), segments

    @property
    def marks(self) -> int:
        """How many tokens it adds to a single text."""
        return len(self.begin) + len(self.end)


def frame_of(tokenizer: Any, *, pair: bool = False) -> Frame:
    """The marks that a tokenizer has for texts; a line feed is between two texts where it has none.

    pair: whether there will be a second text. `UserError` if nothing could stand between the two.
    """
    marks = tokenizer.special_tokens
    if CLASSIFIER in marks and SEPARATOR in marks:
        return Frame([marks[CLASSIFIER]], [marks[SEPARATOR]], [marks[SEPARATOR]])
    if BEGIN in marks:
        end = document_end(tokenizer)
        return Frame([marks[BEGIN]], [end, end], [end])
    return Frame([], tokenizer.encode("\n").tolist() if pair else [], [])
