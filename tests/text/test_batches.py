"""Windows to train on are functions of seed and step; windows to evaluate on score every token once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigpt import UserError
from minigpt.text import BatchSampler, evaluation_windows


def test_a_batch_depends_on_seed_and_step_only():
    tokens = np.arange(1000, dtype=np.uint16)
    sampler = BatchSampler(tokens, 7, 5, seed=3)
    later = sampler.batch_at(41)
    sampler.batch_at(2)
    assert np.array_equal(BatchSampler(tokens, 7, 5, seed=3).batch_at(41), later)
    assert not np.array_equal(sampler.batch_at(42), later)
    assert not np.array_equal(BatchSampler(tokens, 7, 5, seed=4).batch_at(41), later)
    assert later.shape == (5, 8)
    assert later.dtype == np.int64


def test_windows_are_consecutive_and_reach_both_ends():
    sampler = BatchSampler(np.arange(12), 10, 4, seed=0)
    windows = np.concatenate([sampler.batch_at(step) for step in range(30)])
    assert np.array_equal(windows - windows[:, :1], np.tile(np.arange(11), (len(windows), 1)))
    assert set(windows[:, 0]) == {0, 1}


def test_a_corpus_shorter_than_the_context_is_refused():
    with pytest.raises(UserError, match="has 8 tokens, but the context of 8 needs at least 9"):
        BatchSampler(np.arange(8), 8, 1, seed=0)
    BatchSampler(np.arange(9), 8, 1, seed=0).batch_at(0)


@given(st.integers(2, 60), st.integers(1, 12), st.integers(1, 12), st.integers(1, 5))
def test_every_token_but_the_first_is_scored_exactly_once(count, context, stride, batch):
    stride = min(stride, context)
    tokens = np.arange(count)  # each token is its own position
    scored = []
    for inputs, targets in evaluation_windows(tokens, context, stride=stride, batch=batch):
        assert inputs.shape == targets.shape
        assert inputs.shape[0] <= batch
        assert inputs.shape[1] == min(context, count - 1)
        for row, answer in zip(inputs, targets, strict=True):
            seen = answer >= 0
            assert np.array_equal(answer[seen], row[seen] + 1)
            for position, target in enumerate(answer):
                if target >= 0:
                    scored.append(target)
                    # All the context there is, or at least what the stride leaves.
                    assert position + 1 >= min(target, context - stride + 1)
    assert sorted(scored) == list(range(1, count))


def test_strides_and_texts_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match="stride is 9"):
        next(evaluation_windows(np.arange(20), 8, stride=9))
    with pytest.raises(UserError, match="needs at least 2"):
        next(evaluation_windows(np.arange(1), 8))
