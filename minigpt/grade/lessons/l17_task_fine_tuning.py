"""The exercises of lesson 17, task fine-tuning."""

import numpy as np

from minigpt.grade.exercise import Exercise, Question, larger


def draw_hidden(rng: np.random.Generator) -> Question:
    rows, length = larger(rng, rng.integers(2, 5)), int(rng.integers(3, 7))
    present = np.arange(length) < rng.integers(1, length + 1, rows)[:, None]
    return [1 + rng.standard_normal((rows, length, 4)), present], {}


def mean_of_present(hidden, present):
    return np.stack([row[there].mean(axis=0) for row, there in zip(hidden, present, strict=True)])


def padding_counted(hidden, present):
    """Yours is the mean of all places; padding is not part of the text."""
    return hidden.mean(axis=1)


def divided_by_the_longest(hidden, present):
    """You leave padding out of the sum, but divide by all places; divide by how many are present."""
    return (hidden * present[:, :, None]).mean(axis=1)


def summed(hidden, present):
    """Yours is the sum of the tokens; divide it by how many there are, or long texts get long vectors."""
    return (hidden * present[:, :, None]).sum(axis=1)


def first_token(hidden, present):
    """Yours is the first token; the mean of all that are present is asked for."""
    return hidden[:, 0]


def draw_answers(rng: np.random.Generator) -> Question:
    answers = int(rng.integers(2, 5))
    rows = larger(rng, rng.integers(1, 5))
    return [-10 * rng.random((rows, answers)) - 1, -10 * rng.random(answers) - 1], {}


def choose_by_likelihood(nats, without_content):
    return _softmax(nats - without_content)


def not_calibrated(nats, without_content):
    """You do not take off what each answer gets without content; an answer that is likely anywhere wins too often."""
    return _softmax(nats)


def added(nats, without_content):
    """You add what each answer gets without content; it is taken off."""
    return _softmax(nats + without_content)


def over_the_texts(nats, without_content):
    """Your softmax goes over the texts; each text has its own, over the answers."""
    return _softmax((nats - without_content).T).T


def divided_without_exponential(nats, without_content):
    """You divide logarithms by their sum; take the exponentials first."""
    scores = nats - without_content
    return scores / scores.sum(axis=1, keepdims=True)


def draw_counts(rng: np.random.Generator) -> Question:
    texts, words = larger(rng, rng.integers(2, 6)), int(rng.integers(3, 8))
    counts = rng.poisson(0.8, (texts, words))
    counts[np.arange(texts), rng.integers(0, words, texts)] += 1
    counts[rng.integers(0, texts, words), np.arange(words)] += 1
    return [counts], {}


def tf_idf(counts):
    return _rows_of_length_one(counts * _rarity((counts > 0).sum(axis=0), len(counts)))


def occurrences_for_texts(counts):
    """Your weight counts how often a word occurs; it counts the texts that have it, each once."""
    return _rows_of_length_one(counts * _rarity(counts.sum(axis=0), len(counts)))


def without_rarity(counts):
    """You left the weight out: every word counts alike, however common it is."""
    return _rows_of_length_one(counts.astype(float))


def no_length(counts):
    """Your rows are not divided by their length; a long text then counts more than a short one."""
    return counts * _rarity((counts > 0).sum(axis=0), len(counts))


def sums_to_one(counts):
    """You divide each row by its sum; its length is the root of the sum of its squares."""
    weighted = no_length(counts)
    return weighted / weighted.sum(axis=1, keepdims=True)


def present_or_not(counts):
    """You count a word once a text, however often it occurs there."""
    return tf_idf((counts > 0).astype(int))


def draw_confidence(rng: np.random.Generator) -> Question:
    confidence = rng.uniform(0.3, 1, larger(rng, 12))
    confidence[rng.random(len(confidence)) < 0.2] = 1.0
    return [confidence, rng.random(len(confidence)) < 0.9 * confidence**2, int(rng.integers(2, 11))], {}


def calibration_error(confidence, right, bins):
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    return float(sum(abs((confidence - right)[place == one].sum()) for one in range(bins)) / len(right))


def bins_count_alike(confidence, right, bins):
    """Each bin counts alike in yours; a bin counts by how many answers it has."""
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs((confidence - right)[place == one].mean()) for one in range(bins) if (place == one).any()]
    return float(np.mean(gaps))


def no_bins(confidence, right, bins):
    """You compare the mean confidence of all with the share of all: too sure here and too unsure there cancel."""
    return float(abs(np.mean(confidence - right)))


def answer_by_answer(confidence, right, bins):
    """You compare each answer with its own confidence; nothing is right by 70%. Compare the means of a bin."""
    return float(np.abs(confidence - right).mean())


def sure_ones_lost(confidence, right, bins):
    """You lose the answers with a confidence of exactly 1; they belong to the last bin."""
    place = (confidence * bins).astype(int)
    return float(sum(abs((confidence - right)[place == one].sum()) for one in range(bins)) / len(right))


def _softmax(scores):
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def _rarity(texts, count):
    return np.log((1 + count) / (1 + texts)) + 1


def _rows_of_length_one(weighted):
    return weighted / np.linalg.norm(weighted, axis=1, keepdims=True)


EXERCISES = (
    Exercise.of(
        mean_of_present,
        points=2,
        draw=draw_hidden,
        mistakes=(padding_counted, divided_by_the_longest, summed, first_token),
    ),
    Exercise.of(
        choose_by_likelihood,
        points=2,
        draw=draw_answers,
        mistakes=(not_calibrated, added, over_the_texts, divided_without_exponential),
    ),
    Exercise.of(
        tf_idf,
        points=3,
        draw=draw_counts,
        mistakes=(occurrences_for_texts, without_rarity, no_length, sums_to_one, present_or_not),
    ),
    Exercise.of(
        calibration_error,
        points=3,
        draw=draw_confidence,
        mistakes=(bins_count_alike, no_bins, answer_by_answer, sure_ones_lost),
    ),
)
