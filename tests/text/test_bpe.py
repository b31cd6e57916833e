"""Byte-pair encoding: nothing is lost, and the ids are those of tiktoken with the same merges."""

from pydoc_data import topics

import numpy as np
import pytest
from conftest import optional
from hypothesis import given, settings
from hypothesis import strategies as st
from nasty_text import NASTY, TIKTOKEN_PATTERN, any_bytes, assigned_text, fragments

from minigpt.errors import UserError
from minigpt.text.bpe import EVERY_BYTE, BytePairTokenizer
from minigpt.text.vocabulary import END_OF_TEXT


@pytest.fixture(scope="module")
def tokenizer():
    documents = [*topics.topics.values(), *NASTY]
    return BytePairTokenizer.train(documents, 1000)


def as_tiktoken(tokenizer):
    tiktoken = optional("tiktoken")
    ordinary = tokenizer.vocabulary_size - len(tokenizer.special_tokens)
    ranks = {tokenizer.decode_bytes([id_]): id_ for id_ in range(ordinary)}
    return tiktoken.Encoding(
        "ours", pat_str=TIKTOKEN_PATTERN, mergeable_ranks=ranks, special_tokens=tokenizer.special_tokens
    )


@given(any_bytes)
def test_round_trip_of_any_bytes(tokenizer, data):
    ids = tokenizer.encode(data)
    assert tokenizer.decode_bytes(ids) == data
    assert tokenizer.decode(ids.tolist()) == data.decode("utf-8", "replace")
    assert tokenizer.decode_bytes(tokenizer.encode(data + END_OF_TEXT.encode() + data, allow_special=True)) == (
        data + END_OF_TEXT.encode() + data
    )


@given(st.text() | fragments)
def test_text_and_its_bytes_have_the_same_ids(tokenizer, text):
    ids = tokenizer.encode(text)
    assert ids.dtype == np.int64 and ids.ndim == 1
    assert tokenizer.decode(ids) == text
    assert tokenizer.encode(text.encode()).tolist() == ids.tolist()


def test_merges_apply_in_the_order_in_which_they_were_learnt():
    tokenizer = BytePairTokenizer([(b"b", b"c"), (b"a", b"b"), (b"a", b"bc"), (b"ab", b"ab"), (b"a", b"a")])
    bc, ab, abc, abab, aa = range(256, 261)
    assert tokenizer.encode("abc").tolist() == [abc]  # b c before a b
    assert tokenizer.encode("abab").tolist() == [abab]
    assert tokenizer.encode("ababab").tolist() == [abab, ab]  # the leftmost of equals
    assert tokenizer.encode("aaa").tolist() == [aa, ord("a")]
    assert tokenizer.encode("bcab a").tolist() == [bc, ab, ord(" "), ord("a")]
    assert tokenizer.end_of_text == 261 and tokenizer.vocabulary_size == 262


def test_no_token_crosses_from_one_piece_to_the_next():
    tokenizer = BytePairTokenizer([(b"a", b" "), (b"a", b"1"), (b" ", b"a"), (b" ", b" ")])
    assert tokenizer.encode("a a1").tolist() == [ord("a"), 258, ord("1")]
    assert tokenizer.encode("a   a").tolist() == [ord("a"), 259, 258]  # the last space goes with the word


@given(assigned_text | fragments)
@settings(max_examples=300)
def test_same_ids_as_tiktoken_on_text(tokenizer, text):
    rival = as_tiktoken(tokenizer)
    assert tokenizer.encode(text).tolist() == rival.encode_ordinary(text)
    assert tokenizer.encode(text, allow_special=True).tolist() == rival.encode(text, allowed_special="all")


@given(any_bytes)
@settings(max_examples=300)
def test_same_ids_as_tiktoken_on_any_bytes(tokenizer, data):
    assert tokenizer.encode(data).tolist() == as_tiktoken(tokenizer)._encode_bytes(data)


def test_broken_bytes_take_the_white_space_before_them_as_tiktoken_does():
    tokenizer = BytePairTokenizer([(b" ", b" "), (b"\r", b" "), (b"\n", b" "), (b"\t", b" "), (b"  ", b"  ")])
    rival = as_tiktoken(tokenizer)
    for data in [
        b"a    b\xff  c",
        b"a \n\t  b\xff",
        b"  \xc2\xa0  b\xff",
        b"\r  b\xff",
        b"a\t b\xff",
        b"a\n b\xff",
        b"    \xff    ",
        b"a  \r  b\xff",
    ]:
        assert tokenizer.encode(data).tolist() == rival._encode_bytes(data)


@pytest.mark.parametrize("text", NASTY)
def test_same_ids_as_tiktoken_on_nasty_text(tokenizer, text):
    assert tokenizer.encode(text).tolist() == as_tiktoken(tokenizer).encode_ordinary(text)


def test_same_ids_as_tiktoken_on_whole_documents(tokenizer):
    text = "\n\n".join(topics.topics.values())
    assert tokenizer.encode(text).tolist() == as_tiktoken(tokenizer).encode_ordinary(text)


def test_a_long_piece_takes_moderate_time(tokenizer):
    rival = as_tiktoken(tokenizer)
    for text in ["a" * 100_000, "ab" * 50_000, " " * 100_000 + "x"]:
        assert tokenizer.encode(text).tolist() == rival.encode_ordinary(text)


def test_surrogates_become_what_tiktoken_makes_of_them(tokenizer):
    for text in ["a\ud800b", "\udc80", "\ud83d\ude00", "\ude00\ud83d", f"\ud800{END_OF_TEXT}"]:
        assert tokenizer.encode(text).tolist() == as_tiktoken(tokenizer).encode_ordinary(text)
    assert tokenizer.decode(tokenizer.encode("a\ud800b \ud83d\ude00")) == "a\ufffdb 😀"


def test_special_tokens_are_plain_text_unless_allowed(tokenizer):
    text = f"one{END_OF_TEXT}two"
    plain, special = tokenizer.encode(text), tokenizer.encode(text, allow_special=True)
    assert tokenizer.end_of_text not in plain
    assert special.tolist() == [*tokenizer.encode("one"), tokenizer.end_of_text, *tokenizer.encode("two")]
    assert tokenizer.decode(plain) == tokenizer.decode(special) == text


def test_the_longest_special_token_wins():
    special = {"<a>": 256, "<a><b>": 257, END_OF_TEXT: 258, "(.*)": 259}
    tokenizer = BytePairTokenizer([], special)
    assert tokenizer.encode("<a><a><b>(.*)", allow_special=True).tolist() == [256, 257, 259]
    assert tokenizer.encode("<a>x", allow_special=True).tolist() == [256, ord("x")]
    assert tokenizer.special_tokens == special and tokenizer.vocabulary_size == 260


def test_half_a_character_decodes_to_the_replacement_character():
    assert BytePairTokenizer([]).decode(list("éa".encode()[1:])) == "\ufffda"


@pytest.mark.parametrize("ids", [[1000], [-1], [0.5], [[1, 2]], ["a"]])
def test_ids_that_do_not_exist_are_refused(tokenizer, ids):
    with pytest.raises(UserError, match="token"):
        tokenizer.decode(ids)


def test_no_ids_are_no_text(tokenizer):
    assert tokenizer.decode([]) == ""
    assert tokenizer.encode("").shape == tokenizer.encode(b"", allow_special=True).shape == (0,)


@pytest.mark.parametrize(
    ("merges", "special_tokens", "byte_order", "message"),
    [
        ([(b"ab", b"c")], None, EVERY_BYTE, "merge 0, b'ab' "),
        ([(b"a", b"b"), (b"a", b"b")], None, EVERY_BYTE, "merge 1, b'a' "),
        ([(b"a", b"")], None, EVERY_BYTE, "merge 0"),
        ([], {"<x>": 256}, EVERY_BYTE, "endoftext"),
        ([], {END_OF_TEXT: 255}, EVERY_BYTE, "must follow the 256 ordinary ones"),
        ([], {END_OF_TEXT: 256, "<x>": 258}, EVERY_BYTE, "must follow the 256 ordinary ones"),
        ([], {END_OF_TEXT: 256, "": 257}, EVERY_BYTE, "not empty"),
        ([], None, bytes(255), "each of the 256 bytes once"),
    ],
)
def test_parts_that_do_not_fit_are_refused(merges, special_tokens, byte_order, message):
    with pytest.raises(UserError, match=message):
        BytePairTokenizer(merges, special_tokens, byte_order)
