"""What an objective's loss and accuracy have to be compared with: guessing by counts, without a model."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from minigpt.measure.baselines import bigram_log, count_pairs, uniform_nats, unigram_nats
from minigpt.model import Batch
from minigpt.objectives import HeldOut
from minigpt.ops import IGNORED


class Guesses(NamedTuple):
    """By name: the mean loss over all that is scored, in nats, and the accuracy over all that is counted."""

    nats: dict[str, float]
    accuracy: dict[str, float]


def guesses(training: np.ndarray, held_out: Sequence[HeldOut], vocabulary_size: int, architecture: str) -> Guesses:
    """What guessing reaches on these held-out batches, with counts from `training`, (N,) integers.

    uniform: every token alike. unigram: its frequency; the guess is always the most frequent token. bigram: what
    followed the token on the left, as the model sees it (so after a mask it knows no more than unigram); the guess is
    the token that followed it most often. Pairs of sentences: what who knows how many of these pairs have which label,
    and nothing else, would guess.
    """
    if held_out[0].batch.labels is not None:
        return _most_frequent_label(np.concatenate([one.batch.labels for one in held_out]))
    before, wanted, counted = (
        np.concatenate(rows) for rows in zip(*(_questions(one, architecture) for one in held_out), strict=True)
    )
    following = likeliest_followers(training, vocabulary_size)
    most_frequent = np.bincount(training, minlength=vocabulary_size).argmax()
    return Guesses(
        {
            "uniform": uniform_nats(vocabulary_size),
            "unigram": unigram_nats(training, wanted, vocabulary_size),
            "bigram": float(-bigram_log(training, before, wanted, vocabulary_size).mean()),
        },
        {
            "most frequent": _share(wanted == most_frequent, counted),
            "bigram": _share(wanted == following[before], counted),
        },
    )


def likeliest_followers(training: np.ndarray, vocabulary_size: int) -> np.ndarray:
    """For every token the one that followed it most often in `training`; the most frequent one if none did: (V,)."""
    followers = np.full(vocabulary_size, np.bincount(training, minlength=vocabulary_size).argmax())
    first, second, _, counts = count_pairs(training, vocabulary_size)
    order = np.argsort(counts, kind="stable")  # the last one written wins: the most frequent
    followers[first[order]] = second[order]
    return followers


def _share(right: np.ndarray, counted: np.ndarray) -> float:
    return int(np.count_nonzero(right & counted)) / max(1, int(np.count_nonzero(counted)))


def _most_frequent_label(labels: np.ndarray) -> Guesses:
    shares = np.bincount(labels) / labels.size
    entropy = -sum(share * math.log(share) for share in shares if share)
    return Guesses({"most frequent": entropy}, {"most frequent": float(shares.max())})


def _questions(held_out: HeldOut, architecture: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of every scored target, (M,): the token on its left as the model sees it, itself, and whether it is counted."""
    batch: Batch = held_out.batch
    assert batch.targets is not None
    scored = batch.targets != IGNORED
    before = batch.tokens  # a decoder's target follows the token at its place
    if architecture == "encoder":  # an encoder's stands at its place; the first has nothing on its left but itself
        before = np.concatenate([batch.tokens[:, :1], batch.tokens[:, :-1]], axis=1)
    counted = scored if held_out.counted is None else held_out.counted
    return before[scored], batch.targets[scored], counted[scored]
