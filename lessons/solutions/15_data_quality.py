"""Lesson 15: MinHash, bands, contamination, and noise taken off again."""

import numpy as np


def minhash_signature(
    shingles: np.ndarray, multipliers: np.ndarray, addends: np.ndarray, prime: int
) -> np.ndarray:
    """The MinHash signature of a set.

    shingles: (S,) different integers, the set. Hash function k maps x to (multipliers[k] * x + addends[k]) modulo
    prime; multipliers, addends: (K,) integers. Products stay below 2**63.

    Returns (K,): the smallest value that each hash function takes on the set.
    """
    # answer
    return ((multipliers[:, None] * shingles + addends[:, None]) % prime).min(axis=1)
    # end of answer


def candidate_pairs(signatures: np.ndarray, rows: int) -> set[tuple[int, int]]:
    """Which texts are compared: those whose signatures agree in all rows of some band.

    signatures: (N, K); band b is the values b * rows to (b + 1) * rows - 1 of a signature. rows divides K.

    Returns the pairs (i, j), i below j, of which some band is the same in both.
    """
    # answer
    bands = signatures.reshape(len(signatures), -1, rows)
    same = (bands[:, None] == bands).all(axis=3).any(axis=2)  # (N, N)
    return {(int(i), int(j)) for i, j in np.argwhere(same) if i < j}
    # end of answer


def held_tests(tests: list[list[str]], documents: list[list[str]], n: int) -> list[bool]:
    """Which texts of a test set are contaminated: some n words in a row of theirs stand in a training document.

    tests, documents: texts as lists of words. A text with fewer than n words has no n words in a row, so it is never
    found.

    Returns True or False for each text of the test set.
    """
    # answer
    seen = {tuple(words[i : i + n]) for words in documents for i in range(len(words) - n + 1)}
    return [
        any(tuple(words[i : i + n]) in seen for i in range(len(words) - n + 1)) for words in tests
    ]
    # end of answer


def without_noise(probabilities: np.ndarray, share: float) -> np.ndarray:
    """What a model thinks of clean text, if a share of its training targets was replaced by any token.

    probabilities: (N, V), what it predicts: (1 - share) times its guess of the clean text, plus the noise, which gives
    each of the V tokens share / V. share: from 0 to below 1.

    Returns (N, V): its guess of the clean text. What would come out below 1e-6 becomes 1e-6, and then each row is
    divided by its sum.
    """
    # answer
    clean = (probabilities - share / probabilities.shape[1]) / (1 - share)
    clean = np.maximum(clean, 1e-6)
    return clean / clean.sum(axis=1, keepdims=True)
    # end of answer
