"""A causal model must not see what comes after: not a little, not by rounding."""

import itertools

import numpy as np
import pytest

from minigpt import Call, Transformer, TransformerConfig
from minigpt.ops import cross_entropy_backward, cross_entropy_forward

VARIANTS = [
    {"norm": norm, "norm_place": place, "position": position, "gated": gated, "key_value_heads": groups, "tied": tied}
    for norm, place, position, (gated, groups, tied) in itertools.product(
        ("layer", "rms"),
        ("pre", "post"),
        ("learned", "sinusoidal", "rotary"),
        ((False, None, True), (True, 2, False)),
    )
]


def make(dtype, context=150, **changes):
    """A small model with parameters far from their first values."""
    sizes = {"vocabulary_size": 23, "context": context, "width": 24, "layers": 2, "heads": 4, "feed_forward_width": 40}
    model = Transformer(TransformerConfig(**{**sizes, **changes}))
    rng = np.random.default_rng(0)
    params = model.init(rng)
    params.flat += 0.3 * rng.standard_normal(params.flat.size)
    return model, params.astype(dtype), rng


@pytest.mark.parametrize("changes", VARIANTS, ids=lambda c: "-".join(str(v) for v in c.values()))
def test_changing_a_token_changes_no_output_before_it(changes):
    model, params, rng = make(np.float32, **changes)
    tokens = rng.integers(0, 23, (2, 130))  # more than two pieces of queries
    before, _ = model.forward(params, tokens)
    for t in (1, 63, 64, 100, 129):
        edited = tokens.copy()
        edited[:, t] = (edited[:, t] + 1) % 23
        after, _ = model.forward(params, edited)
        assert np.array_equal(before[:, :t], after[:, :t])
        assert not np.array_equal(before[:, t], after[:, t])


@pytest.mark.parametrize("changes", VARIANTS[::5], ids=lambda c: "-".join(str(v) for v in c.values()))
def test_a_loss_at_one_position_gives_later_tokens_exactly_no_gradient(changes):
    model, params, rng = make(np.float64, **changes)
    tokens = rng.integers(0, 23, (1, 9))
    targets = np.full_like(tokens, -1)
    targets[0, 4] = 3
    seen = {}

    def hook(name, x):
        seen[name] = x
        return x

    call = Call(hook=hook)
    logits, cache = model.forward(params, tokens, call)
    _, loss_cache = cross_entropy_forward(logits, targets)
    model.backward(params, cache, cross_entropy_backward(1.0, loss_cache), call)
    gradient = seen["dembedding"][0]  # (T, C)
    assert np.array_equal(gradient[5:], np.zeros_like(gradient[5:]))
    assert np.abs(gradient[:5]).max(axis=-1).min() > 0


def test_a_tap_sees_named_activations_and_may_replace_them():
    model, params, rng = make(np.float64)
    tokens = rng.integers(0, 23, (2, 7))
    plain, _ = model.forward(params, tokens)
    names = []

    def look(name, x):
        names.append(name)
        return x

    watched, _ = model.forward(params, tokens, Call(hook=look))
    np.testing.assert_allclose(watched, plain, rtol=1e-12, atol=1e-12)
    for name in (
        "embedding",
        "blocks.1.attention.weights",
        "blocks.0.residual_mid",
        "blocks.1.residual_post",
        "logits",
    ):
        assert name in names

    def silence(name, x):
        return x * 0 if name == "blocks.1.feed_forward.output" else x

    silenced, _ = model.forward(params, tokens, Call(hook=silence))
    without = params.copy()
    without["blocks.1.feed_forward.down.weight"] = np.zeros_like(without["blocks.1.feed_forward.down.weight"])
    without["blocks.1.feed_forward.down.bias"] = np.zeros_like(without["blocks.1.feed_forward.down.bias"])
    np.testing.assert_allclose(silenced, model.forward(params=without, batch=tokens)[0], rtol=1e-12)
    assert np.abs(silenced - plain).max() > 1e-3


def test_attention_weights_seen_by_a_tap_are_causal_and_sum_to_one():
    model, params, rng = make(np.float64)
    weights = []

    def hook(name, x):
        if name.endswith("attention.weights"):
            weights.append(x)
        return x

    model.forward(params, rng.integers(0, 23, (2, 70)), Call(hook=hook))
    assert [w.shape for w in weights] == [(2, 4, 70, 70)] * 2
    for w in weights:
        np.testing.assert_allclose(w.sum(axis=-1), 1, rtol=1e-12)
        assert np.array_equal(w, np.tril(w))
