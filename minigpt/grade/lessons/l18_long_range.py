"""The exercises of lesson 18, long range."""

import numpy as np

from minigpt.grade.exercise import Exercise, Question, larger


def draw_window(rng: np.random.Generator) -> Question:
    length, window = larger(rng, rng.integers(7, 12)), int(rng.integers(2, 4))
    return [length, window, int(rng.integers(1, 4))], {}


def window_mask(length, window, sinks):
    distance, place = _distances(length)
    return (distance >= 0) & ((distance < window) | (place < sinks))


def one_too_many(length, window, sinks):
    """Your window is one too wide: it counts the position itself, so a window of 3 sees two before it."""
    distance, place = _distances(length)
    return (distance >= 0) & ((distance <= window) | (place < sinks))


def without_sinks(length, window, sinks):
    """You leave the sinks out; the first positions are seen from anywhere behind them."""
    distance, _ = _distances(length)
    return (distance >= 0) & (distance < window)


def sinks_from_before(length, window, sinks):
    """Your sinks are seen by positions that come before them; nobody sees what comes later."""
    distance, place = _distances(length)
    return ((distance >= 0) & (distance < window)) | (place < sinks)


def both_sides(length, window, sinks):
    """Your window reaches to both sides; a decoder's looks back only."""
    distance, place = _distances(length)
    return (np.abs(distance) < window) | ((distance >= 0) & (place < sinks))


def sinks_in_each_window(length, window, sinks):
    """Yours sees what is a sink *and* in the window; it sees what is either."""
    distance, place = _distances(length)
    return (distance >= 0) & (distance < window) & (place < sinks)


def sinks_that_look(length, window, sinks):
    """You let the first positions look at all before them (rows); sinks are looked at (columns)."""
    distance, place = _distances(length)
    return (distance >= 0) & ((distance < window) | (place < sinks)[:, None])


def turned_over(length, window, sinks):
    """Your mask says what is hidden; True is what may be seen."""
    return ~window_mask(length, window, sinks)


def rows_for_columns(length, window, sinks):
    """Your mask is transposed: rows look, columns are looked at."""
    return window_mask(length, window, sinks).T


def draw_passes(rng: np.random.Generator) -> Question:
    queries, keys, width = int(rng.integers(2, 6)), larger(rng, rng.integers(9, 13)), int(rng.integers(3, 8))
    query = 2 * rng.standard_normal((queries, width))
    query[0] *= 2000  # scores in the thousands, of which exp would overflow
    key, value = rng.standard_normal((keys, width)), rng.standard_normal((keys, width))
    return [query, key, value, int(rng.integers(2, 6))], {}


def attention_in_one_pass(query, key, value, columns):
    return _passes(query, key, value, columns)


def last_keys_lost(query, key, value, columns):
    """You lose the keys that are left over in the end, when `columns` does not divide their number."""
    whole = len(key) // columns * columns
    return _passes(query, key[:whole], value[:whole], columns)


def mean_of_softmaxes(query, key, value, columns):
    """You take a softmax of each piece and the mean of the answers; a piece with high scores must count more."""
    pieces = [slice(start, start + columns) for start in range(0, len(key), columns)]
    return np.mean([_passes(query, key[some], value[some], columns) for some in pieces], axis=0)


def sum_of_softmaxes(query, key, value, columns):
    """You divide each piece by its own sum and add up; divide once, at the end, by the sum over all."""
    pieces = [slice(start, start + columns) for start in range(0, len(key), columns)]
    return np.sum([_passes(query, key[some], value[some], columns) for some in pieces], axis=0)


def not_scaled(query, key, value, columns):
    """You left out 1/sqrt(D)."""
    return _passes(query * np.sqrt(query.shape[1]), key, value, columns)


def total_not_shrunk(query, key, value, columns):
    """Your values shrink where a larger score turns up, but the sum of the weights does not."""
    return _passes(query, key, value, columns, shrink_total=False)


def values_not_shrunk(query, key, value, columns):
    """Your sum of the weights shrinks where a larger score turns up, but the sum of the values does not."""
    return _passes(query, key, value, columns, shrink_values=False)


def nothing_shrunk(query, key, value, columns):
    """What you summed before keeps its size where a larger score turns up; shrink both sums by exp(before - now)."""
    return _passes(query, key, value, columns, shrink_total=False, shrink_values=False)


def without_largest(query, key, value, columns):
    """You exponentiate the scores themselves, which overflows; take off the largest score so far."""
    with np.errstate(all="ignore"):
        weights = np.exp(query @ key.T / np.sqrt(query.shape[1]))
        return weights @ value / weights.sum(axis=1, keepdims=True)


def largest_of_the_piece(query, key, value, columns):
    """You take the largest score of the piece alone; it is the largest *so far* that both sums refer to."""
    with np.errstate(all="ignore"):
        return _passes(query, key, value, columns, so_far=False)


def not_divided(query, key, value, columns):
    """You forgot to divide by the sum of the weights at the end."""
    return _passes(query, key, value, columns, divide=False)


def draw_frequencies(rng: np.random.Generator) -> Question:
    pairs, original = larger(rng, rng.integers(5, 9)), int(rng.integers(500, 2000))
    low, high = rng.uniform(1, 2), rng.uniform(6, 20)
    frequencies = 2 * np.pi / original * np.exp(np.linspace(np.log(60), np.log(0.2), pairs) + rng.uniform(-0.1, 0.1))
    return [frequencies, float(rng.uniform(2, 8)), original, float(low), float(high)], {}


def stretched_frequencies(frequencies, factor, original, low, high):
    return _mixed(frequencies, factor, _ramp(original * frequencies / (2 * np.pi), low, high))


def all_divided(frequencies, factor, original, low, high):
    """You divide all frequencies (linear interpolation); the fast ones stay, or near tokens blur."""
    return frequencies / factor


def ramp_turned_over(frequencies, factor, original, low, high):
    """Yours divides the fast pairs and keeps the slow ones; it is the other way round."""
    return _mixed(frequencies, factor, 1 - _ramp(original * frequencies / (2 * np.pi), low, high))


def in_radians(frequencies, factor, original, low, high):
    """You count radians; a turn has 2 pi of them."""
    return _mixed(frequencies, factor, _ramp(original * frequencies, low, high))


def not_clipped(frequencies, factor, original, low, high):
    """Your share that stays goes below 0 and above 1; clip it."""
    return _mixed(frequencies, factor, (original * frequencies / (2 * np.pi) - low) / (high - low))


def without_a_ramp(frequencies, factor, original, low, high):
    """You keep or divide, with nothing in between; from `low` to `high` turns the share that stays grows."""
    return _mixed(frequencies, factor, original * frequencies / (2 * np.pi) >= high)


def step_at_low(frequencies, factor, original, low, high):
    """You divide only what makes `low` turns or fewer and keep all others; in between a part is divided."""
    return _mixed(frequencies, factor, original * frequencies / (2 * np.pi) > low)


def multiplied(frequencies, factor, original, low, high):
    """You multiply the slow frequencies by the factor; they are divided, so that they turn more slowly."""
    return _mixed(frequencies, 1 / factor, _ramp(original * frequencies / (2 * np.pi), low, high))


def in_the_longer_text(frequencies, factor, original, low, high):
    """You count the turns within the longer text; what counts is how many were seen in training."""
    return _mixed(frequencies, factor, _ramp(factor * original * frequencies / (2 * np.pi), low, high))


def mean_of_periods(frequencies, factor, original, low, high):
    """You mix the lengths of the waves; it is the frequencies that are mixed."""
    stays = _ramp(original * frequencies / (2 * np.pi), low, high)
    return 1 / (stays / frequencies + (1 - stays) * factor / frequencies)


def _distances(length):
    place = np.arange(length)
    return place[:, None] - place, place


def _passes(query, key, value, columns, shrink_total=True, shrink_values=True, divide=True, so_far=True):
    largest = np.full((len(query), 1), -np.inf)
    total, summed = np.zeros((len(query), 1)), np.zeros((len(query), value.shape[1]))
    for start in range(0, len(key), columns):
        some = slice(start, min(start + columns, len(key)))
        scores = query @ key[some].T / np.sqrt(query.shape[1])
        higher = np.maximum(largest if so_far else -np.inf, scores.max(axis=1, keepdims=True))
        shrink, weights = np.exp(largest - higher), np.exp(scores - higher)
        total = total * (shrink if shrink_total else 1) + weights.sum(axis=1, keepdims=True)
        summed = summed * (shrink if shrink_values else 1) + weights @ value[some]
        largest = higher
    return summed / total if divide else summed


def _ramp(turns, low, high):
    return np.clip((turns - low) / (high - low), 0, 1)


def _mixed(frequencies, factor, stays):
    return stays * frequencies + (1 - stays) * frequencies / factor


EXERCISES = (
    Exercise.of(
        window_mask,
        points=3,
        draw=draw_window,
        mistakes=(
            one_too_many,
            without_sinks,
            sinks_from_before,
            both_sides,
            sinks_in_each_window,
            sinks_that_look,
            turned_over,
            rows_for_columns,
        ),
    ),
    Exercise.of(
        attention_in_one_pass,
        points=4,
        draw=draw_passes,
        mistakes=(
            last_keys_lost,
            mean_of_softmaxes,
            sum_of_softmaxes,
            not_scaled,
            total_not_shrunk,
            values_not_shrunk,
            nothing_shrunk,
            without_largest,
            largest_of_the_piece,
            not_divided,
        ),
    ),
    Exercise.of(
        stretched_frequencies,
        points=3,
        draw=draw_frequencies,
        mistakes=(
            all_divided,
            ramp_turned_over,
            in_radians,
            not_clipped,
            without_a_ramp,
            step_at_low,
            multiplied,
            in_the_longer_text,
            mean_of_periods,
        ),
    ),
)
