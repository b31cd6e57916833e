"""A mixture of experts: what it adds up, what its gradient is, and what it costs."""

from dataclasses import replace

import numpy as np
import pytest

from minigpt import Call, Transformer, TransformerConfig, UserError
from minigpt.objectives import causal_lm, loss, loss_and_gradient, scored
from minigpt.optim import warmup_cosine
from minigpt.parallel.tensor import check_tensor
from minigpt.train import fit

CONFIG = TransformerConfig(
    vocabulary_size=11,
    context=6,
    width=12,
    layers=2,
    heads=2,
    feed_forward_width=7,
    experts=4,
    experts_per_token=2,
    load_balancing=0.5,
    init_std=0.4,
)
WINDOWS = np.random.default_rng(3).integers(0, 11, (3, 7))


def start(config=CONFIG):
    model = Transformer(config)
    return model, model.init(np.random.default_rng(0), dtype=np.float64)


def uneven(model, params, batch):
    _, cache = model.forward(params, batch)
    return sum(block.feed_forward.inner.uneven for _, block in cache.stack.blocks)


def test_the_gradient_is_that_of_the_loss_and_the_unevenness():
    model, params = start()
    batch = causal_lm(WINDOWS)
    grads = loss_and_gradient(model, params, batch)[1]
    rng = np.random.default_rng(1)

    def criterion(flat):
        moved = params.copy()
        moved.flat[...] = flat
        return loss(model, moved, batch) + CONFIG.load_balancing * uneven(model, moved, batch)

    for name, gradient in grads.items():
        direction = params.zeros_like()
        direction[name] = rng.standard_normal(gradient.shape)
        step = 1e-6 * direction.flat
        numeric = (criterion(params.flat + step) - criterion(params.flat - step)) / 2e-6
        assert np.vdot(direction.flat, grads.flat) == pytest.approx(numeric, rel=1e-5, abs=1e-8), name


def test_one_expert_is_the_plain_network():
    plain, params = start(replace(CONFIG, experts=None))
    one, ours = start(replace(CONFIG, experts=1, experts_per_token=1))
    for name in params:
        ours[name.replace("feed_forward.", "feed_forward.experts.0.")] = params[name]
    tokens = WINDOWS[:, :-1]
    np.testing.assert_allclose(one.forward(ours, tokens)[0], plain.forward(params, tokens)[0], atol=1e-12)
    assert uneven(one, ours, tokens) == pytest.approx(2)  # 1 in each of the two blocks


def test_each_token_uses_as_many_experts_as_it_is_told():
    model, params = start()
    kept = {}
    model.forward(params, WINDOWS[:, :-1], Call(hook=kept.setdefault))
    weights = kept["blocks.0.feed_forward.routing"]
    assert np.all(np.count_nonzero(weights, axis=1) == 2)
    np.testing.assert_allclose(weights.sum(axis=1), 1)


def test_a_hook_sees_no_gradient_of_experts_that_a_token_does_not_ask():
    model, params = start()
    kept = {}
    loss_and_gradient(model, params, causal_lm(WINDOWS), call=Call(hook=kept.setdefault))
    for block in range(CONFIG.layers):
        routing, gradient = (kept[f"blocks.{block}.feed_forward.{name}"] for name in ("routing", "drouting"))
        assert np.array_equal(gradient != 0, routing != 0)


def test_an_expert_that_nobody_asks_gets_exactly_no_gradient():
    model, params = start(replace(CONFIG, load_balancing=0.0))
    params["blocks.0.feed_forward.router.weight"][...] = 0  # all alike: the first two are taken
    grads = loss_and_gradient(model, params, causal_lm(WINDOWS))[1]
    for expert, used in enumerate((True, True, False, False)):
        assert np.any(grads[f"blocks.0.feed_forward.experts.{expert}.up.weight"]) == used


def test_balancing_spreads_the_work():
    """Tokens that are all alike, but for noise: without the second loss a few experts do everything."""
    shares = {}
    for balance in (0.0, 0.5):
        model = Transformer(replace(CONFIG, load_balancing=balance, layers=1, experts_per_token=1, init_std=0.1))
        params = model.init(np.random.default_rng(0))
        rng = np.random.default_rng(1)
        batches = (causal_lm(rng.integers(0, 11, (8, 7))) for _ in range(150))
        fit(model, params, batches, warmup_cosine(1e-2, warmup=10, total=150))
        kept = {}
        model.forward(params, rng.integers(0, 11, (50, 6)), Call(hook=kept.setdefault))
        shares[balance] = np.mean(kept["blocks.0.feed_forward.routing"] > 0, axis=0).max()
    assert shares[0.5] < 0.4 < shares[0.0]


def test_parts_of_a_batch_add_up_but_for_the_balance():
    model, params = start(replace(CONFIG, load_balancing=0.0))
    batch = causal_lm(WINDOWS)
    whole = loss_and_gradient(model, params, batch)[1].flat
    parts = [causal_lm(WINDOWS[rows]) for rows in (slice(0, 1), slice(1, 3))]
    summed = sum(loss_and_gradient(model, params, part, counts=scored(batch))[1].flat for part in parts)
    np.testing.assert_allclose(summed, whole, atol=1e-12)


def test_what_does_not_fit_is_named():
    with pytest.raises(UserError, match="a token uses 5 experts, but there are 4"):
        replace(CONFIG, experts_per_token=5)
    with pytest.raises(UserError, match="experts is 0"):
        replace(CONFIG, experts=0)
    with pytest.raises(UserError, match="load_balancing is -1"):
        replace(CONFIG, load_balancing=-1)
    for cut in (lambda: check_tensor(CONFIG, 2), lambda: Transformer(CONFIG, stage=0, stages=2)):
        with pytest.raises(UserError, match="trained in one process"):
            cut()
