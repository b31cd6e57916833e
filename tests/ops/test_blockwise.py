"""Attention in tiles: what the plain form gives, and memory that does not grow with the square of the length."""

import tracemalloc

import numpy as np
import pytest

from minigpt import ops


def arrays(rng, heads=6, groups=3, queries=37, keys=45, width=5, dtype=np.float64):
    query = rng.standard_normal((2, heads, queries, width))
    key, value = rng.standard_normal((2, 2, groups, keys, width))
    return tuple(array.astype(dtype) for array in (query, key, value, rng.standard_normal(query.shape)))


@pytest.mark.parametrize("seed", range(8))
def test_it_equals_the_plain_form_under_random_masks(seed):
    rng = np.random.default_rng(seed)
    query, key, value, dy = arrays(rng)
    shape = (*query.shape[:3], key.shape[2])
    axes = tuple(size if rng.random() < 0.5 else 1 for size in shape)
    options = {
        "mask": rng.random(axes) < rng.choice([0.1, 0.5, 0.95]),
        "bias": 3 * rng.standard_normal(shape[1:]),
        "dropout_mask": ops.draw_dropout_mask(rng, shape, 0.3),
        "rate": 0.3,
    }
    y, cache = ops.attention_forward(query, key, value, **options)
    tiles = {"rows": int(rng.integers(1, 50)), "columns": int(rng.integers(1, 60))}
    ours, our_cache = ops.blockwise_attention_forward(query, key, value, **options, **tiles)
    np.testing.assert_allclose(ours, y, rtol=0, atol=1e-12)
    gradients = ops.blockwise_attention_backward(dy, our_cache)
    for ours, theirs in zip(gradients, ops.attention_backward(dy, cache), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("window", [None, 1, 7, 100])
@pytest.mark.parametrize("prefix", [None, np.array([0, 9])])
def test_a_rule_says_of_every_tile_what_its_array_says(causal, window, prefix):
    rng = np.random.default_rng(0)
    present = rng.random((2, 45)) < 0.8
    present[1, 20:30] = True
    queries, keys = np.arange(8, 45), np.arange(45)
    rule = ops.MaskRule(queries, keys, causal, window, 2 if window else 0, present, prefix)
    whole, distance = rule.array(), queries[:, None] - keys
    wanted = distance >= 0 if causal else np.ones(distance.shape, bool)
    if window:
        wanted &= (np.abs(distance) < window) | (keys < 2)
    wanted = wanted | (keys < (np.zeros(2, int) if prefix is None else prefix)[:, None, None])
    np.testing.assert_array_equal(whole[:, 0], wanted & present[:, None])
    for sequence in range(2):
        for rows, columns in (
            (slice(0, 5), slice(0, 9)),
            (slice(30, 37), slice(40, 45)),
            (slice(9, 16), slice(20, 30)),
        ):
            tile = rule.tile(sequence, slice(0, 6), rows, columns)
            wanted_tile = whole[sequence, 0, rows, columns]
            np.testing.assert_array_equal(
                np.broadcast_to(True if tile is None else tile, (1, *wanted_tile.shape))[0], wanted_tile
            )


def test_where_a_window_does_not_reach_nothing_is_computed():
    """What lies outside may be no number at all."""
    rng = np.random.default_rng(0)
    query, key, value, dy = arrays(rng, queries=64, keys=64)
    rule = ops.MaskRule(np.arange(64), np.arange(64), window=8, sinks=4)
    key[:, :, 8:16] = value[:, :, 8:16] = np.nan
    y, cache = ops.blockwise_attention_forward(query, key, value, mask=rule, rows=16, columns=8)
    assert np.isfinite(y[:, :, 32:]).all()  # the window of query 32 begins at 25
    assert np.isfinite(ops.blockwise_attention_backward(dy, cache)[0][:, :, 32:]).all()


def test_alibi_slopes_are_those_of_the_papers_code():
    np.testing.assert_allclose(ops.alibi_slopes(8), 2.0 ** -np.arange(1, 9), rtol=1e-15)
    np.testing.assert_allclose(ops.alibi_slopes(16)[:2], [2**-0.5, 0.5], rtol=1e-15)
    np.testing.assert_allclose(
        ops.alibi_slopes(12), [*2.0 ** -np.arange(1, 9), *2.0 ** -np.array([0.5, 1.5, 2.5, 3.5])], rtol=1e-15
    )
    assert ops.alibi_slopes(1) == 2**-8


def test_memory_is_linear_in_the_length():
    """At 8,192 positions the weights of 2 heads alone would take 537 MB, a mask 67 MB; all of this takes 20."""
    rng = np.random.default_rng(0)
    query, key, value, dy = arrays(rng, heads=2, groups=1, queries=8192, keys=8192, width=4, dtype=np.float32)
    rule = ops.MaskRule(np.arange(8192), np.arange(8192), window=500, sinks=3)
    bias = ops.AlibiBias(ops.alibi_slopes(2).astype(np.float32), np.arange(8192), np.arange(8192))
    tracemalloc.start()
    _, cache = ops.blockwise_attention_forward(
        query, key, value, mask=rule, bias=bias, dropout_mask=ops.DropoutRule(1, 0.1), rate=0.1
    )
    ops.blockwise_attention_backward(dy, cache)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6
