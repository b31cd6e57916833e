"""The exercises of lesson 26, the verdict."""

import math

import numpy as np

from minigpt.grade.exercise import Exercise, Question, larger

GRADES = ("P", "Q", "S", "S+", "M")
VERDICTS = ("SUPPORTED", "PARTLY", "UNVERIFIABLE", "CONTRADICTED")


def draw_grades(rng: np.random.Generator) -> Question:
    """Claims with no grade, one or several; `S` and `S+` tell sets from letters."""
    count = larger(rng, 8)
    grades = [tuple(rng.choice(GRADES, int(rng.integers(0, 4)), replace=False).tolist()) for _ in range(count)]
    kept = set(rng.choice(GRADES, int(rng.integers(1, 4)), replace=False).tolist())
    return [grades, kept], {}


def standing(grades, kept):
    return sum(bool(set(some) & set(kept)) for some in grades)


def all_of_them(grades, kept):
    """You ask that all of a claim's grades are kept; one is enough."""
    return sum(bool(some) and set(some) <= set(kept) for some in grades)


def first_alone(grades, kept):
    """You look at the first grade of a claim only; any of them counts."""
    return sum(bool(some) and some[0] in kept for some in grades)


def counted_twice(grades, kept):
    """You count grades; a claim with two that are kept is one claim."""
    return sum(len(set(some) & set(kept)) for some in grades)


def by_letters(grades, kept):
    """You compare letters; "S+" is a grade of its own, and not "S"."""
    return sum(any(set(grade) & set("".join(kept)) for grade in some) for some in grades)


def none_stands(grades, kept):
    """You count a claim without any grade as standing; it has nothing to stand on."""
    return sum(not some or bool(set(some) & set(kept)) for some in grades)


def a_share(grades, kept):
    """That is a share of the claims; what is asked for is how many."""
    return standing(grades, kept) / len(grades)


def draw_readers(rng: np.random.Generator) -> Question:
    """Two readers with habits of their own; now and then two who always say the same one word."""
    count = larger(rng, 12)
    if rng.random() < 0.15:
        return [["PARTLY"] * count, ["PARTLY"] * count], {}
    first, second = (rng.choice(VERDICTS, count, p=rng.dirichlet(np.ones(4))) for _ in range(2))
    second = np.where(rng.random(count) < 0.5, first, second)
    return [first.tolist(), second.tolist()], {}


def cohens_kappa(first, second):
    observed, expected = _agreement(first, second)
    return 1.0 if expected == 1 else (observed - expected) / (1 - expected)


def _agreement(first, second):
    count = len(first)
    observed = sum(a == b for a, b in zip(first, second, strict=True)) / count
    expected = sum(first.count(one) * second.count(one) for one in set(first) | set(second)) / count**2
    return observed, expected


def observed_alone(first, second):
    """That is the share on which they agree; two readers who always say PARTLY agree as well."""
    return _agreement(first, second)[0]


def not_divided(first, second):
    """You left out the division by 1 - expected, so that full agreement would not be 1."""
    observed, expected = _agreement(first, second)
    return 1.0 if expected == 1 else observed - expected


def even_chance(first, second):
    """Chance is not one in so many verdicts: a reader who gives one of them often agrees more often by chance."""
    observed, expected = _agreement(first, second)[0], 1 / len(set(first) | set(second))
    return 1.0 if expected == 1 else (observed - expected) / (1 - expected)


def pooled_habits(first, second):
    """You pooled the two readers' shares before multiplying (that is Scott's pi); each has habits of his own."""
    observed, both = _agreement(first, second)[0], first + second
    expected = sum((both.count(one) / len(both)) ** 2 for one in set(both))
    return 1.0 if expected == 1 else (observed - expected) / (1 - expected)


def first_squared(first, second):
    """You squared the first reader's shares; the second reader has shares of her own."""
    observed = _agreement(first, second)[0]
    expected = sum((first.count(one) / len(first)) ** 2 for one in set(first))
    return 1.0 if expected == 1 else (observed - expected) / (1 - expected)


def words_counted_again(first, second):
    """You sum over the claims, not over the verdicts; a verdict that comes several times counts once."""
    observed, _ = _agreement(first, second)
    expected = sum(first.count(one) * second.count(one) for one in first) / len(first) ** 2
    return 1.0 if expected == 1 else (observed - expected) / (1 - expected)


def never_below_zero(first, second):
    """You cut off at 0; readers who agree less than chance would have a kappa below it."""
    return max(0.0, cohens_kappa(first, second))


def zero_where_alike(first, second):
    """Where both always give the same verdict, expected is 1 and there is nothing to divide by; 1.0 is asked for."""
    observed, expected = _agreement(first, second)
    return 0.0 if expected == 1 else (observed - expected) / (1 - expected)


def draw_failures(rng: np.random.Generator) -> Question:
    trials = larger(rng, rng.integers(5, 40))
    return [int(rng.integers(0, trials + 1)) if rng.random() < 0.8 else 0, trials], {}


def smallest_share(failures, trials):
    return _wilson(failures / trials, trials)


def _wilson(p, n, z=1.96, sign=-1.0):
    middle = p + z**2 / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return max(0.0, (middle + sign * half) / (1 + z**2 / n))


def normal_interval(failures, trials):
    """That is p - z sqrt(p (1 - p) / n), which has no width at all where nothing failed."""
    p = failures / trials
    return max(0.0, p - 1.96 * math.sqrt(p * (1 - p) / trials))


def upper_end(failures, trials):
    """That is the upper end; the lower one takes the root away."""
    return _wilson(failures / trials, trials, sign=1.0)


def not_scaled(failures, trials):
    """You left out the division by 1 + z^2 / n."""
    return _wilson(failures / trials, trials) * (1 + 1.96**2 / trials)


def one_sigma(failures, trials):
    """You took z = 1; 95% of a normal distribution lie within 1.96."""
    return _wilson(failures / trials, trials, z=1.0)


def times_n(failures, trials):
    """You wrote z^2 / 2 * n, which multiplies with n; z^2 / (2 * n) is meant."""
    p, n, z = failures / trials, trials, 1.96
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return max(0.0, (p + z**2 / 2 * n - half) / (1 + z**2 / n))


def one_tailed(failures, trials):
    """You took z = 1.645, which leaves 5% below; 95% lie within 1.96 on both sides."""
    return max(0.0, _wilson(failures / trials, trials, 1.645))


def root_unscaled(failures, trials):
    """You left out the z before the root."""
    p, n, z = failures / trials, trials, 1.96
    half = math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return max(0.0, (p + z**2 / (2 * n) - half) / (1 + z**2 / n))


def of_successes(failures, trials):
    """You took the share of those that came true."""
    return _wilson(1 - failures / trials, trials)


def plain_share(failures, trials):
    """That is the share itself; few trials say little about it."""
    return failures / trials


EXERCISES = (
    Exercise.of(
        standing,
        points=2,
        draw=draw_grades,
        mistakes=(all_of_them, first_alone, counted_twice, by_letters, none_stands, a_share),
    ),
    Exercise.of(
        cohens_kappa,
        points=3,
        draw=draw_readers,
        mistakes=(
            observed_alone,
            not_divided,
            even_chance,
            pooled_habits,
            first_squared,
            words_counted_again,
            never_below_zero,
            zero_where_alike,
        ),
    ),
    Exercise.of(
        smallest_share,
        points=3,
        draw=draw_failures,
        mistakes=(
            normal_interval,
            upper_end,
            not_scaled,
            one_sigma,
            times_n,
            one_tailed,
            root_unscaled,
            of_successes,
            plain_share,
        ),
    ),
)
