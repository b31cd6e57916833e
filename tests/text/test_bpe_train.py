"""The incremental trainer learns what the textbook's learns, which counts every pair again after every merge."""

from collections import Counter
from itertools import pairwise

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from minigpt import progress
from minigpt.errors import UserError
from minigpt.text.bpe import GPT2_PATTERN, BytePairTokenizer
from minigpt.text.bpe_train import learn_merges
from minigpt.text.vocabulary import END_OF_TEXT


def textbook_merges(piece_counts, merge_count):
    """Sennrich et al. (2016), algorithm 1: count, merge the most frequent pair, begin again."""
    pieces = [(list(piece), count) for piece, count in piece_counts.items()]
    merges = []
    while len(merges) < merge_count:
        counts = Counter()
        for ids, count in pieces:
            for pair in pairwise(ids):
                counts[pair] += count
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        for ids, _ in pieces:
            i = 0
            while i < len(ids) - 1:
                if (ids[i], ids[i + 1]) == best:
                    ids[i : i + 2] = [256 + len(merges)]
                i += 1
        merges.append(best)
    return merges


pieces = st.text("ab ", min_size=1, max_size=30).map(str.encode) | st.binary(min_size=1, max_size=8)


@given(st.dictionaries(pieces, st.integers(1, 5), max_size=8))
def test_same_merges_as_the_textbook(piece_counts):
    expected = textbook_merges(piece_counts, 40)
    assert learn_merges(piece_counts, len(expected)) == expected
    if len(expected) < 40:
        with pytest.raises(UserError, match=f"at most {257 + len(expected)} tokens, not 297; .*more text"):
            learn_merges(piece_counts, 40)
    assert learn_merges(piece_counts, 40, at_most=True) == expected


@given(st.lists(st.text("abc é1\n'"), max_size=5))
def test_training_counts_the_pieces_of_every_document(documents):
    counts = Counter(piece.encode() for document in documents for piece in regex.findall(GPT2_PATTERN, document))
    expected = textbook_merges(counts, 10)
    tokenizer = BytePairTokenizer.train(documents, 257 + len(expected))
    tokens = [bytes([byte]) for byte in range(256)]
    for (left, right), merge in zip(expected, tokenizer.merges, strict=True):
        assert merge == (tokens[left], tokens[right])
        tokens.append(tokens[left] + tokens[right])


def test_ties_go_to_the_pair_of_smallest_ids():
    assert learn_merges({b"zy": 2, b"ab": 2, b"ac": 2}, 3) == [(97, 98), (97, 99), (122, 121)]


def test_a_long_piece_is_learnt_in_moderate_time():
    merges = learn_merges({b"a" * 100_000: 1}, 16)  # takes a fraction of a second; rewriting lists took hours
    assert merges[:10] == [(97, 97)] + [(256 + i, 256 + i) for i in range(9)]


def test_progress_is_shown_when_asked(capsys, monkeypatch):
    monkeypatch.setattr(progress, "EVERY", 0.0)
    learn_merges({b"abc": 1}, 2)
    assert capsys.readouterr().err == ""
    learn_merges({b"abc": 1}, 2, progress=True)
    assert "learning merges" in capsys.readouterr().err


def test_vocabulary_sizes_that_cannot_be():
    with pytest.raises(UserError, match="at least 257 tokens, not 256"):
        BytePairTokenizer.train(["abc"], 256)
    with pytest.raises(UserError, match="at most 259 tokens, not 1024"):
        BytePairTokenizer.train(["abc"], 1024)
    fewer = BytePairTokenizer.train(["abc"], 1024, special_tokens=["<mask>"], at_most=True)
    assert fewer.vocabulary_size == 260 and fewer.special_tokens == {END_OF_TEXT: 258, "<mask>": 259}
    assert BytePairTokenizer.train(["abc"], 258, at_most=True).vocabulary_size == 258
    with pytest.raises(UserError, match="put it in a list"):
        BytePairTokenizer.train("abc", 257)
    assert BytePairTokenizer.train([], 257).vocabulary_size == 257
