"""Lesson 14: exposure of a secret, the area under a curve, k-anonymity, and a private gradient."""

import math
from collections import Counter

import numpy as np


def exposure_bits(secret: float, others: np.ndarray) -> float:
    """How much a model prefers a secret to other numbers of its kind, in bits.

    secret: the loss of the secret, summed over its tokens, in nats; others: (N,), that of each other number. The rank
    of the secret is 1 if no other has a loss as low or lower, and one more for each that has.

    Returns log2(N + 1) - log2(rank).
    """
    raise NotImplementedError("write exposure_bits")


def membership_area(seen: np.ndarray, unseen: np.ndarray) -> float:
    """The chance that a text that was seen has a higher score than one that was not; of equal scores half counts.

    seen: (N,) scores of texts that were trained on; unseen: (M,) of others. All N * M pairs count alike.

    Returns a number from 0 to 1; 0.5 is chance.
    """
    raise NotImplementedError("write membership_area")


def shared_records(records: list[tuple]) -> tuple[int, float, float]:
    """Of a table from which names are gone: how many people share the rest.

    records: the quasi-identifiers of each person, one tuple a person; at least one.

    Returns (k, unique, named): the size of the smallest group of people with the same tuple; the share of people who
    are alone in theirs; and the share that is named right, on average, by one who knows a person's tuple and picks
    anybody of the group.
    """
    raise NotImplementedError("write shared_records")


def private_gradient(
    gradients: np.ndarray, noise: np.ndarray, longest: float, sigma: float, expected: float
) -> np.ndarray:
    """The gradient of DP-SGD, of a batch with a row for each example.

    gradients: (B, P), one of each example. noise: (P,), standard normal numbers. longest: an example's gradient that is
    longer than this is shortened to it, the others stay as they are. sigma: the standard deviation of the noise, over
    `longest`. expected: how many examples a batch has on average; it takes the place of B, which would tell who was
    there.

    Returns (P,): the sum of the shortened gradients and the noise, over `expected`.
    """
    raise NotImplementedError("write private_gradient")
