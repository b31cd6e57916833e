"""Objectives of an encoder-decoder: spans cut out and written again."""

import math

import numpy as np
import pytest

from minigpt.errors import UserError
from minigpt.objectives import infilling, sequence_to_sequence, span_corruption
from minigpt.ops import IGNORED

MASK, START, END, PADDING = 90, 91, 92, 93
SENTINELS = tuple(range(100, 120))


def texts(count=300, seed=0):
    rng = np.random.default_rng(seed)
    return [np.arange(rng.integers(20, 41)) for _ in range(count)]


def rebuilt(source, target):
    """Put each span of a T5 target back in the place of its sentinel."""
    spans, current = {}, None
    for token in target:
        if token in SENTINELS:
            spans[current := int(token)] = []
        elif token != END:
            spans[current].append(int(token))
    return [t for token in source for t in (spans[int(token)] if token in SENTINELS else [int(token)])], spans


def test_span_corruption_loses_nothing_and_cuts_the_exact_share():
    given = texts()
    batch = span_corruption(given, np.random.default_rng(1), sentinels=SENTINELS, start=START, end=END, padding=PADDING)
    for row, text in enumerate(given):
        source = batch.source[row][batch.source_present[row]]
        target = batch.targets[row][batch.targets[row] != IGNORED]
        text_again, spans = rebuilt(source, target)
        assert text_again == text.tolist()
        assert target[-1] == END
        cut = round(0.15 * len(text))
        assert sum(map(len, spans.values())) == cut
        assert len(spans) == max(1, round(cut / 3))
        assert all(spans.values())
        assert list(spans) == list(SENTINELS[: len(spans)])


def test_the_decoder_sees_its_target_moved_by_one():
    batch = sequence_to_sequence([np.array([5, 6])], [np.array([7, 8, END])], start=START, padding=PADDING)
    assert batch.tokens.tolist() == [[START, 7, 8]]
    assert batch.targets.tolist() == [[7, 8, END]]


def test_padding_is_neither_seen_nor_scored():
    sources, targets = [np.arange(3), np.arange(5)], [np.arange(4), np.arange(2)]
    batch = sequence_to_sequence(sources, targets, start=START, padding=PADDING)
    assert batch.source.tolist() == [[0, 1, 2, PADDING, PADDING], [0, 1, 2, 3, 4]]
    assert batch.source_present.sum(axis=1).tolist() == [3, 5]
    assert batch.targets.tolist() == [[0, 1, 2, 3], [0, 1, IGNORED, IGNORED]]


def test_infilling_writes_the_whole_text_and_masks_the_share():
    given = texts(500)
    batch = infilling(given, np.random.default_rng(2), mask=MASK, start=START, padding=PADDING)
    for row, text in enumerate(given):
        source = batch.source[row][batch.source_present[row]]
        assert np.array_equal(batch.targets[row][: len(text)], text)
        kept = source[source != MASK]
        assert np.array_equal(kept, np.sort(kept))  # what is left is in order
        assert len(text) - len(kept) == round(0.3 * len(text))


def test_span_lengths_are_poisson():
    from minigpt.objectives.denoising import _poisson_spans

    rng = np.random.default_rng(3)
    lengths = np.concatenate([np.diff(_poisson_spans(4000, rng, 0.3, 3.0), axis=1)[:-1, 0] for _ in range(25)])
    shares = np.bincount(lengths, minlength=12)[:7] / len(lengths)
    expected = [math.exp(-3) * 3**k / math.factorial(k) for k in range(7)]
    np.testing.assert_allclose(shares, expected, atol=0.015)


def test_spans_do_not_overlap():
    from minigpt.objectives.denoising import _poisson_spans

    for seed in range(200):
        spans = _poisson_spans(30, np.random.default_rng(seed), 0.5, 3.0)
        assert all(0 <= first <= last <= 30 for first, last in spans)
        assert all(spans[i][1] <= spans[i + 1][0] for i in range(len(spans) - 1))


def test_bad_input_is_named():
    options = {"start": START, "padding": PADDING}
    rng = np.random.default_rng(0)
    with pytest.raises(UserError, match="there are 1"):
        span_corruption([np.arange(99)], rng, sentinels=(7,), end=END, **options)
    with pytest.raises(UserError, match="no span to cut out"):
        span_corruption([np.arange(1)], rng, sentinels=SENTINELS, end=END, **options)
    with pytest.raises(UserError, match="mean > 0"):
        infilling([np.arange(9)], rng, mask=MASK, mean=0, **options)
    with pytest.raises(UserError, match="without tokens"):
        sequence_to_sequence([np.arange(0)], [np.arange(3)], **options)


def test_spans_may_stand_at_either_end_and_take_all():
    from minigpt.objectives.denoising import _poisson_spans

    drawn = [_poisson_spans(12, np.random.default_rng(seed), 0.4, 3.0) for seed in range(200)]
    assert any(spans[0][0] == 0 < spans[0][1] for spans in drawn)
    assert any(spans[-1][0] < spans[-1][1] == 12 for spans in drawn)
    everything = _poisson_spans(12, np.random.default_rng(0), 1.0, 3.0)
    assert sum(last - first for first, last in everything) == 12
