"""Sentences of a text that is tokens already."""

import numpy as np
import pytest

from minigpt.text import CharacterTokenizer, split_sentences
from minigpt.text.word_piece import WordPieceTokenizer


def split(documents, longest=99):
    tokenizer = CharacterTokenizer.train(documents)
    tokens = np.concatenate([np.append(tokenizer.encode(text), tokenizer.end_of_text) for text in documents])
    found, left_out = split_sentences(tokens.astype(np.uint16), tokenizer, longest)
    return [[tokenizer.decode(sentence) for sentence in document] for document in found], left_out


@pytest.mark.parametrize(("text", "longest", "sentences"), [
    ("One. Two!  Three? Four.", 8, ["One.", " Two!", "  Three?", " Four."]),
    ("os.path is a module.\nAnother", 21, ["os.path is a module.\n", "Another"]),
    ("a\n\n\nb\n", 4, ["a\n\n\n", "b\n"]),
])  # fmt: skip
def test_a_sentence_ends_with_its_line_or_its_sign(text, longest, sentences):
    assert split([text], longest) == ([sentences], 0)


def test_neighbours_are_joined_while_they_fit_and_long_ones_are_cut():
    text = "a. b. c. d.\n" + "x" * 20 + "\nend."
    assert split([text], longest=6) == ([["a. b.", " c.", " d.\n", "xxxxxx", "end."]], 0)


def test_the_last_sentence_may_be_one_token():
    assert split(["ab.\nc"], longest=4) == ([["ab.\n", "c"]], 0)
    assert split(["ab.\nc"], longest=5)[1] == 1, "both fit into one, so nothing is left to pair it with"


def test_documents_of_one_sentence_are_left_out_and_counted():
    found, left_out = split(["only one", "First line here.\nSecond line here.", "", "again one."], longest=20)
    assert found == [["First line here.\n", "Second line here."]]
    assert left_out == 3


def test_a_tokenizer_without_spaces_ends_at_the_sign():
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "."]
    tokenizer = WordPieceTokenizer(words)
    tokens = np.append(tokenizer.encode("a b . b a ."), tokenizer.special_tokens["[SEP]"])
    found, _ = split_sentences(tokens, tokenizer, 4)
    assert [sentence.tolist() for sentence in found[0]] == [[5, 6, 7], [6, 5, 7]]
