"""Sentence vectors: the mean of what an encoder makes of a sentence, between its vocabulary's marks."""

from types import SimpleNamespace

import numpy as np
import pytest

from minigpt import Batch, Transformer, TransformerConfig, UserError
from minigpt.infer import embed

CONFIG = {
    "vocabulary_size": 40, "context": 8, "width": 12, "layers": 2, "heads": 3, "segments": 2,
    "architecture": "encoder",
}  # fmt: skip


def encoder():
    model = Transformer(TransformerConfig(**CONFIG, head="none", init_std=0.4))
    return model, model.init(np.random.default_rng(0))


def letters(special):
    """A tokenizer of small letters, ids 10 and on."""
    return SimpleNamespace(
        kind="letters",
        vocabulary_size=40,
        special_tokens=special,
        end_of_text=2,
        encode=lambda text: np.array([10 + ord(c) - ord("a") for c in text], np.int64),
    )


def mean(model, params, ids):
    x = model.hidden_states(params, Batch(np.array([ids])))[0][0].mean(axis=0)
    return x / np.linalg.norm(x)


@pytest.mark.parametrize(("special", "text", "ids"), [
    ({}, "abc", [10, 11, 12]),
    ({}, "abcdefghijk", [10, 11, 12, 13, 14, 15, 16, 17]),
    ({"<s>": 1}, "abc", [1, 10, 11, 12, 2]),
    ({"<s>": 1}, "abcdefghijk", [1, 10, 11, 12, 13, 14, 15, 2]),
])  # fmt: skip
def test_the_mean_of_a_sentence_between_its_marks(special, text, ids):
    model, params = encoder()
    rows = embed(model, params, letters(special), [text, "z"])
    assert rows.shape == (2, 12)
    np.testing.assert_allclose(rows[0], mean(model, params, ids), rtol=0, atol=1e-6)


def test_what_has_no_vector_is_refused():
    model, params = encoder()
    with pytest.raises(UserError, match="'' has no tokens in this vocabulary"):
        embed(model, params, letters({}), [""])
    with pytest.raises(UserError, match="came without a tokenizer"):
        embed(model, params, None, ["a"])
    decoder = Transformer(TransformerConfig(**{**CONFIG, "architecture": "decoder"}))
    with pytest.raises(UserError, match="a decoder has no sentence vectors"):
        embed(decoder, params, letters({}), ["a"])
