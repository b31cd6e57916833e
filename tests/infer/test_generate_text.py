"""Streaming text: whole characters only, the same text whatever the token borders, ended before a stop string."""

from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_model import small_model

from minigpt import UserError
from minigpt.infer import GREEDY, PURE, Sampling, generate, generate_text
from minigpt.infer.generate import until_stop, whole_characters
from minigpt.text import BytePairTokenizer, CharacterTokenizer

TEXT = "naïve 文字 🙂🙃 Ω! "


class ByteTokenizer:
    """One token for each byte, 256 for the end of a text, and a few for pieces of several bytes."""

    pieces = (*(bytes([byte]) for byte in range(256)), b"", "né".encode(), "é🙂".encode()[:4], b"\x99\x82stop")
    end_of_text = 256
    vocabulary_size = len(pieces)

    def encode(self, text):
        return np.array(list(text.encode()), np.int64)

    def decode_bytes(self, ids):
        return b"".join(self.pieces[token] for token in ids)


class Parrot:
    """A stand-in for a model: says `script` token by token, whatever it sees."""

    def __init__(self, script, vocabulary_size=ByteTokenizer.vocabulary_size):
        self.model, self.params = small_model(vocabulary_size=vocabulary_size, context=6)
        self.script = iter(script)
        self.model.logits = self.logits

    def logits(self, params, x):
        logits = np.zeros((len(x), self.model.config.vocabulary_size))
        logits[:, next(self.script)] = 1.0
        return logits, None

    def say(self, count=10_000, **options):
        return list(generate_text(self.model, self.params, ByteTokenizer(), "x", count, sampling=GREEDY, **options))


END = [ByteTokenizer.end_of_text]


def test_pieces_never_split_a_character():
    pieces = Parrot([*TEXT.encode(), *END]).say()
    assert pieces == list(TEXT)


@given(st.lists(st.integers(0, 255) | st.integers(257, 259), max_size=20))
def test_pieces_together_are_the_decoded_bytes(script):
    expected = ByteTokenizer().decode_bytes(script).decode("utf-8", "replace")
    pieces = list(whole_characters(ByteTokenizer.pieces[token] for token in script))
    assert "".join(pieces) == expected
    assert all(pieces)


def test_a_character_that_is_cut_off_at_the_end_becomes_the_replacement_sign():
    script = "ab🙂".encode()
    assert "".join(Parrot(script).say(count=len(script) - 1)) == "ab\ufffd"


def test_the_end_of_text_token_ends_the_text_unless_told_otherwise():
    script = [*b"one", *END, *b"two", *END, *b"three"]
    assert "".join(Parrot(script).say()) == "one"
    assert "".join(Parrot(script).say(count=9, past_the_end=True)) == "onetwot"


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        ("two", "one "),
        (["three", "two"], "one "),
        (["ne t", "two"], "o"),
        ("🙂", "one two "),
        (["x"], "one two 🙂 end"),
        (["end!"], "one two 🙂 end"),  # a beginning of a stop string at the end is text
        (["wo", "one two z", "two"], "one "),  # "two" and "wo" are complete at once: the longer one counts
    ],
)
def test_stop_strings_across_token_borders(stop, expected):

    assert "".join(Parrot([*"one two 🙂 end".encode(), *END]).say(stop=stop)) == expected


@given(
    st.text("ab", max_size=14),
    st.lists(st.text("ab", min_size=1, max_size=4), max_size=3),
    st.lists(st.integers(0, 14), max_size=6),
)
def test_where_the_pieces_end_changes_nothing(text, stop, borders):
    """Against the definition: the stop string that is complete first, the longest of those, cuts the text."""
    ends = [(text.find(s) + len(s), -len(s)) for s in stop if s in text]
    expected = text[: min(ends)[0] + min(ends)[1]] if ends else text
    borders = sorted(min(border, len(text)) for border in borders)
    pieces = [text[a:b] for a, b in zip([0, *borders], [*borders, len(text)], strict=True)]
    written = list(until_stop(pieces, stop))
    assert "".join(written) == expected
    assert all(written)


def test_text_is_held_back_no_longer_than_needed():
    def pieces():
        for piece in ("a", "b", "x", "a", "b", "c", "d"):
            said.append(piece)
            yield piece

    said = []
    stream = until_stop(pieces(), ["abc"])
    assert next(stream) == "abx"
    assert said == ["a", "b", "x"]
    assert list(stream) == []
    assert said == ["a", "b", "x", "a", "b", "c"]


def test_text_is_what_generate_writes():
    model, params = small_model(vocabulary_size=260, seed=2)
    tokenizer, options = ByteTokenizer(), {"sampling": Sampling(2.0, top_k=50)}
    start = tokenizer.encode("Hé")
    ids = list(generate(model, params, start, 30, rng=np.random.default_rng(1), **options))
    pieces = generate_text(
        model, params, tokenizer, "Hé", 30, rng=np.random.default_rng(1), past_the_end=True, **options
    )
    assert "".join(pieces) == tokenizer.decode_bytes(ids).decode("utf-8", "replace")


def test_an_empty_prompt_starts_from_the_end_of_text():
    model, params = small_model(vocabulary_size=260)
    ids = list(generate(model, params, np.array(END), 20, sampling=GREEDY))
    text = generate_text(model, params, ByteTokenizer(), "", 20, sampling=GREEDY, past_the_end=True)
    assert "".join(text) == ByteTokenizer().decode_bytes(ids).decode("utf-8", "replace")


def test_a_tokenizer_without_an_end_writes_on_and_needs_a_prompt():
    class Endless(ByteTokenizer):
        end_of_text = None
        special_tokens: ClassVar = {}

    model, params = small_model(vocabulary_size=260)
    ids = list(generate(model, params, np.array([120]), 20, sampling=GREEDY))
    text = generate_text(model, params, Endless(), "x", 20, sampling=GREEDY)
    assert "".join(text) == Endless().decode_bytes(ids).decode("utf-8", "replace")
    with pytest.raises(UserError, match="no token that ends a text"):
        generate_text(model, params, Endless(), "", 20, sampling=GREEDY)


@pytest.mark.parametrize("train", [CharacterTokenizer.train, lambda text: BytePairTokenizer.train(text, 270)])
def test_real_tokenizers_write_too(train):
    tokenizer = train(["ein Bär, zwei Bären, 🐻🐻"])
    model, params = small_model(vocabulary_size=tokenizer.vocabulary_size, seed=5)
    start = tokenizer.encode("ein 🐻")
    ids = list(generate(model, params, start, 25, sampling=PURE, rng=np.random.default_rng(3)))
    assert tokenizer.end_of_text not in ids
    pieces = generate_text(model, params, tokenizer, "ein 🐻", 25, sampling=PURE, rng=np.random.default_rng(3))
    assert "".join(pieces) == tokenizer.decode(ids)


def test_another_models_tokenizer_is_refused():
    model, params = small_model()
    with pytest.raises(UserError, match="the tokenizer has 260 tokens but the model 23"):
        generate_text(model, params, ByteTokenizer(), "x", 3, sampling=PURE, rng=np.random.default_rng(0))


def test_an_empty_stop_string_is_refused():
    with pytest.raises(UserError, match="stop string is empty"):
        Parrot(END).say(stop=["end", ""])
