"""Pairs of sentences: next or not, in order or not."""

import numpy as np
import pytest

from minigpt.errors import UserError
from minigpt.objectives import next_sentence, sentence_order

CLASSIFY, SEPARATOR, PADDING = 1, 2, 0
MARKS = {"classify": CLASSIFY, "separator": SEPARATOR, "padding": PADDING}


def documents(count=5):
    """Sentence s of document d is d*100 + s*10 + (0, 1, ...), so that each token tells where it is from."""
    return [[np.arange(2 + s % 3) + 1000 + d * 100 + s * 10 for s in range(4)] for d in range(count)]


def pairs(batch):
    for tokens, present, segments, label in zip(batch.tokens, batch.present, batch.segments, batch.labels, strict=True):
        tokens, segments = tokens[present], segments[present]
        assert tokens[0] == CLASSIFY
        ends = np.flatnonzero(tokens == SEPARATOR)
        assert len(ends) == 2 and ends[1] == len(tokens) - 1
        assert segments.tolist() == [0] * (ends[0] + 1) + [1] * (ends[1] - ends[0])
        yield tokens[1 : ends[0]], tokens[ends[0] + 1 : ends[1]], label


def origin(sentence):
    return (sentence[0] - 1000) // 100, (sentence[0] - 1000) % 100 // 10


def test_next_sentence():
    batch = next_sentence(documents(), np.random.default_rng(0), 400, **MARKS)
    for a, b, label in pairs(batch):
        (document, place), (other, other_place) = origin(a), origin(b)
        if label == 0:
            assert (other, other_place) == (document, place + 1)
        else:
            assert other != document
    assert 0.4 < batch.labels.mean() < 0.6


def test_sentence_order_keeps_the_document():
    batch = sentence_order(documents(1), np.random.default_rng(0), 400, **MARKS)
    for a, b, label in pairs(batch):
        assert origin(b)[1] - origin(a)[1] == (1 if label == 0 else -1)
    assert 0.4 < batch.labels.mean() < 0.6


def test_bad_documents_are_named():
    rng = np.random.default_rng(0)
    with pytest.raises(UserError, match="two or more"):
        next_sentence(documents(1), rng, 3, **MARKS)
    with pytest.raises(UserError, match="no document has two sentences"):
        sentence_order([[np.arange(3)]], rng, 3, **MARKS)
