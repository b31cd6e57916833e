"""What guessing reaches, against counting by hand."""

import math

import numpy as np
import pytest

from minigpt import Batch
from minigpt.measure import guesses
from minigpt.measure.guesses import likeliest_followers
from minigpt.objectives import HeldOut
from minigpt.ops import IGNORED

TRAINING = np.array([0, 1, 2, 0, 1, 2, 0, 1, 3, 3, 3, 3, 3, 1], np.uint16)  # 3 is the most frequent; 4 never occurs
X = IGNORED


def test_the_likeliest_follower():
    assert likeliest_followers(TRAINING, 5).tolist() == [1, 2, 0, 3, 3]


def test_masked_tokens_are_guessed_from_the_token_seen_on_the_left():
    batch = Batch(np.array([[0, 4, 2, 3], [4, 1, 2, 4]]), np.array([[X, 1, X, 3], [0, X, 0, 1]]))
    found = guesses(TRAINING, [HeldOut(batch)], 5, "encoder")
    # After 0 comes 1: right. After 2 comes 0: not 3. Nothing before the first 4, never seen: 3, not 0.
    # After 1 comes 2: not 0. After 2 comes 0: not 1.
    assert found.accuracy == {"most frequent": 1 / 5, "bigram": 1 / 5}
    assert found.nats["uniform"] == pytest.approx(math.log(5))
    counts = np.array([3, 4, 2, 5, 0]) + 1
    assert found.nats["unigram"] == pytest.approx(-np.log(counts / counts.sum())[[1, 3, 0, 0, 1]].mean())


def test_a_decoder_s_target_follows_the_token_at_its_place_and_only_what_is_counted_is_counted():
    batch = Batch(np.array([[0, 1, 2]]), np.array([[1, 2, 1]]))
    counted = np.array([[True, False, True]])
    found = guesses(TRAINING, [HeldOut(batch, counted)], 5, "decoder")
    assert found.accuracy == {"most frequent": 0.0, "bigram": 0.5}


def test_pairs_are_guessed_by_their_most_frequent_label():
    batches = [Batch(np.zeros((len(labels), 3), int), labels=np.array(labels)) for labels in ([0, 1, 1], [1])]
    assert guesses(TRAINING, [HeldOut(batch) for batch in batches], 5, "encoder") == (
        {"most frequent": pytest.approx(-math.log(1 / 4) / 4 - 3 * math.log(3 / 4) / 4)},
        {"most frequent": 0.75},
    )
    ((nats,), (accuracy,)) = (found.values() for found in guesses(TRAINING, [HeldOut(batches[1])], 5, "encoder"))
    assert (nats, accuracy) == (0.0, 1.0)
