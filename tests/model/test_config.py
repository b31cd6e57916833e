"""Configurations: what does not fit is refused with its name; famous sizes are exact."""

import json
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigpt import PRESETS, Params, Transformer, TransformerConfig, UserError, preset

SIZES = {"vocabulary_size": 11, "context": 8, "width": 12, "layers": 2, "heads": 3}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"heads": 5}, "5 heads do not divide the width 12"),
        ({"heads": 4, "key_value_heads": 3}, "3 key-value heads do not divide the 4 heads"),
        ({"layers": 0}, "layers is 0"),
        ({"width": 12.0}, "width is 12.0"),
        ({"norm": "batch"}, "norm is 'batch'"),
        ({"activation": "sigmoid"}, "one of relu, gelu, gelu_tanh, silu"),
        ({"position": "rotary", "heads": 4}, "even head width"),
        ({"position": "sinusoidal", "width": 15}, "even width"),
        ({"dropout": 1.0}, "dropout is 1.0"),
    ],
)
def test_what_does_not_fit_is_refused(changes, says):
    with pytest.raises(UserError, match=says):
        TransformerConfig(**{**SIZES, **changes})


@pytest.mark.parametrize(
    ("name", "count"),
    [("gpt2", 124_439_808), ("gpt2-medium", 354_823_168), ("gpt2-large", 774_030_080), ("gpt2-xl", 1_557_611_200)],
)
def test_gpt2_has_the_published_number_of_parameters(name, count):
    shapes = Transformer(preset(name)).shapes()
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == count


@pytest.mark.parametrize("name", PRESETS)
def test_a_configuration_survives_json_values(name):
    config = preset(name, vocabulary_size=99)
    assert TransformerConfig.from_dict(config.to_dict()) == config


def test_unknown_presets_and_fields_are_named():
    with pytest.raises(UserError, match="no preset 'gpt9'"):
        preset("gpt9")
    with pytest.raises(UserError, match="'colour'"):
        TransformerConfig.from_dict({**SIZES, "colour": "red"})
    with pytest.raises(UserError, match="incomplete"):
        TransformerConfig.from_dict({"width": 3})


WRONG = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 5), st.floats(), st.text(max_size=3), st.lists(st.integers(), max_size=2)
)
LATER = ("do not divide", "no second encoder", "input_width is", "class_token is", "needs a token table", "is outside",
         "a token uses", "need an even", "encoder_ahead is for", "image and patch are sizes",
         "padding_positions is")  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from([field.name for field in fields(TransformerConfig)]), WRONG, max_size=3))
def test_a_value_of_any_kind_in_any_field_is_taken_or_refused_in_a_sentence(changes):
    try:
        config = TransformerConfig.from_dict({**SIZES, **changes})
    except UserError as error:
        assert any(word in str(error) for word in ("but it must be", *LATER)), error
        return
    assert TransformerConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize("field", fields(TransformerConfig), ids=lambda field: field.name)
def test_a_value_of_the_wrong_kind_is_refused_by_the_name_of_its_field(field):
    """Most of these fit no field. Where one is refused, the sentence begins with the field."""
    for value in ("yes", 0.5, -1, True, None, float("nan"), [1], b"x", np.ones(2)):
        try:
            TransformerConfig(**{**SIZES, "architecture": "encoder-decoder", field.name: value})
        except UserError as error:
            assert str(error).startswith(field.name) or value is True, error
        else:
            fits = {float: 0.5, bool: True, bool | None: True}.get(field.type, ...)
            assert value is None or value == fits


@pytest.mark.parametrize("values", [None, [], "x", 3])
def test_what_is_no_table_is_no_configuration(values):
    with pytest.raises(UserError, match="a table of fields"):
        TransformerConfig.from_dict(values)


def test_a_gated_network_has_about_as_many_parameters_as_a_plain_one():
    config = TransformerConfig(**{**SIZES, "width": 384, "heads": 6})
    gated = TransformerConfig(**{**SIZES, "width": 384, "heads": 6, "gated": True})
    assert 3 * gated.feed_forward_width == pytest.approx(2 * config.feed_forward_width, rel=0.03)


def test_parameters_are_views_of_one_vector_with_matrices_first():
    params = Params({"gain": (3,), "weight": (2, 3), "bias": (2,), "table": (4, 1)})
    assert list(params) == ["weight", "table", "gain", "bias"]
    assert params.matrix_size == 10
    params["table"] = np.array([[1.0], [2.0], [3.0], [4.0]])
    assert np.array_equal(params.flat[6:10], [1, 2, 3, 4])
    params.flat[10:] = 7
    assert np.array_equal(params["gain"], [7, 7, 7])
    with pytest.raises(UserError, match="gain has shape"):
        params["gain"] = np.zeros(1)
    with pytest.raises(UserError, match="need \\(15,\\)"):
        Params(params.shapes, flat=np.zeros(3))


def test_a_copy_is_independent():
    params = Params({"weight": (2, 3)})
    other = params.copy()
    other.flat += 1
    assert not params.flat.any()
    assert params.astype(np.float64).flat.dtype == np.float64


def test_initialization_is_reproducible_and_scaled():
    model = Transformer(TransformerConfig(**{**SIZES, "width": 96, "layers": 8}))
    params = model.init(np.random.default_rng(3))
    again = model.init(np.random.default_rng(3))
    assert np.array_equal(params.flat, again.flat)
    assert params["blocks.0.attention.query.weight"].std() == pytest.approx(0.02, rel=0.1)
    assert params["blocks.0.attention.output.weight"].std() == pytest.approx(0.02 / 4, rel=0.1)
    assert np.array_equal(params["blocks.3.attention_norm.gain"], np.ones(96))


@pytest.mark.parametrize(
    ("tokens", "says"), [([[11]], "token id 11"), ([[-1]], "token id -1"), ([[0] * 9], "9 positions")]
)
def test_a_forward_refuses_what_the_model_cannot_read(tokens, says):
    model = Transformer(TransformerConfig(**SIZES))
    params = model.init(np.random.default_rng(0))
    with pytest.raises(UserError, match=says):
        model.forward(params, np.array(tokens))
