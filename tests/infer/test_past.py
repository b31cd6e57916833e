"""Keys and values kept from earlier positions give what computing them again would give."""

import numpy as np
import pytest
from small_model import VARIANTS, small_model

from minigpt import Call, UserError
from minigpt.infer import KeyValuePast

TOKENS = np.random.default_rng(1).integers(0, 23, (3, 11))


def pieces_with_past(model, params, tokens, borders, past):
    """Logits of `tokens`, fed in pieces that end at `borders`."""
    parts = np.split(tokens, borders, axis=1)
    return np.concatenate([model.forward(params, part, Call(past=past))[0] for part in parts], axis=1)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("borders", [range(1, 11), [4, 5, 9]], ids=["one by one", "pieces"])
def test_cached_logits_are_the_uncached(variant, borders):
    model, params = small_model(**VARIANTS[variant])
    past = KeyValuePast(model.config, 3, 12, np.float64)
    expected, _ = model.forward(params, TOKENS)
    logits = pieces_with_past(model, params, TOKENS, borders, past)
    np.testing.assert_allclose(logits, expected, rtol=1e-12, atol=1e-12)
    assert past.length == 11


def test_float32_stays_float32_and_close():
    model, params = small_model(dtype=np.float32)
    past = KeyValuePast(model.config, 3, 11, np.float32)
    logits = pieces_with_past(model, params, TOKENS, range(1, 11), past)
    expected = model.forward(params.astype(np.float64), TOKENS)[0]
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_truncate_takes_back_what_was_said():
    model, params = small_model()
    past = KeyValuePast(model.config, 3, 12, np.float64)
    pieces_with_past(model, params, (TOKENS + 1) % 23, [8], past)
    past.truncate(0)
    pieces_with_past(model, params, TOKENS[:, :9], [5], past)
    past.truncate(5)
    logits, _ = model.forward(params, TOKENS[:, 5:], Call(past=past))
    np.testing.assert_allclose(logits, model.forward(params, TOKENS)[0][:, 5:], rtol=1e-12, atol=1e-12)


def test_select_reorders_repeats_and_drops_sequences():
    model, params = small_model(**VARIANTS["grouped"])
    past = KeyValuePast(model.config, 3, 12, np.float64)
    pieces_with_past(model, params, TOKENS[:, :6], [2], past)
    order = np.array([2, 0, 2, 2])
    past.select(order)
    tokens = TOKENS[order]
    logits, _ = model.forward(params, tokens[:, 6:], Call(past=past))
    np.testing.assert_allclose(logits, model.forward(params, tokens)[0][:, 6:], rtol=1e-12, atol=1e-12)


def test_extend_gives_views_and_length_moves_once_per_forward():
    model, _ = small_model()
    past = KeyValuePast(model.config, 1, 12, np.float64)
    key = np.random.default_rng(2).standard_normal((1, 4, 3, 6))
    keys, values = past.extend("blocks.0.attention", key, -key)
    assert past.length == 0
    past.extend("blocks.1.attention", 2 * key, key)
    assert past.length == 3
    np.testing.assert_array_equal(keys, key)
    np.testing.assert_array_equal(values, -key)
    again, _ = past.extend("blocks.0.attention", key, key)
    assert np.shares_memory(keys, again)


def test_a_forward_that_fails_leaves_nothing_behind():
    model, params = small_model()
    past = KeyValuePast(model.config, 3, 12, np.float64)
    pieces_with_past(model, params, TOKENS[:, :4], [], past)

    def fail(name, x):
        if name == "blocks.1.residual_mid":
            raise RuntimeError
        return x

    with pytest.raises(RuntimeError):
        model.forward(params, (TOKENS[:, 4:6] + 1) % 23, Call(past=past, hook=fail))
    past.truncate(4)
    logits, _ = model.forward(params, TOKENS[:, 4:], Call(past=past))
    np.testing.assert_allclose(logits, model.forward(params, TOKENS)[0][:, 4:], rtol=1e-12, atol=1e-12)


def test_what_does_not_fit_is_refused():
    model, params = small_model()
    past = KeyValuePast(model.config, 3, 5, np.float64)
    with pytest.raises(UserError, match="6 positions do not fit a past of 5"):
        model.forward(params, TOKENS[:, :6], Call(past=past))
    with pytest.raises(UserError, match="cannot go back to 2 positions; the past holds 0"):
        past.truncate(2)
    past = KeyValuePast(model.config, 3, 20, np.float64)
    model.forward(params, TOKENS, Call(past=past))
    with pytest.raises(UserError, match="13 positions do not fit the context"):
        model.forward(params, TOKENS[:, :2], Call(past=past))
