"""What each architecture sees: the difference between encoder, decoder and both."""

import numpy as np
import pytest

from minigpt import Batch, Call, Transformer, TransformerConfig, UserError
from minigpt.infer import KeyValuePast

SIZES = {"vocabulary_size": 13, "context": 8, "width": 20, "layers": 2, "heads": 4, "init_std": 0.3}
RNG = np.random.default_rng(1)
TOKENS, SOURCE = RNG.integers(0, 13, (2, 6)), RNG.integers(0, 13, (2, 5))


def model_of(seed=0, **choices):
    model = Transformer(TransformerConfig(**{**SIZES, **choices}))
    return model, model.init(np.random.default_rng(seed), dtype=np.float64)


def changed(array, place):
    array = array.copy()
    array[:, place] = (array[:, place] + 1) % 13
    return array


def moved(model, params, batch, other):
    """Which positions of the output differ, and by more than rounding where they do."""
    difference = np.abs(model.forward(params, batch)[0] - model.forward(params, other)[0]).max(axis=(0, 2))
    assert ((difference == 0) | (difference > 1e-6)).all()
    return (difference > 0).tolist()


@pytest.mark.parametrize("position", ["learned", "sinusoidal", "rotary"])
def test_an_encoder_sees_both_sides_and_a_decoder_one(position):
    encoder, params = model_of(architecture="encoder", position=position, head_width=4)
    decoder = Transformer(TransformerConfig(**SIZES, position=position, head_width=4))
    batch, other = Batch(TOKENS), Batch(changed(TOKENS, 3))
    assert moved(encoder, params, batch, other) == [True] * 6
    assert moved(decoder, params, batch, other) == [False] * 3 + [True] * 3  # the same weights, another mask


def test_the_writer_sees_all_of_the_source_and_its_own_past():
    model, params = model_of(architecture="encoder-decoder")
    batch = Batch(TOKENS, source=SOURCE)
    assert moved(model, params, batch, batch._replace(source=changed(SOURCE, 4))) == [True] * 6
    assert moved(model, params, batch, batch._replace(tokens=changed(TOKENS, 2))) == [False] * 2 + [True] * 4


@pytest.mark.parametrize("architecture", ["decoder", "encoder", "encoder-decoder"])
def test_padding_changes_nothing_that_is_real(architecture):
    model, params = model_of(architecture=architecture)
    real = Batch(TOKENS[:, :4], source=SOURCE[:, :3] if architecture == "encoder-decoder" else None)
    padded = Batch(TOKENS, present=np.arange(6) < np.full((2, 1), 4))
    if architecture == "encoder-decoder":
        padded = padded._replace(source=SOURCE, source_present=np.arange(5) < np.full((2, 1), 3))
    ours, theirs = model.forward(params, real)[0], model.forward(params, padded)[0][:, :4]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-13)


def test_writing_with_a_past_equals_writing_anew():
    model, params = model_of(architecture="encoder-decoder", encoder={"layers": 3, "heads": 2})
    batch = Batch(TOKENS, source=SOURCE, source_present=np.arange(5) < np.array([[3], [5]]))
    whole = model.forward(params, batch)[0]
    memory, _ = model.encode(params, batch)
    call = Call(past=KeyValuePast(model.config, 2, 6, np.float64))
    for step in range(6):
        x, _ = model.hidden_states(params, batch._replace(tokens=TOKENS[:, step : step + 1]), call, memory=memory)
        np.testing.assert_allclose(model.logits(params, x)[0][:, 0], whole[:, step], rtol=0, atol=1e-12)


def test_segments_matter_and_default_to_the_first():
    model, params = model_of(architecture="encoder", segments=2)
    zeros = Batch(TOKENS, segments=np.zeros((2, 6), int))
    assert np.array_equal(model.forward(params, zeros)[0], model.forward(params, Batch(TOKENS))[0])
    assert moved(model, params, zeros, Batch(TOKENS, segments=np.ones((2, 6), int))) == [True] * 6


def test_the_last_real_token_stands_for_the_sequence():
    model, params = model_of(head="sequence", pooled="last", labels=3)
    padded = Batch(TOKENS, present=np.arange(6) < np.array([[4], [6]]))
    alone = model.forward(params, Batch(TOKENS[:1, :4]))[0]
    np.testing.assert_allclose(model.forward(params, padded)[0][:1], alone, rtol=0, atol=1e-13)


def test_a_padding_token_learns_nothing_from_the_input():
    model, params = model_of(padding=7, tied=False)
    tokens = TOKENS.copy()
    tokens[:, 1] = 7
    output, cache = model.forward(params, tokens)
    grads = model.backward(params, cache, np.ones_like(output))
    assert not grads["token_embedding.weight"][7].any()
    assert grads["token_embedding.weight"][tokens[0, 0]].any()


def test_an_encoder_decoder_without_a_source_says_so():
    model, params = model_of(architecture="encoder-decoder")
    with pytest.raises(UserError, match="needs a text for its encoder"):
        model.forward(params, TOKENS)


@pytest.mark.parametrize(("choices", "message"), [
    ({"architecture": "both"}, "architecture is 'both', but it must be one of"),
    ({"head": "lm"}, "head is 'lm', but it must be one of"),
    ({"architecture": "encoder-decoder", "encoder": {"heads": 3}}, "3 heads do not divide the width 20"),
    ({"architecture": "encoder-decoder", "encoder": {"layers": 0}}, "layers is 0"),
    ({"padding": 13}, "padding token 13 is outside"),
])  # fmt: skip
def test_bad_choices_are_named(choices, message):
    with pytest.raises(UserError, match=message):
        TransformerConfig(**{**SIZES, **choices})
