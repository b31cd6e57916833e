"""A text becomes what each kind of model reads, with a word for every position."""

import numpy as np
import pytest

from minigpt import CharacterTokenizer, OpenedModel, Transformer, UserError, preset
from minigpt.explain.read import read_text
from minigpt.text.sounds import SoundsTokenizer


def opened(tokenizer, **fields):
    size = tokenizer.vocabulary_size
    model = Transformer(preset("tiny", vocabulary_size=size, layers=1, width=16, heads=2, context=12, **fields))
    return OpenedModel(model, model.init(np.random.default_rng(0)), tokenizer, "mine")


def test_a_decoder_and_an_encoder_read_a_text_as_it_is():
    for architecture in ("decoder", "encoder"):
        reading = read_text(opened(CharacterTokenizer("abc"), architecture=architecture), "cab")
        assert reading.batch.tokens.tolist() == [[2, 0, 1]]
        assert reading.labels == {"embedding": ["c", "a", "b"]}
        assert reading.answer(1) == "b"


def test_an_encoder_decoder_reads_a_word_and_writes_another():
    model = opened(SoundsTokenizer("____abc", "____xyz", 7), architecture="encoder-decoder")
    reading = read_text(model, "cab")
    assert reading.labels["encoder.embedding"] == ["<s>", "c", "a", "b", "</s>"]
    assert reading.labels["embedding"][0] == "<s>"
    assert len(reading.labels["embedding"]) == reading.batch.tokens.shape[1]
    with pytest.raises(UserError, match="reads one word"):
        read_text(model, "ab ca")


def test_what_cannot_be_read_is_refused():
    with pytest.raises(UserError, match="has 13 tokens"):
        read_text(opened(CharacterTokenizer("abc")), "abc" * 4 + "a")
    with pytest.raises(UserError, match="the text is empty"):
        read_text(opened(CharacterTokenizer("abc")), "")
    model = Transformer(preset("tiny", vocabulary_size=5, layers=1, input="patches", input_width=3, tied=False))
    images = OpenedModel(model, model.init(np.random.default_rng(0)), None, "eye")
    with pytest.raises(UserError, match="eye reads patches"):
        read_text(images, "abc")
