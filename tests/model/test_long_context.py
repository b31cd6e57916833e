"""Windows with sinks, ALiBi and scaled rotary positions: the same with a cache, also where the old limit was, and on
ranks."""

from dataclasses import replace

import numpy as np
import pytest
from infer.small_model import small_model

from minigpt import Batch, Call, KeyValuePast, Transformer, TransformerConfig, UserError
from minigpt.check import GradientError, check_model
from minigpt.check.model import SMALL
from minigpt.check.planted.sight import rotary_scaling_forgotten
from minigpt.infer import generate
from minigpt.objectives import causal_lm, loss_and_gradient
from minigpt.parallel import launch
from minigpt.parallel.tensor import shard_call, shard_params

SIZES = {**SMALL, "width": 36}  # D = 6
SCALINGS = {
    "linear": {"factor": 3.0},
    "ntk": {"factor": 3.0},
    "dynamic": {"factor": 3.0, "original_context": 4},
    "yarn": {"factor": 3.0, "original_context": 40, "beta_fast": 4.0},
    "llama3": {"factor": 3.0, "original_context": 300},  # one pair stays, one is between, one is divided
    "divided": {"factor": 3.0, "divisors": [1.0, 1.5, 3.0]},
}
SETTINGS = {
    "alibi": {"position": "alibi"},
    "alibi, window": {"position": "alibi", "window": 3, "sinks": 1, "key_value_heads": 2},
    "window, rotary": {"position": "rotary", "window": 4},
    "window, learned": {"window": 2, "sinks": 2},
    **{kind: {"position": "rotary", "rotary_scaling": {"kind": kind, **numbers}} for kind, numbers in SCALINGS.items()},
}
each = pytest.mark.parametrize("name", SETTINGS)


@each
def test_a_cache_changes_nothing_also_beyond_the_context(name):
    """30 tokens in a context of 12: slid, gone on without end, or read again."""
    model, params = small_model(width=24, heads=4, **SETTINGS[name])
    prompt = np.array([[3, 5, 7, 11, 2], [1, 1, 2, 3, 5]])
    cached, plain = (
        np.array(list(generate(model, params, prompt, 30, cached=cached, rng=np.random.default_rng(0))))
        for cached in (True, False)
    )
    np.testing.assert_array_equal(cached, plain)


@pytest.mark.parametrize("name", ["alibi, window", "window, rotary"])
def test_a_text_with_a_window_goes_on_as_one_that_is_read_as_a_whole(name):
    """The cache keeps a few positions; the logits are those of a forward over all 60."""
    model, params = small_model(**SETTINGS[name])
    tokens = np.random.default_rng(0).integers(0, 23, (2, 60))
    whole, _ = model.forward(params, tokens)
    past = KeyValuePast(model.config, 2, 12, np.float64)
    for start, stop in ((0, 9), *((i, i + 1) for i in range(9, 60))):
        if past.length - past.dropped + stop - start > past.capacity:
            past.let_go(model.config.sinks, model.config.window - 1)
        step, _ = model.forward(params, tokens[:, start:stop], Call(past=past))
        np.testing.assert_allclose(step, whole[:, start:stop], rtol=0, atol=1e-10)
    assert past.dropped > 40
    with pytest.raises(UserError, match="were let go; begin again at 0"):
        past.truncate(30)


def test_what_a_window_does_not_reach_has_no_influence():
    model, params = small_model(layers=1, position="rotary", window=3, sinks=1)
    tokens = np.random.default_rng(0).integers(0, 23, (1, 10))
    other = tokens.copy()
    other[0, 2:5] = (tokens[0, 2:5] + 1) % 23
    difference = np.abs(model.forward(params, tokens)[0] - model.forward(params, other)[0]).max(axis=(0, 2))
    np.testing.assert_array_equal(difference > 1e-9, [False, False, *[True] * 5, False, False, False])
    other = tokens.copy()
    other[0, 0] = (tokens[0, 0] + 1) % 23  # a sink
    assert (np.abs(model.forward(params, tokens)[0] - model.forward(params, other)[0]).max(axis=(0, 2)) > 1e-9).all()


def test_alibi_knows_nothing_but_distances():
    """Tokens that are moved by padding at the left say the same."""
    model, params = small_model(position="alibi")
    tokens = np.array([[4, 8, 15, 16, 2]])
    moved = Batch(np.array([[0, 0, *tokens[0]]]), present=np.array([[False, False, *[True] * 5]]))
    np.testing.assert_allclose(
        model.forward(params, moved)[0][:, 2:], model.forward(params, tokens)[0], rtol=0, atol=1e-10
    )


def test_scaling_keeps_what_it_must():
    """A factor of 1 changes nothing, and dynamic scaling nothing of a text as long as those of training."""
    plain, params = small_model(position="rotary")
    tokens = np.random.default_rng(0).integers(0, 23, (2, 12))
    wanted, _ = plain.forward(params, tokens)
    for kind in ("linear", "ntk", "dynamic", "yarn", "llama3"):
        factor = 5.0 if kind == "dynamic" else 1.0
        scaled = Transformer(replace(plain.config, rotary_scaling={"kind": kind, "factor": factor}))
        np.testing.assert_allclose(scaled.forward(params, tokens)[0], wanted, rtol=0, atol=1e-12)
    squeezed = Transformer(replace(plain.config, rotary_scaling={"kind": "linear", "factor": 5.0}))
    assert np.abs(squeezed.forward(params, tokens)[0] - wanted).max() > 1e-3


@pytest.mark.parametrize("kind", SCALINGS)
def test_every_scaling_has_right_gradients_and_one_that_is_forgotten_shows(kind):
    config = TransformerConfig(**{**SIZES, "layers": 1}, **SETTINGS[kind], key_value_heads=3)
    check_model(config, samples=1).raise_if_wrong()
    with pytest.raises(GradientError):
        check_model(rotary_scaling_forgotten(config), samples=1).raise_if_wrong()


@pytest.mark.parametrize("name", ["alibi, window", "yarn"])
def test_a_long_text_in_tiles_gives_the_same(name, monkeypatch):
    model, params = small_model(dropout=0.0, **SETTINGS[name])
    batch = causal_lm(np.random.default_rng(0).integers(0, 23, (2, 13)))
    wanted = loss_and_gradient(model, params, batch)
    for module in ("minigpt.ops.attention", "minigpt.model.attention", "minigpt.model.masks"):
        monkeypatch.setattr(f"{module}.KEPT", 0)
    loss, grads = loss_and_gradient(model, params, batch)
    assert abs(loss - wanted[0]) < 1e-12
    np.testing.assert_allclose(grads.flat, wanted[1].flat, rtol=0, atol=1e-12)
    looked = loss_and_gradient(model, params, batch, call=Call(hook=lambda name, x: x))
    np.testing.assert_allclose(looked[1].flat, wanted[1].flat, rtol=0, atol=1e-12)


def test_tiles_with_dropout_draw_the_same_again(monkeypatch):
    for module in ("minigpt.model.attention", "minigpt.model.masks"):
        monkeypatch.setattr(f"{module}.KEPT", 0)
    check_model(TransformerConfig(**SMALL, dropout=0.3), samples=1).raise_if_wrong()
    model, params = small_model(dropout=0.3)
    batch = causal_lm(np.random.default_rng(0).integers(0, 23, (2, 13)))
    grads = [
        loss_and_gradient(model, params, batch, call=Call(rng=np.random.default_rng(1), recompute=recompute))[1].flat
        for recompute in (False, True)
    ]
    np.testing.assert_array_equal(*grads)


@pytest.mark.parametrize("name", ["alibi", "alibi, window", "yarn"])
def test_a_tensor_parallel_rank_has_the_biases_of_its_own_heads(name):
    model, params = small_model(**{**SETTINGS[name], "key_value_heads": 4})
    batch = causal_lm(np.random.default_rng(0).integers(0, 23, (2, 9)))
    _, wanted = loss_and_gradient(model, params, batch)

    def rank(comm):
        call = shard_call(model.config, comm)
        shard = shard_params(params, comm.rank, comm.size)
        _, grads = loss_and_gradient(model, shard, batch, call=call)
        own = shard_params(wanted, comm.rank, comm.size)
        return max(np.abs(grads[name] - own[name]).max() for name in own)

    assert max(launch(rank, 2)) < 1e-12


def test_a_pipelines_stages_see_the_same():
    model, params = small_model(layers=3, **SETTINGS["alibi, window"])
    tokens = np.random.default_rng(0).integers(0, 23, (2, 9))
    x = None
    for stage in range(3):
        staged = Transformer(model.config, stage=stage, stages=3)
        x, _ = staged.forward(params, tokens, x=x)
    np.testing.assert_allclose(x, model.forward(params, tokens)[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sinks": 2}, "2 sinks stand beside a window, but there is none"),
        ({"window": 0}, "window is 0, but it must be a whole number of at least 1"),
        ({"rotary_scaling": {"kind": "linear", "factor": 2.0}}, "rotary_scaling is for rotary positions"),
        ({"position": "rotary", "rotary_scaling": {"kind": "linear"}}, "rotary_scaling has no factor"),
        (
            {"position": "rotary", "rotary_scaling": {"kind": "ntk", "factor": 1e300}},
            "factor is 1e.300, but it must be",
        ),
        (
            {"position": "rotary", "rotary_scaling": {"kind": "yarn", "factor": 2.0, "beta_slow": 0.0}},
            "beta_slow is 0.0, but it must be a number of at least 1e-06 and less than 1e.09",
        ),
        (
            {"position": "rotary", "rotary_scaling": {"kind": "yarn", "factor": 2.0}, "rotary_theta": 1.0},
            "rotary_theta is 1, so no pair turns faster",
        ),
        ({"position": "rotary", "rotary_scaling": {"kind": "cubic", "factor": 2.0}}, "kind is 'cubic', but it must be"),
        ({"position": "rotary", "rotary_scaling": {"kind": "linear", "factor": 0.5}}, "rotary_scaling.factor is 0.5"),
        ({"position": "rotary", "rotary_scaling": {"kind": "ntk", "factor": 2.0, "beta": 1}}, "has no field 'beta'"),
        (
            {"position": "rotary", "rotary_scaling": {"kind": "ntk", "factor": 2.0, "beta_fast": 1.0}},
            "beta_fast is for yarn, not for ntk",
        ),
        ({"position": "rotary", "rotary_scaling": {"kind": "divided", "factor": 2.0}}, "divisors belong to divided"),
    ],
)
def test_what_does_not_fit_is_refused(changes, says):
    with pytest.raises(UserError, match=says):
        TransformerConfig(**{**SIZES, **changes})


@each
def test_a_configuration_comes_back_from_json(name):
    config = TransformerConfig(**SIZES, **SETTINGS[name])
    assert TransformerConfig.from_dict(config.to_dict()) == config


def test_dynamic_scaling_does_not_go_on_with_keys_of_other_angles():
    model, params = small_model(**SETTINGS["dynamic"])
    past = KeyValuePast(model.config, 1, 12, np.float64)
    model.forward(params, np.array([[1, 2, 3, 4]]), Call(past=past))
    with pytest.raises(UserError, match="5 positions change the keys of all that came before"):
        model.forward(params, np.array([[5]]), Call(past=past))
