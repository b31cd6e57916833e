"""Whole transformers, in every arrangement, have right gradients; a check of one looks at every array."""

import itertools

import numpy as np
import pytest
from conftest import thorough

from minigpt import Transformer, TransformerConfig
from minigpt.check import CONFIGS, GradientError, check_model
from minigpt.ops import ACTIVATIONS

SIZES = {"vocabulary_size": 11, "context": 6, "width": 24, "layers": 1, "heads": 6, "feed_forward_width": 10}
ARRANGEMENTS = [  # every pair of choices occurs
    {
        "norm": norm,
        "norm_place": place,
        "position": position,
        "activation": activation,
        "gated": (i + j) % 2 == 0,
        "tied": (i + k) % 2 == 0,
        "bias": (j + k) % 2 == 0,
        "scale_embedding": k == 1,
        "key_value_heads": (None, 3, 1)[(i + j + k) % 3],
        "dropout": 0.25 * (i % 2),
    }
    for (i, activation), (j, (norm, place)), (k, position) in itertools.product(
        enumerate(ACTIVATIONS),
        enumerate(itertools.product(("layer", "rms"), ("pre", "post"))),
        enumerate(("learned", "sinusoidal", "rotary")),
    )
]


@pytest.mark.parametrize("choices", ARRANGEMENTS, ids=lambda choices: "-".join(str(v) for v in choices.values()))
def test_every_arrangement_has_right_gradients(choices):
    report = check_model(TransformerConfig(**SIZES, **choices), samples=1)
    report.raise_if_wrong()
    assert max(argument.max_relative_error for argument in report.arguments) < 1e-6


@thorough
@pytest.mark.parametrize("name", CONFIGS)
def test_every_array_is_checked_and_moves_the_loss(name):
    config = CONFIGS[name]
    report = check_model(config, samples=1)
    report.raise_if_wrong()
    shapes = Transformer(config).shapes()
    assert {argument.name: argument.shape for argument in report.arguments} == {
        name: tuple(shape) for name, shape in shapes.items()
    }
    for argument in report.arguments:
        size = max(abs(argument.yours), abs(argument.numeric))
        # The loss does not see a key's bias (softmax does not see a shift), unless it is turned with the position.
        turned = config.position == "rotary" and "cross_attention" not in argument.name
        unseen = argument.name.endswith("key.bias") and not turned
        assert size < 1e-9 if unseen else size > 1e-6, argument.name


def test_one_wrong_entry_among_many_is_found():
    class Wrong(Transformer):
        def backward(self, params, cache, dlogits, *args, **kwargs):
            grads = super().backward(params, cache, dlogits, *args, **kwargs)
            grads["blocks.0.feed_forward.up.weight"][7, 3] *= 1.5
            return grads

    report = check_model(Wrong(TransformerConfig(**SIZES)), samples=0)
    assert [argument.name for argument in report.wrong] == ["blocks.0.feed_forward.up.weight"]
    with pytest.raises(GradientError, match=r"blocks\.0\.feed_forward\.up\.weight is wrong, worst along a random"):
        report.raise_if_wrong()


def test_a_model_that_promotes_is_refused():
    class Promotes(Transformer):
        def forward(self, params, batch, *args):
            logits, cache = super().forward(params, batch, *args)
            return logits * np.float64(1), cache

    with pytest.raises(GradientError, match="y is float64 when the arguments are float32"):
        check_model(Promotes(TransformerConfig(**SIZES)))


def test_the_same_seed_gives_the_same_report():
    config = TransformerConfig(**SIZES, dropout=0.3)
    assert check_model(config, samples=1) == check_model(config, samples=1)
    assert check_model(config, samples=1) != check_model(config, samples=1, seed=1)
