"""The exercises of lesson 20, images and speech."""

from collections import Counter

import numpy as np

from minigpt.grade.exercise import Exercise, Question, larger


def draw_images(rng: np.random.Generator) -> Question:
    side, channels = int(rng.integers(2, 4)), int(rng.integers(2, 4))
    rows, columns = rng.permutation([2, 3, 5])[:2] * side
    return [rng.standard_normal((larger(rng, rng.integers(2, 4)), int(rows), int(columns), channels)), side], {}


def patches_of(images, side):
    return _squares(images, side).swapaxes(2, 3).reshape(len(images), -1, side * side * images.shape[-1])


def only_reshaped(images, side):
    """You reshaped without exchanging axes: your rows are strips of the picture's rows, not squares."""
    return images.reshape(len(images), -1, side * side * images.shape[-1])


def columns_first(images, side):
    """Your squares are numbered down the columns; they go from left to right, row after row."""
    return _squares(images, side).transpose(0, 3, 1, 2, 4, 5).reshape(patches_of(images, side).shape)


def turned_inside(images, side):
    """Inside of a square your pixels go down its columns; they go along its rows."""
    return _squares(images, side).transpose(0, 1, 3, 4, 2, 5).reshape(patches_of(images, side).shape)


def channels_before_pixels(images, side):
    """In your rows all pixels of one channel come before those of the next; each pixel's channels stay together."""
    return _squares(images, side).transpose(0, 1, 3, 5, 2, 4).reshape(patches_of(images, side).shape)


def other_axes_exchanged(images, side):
    """You exchanged two axes, but not the two: the squares' column comes before the row inside of a square."""
    return _squares(images, side).swapaxes(1, 2).reshape(patches_of(images, side).shape)


def mean_of_channels(images, side):
    """You took the mean of the channels; colour is lost. All numbers of a square are kept."""
    return patches_of(images.mean(axis=-1, keepdims=True), side)


def mean_of_pixels(images, side):
    """You took the mean of each square; all its pixels are kept."""
    return _squares(images, side).mean(axis=(2, 4)).reshape(len(images), -1, images.shape[-1])


def every_so_many(images, side):
    """You took every so manieth pixel; a patch is made of neighbours."""
    batch, height, width, channels = images.shape
    apart = images.reshape(batch, side, height // side, side, width // side, channels)
    return apart.transpose(0, 2, 4, 1, 3, 5).reshape(patches_of(images, side).shape)


def pictures_joined(images, side):
    """The squares of all pictures lie in one row; keep an axis for the pictures."""
    found = patches_of(images, side)
    return found.reshape(-1, found.shape[-1])


def grid_kept(images, side):
    """You kept the grid of squares as two axes; a transformer reads one row of tokens."""
    rows, columns = images.shape[1] // side, images.shape[2] // side
    return patches_of(images, side).reshape(len(images), rows, columns, -1)


def draw_asked(rng: np.random.Generator) -> Question:
    count, kinds = int(larger(rng, 40)), int(rng.integers(3, 6))
    questions = rng.permutation(np.append(rng.integers(0, kinds, count), np.repeat(np.arange(kinds), 4)))
    answers = rng.permutation(7)[questions] * (rng.random(len(questions)) < 0.5)
    answers = np.where(rng.random(len(questions)) < 0.4, rng.integers(1, 9, len(questions)), answers)
    tied = rng.permutation([9, 4, 6, 9, 4])  # of a question with two most frequent answers
    questions, answers = np.append(questions, np.full(5, kinds)), np.append(answers, tied)
    asked = rng.permutation(np.append(rng.integers(0, kinds, 6), [kinds, kinds + 1, *range(kinds)]))
    order = rng.permutation(len(questions))
    return [questions[order], answers[order], asked], {}


def blind_answers(questions, answers, asked):
    return _blind(questions, answers, asked, lambda known: np.bincount(known).argmax())


def most_frequent_of_all(questions, answers, asked):
    """You gave the most frequent of all answers; whoever knows the question can do better without looking."""
    return np.full(len(asked), np.bincount(answers).argmax())


def first_answer(questions, answers, asked):
    """Yours is the first answer in training to the same question; take the most frequent."""
    return _blind(questions, answers, asked, lambda known: known[0], np.bincount(answers).argmax())


def last_answer(questions, answers, asked):
    """Yours is the last answer in training to the same question; take the most frequent."""
    return _blind(questions, answers, asked, lambda known: known[-1], np.bincount(answers).argmax())


def largest_of_equals(questions, answers, asked):
    """Of equally frequent answers you took the largest number; the smallest counts."""
    return _blind(questions, answers, asked, lambda known: 15 - np.bincount(15 - known).argmax())


def rarest_answer(questions, answers, asked):
    """Yours is the rarest answer; take the most frequent."""

    def rarest(known):
        values, counts = np.unique(known, return_counts=True)
        return values[counts.argmin()]

    return _blind(questions, answers, asked, rarest)


def middle_answer(questions, answers, asked):
    """You took a median of numbers that only name the answers; count them."""
    return _blind(questions, answers, asked, lambda known: int(np.median(known)))


def mean_answer(questions, answers, asked):
    """You took a mean of numbers that only name the answers; count them."""
    return _blind(questions, answers, asked, lambda known: round(float(known.mean())))


def first_of_equals(questions, answers, asked):
    """Of equally frequent answers you took the one that was met first, as Counter does; the smallest number counts."""
    return _blind(questions, answers, asked, lambda known: Counter(known.tolist()).most_common(1)[0][0])


def how_often(questions, answers, asked):
    """This is how often the most frequent answer occurs; the answer itself is asked for."""
    return _blind(questions, answers, asked, lambda known: np.bincount(known).max())


def unknown_is_zero(questions, answers, asked):
    """A question that was never asked in training gets 0 in yours; it gets the most frequent of all answers."""
    return _blind(questions, answers, asked, lambda known: np.bincount(known).argmax(), 0)


def smallest_answer(questions, answers, asked):
    """Yours is the smallest number among the answers to the question; take the most frequent."""
    return _blind(questions, answers, asked, lambda known: known.min())


def place_among_answers(questions, answers, asked):
    """This is the place of the answer among those that occur, not the answer: look it up in the first of `unique`."""
    return _blind(questions, answers, asked, lambda known: np.unique(known, return_counts=True)[1].argmax())


def _blind(questions, answers, asked, choose, unknown=None):
    """What `choose` makes of the answers to each question that is asked; unknown: of one that is new."""
    found = []
    for question in asked:
        known = answers[questions == question]
        found.append(choose(known) if len(known) else choose(answers) if unknown is None else unknown)
    return np.array(found)


def draw_sound(rng: np.random.Generator) -> Question:
    window = int(2 * rng.integers(4, 8))
    hop = int(rng.integers(2, window // 2))
    return [rng.standard_normal(larger(rng, window + int(rng.integers(3, 7)) * hop) + 1), window, hop], {}


def frame_powers(samples, window, hop):
    return np.abs(np.fft.rfft(_pieces(samples, window, hop) * _hann(window))) ** 2


def without_window(samples, window, hop):
    """You left Hann's window out: the hard edges of a piece sound like clicks, at all frequencies."""
    return np.abs(np.fft.rfft(_pieces(samples, window, hop))) ** 2


def not_squared(samples, window, hop):
    """These are absolute values; power is their square."""
    return np.abs(np.fft.rfft(_pieces(samples, window, hop) * _hann(window)))


def both_halves(samples, window, hop):
    """Yours has every frequency twice: of real numbers the upper half mirrors the lower. Take window // 2 + 1."""
    return np.abs(np.fft.fft(_pieces(samples, window, hop) * _hann(window))) ** 2


def divided_by_window(samples, window, hop):
    """You divide by the number of samples in a piece; the square itself is asked for."""
    return frame_powers(samples, window, hop) / window


def window_turned(samples, window, hop):
    """Your window is 1 at the edges and 0 in the middle; it is 0.5 *minus* 0.5 cos."""
    return np.abs(np.fft.rfft(_pieces(samples, window, hop) * (1 - _hann(window)))) ** 2


def mean_taken_away(samples, window, hop):
    """You took the mean of each piece away first; frequency 0 is asked for as it is."""
    pieces = _pieces(samples, window, hop)
    return np.abs(np.fft.rfft((pieces - pieces.mean(axis=1, keepdims=True)) * _hann(window))) ** 2


def last_frequency_lost(samples, window, hop):
    """You cut off the last frequency; there are window // 2 + 1, with 0 and the highest."""
    return frame_powers(samples, window, hop)[:, :-1]


def symmetric_window(samples, window, hop):
    """Your window divides by window - 1, as np.hanning does; it divides by window."""
    return np.abs(np.fft.rfft(_pieces(samples, window, hop) * np.hanning(window))) ** 2


def hamming_window(samples, window, hop):
    """Yours is Hamming's window, which does not go to 0; Hann's has 0.5 twice."""
    hamming = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(window) / window)
    return np.abs(np.fft.rfft(_pieces(samples, window, hop) * hamming)) ** 2


def no_overlap(samples, window, hop):
    """Your pieces begin every `window` samples; they begin every `hop`, so they overlap."""
    return frame_powers(samples, window, window)


def last_piece_lost(samples, window, hop):
    """You lose the last whole piece; there are 1 + (N - window) // hop."""
    return frame_powers(samples, window, hop)[:-1]


def filled_with_zeros(samples, window, hop):
    """You filled up a piece that is not whole with zeros; only whole pieces count."""
    return frame_powers(np.append(samples, np.zeros(hop)), window, hop)


def frequencies_first(samples, window, hop):
    """Yours is (frequencies, pieces); the pieces come first, as tokens do."""
    return frame_powers(samples, window, hop).T


def in_decibels(samples, window, hop):
    """You took the logarithm; the power itself is asked for."""
    return np.log10(frame_powers(samples, window, hop) + 1e-10)


def real_part(samples, window, hop):
    """You squared the real part alone; it depends on where in its swing a tone is. Take the absolute value."""
    return np.fft.rfft(_pieces(samples, window, hop) * _hann(window)).real ** 2


def draw_pairs(rng: np.random.Generator) -> Question:
    rows, width = larger(rng, rng.integers(3, 7)), int(rng.integers(2, 6))
    images = rng.standard_normal((rows, width)) * rng.uniform(0.5, 3, (rows, 1))
    texts = images @ rng.standard_normal((width, width)) + 0.5 * rng.standard_normal((rows, width))
    return [images, texts, float(rng.uniform(2, 8))], {}


def clip_loss(images, texts, factor):
    scores = factor * _unit(images) @ _unit(texts).T
    return float((_cross_entropy(scores) + _cross_entropy(scores.T)) / 2)


def not_of_length_one(images, texts, factor):
    """You multiplied the vectors as they are; divide each by its length, so that cosines are compared."""
    scores = factor * images @ texts.T
    return float((_cross_entropy(scores) + _cross_entropy(scores.T)) / 2)


def pictures_choose_only(images, texts, factor):
    """Only the pictures choose in yours; the texts choose among the pictures as well."""
    return float(_cross_entropy(factor * _unit(images) @ _unit(texts).T))


def texts_choose_only(images, texts, factor):
    """Only the texts choose in yours; the pictures choose among the texts as well."""
    return float(_cross_entropy(factor * _unit(texts) @ _unit(images).T))


def added_not_mean(images, texts, factor):
    """You added the two cross-entropies; take their mean."""
    return 2 * clip_loss(images, texts, factor)


def summed_over_rows(images, texts, factor):
    """You added up over the pairs; take the mean, or the loss grows with the batch."""
    return len(images) * clip_loss(images, texts, factor)


def without_factor(images, texts, factor):
    """You left the factor out; cosines lie between -1 and 1, so the softmax could never become sure."""
    return clip_loss(images, texts, 1.0)


def divided_by_factor(images, texts, factor):
    """You divide by the factor; it multiplies. Its inverse is the temperature."""
    return clip_loss(images, texts, 1 / factor)


def factor_is_exponentiated(images, texts, factor):
    """You raise e to the power of the factor. A model learns its logarithm; here the factor itself is given."""
    return clip_loss(images, texts, float(np.exp(factor)))


def factor_outside(images, texts, factor):
    """You multiply the loss with the factor; the cosines are multiplied, before the softmax."""
    return factor * clip_loss(images, texts, 1.0)


def texts_of_any_length(images, texts, factor):
    """You divide the pictures by their length and not the texts; divide both."""
    scores = factor * _unit(images) @ texts.T
    return float((_cross_entropy(scores) + _cross_entropy(scores.T)) / 2)


def columns_of_length_one(images, texts, factor):
    """You divide each column by its length; each row, a picture or a text, is divided by its own."""
    u, v = (some / np.linalg.norm(some, axis=0, keepdims=True) for some in (images, texts))
    scores = factor * u @ v.T
    return float((_cross_entropy(scores) + _cross_entropy(scores.T)) / 2)


def sign_turned(images, texts, factor):
    """Your sign is turned round; a loss is the negative logarithm of a probability."""
    return -clip_loss(images, texts, factor)


def of_the_whole_table(images, texts, factor):
    """Your softmax goes over the whole table; each row, and each column, has one of its own."""
    scores = factor * _unit(images) @ _unit(texts).T
    return float(np.log(np.exp(scores).sum()) - np.diag(scores).mean())


def wrong_ones_only(images, texts, factor):
    """Your sum leaves the right one out; the softmax goes over all, the right one among them."""
    scores = factor * _unit(images) @ _unit(texts).T
    wrong = np.exp(scores) * (1 - np.eye(len(scores)))
    rows, columns = (np.log(wrong.sum(axis=axis)) - np.diag(scores) for axis in (1, 0))
    return float((rows.mean() + columns.mean()) / 2)


def in_bits(images, texts, factor):
    """Yours is in bits; take natural logarithms, for nats."""
    return clip_loss(images, texts, factor) / float(np.log(2))


def _squares(images, side):
    batch, height, width, channels = images.shape
    return images.reshape(batch, height // side, side, width // side, side, channels)


def _pieces(samples, window, hop):
    return np.lib.stride_tricks.sliding_window_view(samples, window)[::hop]


def _hann(window):
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)


def _unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _cross_entropy(scores):
    largest = scores.max(axis=1)
    return (largest + np.log(np.exp(scores - largest[:, None]).sum(axis=1)) - np.diag(scores)).mean()


EXERCISES = (
    Exercise.of(
        patches_of,
        points=2,
        draw=draw_images,
        mistakes=(
            only_reshaped,
            columns_first,
            turned_inside,
            other_axes_exchanged,
            channels_before_pixels,
            mean_of_channels,
            mean_of_pixels,
            every_so_many,
            pictures_joined,
            grid_kept,
        ),
    ),
    Exercise.of(
        blind_answers,
        points=2,
        draw=draw_asked,
        mistakes=(
            most_frequent_of_all,
            first_answer,
            last_answer,
            largest_of_equals,
            rarest_answer,
            middle_answer,
            mean_answer,
            first_of_equals,
            how_often,
            unknown_is_zero,
            smallest_answer,
            place_among_answers,
        ),
    ),
    Exercise.of(
        frame_powers,
        points=3,
        draw=draw_sound,
        mistakes=(
            without_window,
            not_squared,
            both_halves,
            divided_by_window,
            window_turned,
            mean_taken_away,
            last_frequency_lost,
            symmetric_window,
            hamming_window,
            no_overlap,
            last_piece_lost,
            filled_with_zeros,
            frequencies_first,
            in_decibels,
            real_part,
        ),
    ),
    Exercise.of(
        clip_loss,
        points=3,
        draw=draw_pairs,
        mistakes=(
            not_of_length_one,
            pictures_choose_only,
            texts_choose_only,
            added_not_mean,
            summed_over_rows,
            without_factor,
            divided_by_factor,
            factor_is_exponentiated,
            factor_outside,
            texts_of_any_length,
            columns_of_length_one,
            sign_turned,
            of_the_whole_table,
            wrong_ones_only,
            in_bits,
        ),
    ),
)
