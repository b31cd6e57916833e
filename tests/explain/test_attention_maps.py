"""Attention maps are the weights that were used; rollout and flow are what their definitions say."""

from itertools import product

import numpy as np
import pytest
from explained_models import start

from minigpt import UserError
from minigpt.check import CONFIGS
from minigpt.explain import attention_maps, flow, rollout, rollout_across


def drawn(rng, layers, heads, length, *, causal=True):
    weights = rng.random((layers, heads, length, length)) * (np.tri(length) if causal else 1)
    return weights / weights.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("name", CONFIGS)
def test_every_architecture_has_maps_whose_rows_sum_to_one(name):
    model, params, batch = start(name)
    maps = attention_maps(model, params, batch)
    config = model.config
    assert maps.attention.shape[:2] == (config.layers, config.heads)
    assert (maps.encoder is not None) == (config.encoder is not None)
    assert (maps.cross is not None) == (config.encoder is not None and not config.encoder_ahead)
    for one in maps:
        if one is not None:
            assert np.allclose(one.sum(axis=-1), 1)
    rolled = rollout(maps.attention)
    assert np.allclose(rolled.sum(axis=-1), 1)
    if config.architecture == "decoder":
        assert not np.triu(rolled[-1], 1).any()


def test_rollout_of_one_layer_is_half_of_it_and_half_of_oneself():
    weights = drawn(np.random.default_rng(0), 2, 3, 4)
    mean = weights.mean(axis=1)
    first = 0.5 * mean[0] + 0.5 * np.eye(4)
    assert np.allclose(rollout(weights)[0], first)
    assert np.allclose(rollout(weights)[1], (0.5 * mean[1] + 0.5 * np.eye(4)) @ first)
    assert np.allclose(rollout(weights, residual=1.0)[-1], np.eye(4))


def test_rollout_across_follows_cross_attention():
    model, params, batch = start("BART")
    maps = attention_maps(model, params, batch)
    across = rollout_across(maps)
    assert across.shape == (batch.tokens.shape[1], batch.source.shape[1])
    assert (across >= 0).all()
    assert (across.sum(axis=1) < 1 + 1e-9).all()
    nothing = maps._replace(cross=np.zeros_like(maps.cross))
    assert not rollout_across(nothing).any()
    with pytest.raises(UserError, match="no cross-attention"):
        rollout_across(maps._replace(cross=None))


def smallest_cut(pipes, begin, goal):
    """The least width that parts a node above all layers from one below: of every choice of sides for those between."""
    length, between, least = pipes.shape[-1], len(pipes) - 1, np.inf
    for sides in product((True, False), repeat=between * length):
        above = [*np.reshape(sides, (between, length)), np.arange(length) == begin]
        above.insert(0, np.arange(length) != goal)  # other inputs lead nowhere, so nothing is cut before them
        cut = sum(pipe[above[layer + 1]][:, ~above[layer]].sum() for layer, pipe in enumerate(pipes))
        least = min(least, cut)
    return least


def test_flow_is_the_smallest_cut():
    rng = np.random.default_rng(1)
    for causal in (True, False):
        weights = drawn(rng, 3, 2, 4, causal=causal)
        pipes = 0.5 * weights.mean(axis=1) + 0.5 * np.eye(4)
        for position in (2, -1):
            begin = range(4)[position]
            expected = [smallest_cut(pipes, begin, goal) for goal in range(4)]
            assert np.allclose(flow(weights, position=position), expected, atol=1e-8)


def test_flow_of_one_layer_is_its_pipes_and_too_long_a_text_is_refused():
    weights = drawn(np.random.default_rng(2), 1, 2, 4)
    assert np.allclose(flow(weights), 0.5 * weights.mean(axis=1)[0, -1] + 0.5 * np.eye(4)[-1])
    with pytest.raises(UserError, match="at most 64"):
        flow(np.zeros((1, 1, 65, 65)))


def test_many_rows_and_too_large_maps_are_refused():
    model, params, _ = start("GPT-2")
    with pytest.raises(UserError, match="one input"):
        attention_maps(model, params, np.zeros((2, 3), int))
