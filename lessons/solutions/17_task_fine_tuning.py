"""Lesson 17: what stands for a text, choosing by likelihood, weighing words, and calibration."""

import numpy as np


def mean_of_present(hidden: np.ndarray, present: np.ndarray) -> np.ndarray:
    """What stands for each text when it is the mean of its tokens.

    hidden: (B, T, C), a vector for each token. present: (B, T) booleans, False for padding; each row has one True.

    Returns (B, C): the mean over the tokens that are present.
    """
    # answer
    return (hidden * present[:, :, None]).sum(axis=1) / present.sum(axis=1)[:, None]
    # end of answer


def choose_by_likelihood(nats: np.ndarray, without_content: np.ndarray) -> np.ndarray:
    """The probability of each answer, from what a decoder says of it after each text.

    nats: (N, K), the logarithm of the probability of each of K answers after each of N texts. without_content: (K,),
    the same after a prompt that says nothing of the matter. It is taken off, since an answer that is likely anywhere
    would win too often.

    Returns (N, K): the softmax over the answers.
    """
    # answer
    scores = nats - without_content
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)
    # end of answer


def tf_idf(counts: np.ndarray) -> np.ndarray:
    """How often each word occurs in each text, weighted by how few texts have the word.

    counts: (N, V) integers, how often each of V words occurs in each of N texts; every text and every word has one.
    The weight of a word that n texts have is log((1 + N) / (1 + n)) + 1.

    Returns (N, V): the weighted counts, each row divided by its length, the root of the sum of its squares.
    """
    # answer
    texts = (counts > 0).sum(axis=0)  # that have the word
    weighted = counts * (np.log((1 + len(counts)) / (1 + texts)) + 1)
    return weighted / np.sqrt((weighted**2).sum(axis=1, keepdims=True))
    # end of answer


def calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int) -> float:
    """How far a classifier's confidence is from how often it is right.

    confidence: (N,), the probability of what it said, 0 to 1. right: (N,) booleans, whether it was so. The answers are
    sorted into bins of equal width, bin number floor(confidence * bins); a confidence of 1 belongs to the last.

    Returns the mean over all answers of the distance, in their bin, between the mean confidence and the share that is
    right: so a bin counts by how many answers it has.
    """
    # answer
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs((confidence - right)[place == one].sum()) for one in range(bins)]
    return float(sum(gaps) / len(right))
    # end of answer
