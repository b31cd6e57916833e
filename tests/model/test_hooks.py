"""Hooks see every activation and every gradient, change nothing by looking, and what they put in place is used."""

import re
from dataclasses import replace

import numpy as np
import pytest

from minigpt import Call, Transformer
from minigpt.check import CONFIGS
from minigpt.check.model import random_batch, random_params
from minigpt.model import call as call_module

TABLE = [line.split()[0] for line in call_module.__doc__.splitlines() if re.match(r" {4}[a-zA-Z_.]+ +\S", line)]
LONG = 150  # more than two pieces of queries


def longer(config, context, columns=1):
    """The same with so many positions; of images, about as many patches in columns, each of which `columns` divides."""
    if config.input != "images":
        return replace(config, context=context)
    (channels, _, _), (height, width) = config.image, config.patch
    rows = (context - config.class_token) // columns**2 * columns
    context = rows * columns + config.class_token
    return replace(config, context=context, image=(channels, height * rows, width * columns))


def start(name, *, context=None, dtype=np.float64):
    config = CONFIGS[name]
    if context is not None:
        encoder = config.encoder and longer(config.encoder, context - 7, config.encoder_areas or 1)
        config = replace(longer(config, context), encoder=encoder)
    rng = np.random.default_rng(0)
    model = Transformer(config)
    params, batch = random_params(model, rng).astype(dtype), random_batch(config, rng)
    if config.architecture == "decoder":  # padding and a prefix as well
        length = batch.tokens.shape[1]
        batch = batch._replace(present=np.arange(length) < [[length], [length - 1]], prefix=np.array([1, 3]))
    return model, params, batch


def both(model, params, batch, hook=None, **settings):
    """The answers and the gradients, (their arrays) in float64 or float32, for an upstream gradient that is random."""
    calls = [Call(rng=np.random.default_rng(3), **settings, **({"hook": hook} if hook else {})) for _ in range(2)]
    output, cache = model.forward(params, batch, calls[0])
    answers = output if isinstance(output, tuple) else (output,)
    rng = np.random.default_rng(5)
    dy = tuple(rng.standard_normal(answer.shape).astype(answer.dtype) for answer in answers)
    grads = model.backward(params, cache, dy if isinstance(output, tuple) else dy[0], calls[1])
    return answers, dy, grads


class Watch:
    """Looks only, and keeps everything that it sees."""

    def __init__(self):
        self.seen, self.names = {}, []

    def __call__(self, name, x):
        self.names.append(name)
        self.seen[name] = x.copy()
        return x


def gradient_of(name):
    head, _, last = name.rpartition(".")
    return f"{head}.d{last}" if head else f"d{last}"


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("name", CONFIGS)
def test_a_watched_model_gives_the_bits_of_an_unwatched_one(name, recompute):
    model, params, batch = start(name, context=LONG, dtype=np.float32)
    answers, _, grads = both(model, params, batch)
    watch = Watch()
    seen, _, watched = both(model, params, batch, watch, recompute=recompute)
    assert all(np.array_equal(a, b) for a, b in zip(answers, seen, strict=True))
    assert np.array_equal(grads.flat, watched.flat)
    assert len(watch.names) == len(set(watch.names))  # also what is computed twice is seen once


@pytest.mark.parametrize("name", CONFIGS)
def test_every_activation_has_a_gradient_of_its_shape(name):
    model, params, batch = start(name)
    watch = Watch()
    both(model, params, batch, watch)
    half = len(watch.names) // 2
    forward, backward = watch.names[:half], watch.names[half:]
    assert sorted(map(gradient_of, forward)) == sorted(backward)
    for activation in forward:
        assert watch.seen[activation].shape == watch.seen[gradient_of(activation)].shape, activation


def test_the_table_of_names_is_what_hooks_see():
    found = set()
    for name in CONFIGS:
        watch = Watch()
        both(*start(name), watch)
        found |= {re.sub(r"\.\d+\b", ".N", seen).removeprefix("encoder.") for seen in watch.names}
    assert len(TABLE) == len(set(TABLE))
    assert found == set(TABLE) | set(map(gradient_of, TABLE))


@pytest.mark.parametrize("name", CONFIGS)
def test_every_gradient_that_a_hook_sees_is_a_derivative(name):
    """Of sum(dy * answers), as each activation in turn is moved through the hook along a random direction."""
    model, params, batch = start(name)
    watch = Watch()
    _, dy, _ = both(model, params, batch, watch)
    rng = np.random.default_rng(8)
    for activation in watch.names[: len(watch.names) // 2]:
        x = watch.seen[activation]
        direction = rng.standard_normal(x.shape)
        if activation.rpartition(".")[2] in ("weights", "routing"):
            direction *= x > 0  # a weight that the mask, or the router, makes 0 is no variable

        def moved(step, activation=activation, direction=direction):
            def hook(name, value):
                return value + step * direction if name == activation else value

            output, _ = model.forward(params, batch, Call(hook=hook, rng=np.random.default_rng(3)))
            answers = output if isinstance(output, tuple) else (output,)
            return sum((upstream * answer).sum() for upstream, answer in zip(dy, answers, strict=True))

        numeric = (moved(1e-6) - moved(-1e-6)) / 2e-6
        ours = (direction * watch.seen[gradient_of(activation)]).sum()
        assert ours == pytest.approx(numeric, rel=1e-5, abs=1e-7), activation


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize(("parameter", "activations"), [
    ("token_embedding.weight", ["embedding"]),
    ("blocks.1.attention.query.weight", [
        f"blocks.1.{name}" for name in (
            "attention.query", "attention.scores", "attention.weights", "attention.heads", "attention.output",
            "residual_mid", "residual_post",
        )
    ]),
    ("blocks.1.attention.key.bias", ["blocks.1.attention.key", "blocks.1.attention.scores"]),
    ("blocks.1.attention.value.weight", ["blocks.1.attention.value", "blocks.1.attention.heads"]),
    ("blocks.0.feed_forward.gate.weight", ["blocks.0.feed_forward.hidden", "blocks.0.feed_forward.output"]),
    ("final_norm.gain", ["final", "logits"]),
])  # fmt: skip
def test_what_a_hook_puts_in_place_changes_what_follows_as_if_it_had_been_computed(parameter, activations, recompute):
    """One parameter is changed; its effect passes through each of the activations, whose new value is put into the
    unchanged model. All answers are then those of the changed model; so are the gradients of what comes after."""
    model, params, batch = start("GEGLU, dropout", context=LONG)  # whose head is not tied
    changed, watch = params.copy(), Watch()
    changed[parameter] = params[parameter] * 1.7
    wanted, _, gradients = both(model, changed, batch, watch)
    for activation in activations:
        put = watch.seen[activation]

        def hook(name, x, activation=activation, put=put):
            return put if name == activation else x

        answers, _, grads = both(model, params, batch, hook, recompute=recompute)
        assert np.array_equal(answers[0], wanted[0]), activation
        after = ["head.weight"] * (activation != "logits")
        after += ["blocks.1.feed_forward.down.weight"] * activation.startswith("blocks.1.attention")
        for name in after:
            np.testing.assert_allclose(grads[name], gradients[name], rtol=1e-9, atol=1e-12, err_msg=activation)


def test_recomputation_uses_what_a_hook_put_in_place():
    """With random values in place of everything that a block computes, keeping or recomputing gives the same bits."""
    for name in CONFIGS:
        model, params, batch = start(name)

        def hook(name, x):
            noise = np.random.default_rng(len(name)).uniform(0.9, 1.1, x.shape)
            return x * noise if "blocks.1" in name and ".d" not in name else x

        kept, again = (both(model, params, batch, hook, recompute=recompute)[2].flat for recompute in (False, True))
        assert np.array_equal(kept, again), name
        assert not np.array_equal(kept, both(model, params, batch)[2].flat), name
