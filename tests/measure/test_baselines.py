"""Baselines against counting by hand."""

import itertools
import math

import numpy as np
import pytest

from minigpt.measure import bigram_nats, compressed_bits_per_byte, uniform_nats, unigram_nats
from minigpt.measure.baselines import training_bytes
from minigpt.text import CharacterTokenizer, document_end


def test_uniform_is_log_v():
    assert uniform_nats(8) == pytest.approx(3 * math.log(2))


def test_unigram_counts_with_one_added():
    training, tokens = np.array([0, 0, 0, 1]), np.array([0, 2])
    # Counts plus one: 4, 2, 1 of 7.
    assert unigram_nats(training, tokens, 3) == pytest.approx(-(math.log(4 / 7) + math.log(1 / 7)) / 2)


def bigram_by_hand(training, tokens, vocabulary_size):
    """Witten-Bell, straight from the formula with dictionaries."""
    counts = [1.0] * vocabulary_size
    for t in training:
        counts[t] += 1
    unigram = [c / sum(counts) for c in counts]
    followers = {}
    for a, b in itertools.pairwise(training):
        followers.setdefault(a, []).append(b)
    total = 0.0
    for a, b in itertools.pairwise(tokens):
        after = followers.get(a, [])
        kinds = len(set(after))
        p = unigram[b] if not after else (after.count(b) + kinds * unigram[b]) / (len(after) + kinds)
        total -= math.log(p)
    return total / (len(tokens) - 1)


@pytest.mark.parametrize("seed", range(5))
def test_bigram_equals_the_formula_by_hand(seed):
    rng = np.random.default_rng(seed)
    training = rng.integers(0, 6, 40).astype(np.uint16)  # token files hold uint16: pairs must not overflow
    tokens = rng.integers(0, 8, 25).astype(np.uint16)
    assert bigram_nats(training, tokens, 8) == pytest.approx(bigram_by_hand(training.tolist(), tokens.tolist(), 8))


def test_bigram_probabilities_sum_to_one():
    training = np.array([0, 1, 0, 2, 1, 1])
    for first in range(4):
        total = sum(math.exp(-bigram_nats(training, np.array([first, second]), 4)) for second in range(4))
        assert total == pytest.approx(1)


def test_compressors_see_repetition():
    bits = compressed_bits_per_byte(b"the same words again and again. " * 200)
    assert set(bits) == {"gzip", "bz2", "xz"}
    assert all(0 < value < 1 for value in bits.values())


def test_a_compressor_that_has_read_the_training_text_knows_its_words():
    rng = np.random.default_rng(3)
    words = [bytes(rng.integers(97, 123, 9).tolist()) for _ in range(300)]
    training, data = (b" ".join(words[i] for i in rng.integers(0, 300, count)) for count in (3000, 200))
    bits = compressed_bits_per_byte(data, training)
    assert bits["xz primed"] < 0.7 * bits["xz"]
    assert {name: bits[name] for name in ("gzip", "bz2", "xz")} == compressed_bits_per_byte(data)
    foreign = compressed_bits_per_byte(rng.bytes(2000), training)
    assert foreign["xz primed"] > 7.9  # noise is as long after a text as alone


def test_the_training_text_comes_back_from_its_tokens():
    tokenizer = CharacterTokenizer("abc\u00e9")
    ids = np.concatenate([[document_end(tokenizer)], tokenizer.encode("ab\u00e9"), [document_end(tokenizer)]])
    assert training_bytes(ids, tokenizer) == "ab\u00e9".encode()
