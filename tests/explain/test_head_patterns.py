"""Patterns of heads are found where they were put by hand, and silencing the one that copies ends the copying."""

import numpy as np
import pytest

from minigpt import Transformer, TransformerConfig, UserError
from minigpt.explain import HeadScores, copying_loss, head_scores

LENGTH, TOKENS = 5, 12
BACK = {0: 1, 1: LENGTH - 1, 2: LENGTH}  # head -> how many positions before its own it looks


def built():
    """Three heads that look a fixed way back, since a position's query meets the key of that place; one copies."""
    sizes = {"vocabulary_size": TOKENS, "context": 2 * LENGTH, "width": 36, "layers": 1, "heads": 3}
    model = Transformer(TransformerConfig(**sizes, feed_forward_width=1, tied=False, bias=False))
    params = model.init(np.random.default_rng(0))
    params.flat[:] = 0
    for name, array in params.items():
        if name.endswith("gain"):
            array[...] = 1
    params["token_embedding.weight"][:, :TOKENS] = np.eye(TOKENS)
    params["position_embedding.weight"][:, 12:22] = np.eye(2 * LENGTH)
    for head, back in BACK.items():
        own = 12 * head
        params["blocks.0.attention.key.weight"][12:22, own : own + 10] = np.eye(10)
        for t in range(back, 2 * LENGTH):
            params["blocks.0.attention.query.weight"][12 + t, own + t - back] = 30
    params["blocks.0.attention.value.weight"][:12, 12:24] = np.eye(12)
    params["blocks.0.attention.output.weight"][12:24, :12] = 5 * np.eye(12)
    params["head.weight"][:12, :12] = 5 * np.eye(12)
    return model, params


def test_each_pattern_is_found_in_its_head():
    scores = head_scores(*built(), np.random.default_rng(0), length=LENGTH)
    assert [scores.best(pattern) for pattern in ("previous", "induction", "duplicate")] == [
        [(0, 0)],
        [(0, 1)],
        [(0, 2)],
    ]
    assert all(scores.best(pattern, 3)[0] == scores.best(pattern)[0] for pattern in scores._fields)
    for pattern in scores._fields:
        values = np.sort(getattr(scores, pattern)[0])
        assert values[-1] > 0.99
        assert values[0] < 0.2
    with pytest.raises(UserError, match="no pattern 'copying'"):
        scores.best("copying")


def test_without_the_head_that_copies_nothing_is_copied():
    model, params = built()
    losses = {
        without: copying_loss(model, params, np.random.default_rng(1), length=LENGTH, without=without)
        for without in ((), ((0, 0),), ((0, 1),), ((0, 2),))
    }
    assert losses[()] < 0.1
    assert losses[((0, 0),)] == losses[((0, 2),)] == losses[()]
    assert losses[((0, 1),)] > 2


def test_best_takes_heads_of_all_layers():
    scores = HeadScores(np.array([[0.1, 0.9], [0.5, 0.2]]), np.zeros((2, 2)), np.zeros((2, 2)))
    assert scores.best("induction", 2) == [(0, 1), (1, 0)]


def test_too_long_a_text_is_refused():
    with pytest.raises(UserError, match="6 tokens twice do not fit the context of 10"):
        head_scores(*built(), np.random.default_rng(0), length=6)
