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


def last_token(hidden, present):
    """Yours is the last token that is present; the mean of all that are present is asked for."""
    return hidden[np.arange(len(hidden)), present.sum(axis=1) - 1]


def tokens_of_all_texts(hidden, present):
    """You divide by the tokens of the whole batch; each text is divided by its own."""
    return summed(hidden, present) / present.sum()


def mean_of_padding(hidden, present):
    """Yours is the mean of the padding; `present` is True for the text."""
    padding = ~present
    return summed(hidden, padding) / np.maximum(padding.sum(axis=1), 1)[:, None]


def without_the_first(hidden, present):
    """You leave the first token out; all that are present count."""
    rest = present & (np.arange(present.shape[1]) > 0)
    return summed(hidden, rest) / np.maximum(rest.sum(axis=1), 1)[:, None]


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


def divided(nats, without_content):
    """You divide by what each answer gets without content; logarithms are subtracted."""
    return _softmax(nats / without_content)


def the_least_likely(nats, without_content):
    """Your sign is turned round: the least likely answer wins. `nats` are logarithms of probabilities, not losses."""
    return _softmax(without_content - nats)


def odds_not_normal(nats, without_content):
    """Your rows do not sum to 1; divide by the sum of the row."""
    return np.exp(nats - without_content)


def over_all_texts(nats, without_content):
    """You divide by the sum over all texts; each text has its own, over the answers."""
    odds = odds_not_normal(nats, without_content)
    return odds / odds.sum()


def probabilities_subtracted(nats, without_content):
    """You subtract probabilities; subtract their logarithms."""
    return _softmax(np.exp(nats) - np.exp(without_content))


def shares_subtracted(nats, without_content):
    """You took a softmax of each before you subtract; subtract the logarithms, and take one softmax."""
    return _softmax(_softmax(nats) - _softmax(without_content[None]))


def only_the_choice(nats, without_content):
    """You give 1 to the likeliest answer and 0 to the others; the probabilities are asked for."""
    scores = nats - without_content
    return np.eye(scores.shape[1])[scores.argmax(axis=1)]


def only_scores(nats, without_content):
    """These are scores; take the softmax over the answers."""
    return nats - without_content


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


def without_the_one(counts):
    """You left out the 1 that is added to the logarithm: words that all texts have count nothing in yours."""
    return _rows_of_length_one(counts * (_rarity((counts > 0).sum(axis=0), len(counts)) - 1))


def not_smoothed(counts):
    """Your weight is log(N / n) + 1; it is log((1 + N) / (1 + n)) + 1."""
    return _rows_of_length_one(counts * (np.log(len(counts) / (counts > 0).sum(axis=0)) + 1))


def plain_logarithm(counts):
    """Your weight is log(N / n); it is log((1 + N) / (1 + n)) + 1."""
    return _rows_of_length_one(counts * np.log(len(counts) / (counts > 0).sum(axis=0)))


def logarithm_to_base_two(counts):
    """You took logarithms to base 2; natural ones are meant."""
    texts = (counts > 0).sum(axis=0)
    return _rows_of_length_one(counts * (np.log2((1 + len(counts)) / (1 + texts)) + 1))


def words_for_texts(counts):
    """Your N is the number of words; it is that of the texts."""
    return _rows_of_length_one(counts * _rarity((counts > 0).sum(axis=0), counts.shape[1]))


def columns_of_length_one(counts):
    """You divide each column by its length; each row, a text, is divided by its own."""
    weighted = no_length(counts)
    return weighted / np.linalg.norm(weighted, axis=0, keepdims=True)


def square_of_the_length(counts):
    """You divide by the sum of the squares; its root is the length."""
    weighted = no_length(counts)
    return weighted / (weighted**2).sum(axis=1, keepdims=True)


def draw_confidence(rng: np.random.Generator) -> Question:
    confidence = rng.uniform(0.3, 1, larger(rng, 12))
    confidence[rng.random(len(confidence)) < 0.2] = 1.0
    bins = int(rng.integers(2, 11))
    if bins in (2, 4, 8):  # whose edges are exact, however they are computed
        confidence[rng.random(len(confidence)) < 0.2] = rng.integers(1, bins) / bins
    return [confidence, rng.random(len(confidence)) < 0.9 * confidence**2, bins], {}


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


def squared_gaps(confidence, right, bins):
    """You squared the distances; take them as they are."""
    return float(sum(count * gap**2 for count, gap in _bins(confidence, right, bins)) / len(right))


def largest_gap(confidence, right, bins):
    """This is the largest distance of a bin; take the mean over answers."""
    return float(max(abs(gap) for _, gap in _bins(confidence, right, bins)))


def not_over_answers(confidence, right, bins):
    """You add up; divide by the number of answers."""
    return calibration_error(confidence, right, bins) * len(right)


def empty_bins_counted(confidence, right, bins):
    """You divide by the number of bins, empty ones too; a bin counts by how many answers it has."""
    return float(sum(abs(gap) for _, gap in _bins(confidence, right, bins)) / bins)


def equally_full_bins(confidence, right, bins):
    """Your bins hold equally many answers; they are equally wide."""
    parts = np.array_split(np.argsort(confidence, kind="stable"), bins)
    return float(sum(abs((confidence - right)[part].sum()) for part in parts) / len(right))


def from_a_half(confidence, right, bins):
    """Your bins divide what lies between a half and 1; they divide 0 to 1."""
    place = np.clip(((confidence - 0.5) * 2 * bins).astype(int), 0, bins - 1)
    return float(sum(abs((confidence - right)[place == one].sum()) for one in range(bins)) / len(right))


def edges_in_the_bin_below(confidence, right, bins):
    """A confidence on an edge is in the bin below in yours; it is in bin number floor(confidence * bins)."""
    place = np.maximum(np.ceil(confidence * bins).astype(int) - 1, 0)
    return float(sum(abs((confidence - right)[place == one].sum()) for one in range(bins)) / len(right))


def middle_of_the_bin(confidence, right, bins):
    """You take the middle of a bin for its confidence; take the mean of its answers' confidences."""
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    middle = (place + 0.5) / bins
    return float(sum(abs((middle - right)[place == one].sum()) for one in range(bins)) / len(right))


def _bins(confidence, right, bins):
    """(how many answers, mean confidence less share of right ones) of each bin that is not empty."""
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    return [((place == one).sum(), (confidence - right)[place == one].mean()) for one in np.unique(place)]


def _softmax(scores):
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def _rarity(texts, count):
    return np.log((1 + count) / (1 + texts)) + 1


def _rows_of_length_one(weighted):
    with np.errstate(invalid="ignore"):  # of a row of zeros, which some mistakes make
        return weighted / np.linalg.norm(weighted, axis=1, keepdims=True)


EXERCISES = (
    Exercise.of(
        mean_of_present,
        points=2,
        draw=draw_hidden,
        mistakes=(
            padding_counted,
            divided_by_the_longest,
            summed,
            first_token,
            last_token,
            tokens_of_all_texts,
            mean_of_padding,
            without_the_first,
        ),
    ),
    Exercise.of(
        choose_by_likelihood,
        points=2,
        draw=draw_answers,
        mistakes=(
            not_calibrated,
            added,
            over_the_texts,
            divided_without_exponential,
            divided,
            the_least_likely,
            odds_not_normal,
            over_all_texts,
            probabilities_subtracted,
            shares_subtracted,
            only_the_choice,
            only_scores,
        ),
    ),
    Exercise.of(
        tf_idf,
        points=3,
        draw=draw_counts,
        mistakes=(
            occurrences_for_texts,
            without_rarity,
            no_length,
            sums_to_one,
            present_or_not,
            without_the_one,
            not_smoothed,
            plain_logarithm,
            logarithm_to_base_two,
            words_for_texts,
            columns_of_length_one,
            square_of_the_length,
        ),
    ),
    Exercise.of(
        calibration_error,
        points=3,
        draw=draw_confidence,
        mistakes=(
            bins_count_alike,
            no_bins,
            answer_by_answer,
            sure_ones_lost,
            squared_gaps,
            largest_gap,
            not_over_answers,
            empty_bins_counted,
            equally_full_bins,
            from_a_half,
            edges_in_the_bin_below,
            middle_of_the_bin,
        ),
    ),
)
