"""One token a character: ids by code point, nothing lost, nothing guessed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigpt.errors import UserError
from minigpt.text.characters import CharacterTokenizer
from minigpt.text.vocabulary import END_OF_TEXT

DOCUMENTS = ["banana\n", "nab", "é😀 "]


def test_ids_follow_the_code_points():
    tokenizer = CharacterTokenizer.train(DOCUMENTS)
    assert tokenizer.encode("\n abné😀").tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert tokenizer.end_of_text == 7
    assert tokenizer.vocabulary_size == 8
    assert tokenizer.special_tokens == {END_OF_TEXT: 7}
    assert tokenizer.encode("nab😀").dtype == np.int64


def test_order_of_documents_and_characters_does_not_matter():
    assert CharacterTokenizer.train(DOCUMENTS[::-1]).encode("bé").tolist() == [3, 5]
    assert CharacterTokenizer(["b", "é", "a"]).encode("abé").tolist() == [0, 1, 2]


@given(st.lists(st.text(), min_size=1))
def test_round_trip_of_any_text(documents):
    text = "".join(documents)
    if not text:
        return
    tokenizer = CharacterTokenizer.train(documents)
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert tokenizer.decode_bytes(ids.tolist()) == text.encode()
    assert ids.tolist() == tokenizer.encode(text.encode()).tolist() == [sorted(set(text)).index(c) for c in text]


def test_special_tokens_are_plain_text_unless_allowed():
    tokenizer = CharacterTokenizer.train(["ab", END_OF_TEXT])
    text = f"a{END_OF_TEXT}b{END_OF_TEXT}"
    plain, special = tokenizer.encode(text), tokenizer.encode(text, allow_special=True)
    assert len(plain) == len(text) and tokenizer.end_of_text not in plain
    a, b = tokenizer.encode("ab")
    assert special.tolist() == [a, tokenizer.end_of_text, b, tokenizer.end_of_text]
    assert tokenizer.decode(plain) == tokenizer.decode(special) == text


def test_an_unknown_character_is_named_with_its_place():
    tokenizer = CharacterTokenizer.train(["ab"])
    with pytest.raises(UserError, match=r"'z' \(U\+007A\) at position 2 .*train on text that has it"):
        tokenizer.encode("abz")
    with pytest.raises(UserError, match=r"'!' \(U\+0021\) at position 15 "):
        tokenizer.encode(f"ab{END_OF_TEXT}!z", allow_special=True)


def test_bytes_must_be_utf8():
    tokenizer = CharacterTokenizer.train(["aé"])
    with pytest.raises(UserError, match="byte 0xff after 2 characters is not UTF-8"):
        tokenizer.encode(b"a\xc3\xa9\xffa")


def test_a_lone_surrogate_reads_as_the_replacement_character():
    tokenizer = CharacterTokenizer.train(["a\ud800"])
    assert tokenizer.decode(tokenizer.encode("a\udfff\ufffd")) == "a\ufffd\ufffd"


@pytest.mark.parametrize("ids", [[3], [-1], [0, 99], [0.5], [[0]]])
def test_ids_that_do_not_exist_are_refused(ids):
    with pytest.raises(UserError, match="token"):
        CharacterTokenizer("ab").decode(ids)


def test_no_ids_are_no_text():
    tokenizer = CharacterTokenizer("ab")
    assert tokenizer.decode([]) == ""
    assert tokenizer.encode("").shape == tokenizer.encode("", allow_special=True).shape == (0,)


@pytest.mark.parametrize("characters", ["", "aa", ["ab"], ["a", ""], ["\ud800"]])
def test_characters_must_be_distinct_single_code_points(characters):
    with pytest.raises(UserError, match="at least one character"):
        CharacterTokenizer(characters)


def test_documents_must_be_a_list_with_text():
    with pytest.raises(UserError, match="no text to train"):
        CharacterTokenizer.train(["", ""])
    with pytest.raises(UserError, match="put it in a list"):
        CharacterTokenizer.train("one string")
