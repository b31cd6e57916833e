"""What must be zero is zero: exactly where nothing was computed, to rounding where terms cancel."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigpt import ops

seeds = st.integers(0, 2**32 - 1)


def exactly_zero(array):
    return not np.any(array)


@given(seeds, st.integers(0, 4))
def test_future_keys_and_values_get_exactly_no_gradient(seed, t):
    rng = np.random.default_rng(seed)
    query, key, value = rng.standard_normal((3, 2, 3, 5, 4))
    y, cache = ops.attention_forward(query, key, value, mask=ops.causal_mask(5))
    dy = np.zeros_like(y)
    dy[:, :, t] = rng.standard_normal(dy[:, :, t].shape)
    dquery, dkey, dvalue = ops.attention_backward(dy, cache)
    assert exactly_zero(dkey[:, :, t + 1 :])
    assert exactly_zero(dvalue[:, :, t + 1 :])
    assert exactly_zero(np.delete(dquery, t, axis=2))
    assert np.all(dvalue[:, :, : t + 1])


@pytest.mark.parametrize("length", [5, 64, 65, 200])
def test_no_output_sees_the_future(length):
    rng = np.random.default_rng(length)
    query, key, value = rng.standard_normal((3, 1, 2, length, 4))
    before, _ = ops.attention_forward(query, key, value, mask=ops.causal_mask(length))
    for t in (1, length // 2, length - 1):
        other_key, other_value = key.copy(), value.copy()
        other_key[:, :, t:], other_value[:, :, t:] = rng.standard_normal((2, 1, 2, length - t, 4))
        after, _ = ops.attention_forward(query, other_key, other_value, mask=ops.causal_mask(length))
        assert np.array_equal(before[:, :, :t], after[:, :, :t])
        assert not np.any(before[:, :, t] == after[:, :, t])


@given(seeds)
def test_keys_hidden_by_padding_get_exactly_no_gradient(seed):
    rng = np.random.default_rng(seed)
    present = np.array([[True, True, False, True], [True, False, False, False]])
    query, key, value = (rng.standard_normal((2, 3, length, 5)) for length in (6, 4, 4))
    y, cache = ops.attention_forward(query, key, value, mask=ops.padding_mask(present))
    _, dkey, dvalue = ops.attention_backward(rng.standard_normal(y.shape), cache)
    for gradient in (dkey, dvalue):
        assert exactly_zero(gradient.swapaxes(1, 2)[~present])
    assert np.all(dvalue.swapaxes(1, 2)[present])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_query_that_may_attend_to_nothing_gives_zeros_and_gets_no_gradient(dtype):
    rng = np.random.default_rng(0)
    query, key, value = (rng.standard_normal((2, 3, length, 5)).astype(dtype) for length in (4, 6, 6))
    mask = np.ones((4, 6), bool)
    mask[2] = False
    y, cache = ops.attention_forward(query, key, value, mask=mask)
    dy = np.zeros_like(y)
    dy[:, :, 2] = 1
    assert exactly_zero(y[:, :, 2])
    assert np.all(np.abs(y[:, :, [0, 1, 3]]).sum(axis=-1) > 0)
    for gradient in ops.attention_backward(dy, cache):
        assert exactly_zero(gradient)
    nothing, cache = ops.attention_forward(query, key, value, mask=np.zeros((4, 6), bool))
    assert exactly_zero(nothing)
    for gradient in ops.attention_backward(np.ones_like(y), cache):
        assert exactly_zero(gradient)


@given(seeds)
def test_a_shift_of_all_keys_changes_nothing(seed):
    """So the key's bias, which is such a shift, has a gradient of zero."""
    rng = np.random.default_rng(seed)
    query, key, value = rng.standard_normal((3, 2, 3, 5, 4))
    mask = ops.causal_mask(5)
    y, cache = ops.attention_forward(query, key, value, mask=mask)
    shifted, _ = ops.attention_forward(query, key + rng.standard_normal(4), value, mask=mask)
    np.testing.assert_allclose(shifted, y, atol=1e-12)
    _, dkey, _ = ops.attention_backward(rng.standard_normal(y.shape), cache)
    np.testing.assert_allclose(dkey.sum(axis=2), 0, atol=1e-12)
    assert np.abs(dkey).max() > 1e-3


@given(seeds)
def test_softmax_gradients_sum_to_zero_over_a_row(seed):
    rng = np.random.default_rng(seed)
    y, cache = ops.softmax_forward(3 * rng.standard_normal((2, 3, 7)))
    dx = ops.softmax_backward(rng.standard_normal(y.shape), cache)
    np.testing.assert_allclose(dx.sum(axis=-1), 0, atol=1e-14)
    assert np.abs(dx).max() > 1e-3


@given(seeds)
def test_layer_norm_gradients_sum_to_zero_over_a_token_and_ignore_its_scale(seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2, 3, 7))
    y, cache = ops.layer_norm_forward(x, rng.uniform(0.5, 2, 7), rng.standard_normal(7), epsilon=0.0)
    dx, _, _ = ops.layer_norm_backward(rng.standard_normal(y.shape), cache)
    np.testing.assert_allclose(dx.sum(axis=-1), 0, atol=1e-12)
    np.testing.assert_allclose((dx * x).sum(axis=-1), 0, atol=1e-12)  # a longer row gives the same y
    assert np.abs(dx).max() > 1e-3


@given(seeds)
def test_rms_norm_gradients_are_orthogonal_to_the_token_but_do_not_sum_to_zero(seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2, 3, 7))
    y, cache = ops.rms_norm_forward(x, rng.uniform(0.5, 2, 7), epsilon=0.0)
    dx, _ = ops.rms_norm_backward(rng.standard_normal(y.shape), cache)
    np.testing.assert_allclose((dx * x).sum(axis=-1), 0, atol=1e-12)
    assert np.abs(dx.sum(axis=-1)).max() > 1e-3


@given(seeds, st.integers(0, 4))
def test_what_no_window_sees_gets_exactly_no_gradient(seed, rest):
    rng = np.random.default_rng(seed)
    x, weight = rng.standard_normal((2, 3, 7 + rest)), rng.standard_normal((4, 3, 2))
    y, cache = ops.convolution_1d_forward(x, weight, stride=5)
    assert y.shape == (2, 4, 2)
    dx, dweight = ops.convolution_1d_backward(rng.standard_normal(y.shape), cache)
    seen = np.isin(np.arange(7 + rest), [0, 1, 5, 6])
    assert exactly_zero(dx[:, :, ~seen])
    assert np.all(dx[:, :, seen])
    x[:, :, ~seen] = rng.standard_normal(x[:, :, ~seen].shape)  # nor does it change what is seen
    assert np.array_equal(ops.convolution_1d_forward(x, weight, stride=5)[0], y)
    assert np.all(dweight)


@given(seeds, st.integers(0, 2), st.integers(0, 3))
def test_an_output_of_a_convolution_teaches_its_own_window_only(seed, row, column):
    rng = np.random.default_rng(seed)
    x, weight, bias = rng.standard_normal((2, 3, 7, 8)), rng.standard_normal((4, 3, 3, 2)), rng.standard_normal(4)
    y, cache = ops.convolution_2d_forward(x, weight, bias, stride=(3, 2), padding=(1, 0))
    assert y.shape == (2, 4, 3, 4)
    dy = np.zeros_like(y)
    dy[1, :, row, column] = rng.standard_normal(4)
    dx, _, dbias = ops.convolution_2d_backward(dy, cache)
    window = np.zeros(x.shape, bool)
    window[1, :, max(0, 3 * row - 1) : 3 * row + 2, 2 * column : 2 * column + 2] = True
    assert exactly_zero(dx[~window])
    assert np.all(dx[window])
    assert np.array_equal(dbias, dy[1, :, row, column])


@given(seeds)
def test_a_new_adapter_changes_nothing_and_learns_through_up_alone(seed):
    """`up` begins at zero (section 4.1 of the paper)."""
    rng = np.random.default_rng(seed)
    x, down, up = rng.standard_normal((2, 3, 7)), rng.standard_normal((7, 2)), np.zeros((2, 5))
    y, cache = ops.low_rank_forward(x, down, up, scale=3.0)
    dx, ddown, dup = ops.low_rank_backward(rng.standard_normal(y.shape), cache)
    assert exactly_zero(y)
    assert exactly_zero(dx)
    assert exactly_zero(ddown)
    assert np.all(dup)


def test_rows_of_tokens_that_do_not_occur_get_exactly_no_gradient():
    tokens = np.array([[5, 2, 5], [5, 0, 2]])
    _, cache = ops.embedding_forward(tokens, np.ones((7, 4)))
    dweight = ops.embedding_backward(np.ones((2, 3, 4)), cache)
    assert np.array_equal(dweight, np.array([1.0, 0, 2, 0, 0, 3, 0])[:, None] * np.ones(4))
    start = np.full((7, 4), 10.0)
    assert ops.embedding_backward(np.ones((2, 3, 4)), cache, add_to=start) is start
    assert np.array_equal(start, 10 + dweight)


@given(seeds, st.sampled_from([0.0, 0.1]))
def test_ignored_targets_get_exactly_no_gradient_and_every_row_sums_to_zero(seed, smoothing):
    rng = np.random.default_rng(seed)
    targets = np.array([[3, ops.IGNORED, 0], [ops.IGNORED, 6, 6]])
    loss, cache = ops.cross_entropy_forward(3 * rng.standard_normal((2, 3, 7)), targets, smoothing=smoothing)
    dlogits = ops.cross_entropy_backward(0.7, cache)
    assert exactly_zero(dlogits[targets == ops.IGNORED])
    np.testing.assert_allclose(dlogits.sum(axis=-1), 0, atol=1e-15)
    assert np.abs(dlogits[targets != ops.IGNORED]).min() > 0
    assert loss > 0


def test_with_nothing_to_score_loss_and_gradient_are_exactly_zero():
    loss, cache = ops.cross_entropy_forward(np.ones((2, 3, 5)), np.full((2, 3), ops.IGNORED))
    assert loss == 0
    assert exactly_zero(ops.cross_entropy_backward(1.0, cache))


def test_parts_of_a_batch_add_up_to_the_whole():
    rng = np.random.default_rng(0)
    logits, targets = rng.standard_normal((4, 3, 7)), rng.integers(0, 7, (4, 3))
    targets[0, 1] = ops.IGNORED
    whole, cache = ops.cross_entropy_forward(logits, targets)
    parts = [ops.cross_entropy_forward(logits[i : i + 2], targets[i : i + 2], count=11) for i in (0, 2)]
    np.testing.assert_allclose(sum(loss for loss, _ in parts), whole, rtol=1e-14)
    gradient = np.concatenate([ops.cross_entropy_backward(1.0, part) for _, part in parts])
    np.testing.assert_allclose(gradient, ops.cross_entropy_backward(1.0, cache), rtol=1e-14)


def test_what_dropout_zeroed_gets_exactly_no_gradient():
    rng = np.random.default_rng(0)
    mask = ops.draw_dropout_mask(rng, (40, 50), 0.3)
    x = rng.standard_normal((40, 50))
    y, cache = ops.dropout_forward(x, mask=mask, rate=0.3)
    dx = ops.dropout_backward(np.ones_like(x), cache)
    assert exactly_zero(y[~mask])
    assert exactly_zero(dx[~mask])
    np.testing.assert_allclose(dx[mask], 1 / 0.7, rtol=1e-15)
    assert abs(mask.mean() - 0.7) < 0.04  # four standard deviations of 2,000 draws


def test_relu_passes_nothing_where_x_is_not_positive():
    x = np.array([-2.0, -0.0, 0.0, 1e-300, 3.0])
    y, cache = ops.relu_forward(x)
    assert np.array_equal(y, [0, 0, 0, 1e-300, 3])
    assert np.array_equal(ops.relu_backward(np.full(5, 2.0), cache), [0, 0, 0, 2, 2])


@given(seeds, st.integers(0, 2000), st.integers(0, 50))
def test_rotary_scores_depend_on_distance_alone_and_lengths_stay(seed, start, distance):
    rng = np.random.default_rng(seed)
    query, key = rng.standard_normal((2, 1, 8))

    def turned(x, position):
        cos, sin = ops.rotary_angles(np.array([position]), 8, dtype=np.float64)
        return ops.rotary_forward(x, cos=cos, sin=sin)[0][0]

    here = turned(query, start + distance) @ turned(key, start)
    np.testing.assert_allclose(here, turned(query, distance) @ turned(key, 0), atol=1e-10)
    np.testing.assert_allclose(np.linalg.norm(turned(query, start)), np.linalg.norm(query), rtol=1e-12)
    np.testing.assert_allclose(turned(query, 0), query[0], rtol=0)


@given(seeds)
def test_a_contrastive_gradient_never_changes_a_length_and_of_one_pair_it_is_zero(seed):
    rng = np.random.default_rng(seed)
    first, second, log_scale = rng.standard_normal((5, 3)), rng.standard_normal((5, 3)), rng.standard_normal(1)
    loss, cache = ops.contrastive_forward(first, second, log_scale)
    dfirst, dsecond, _ = ops.contrastive_backward(0.7, cache)
    np.testing.assert_allclose((first * dfirst).sum(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose((second * dsecond).sum(axis=1), 0, atol=1e-12)
    assert loss == pytest.approx(ops.contrastive_forward(7 * first, 0.1 * second, log_scale)[0], rel=1e-12)
    loss, cache = ops.contrastive_forward(first[:1], second[:1], log_scale)
    assert loss == pytest.approx(0, abs=1e-15)
    assert all(np.abs(gradient).max() < 1e-15 for gradient in ops.contrastive_backward(1.0, cache))
