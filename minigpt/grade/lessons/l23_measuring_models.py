"""The exercises of lesson 23, measuring models."""

import math

import numpy as np

from minigpt.grade.exercise import Exercise, Question, larger

Z_LEVEL, Z_POWER = 1.96, 0.8416


def draw_gain(rng: np.random.Generator) -> Question:
    return [float(rng.uniform(0.05, 0.95)), float(rng.uniform(0.005, 0.1))], {}


def questions_needed(accuracy, gain):
    return math.ceil(_needed(accuracy, gain))


def _needed(accuracy, gain):
    return 2 * accuracy * (1 - accuracy) * ((Z_LEVEL + Z_POWER) / gain) ** 2


def one_test(accuracy, gain):
    """You left out the 2: both scores have an error, and their squares add up."""
    return math.ceil(_needed(accuracy, gain) / 2)


def no_power(accuracy, gain):
    """With 1.96 alone the difference is found only every second time; 0.8416 more makes it 80 of 100."""
    return math.ceil(2 * accuracy * (1 - accuracy) * (Z_LEVEL / gain) ** 2)


def one_sided(accuracy, gain):
    """You took 1.645, of a one-sided test; either model may be the better one, so it is 1.96."""
    return math.ceil(2 * accuracy * (1 - accuracy) * ((1.645 + Z_POWER) / gain) ** 2)


def rounded_down(accuracy, gain):
    """You rounded down, or to the nearest; then there is one question too few."""
    return math.floor(_needed(accuracy, gain))


def no_square(accuracy, gain):
    """You did not square: the error falls with the *root* of the number of questions."""
    return math.ceil(2 * accuracy * (1 - accuracy) * (Z_LEVEL + Z_POWER) / gain)


def worst_case(accuracy, gain):
    """You took p (1 - p) = 1/4, which is right at an accuracy of a half alone."""
    return math.ceil(_needed(0.5, gain))


def of_p_alone(accuracy, gain):
    """The variance of right and wrong is p (1 - p), not p."""
    return math.ceil(2 * accuracy * ((Z_LEVEL + Z_POWER) / gain) ** 2)


def draw_pairs(rng: np.random.Generator) -> Question:
    """Two models that find the same questions hard."""
    count = larger(rng, 40)
    hard = rng.random(count) < 0.4
    first, second = ((rng.random(count) < np.where(hard, a, 0.95)) for a in (0.3, 0.2))
    return [first, second, rng.integers(0, count, (60, count))], {}


def paired_interval(first, second, draws):
    low, high = np.quantile(_apart(first, second)[draws].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def _apart(first, second):
    return np.asarray(first, float) - np.asarray(second, float)


def drawn_apart(first, second, draws):
    """You scored the two models on different drawings; then what is hard for both does not fall out."""
    other = np.roll(draws, 1, axis=0)
    apart = np.asarray(first, float)[draws].mean(axis=1) - np.asarray(second, float)[other].mean(axis=1)
    low, high = np.quantile(apart, [0.025, 0.975])
    return float(low), float(high)


def two_intervals(first, second, draws):
    """You subtract the ends of two intervals; take the difference in each drawing, and then the percentiles."""
    ends = [np.quantile(np.asarray(one, float)[draws].mean(axis=1), [0.025, 0.975]) for one in (first, second)]
    return float(ends[0][0] - ends[1][1]), float(ends[0][1] - ends[1][0])


def centred(first, second, draws):
    """You took the observed difference off; the interval is of the difference itself."""
    low, high = paired_interval(first, second, draws)
    apart = float(_apart(first, second).mean())
    return low - apart, high - apart


def ninety(first, second, draws):
    """You cut off 5% at each end; 2.5% at each end leave 95%."""
    low, high = np.quantile(_apart(first, second)[draws].mean(axis=1), [0.05, 0.95])
    return float(low), float(high)


def turned_round(first, second, draws):
    """That is second less first; first less second is asked for."""
    low, high = paired_interval(first, second, draws)
    return -high, -low


def of_the_normal(first, second, draws):
    """You took the mean and 1.96 standard errors; the percentiles of the drawings are asked for."""
    apart = _apart(first, second)
    half = 1.96 * apart.std() / math.sqrt(len(apart))
    return float(apart.mean() - half), float(apart.mean() + half)


def of_sums(first, second, draws):
    """You added up the drawn differences; their mean is the difference of two scores."""
    low, high = np.quantile(_apart(first, second)[draws].sum(axis=1), [0.025, 0.975])
    return float(low), float(high)


def across_drawings(first, second, draws):
    """You averaged over the wrong axis: each row of `draws` is one drawing."""
    low, high = np.quantile(_apart(first, second)[draws].mean(axis=0), [0.025, 0.975])
    return float(low), float(high)


def draw_votes(rng: np.random.Generator) -> Question:
    """Few answers, so that ties are common; letters in no order."""
    letters = rng.permutation(list("zkamq"))[: int(rng.integers(2, 5))]
    return [rng.choice(letters, larger(rng, rng.integers(1, 7))).tolist()], {}


def majority(votes):
    return max(votes, key=lambda vote: (votes.count(vote), -votes.index(vote)))


def last_of_ties(votes):
    """Of equally common answers you take the one given last; the first is asked for."""
    return max(reversed(votes), key=votes.count)


def alphabetical(votes):
    """Of equally common answers you take the first of the alphabet; the one that was *given* first is asked for."""
    return max(sorted(set(votes)), key=votes.count)


def last_of_alphabet(votes):
    """Of equally common answers you take the last of the alphabet; the one that was given first is asked for."""
    return max(sorted(set(votes), reverse=True), key=votes.count)


def first_vote(votes):
    """You return the first vote, however common the others are."""
    return votes[0]


def rarest(votes):
    """That is the rarest answer."""
    return min(votes, key=votes.count)


def how_often(votes):
    """You return how often the answer was given; the answer itself is asked for."""
    return max(map(votes.count, votes))


def draw_claims(rng: np.random.Generator) -> Question:
    return [float(rng.uniform(0.01, 0.4)), int(rng.integers(1, 9)), float(rng.uniform(0.5, 0.95)),
            float(rng.uniform(0.7, 0.99))], {}  # fmt: skip


def claims_ratio(error, claims, error_factor, answer_factor):
    before = 1 - (1 - error) ** claims
    return math.log(1 - answer_factor * before) / math.log(1 - error_factor * error) / claims


def small_errors(error, claims, error_factor, answer_factor):
    """That is answer_factor / error_factor, which holds for small errors alone."""
    return answer_factor / error_factor


def not_a_ratio(error, claims, error_factor, answer_factor):
    """That is the new number of claims; divide it by the old one."""
    return claims_ratio(error, claims, error_factor, answer_factor) * claims


def other_way_round(error, claims, error_factor, answer_factor):
    """That is old over new; new over old is asked for."""
    return 1 / claims_ratio(error, claims, error_factor, answer_factor)


def factor_of_right_answers(error, claims, error_factor, answer_factor):
    """You took answer_factor of the answers *without* an error; it is those with one that change so."""
    right = (1 - error) ** claims
    return math.log(answer_factor * right) / math.log(1 - error_factor * error) / claims


def old_error(error, claims, error_factor, answer_factor):
    """You divided by the logarithm of the old error; the new answers are made of the new claims."""
    before = 1 - (1 - error) ** claims
    return math.log(1 - answer_factor * before) / math.log(1 - error) / claims


def right_answers_multiplied(error, claims, error_factor, answer_factor):
    """You took error_factor of the chance to be *right*; it is the chance to be wrong that changes so."""
    before = 1 - (1 - error) ** claims
    return math.log(1 - answer_factor * before) / math.log(error_factor * (1 - error)) / claims


def added_up(error, claims, error_factor, answer_factor):
    """The chance of an error in c claims is not c times that of one: two errors in an answer are one bad answer."""
    return math.log(1 - answer_factor * min(0.99, error * claims)) / math.log(1 - error_factor * error) / claims


EXERCISES = (
    Exercise.of(
        questions_needed,
        points=2,
        draw=draw_gain,
        mistakes=(one_test, no_power, one_sided, rounded_down, no_square, worst_case, of_p_alone),
    ),
    Exercise.of(
        paired_interval,
        points=3,
        draw=draw_pairs,
        mistakes=(drawn_apart, two_intervals, centred, ninety, turned_round, of_the_normal, of_sums, across_drawings),
    ),
    Exercise.of(
        majority,
        points=2,
        draw=draw_votes,
        mistakes=(last_of_ties, alphabetical, last_of_alphabet, first_vote, rarest, how_often),
    ),
    Exercise.of(
        claims_ratio,
        points=3,
        draw=draw_claims,
        mistakes=(
            small_errors,
            not_a_ratio,
            other_way_round,
            factor_of_right_answers,
            old_error,
            right_answers_multiplied,
            added_up,
        ),
    ),
)
