"""Low-rank adapters on frozen models: nothing at first, then what the formula says; merged and unmerged."""

from dataclasses import replace

import numpy as np
import pytest

from minigpt import Call, Transformer, TransformerConfig, UserError
from minigpt.adapt import ATTENTION, Learns, low_rank_adapters, merge, unmerge
from minigpt.check.gradient import check_gradient
from minigpt.model import Overlay, Params
from minigpt.model.parts import apply_linear, back_linear
from minigpt.objectives import causal_lm, loss, loss_and_gradient
from minigpt.ops import draw_dropout_mask
from minigpt.parallel import launch
from minigpt.parallel.tensor import shard_call, shard_params
from minigpt.train import fit

SIZES = {"vocabulary_size": 13, "context": 9, "width": 24, "layers": 2, "heads": 4, "feed_forward_width": 20}
MODERN = {"norm": "rms", "activation": "silu", "gated": True, "position": "rotary", "bias": False, "key_value_heads": 2}
EVERY = (*ATTENTION, "feed_forward.gate", "feed_forward.up", "feed_forward.down")
BATCH = causal_lm(np.random.default_rng(5).integers(0, 13, (3, 9)))
KINDS = {"GPT-2": {}, "modern": MODERN}


def start(kind, layers=EVERY, rank=3):
    model = Transformer(TransformerConfig(**{**SIZES, **KINDS[kind], "init_std": 0.2}))
    params = model.init(np.random.default_rng(0), dtype=np.float64)
    there = tuple(layer for layer in layers if layer != "feed_forward.gate" or model.config.gated)
    adapters = low_rank_adapters(model, np.random.default_rng(1), rank=rank, layers=there, dtype=np.float64)
    return model, params, adapters


def noisy(adapters):
    adapters.flat += 0.3 * np.random.default_rng(2).standard_normal(adapters.flat.size)
    return adapters


@pytest.mark.parametrize("kind", KINDS)
def test_fresh_adapters_change_nothing(kind):
    model, params, adapters = start(kind)
    assert loss(model, Overlay(params, adapters), BATCH) == loss(model, params, BATCH)
    downs = [adapters[name] for name in adapters if name.endswith("down")]
    assert len(downs) == 2 * (len(EVERY) - (kind == "GPT-2"))
    assert all(0.5 < down.std() * np.sqrt(len(down)) < 1.5 for down in downs)


@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_adds_its_product_to_its_matrix(kind):
    model, params, adapters = start(kind)
    noisy(adapters)
    written_out = params.copy()
    for name in adapters:
        if name.endswith(".down"):
            layer = name[: -len(".adapter.down")]
            written_out[f"{layer}.weight"] = (
                params[f"{layer}.weight"] + adapters[name] @ adapters[f"{layer}.adapter.up"]
            )
    wanted = model.forward(written_out, BATCH.tokens)[0]
    np.testing.assert_allclose(model.forward(Overlay(params, adapters), BATCH.tokens)[0], wanted, rtol=0, atol=1e-12)
    merged = merge(params, adapters)
    assert np.array_equal(model.forward(merged, BATCH.tokens)[0], wanted)
    np.testing.assert_allclose(unmerge(merged, adapters).flat, params.flat, rtol=0, atol=1e-14)
    assert np.abs(merged.flat - params.flat).max() > 0.1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layers", [EVERY, ("attention.query",), ("attention.value", "feed_forward.up")])
def test_gradients_of_adapters_are_numerically_right(kind, layers):
    model, params, adapters = start(kind, layers)
    noisy(adapters)

    def forward(*arrays):
        current = Params(adapters.arrays, dtype=arrays[0].dtype)
        for name, array in zip(adapters, arrays, strict=True):
            current[name] = array
        over = Overlay(params.astype(arrays[0].dtype), current)
        value, grads = loss_and_gradient(model, over, BATCH)
        return np.asarray(value, arrays[0].dtype), grads

    def backward(dy, grads):
        return tuple((dy * array).astype(dy.dtype) for _, array in grads.items())

    report = check_gradient(
        forward, backward, *(array for _, array in adapters.items()), names=list(adapters), samples=3, absolute=1e-9
    )
    report.raise_if_wrong()


def with_dropout(kind, rate, call=None, config_rate=0.0):
    """Loss and gradients of adapters whose inputs are dropped at this rate, by a generator of its own."""
    model, params, adapters = start(kind)
    model = Transformer(replace(model.config, dropout=config_rate))
    call = call or Call(rng=np.random.default_rng(7))
    return loss_and_gradient(model, Overlay(params, noisy(adapters), rate), BATCH, call)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_with_dropout_are_numerically_right(kind):
    model, params, adapters = start(kind)
    noisy(adapters)

    def forward(*arrays):
        current = Params(adapters.arrays, dtype=arrays[0].dtype)
        for name, array in zip(adapters, arrays, strict=True):
            current[name] = array
        over = Overlay(params.astype(arrays[0].dtype), current, 0.4)
        value, grads = loss_and_gradient(model, over, BATCH, Call(rng=np.random.default_rng(7)))
        return np.asarray(value, arrays[0].dtype), grads

    def backward(dy, grads):
        return tuple((dy * array).astype(dy.dtype) for _, array in grads.items())

    check_gradient(
        forward, backward, *(array for _, array in adapters.items()), names=list(adapters), samples=3, absolute=1e-9
    ).raise_if_wrong()


def test_dropout_lies_on_what_goes_into_the_adapter_and_nowhere_else():
    rng = np.random.default_rng(3)
    weight, bias, down, up, x, dy = (rng.standard_normal(n) for n in ((6, 5), 5, (6, 2), (2, 5), (4, 3, 6), (4, 3, 5)))
    base = Params({"a.weight": weight.shape, "a.bias": bias.shape}, dtype=np.float64)
    trained = Params({"a.adapter.down": down.shape, "a.adapter.up": up.shape}, dtype=np.float64)
    for params, name, value in ((base, "weight", weight), (base, "bias", bias)):
        params[f"a.{name}"] = value
    trained["a.adapter.down"], trained["a.adapter.up"] = down, up
    y, cache = apply_linear(Overlay(base, trained, 0.25), "a", x, Call(rng=np.random.default_rng(8)))
    mask = draw_dropout_mask(np.random.default_rng(8), x.shape, 0.25)
    assert 0.4 < mask.mean() < 0.95
    np.testing.assert_allclose(y, x @ weight + bias + (x * mask / 0.75) @ down @ up, rtol=0, atol=1e-12)
    grads = trained.zeros_like()
    dx = back_linear(grads, "a", dy, cache)
    np.testing.assert_allclose(dx, dy @ weight.T + dy @ up.T @ down.T * mask / 0.75, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_acts_in_training_alone_and_without_it_no_bit_changes(kind):
    value, grads = with_dropout(kind, 0.3)
    assert abs(value - with_dropout(kind, 0.0)[0]) > 1e-4
    assert with_dropout(kind, 0.3)[0] == value  # the same masks again
    assert with_dropout(kind, 0.3, Call())[0] == with_dropout(kind, 0.0, Call())[0]
    model, params, adapters = start(kind)
    untouched = Overlay(params, noisy(adapters))
    for rate in (0.0, 0.2):  # of the model's own dropout, whose masks stay the same
        model = Transformer(replace(model.config, dropout=rate))
        before, old = loss_and_gradient(model, untouched, BATCH, Call(rng=np.random.default_rng(7)))
        after, new = with_dropout(kind, 0.0, config_rate=rate)
        assert before == after and np.array_equal(old.flat, new.flat)
    again, recomputed = with_dropout(kind, 0.3, Call(rng=np.random.default_rng(7), recompute=True), config_rate=0.2)
    value, grads = with_dropout(kind, 0.3, config_rate=0.2)
    assert again == value and np.array_equal(recomputed.flat, grads.flat)


def test_fresh_adapters_change_nothing_whatever_is_dropped():
    model, params, adapters = start("modern")
    call = Call(rng=np.random.default_rng(7))
    assert loss(model, Overlay(params, adapters, 0.5), BATCH, call) == loss(model, params, BATCH)


def test_a_dropout_that_does_not_fit_is_refused():
    model, params, adapters = start("GPT-2")
    for rate in (1.0, -0.1, "0.1"):
        with pytest.raises(UserError, match="adapter_dropout is"):
            Overlay(params, adapters, rate)
    with pytest.raises(UserError, match="low-rank adapters alone have a dropout"):
        Learns("last", dropout=0.1)

    def rank(comm):
        over = Overlay(shard_params(params, comm.rank, 2), shard_params(adapters, comm.rank, 2), 0.1)
        call = shard_call(model.config, comm, Call(rng=np.random.default_rng(0)))
        with pytest.raises(UserError, match="ranks would draw different masks"):
            loss_and_gradient(model, over, BATCH, call)
        return True

    assert launch(rank, 2) == [True, True]


def test_what_learns_is_written_and_read_again():
    learns = Learns("low-rank", rank=3, layers=("feed_forward.up",), dropout=0.1)
    assert Learns.from_dict(learns.to_dict()) == learns
    older = {name: value for name, value in Learns("last", blocks=2).to_dict().items() if name != "dropout"}
    assert Learns.from_dict(older) == Learns("last", blocks=2)


def test_only_the_adapters_learn():
    model, params, adapters = start("GPT-2", ATTENTION)
    before = params.copy()
    losses = fit(model, Overlay(params, adapters), [BATCH] * 60, lambda step: 0.02)
    assert losses[-1] < losses[0] - 0.5
    assert np.array_equal(params.flat, before.flat)
    assert loss(model, merge(params, adapters), BATCH) == pytest.approx(
        loss(model, Overlay(params, adapters), BATCH), abs=1e-12
    )


@pytest.mark.parametrize("kind", KINDS)
def test_tensor_parallel_ranks_share_adapters_out(kind):
    model, params, adapters = start(kind)
    noisy(adapters)
    value, whole = loss_and_gradient(model, Overlay(params, adapters), BATCH)

    def rank(comm):
        over = Overlay(shard_params(params, comm.rank, 2), shard_params(adapters, comm.rank, 2))
        mine, grads = loss_and_gradient(model, over, BATCH, shard_call(model.config, comm, Call()))
        # What is whole on every rank gets a part of its gradient from each.
        for name, record in adapters.arrays.items():
            if record.cut is None:
                total = np.empty_like(grads[name])
                comm.Allreduce(np.ascontiguousarray(grads[name]), total)
                grads[name] = total
        wanted = shard_params(whole, comm.rank, 2)
        return mine, max(np.abs(grads[name] - wanted[name]).max() for name in grads)

    for mine, difference in launch(rank, 2):
        assert mine == pytest.approx(value, abs=1e-12) and difference < 1e-12


def test_what_does_not_fit_is_named():
    model, params, adapters = start("GPT-2")
    for layers, message in (
        (("attention.query", "attention.valeu"), r"called attention\.valeu"),
        ("attention.query", "must be a sequence of names"),
        ((), "must be a sequence of names"),
    ):
        with pytest.raises(UserError, match=message):
            low_rank_adapters(model, np.random.default_rng(0), layers=layers)
    with pytest.raises(UserError, match=r"rank of an adapter is 2\.0"):
        low_rank_adapters(model, np.random.default_rng(0), rank=2.0)
    with pytest.raises(UserError, match="not into Overlay"):
        merge(Overlay(params, adapters), adapters)
    with pytest.raises(UserError, match=r"final_norm\.gain is no adapter"):
        merge(params, params.only(["final_norm.gain"]))
    with pytest.raises(UserError, match=r"adapter\.up is missing"):
        merge(params, adapters.only(["blocks.0.attention.query.adapter.down"]))
    with pytest.raises(UserError, match="rank of an adapter is 0"):
        low_rank_adapters(model, np.random.default_rng(0), rank=0)
    with pytest.raises(UserError, match=r"rank 30 is more than .*query"):
        low_rank_adapters(model, np.random.default_rng(0), rank=30)
    with pytest.raises(UserError, match=r"no layer of this model is called attention\.q"):
        low_rank_adapters(model, np.random.default_rng(0), layers=("attention.q",))
    with pytest.raises(UserError, match="belongs to another model"):
        merge(Transformer(TransformerConfig(**{**SIZES, "width": 28})).init(np.random.default_rng(0)), adapters)
    with pytest.raises(UserError, match=r"no layer blocks\.1\."):
        merge(Transformer(TransformerConfig(**{**SIZES, "layers": 1})).init(np.random.default_rng(0)), adapters)
