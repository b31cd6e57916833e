"""Large inputs, tails and empty arrays: finite, without warnings (which are errors here), and precise."""

import math
import tracemalloc

import numpy as np
import pytest

from minigpt import ops
from minigpt.check import CASES
from minigpt.ops import attention
from minigpt.ops.gelu import normal_cdf

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def reference_cdf(x):
    return 0.5 * math.erfc(-x / math.sqrt(2))


def test_normal_cdf_is_precise_in_the_middle_and_in_the_tails():
    x = np.concatenate([np.linspace(-38, 38, 4001), np.linspace(-2, 2, 4001), [1e-300, -1e-300, 0.0]])
    expected = np.array([reference_cdf(value) for value in x])
    cdf = normal_cdf(x)
    assert np.abs(cdf - expected).max() < 1e-15
    # erfc(z) is exp(-z^2) in the tail, so a rounding of z, which math.erfc has too, is multiplied by 2 z^2.
    assert (np.abs(cdf - expected) / expected <= 1e-15 * (4 + x * x)).all()
    assert normal_cdf(np.array([0.0]))[0] == 0.5
    assert np.abs(normal_cdf(-x) + cdf - 1).max() < 1e-15


def test_normal_cdf_in_float32():
    x = np.linspace(-12, 12, 4001, dtype=np.float32)
    expected = np.array([reference_cdf(float(value)) for value in x])
    cdf = normal_cdf(x)
    assert cdf.dtype == np.float32
    assert np.abs(cdf - expected).max() < 1e-6 / 8
    assert (np.abs(cdf - expected) / expected <= 1e-6 * (1 + x * x)).all()


@DTYPES
@pytest.mark.parametrize("name", ops.ACTIVATIONS)
def test_activations_far_out_and_at_zero_are_finite(name, dtype):
    forward, backward = ops.activation(name)
    x = np.array([-1e4, -200, -0.0, 0, 1e-30, 200, 1e4], dtype)
    y, cache = forward(x)
    dx = backward(np.ones_like(x), cache)
    assert y.dtype == dx.dtype == dtype
    assert np.isfinite([y, dx]).all()


@DTYPES
@pytest.mark.parametrize("name", ["relu", "gelu", "gelu_tanh", "silu"])
def test_activations_far_out_are_zero_or_the_identity(name, dtype):
    forward, backward = ops.activation(name)
    x = np.array([-1e4, -200, 0, 200, 1e4], dtype)
    y, cache = forward(x)
    dx = backward(np.ones_like(x), cache)
    assert y.dtype == dx.dtype == dtype
    np.testing.assert_allclose(y, np.maximum(x, 0), atol=1e-30)
    np.testing.assert_allclose(dx[[0, 1, 3, 4]], [0, 0, 1, 1], atol=1e-30)
    np.testing.assert_allclose(dx[2], 0 if name == "relu" else 0.5, atol=1e-7)


def test_the_tanh_form_of_gelu_is_close_to_the_exact_one():
    x = np.linspace(-6, 6, 2001)
    difference = np.abs(ops.gelu_forward(x)[0] - ops.gelu_tanh_forward(x)[0]).max()
    assert 1e-4 < difference < 5e-4


@DTYPES
def test_softmax_of_large_scores(dtype):
    x = np.array([[1e4, 1e4 - 1, -1e4], [-1e4, -1e4, -1e4], [0, 1e4, 0]], dtype)
    y, cache = ops.softmax_forward(x)
    e = math.exp(-1)
    np.testing.assert_allclose(y, [[1 / (1 + e), e / (1 + e), 0], [1 / 3] * 3, [0, 1, 0]], rtol=1e-6)
    assert np.isfinite(ops.softmax_backward(np.full_like(x, 1e4), cache)).all()
    np.testing.assert_allclose(ops.softmax_forward(x + dtype(64))[0], y, rtol=1e-6)


@DTYPES
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_of_large_logits_is_exact_where_the_model_is_sure_and_wrong(dtype, smoothing):
    logits = np.array([[1e4, 0, -1e4], [1e4, 0, -1e4]], dtype)
    loss, cache = ops.cross_entropy_forward(logits, np.array([2, 0]), smoothing=smoothing)
    expected = (1 - smoothing) * (2e4 + 0) / 2 + smoothing * 1e4
    np.testing.assert_allclose(loss, expected, rtol=1e-6)
    dlogits = ops.cross_entropy_backward(1.0, cache)
    one_hot = np.array([[0, 0, 1], [1, 0, 0]])
    wanted = (np.array([[1, 0, 0]] * 2) - (1 - smoothing) * one_hot - smoothing / 3) / 2
    np.testing.assert_allclose(dlogits, wanted, atol=1e-7)


@DTYPES
def test_a_sure_and_right_model_has_no_loss_and_uniform_logits_cost_log_v(dtype):
    sure, _ = ops.cross_entropy_forward(np.array([[1e4, 0, 0]], dtype), np.array([0]))
    assert sure == 0
    uniform, _ = ops.cross_entropy_forward(np.full((4, 9), 123.0, dtype), np.arange(4))
    np.testing.assert_allclose(uniform, math.log(9), rtol=1e-6)
    assert uniform.dtype == dtype


@DTYPES
def test_attention_with_large_scores_picks_the_best_key(dtype):
    query = np.array([[[[1e4, 0]]]], dtype)
    key = np.array([[[[0, 1], [1, 0], [2, 0]]]], dtype)
    value = np.array([[[[1, 2], [3, 4], [5, 6]]]], dtype)
    y, cache = ops.attention_forward(query, key, value)
    assert np.array_equal(y, [[[[5, 6]]]])
    hidden = np.array([True, True, False])
    y, _ = ops.attention_forward(query, key, value, mask=hidden[None])
    assert np.array_equal(y, [[[[3, 4]]]])  # a masked score loses against any other, however low that is
    y, _ = ops.attention_forward(-query, key, value, mask=~np.array([True, False, False])[None])
    assert np.array_equal(y, [[[[3, 4]]]])
    for gradient in ops.attention_backward(np.ones_like(y), cache):
        assert np.isfinite(gradient).all()


@DTYPES
def test_norms_of_constant_and_zero_rows_are_finite(dtype):
    x, gain, bias = np.array([[3, 3, 3], [0, 0, 0]], dtype), np.full(3, 2, dtype), np.arange(3, dtype=dtype)
    y, cache = ops.layer_norm_forward(x, gain, bias)
    assert np.array_equal(y, [bias, bias])
    assert all(np.isfinite(g).all() for g in ops.layer_norm_backward(np.ones_like(x), cache))
    y, cache = ops.rms_norm_forward(np.zeros((2, 3), dtype), gain)
    assert not y.any()
    assert all(np.isfinite(g).all() for g in ops.rms_norm_backward(np.ones_like(x), cache))


def test_epsilon_is_one_in_a_hundred_thousand_unless_given():
    x = np.array([[1e-3, -1e-3]])  # mean square 1e-6
    expected = x / math.sqrt(1.1e-5)
    np.testing.assert_allclose(ops.layer_norm_forward(x, np.ones(2))[0], expected, rtol=1e-12)
    np.testing.assert_allclose(ops.rms_norm_forward(x, np.ones(2))[0], expected, rtol=1e-12)


@DTYPES
def test_layer_norm_far_from_zero_keeps_its_digits(dtype):
    """The two-pass variance: mean of squares minus square of mean would lose everything here."""
    offset = dtype(4096)
    x = np.array([[1, 2, 4, 8]], dtype)
    near, _ = ops.layer_norm_forward(x, np.ones(4, dtype))
    far, _ = ops.layer_norm_forward(x + offset, np.ones(4, dtype))
    np.testing.assert_allclose(far, near, rtol=1e-5)


@DTYPES
def test_nothing_in_gives_nothing_out(dtype):
    empty = np.zeros((0, 3), dtype)
    weight = np.ones((3, 2), dtype)
    y, cache = ops.linear_forward(empty, weight, np.ones(2, dtype))
    assert y.shape == (0, 2)
    dx, dweight, dbias = ops.linear_backward(y, cache)
    assert dx.shape == (0, 3)
    assert not dweight.any()
    assert not dbias.any()
    y, cache = ops.embedding_forward(np.zeros((0,), int), weight)
    assert y.shape == (0, 2)
    assert not ops.embedding_backward(y, cache).any()
    loss, cache = ops.cross_entropy_forward(empty, np.zeros((0,), int))
    assert loss == 0
    assert ops.cross_entropy_backward(1.0, cache).shape == (0, 3)


def test_a_row_of_the_sinusoidal_table_is_turned_into_a_later_one():
    """Section 3.5 of Vaswani et al. (2017): position t + k is a rotation of position t, the same one for every t."""
    table = ops.sinusoidal_positions(np.arange(60), 8, dtype=np.float64)
    np.testing.assert_allclose(table[0], [0, 1] * 4)
    np.testing.assert_allclose(table[5, 4], math.sin(5 / 10000 ** (4 / 8)), rtol=1e-12)
    for k in (1, 17):
        angle = k * 10000.0 ** (-np.arange(0, 8, 2) / 8)
        sin, cos = table[:-k, 0::2], table[:-k, 1::2]
        np.testing.assert_allclose(table[k:, 0::2], sin * np.cos(angle) + cos * np.sin(angle), atol=1e-12)
        np.testing.assert_allclose(table[k:, 1::2], cos * np.cos(angle) - sin * np.sin(angle), atol=1e-12)


def test_rotary_angles_are_computed_in_float64():
    cos, sin = ops.rotary_angles(np.array([1_000_003]), 64)
    exact = 1_000_003 * 10000.0 ** (-np.arange(0, 64, 2) / 64)
    assert cos.dtype == sin.dtype == np.float32
    np.testing.assert_allclose(cos[0], np.cos(exact), atol=1e-7)
    np.testing.assert_allclose(sin[0], np.sin(exact), atol=1e-7)


ATTENTION = [case for case in CASES if case.operation == "attention"]


@pytest.mark.parametrize("case", ATTENTION, ids=lambda case: case.name)
def test_weights_that_are_computed_again_give_the_same_bits(case, monkeypatch):
    arrays, options = case.inputs()
    y, cache = ops.attention_forward(*arrays, **options)
    dy = np.random.default_rng(0).standard_normal(y.shape)
    expected = ops.attention_backward(dy, cache)
    monkeypatch.setattr(attention, "KEPT", 0)
    again, cache = ops.attention_forward(*arrays, **options)
    assert all(isinstance(one, attention.Later) for _, one in cache.pieces) and np.array_equal(again, y)
    for ours, theirs in zip(ops.attention_backward(dy, cache), expected, strict=True):
        assert np.array_equal(ours, theirs)


def test_a_hook_of_the_backward_sees_weights_that_are_computed_again(monkeypatch):
    """Only looking changes nothing, though the forward had no hook."""
    arrays, options = ATTENTION[-1].inputs()
    y, cache = ops.attention_forward(*arrays, **options)
    expected = ops.attention_backward(y, cache)
    monkeypatch.setattr(attention, "KEPT", 0)
    seen = {}
    _, cache = ops.attention_forward(*arrays, **options)
    found = ops.attention_backward(y, cache, hook=seen.setdefault)
    assert set(seen) == {"dweights", "dscores"}
    for ours, theirs in zip(found, expected, strict=True):
        assert np.array_equal(ours, theirs)


def test_memory_does_not_grow_with_the_square_of_a_long_context():
    """4 heads have 67 million weights; a piece of 64 queries has half a million."""
    rng = np.random.default_rng(0)
    query, key, value = (rng.standard_normal((1, 4, 4096, 4)).astype(np.float32) for _ in range(3))
    mask = np.tril(np.ones((4096, 4096), bool))
    tracemalloc.start()
    y, cache = ops.attention_forward(query, key, value, mask=mask)
    ops.attention_backward(y, cache)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6


def test_a_hook_that_lets_masked_keys_be_seen_changes_what_is_averaged_and_not_the_scores_it_replaced():
    """Its weights reach further than those of the first piece of queries, which sees 64 of 70 keys."""
    rng = np.random.default_rng(0)
    query, key, value, dy = (rng.standard_normal((1, 1, 70, 3)) for _ in range(4))
    mask = np.tril(np.ones((70, 70), bool))
    alike = np.full((1, 1, 70, 70), 1 / 70)
    y, cache = ops.attention_forward(
        query, key, value, mask=mask, hook=lambda name, x: alike if name == "weights" else x
    )
    np.testing.assert_allclose(y, np.broadcast_to(value.mean(axis=2, keepdims=True), y.shape), rtol=1e-12)
    dquery, dkey, dvalue = ops.attention_backward(dy, cache)
    np.testing.assert_allclose(dvalue, np.broadcast_to(dy.sum(axis=2, keepdims=True) / 70, dy.shape), rtol=1e-12)
    own = ops.attention_backward(dy, ops.attention_forward(query, key, value, mask=mask)[1])
    np.testing.assert_allclose(dquery, own[0], rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(dkey, own[1], rtol=1e-10, atol=1e-13)
