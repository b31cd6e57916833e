"""The exercises of lesson 24, bias and fairness."""

import math

import numpy as np

from minigpt.grade.exercise import Exercise, Question, larger


def draw_vectors(rng: np.random.Generator) -> Question:
    size = larger(rng, rng.integers(3, 6))
    counts = rng.choice(np.arange(3, 8), 4, replace=False)
    centres = rng.standard_normal((4, size))
    return [
        (0.3 + centre + rng.standard_normal((count, size))) * rng.uniform(0.5, 3, (count, 1))
        for centre, count in zip(centres, counts, strict=True)
    ], {}


def association(first, second, one, other):
    near, far = (_cosines(some, one).mean(axis=1) - _cosines(some, other).mean(axis=1) for some in (first, second))
    return _effect(near, far)


def products_for_cosines(first, second, one, other):
    """You take products; a cosine divides by both lengths, or long vectors count more."""
    near, far = ((some @ one.T).mean(axis=1) - (some @ other.T).mean(axis=1) for some in (first, second))
    return _effect(near, far)


def only_attributes_shortened(first, second, one, other):
    """You divide by the length of one of the two vectors; a cosine divides by both."""
    one, other = _unit(one), _unit(other)
    near, far = ((some @ one.T).mean(axis=1) - (some @ other.T).mean(axis=1) for some in (first, second))
    return _effect(near, far)


def not_divided(first, second, one, other):
    """Yours is the difference of the means; divide it by the standard deviation of s."""
    near, far = (_cosines(some, one).mean(axis=1) - _cosines(some, other).mean(axis=1) for some in (first, second))
    return float(near.mean() - far.mean())


def all_below_the_root(first, second, one, other):
    """Your standard deviation divides by N + M; N + M - 1 is meant (ddof=1)."""
    near, far = (_cosines(some, one).mean(axis=1) - _cosines(some, other).mean(axis=1) for some in (first, second))
    return float((near.mean() - far.mean()) / np.concatenate([near, far]).std())


def spread_within_the_lists(first, second, one, other):
    """You take the spread within each list; that of all targets together is meant."""
    near, far = (_cosines(some, one).mean(axis=1) - _cosines(some, other).mean(axis=1) for some in (first, second))
    return float((near.mean() - far.mean()) / np.sqrt((near.var(ddof=1) + far.var(ddof=1)) / 2))


def variance_for_deviation(first, second, one, other):
    """You divide by the variance; divide by its root, the standard deviation."""
    near, far = (_cosines(some, one).mean(axis=1) - _cosines(some, other).mean(axis=1) for some in (first, second))
    return float((near.mean() - far.mean()) / np.concatenate([near, far]).var(ddof=1))


def lists_exchanged(first, second, one, other):
    """Your sign is turned round: first less second, and one less other."""
    return -association(first, second, one, other)


def without_sign(first, second, one, other):
    """You took the size; the sign says which list is nearer."""
    return abs(association(first, second, one, other))


def standard_error(first, second, one, other):
    """You divide by the standard error; an effect size is in standard deviations, and does not grow with the lists."""
    return association(first, second, one, other) * math.sqrt(len(first) + len(second))


def one_attribute_alone(first, second, one, other):
    """You leave `other` out; s is the nearness to `one` less that to `other`."""
    return _effect(*(_cosines(some, one).mean(axis=1) for some in (first, second)))


def sums_for_means(first, second, one, other):
    """You add the s of each list up; the lists may differ in length, so take means."""
    near, far = (_cosines(some, one).mean(axis=1) - _cosines(some, other).mean(axis=1) for some in (first, second))
    return float((near.sum() - far.sum()) / np.concatenate([near, far]).std(ddof=1))


def middle_of_the_attributes(first, second, one, other):
    """You take the cosine with the mean of the attributes; take the mean of the cosines with each."""
    near, far = (
        (_cosines(some, one.mean(axis=0, keepdims=True)) - _cosines(some, other.mean(axis=0, keepdims=True)))[:, 0]
        for some in (first, second)
    )
    return _effect(near, far)


def draw_pairs(rng: np.random.Generator) -> Question:
    pairs, ways = int(rng.integers(5, 9)), larger(rng, rng.integers(30, 60))
    values = np.round(rng.normal(0.4, 1, pairs), 1) * rng.choice((-1, 1))
    return [values, rng.choice((-1.0, 1.0), (ways, pairs))], {}


def flipped_p(values, signs):
    return float((_reached(values, signs).sum() + 1) / (len(signs) + 1))


def observed_left_out(values, signs):
    """You leave the observed way out; it is one of the ways, and with it the p is never zero."""
    return float(_reached(values, signs).mean())


def observed_only_above(values, signs):
    """You count the observed way above but not below; both grow by one."""
    return (_reached(values, signs).sum() + 1) / len(signs)


def observed_only_below(values, signs):
    """You count the observed way below but not above; both grow by one."""
    return _reached(values, signs).sum() / (len(signs) + 1)


def one_sided(values, signs):
    """Yours is one-sided; a sum as far below zero counts as well."""
    return ((signs @ values >= values.sum() - 1e-9).sum() + 1) / (len(signs) + 1)


def observed_with_sign(values, signs):
    """You compare with the observed sum and its sign; where that is below zero every way is as large. Take its size."""
    return float(((np.abs(signs @ values) >= values.sum() - 1e-9).sum() + 1) / (len(signs) + 1))


def strictly_farther(values, signs):
    """You count sums that are farther from zero; those that are as far count, too."""
    return ((np.abs(signs @ values) > abs(values.sum()) + 1e-9).sum() + 1) / (len(signs) + 1)


def less_far(values, signs):
    """You count the sums that are nearer to zero than the observed one; the p counts those as far or farther."""
    return 1 - flipped_p(values, signs)


def signs_counted(values, signs):
    """You add up signs, not values: a sign test. A pair counts by how far apart its sentences are."""
    return flipped_p(np.sign(values), signs)


def absolute_values(values, signs):
    """You took the size of each value before you add up; then no exchange of sentences changes anything observed."""
    return flipped_p(np.abs(values), signs)


def centred(values, signs):
    """You take the mean off first; that takes off what is asked for."""
    return flipped_p(values - values.mean(), signs)


def draw_classifier(rng: np.random.Generator) -> Question:
    count = larger(rng, rng.integers(24, 40))
    group = np.arange(count) % 2
    true = rng.random(count) < np.where(group == 1, 0.6, 0.3)
    true[:4] = (False, False, True, True)
    rates = rng.uniform(0.05, 0.95, (2, 2))  # of each group, for what is not positive and for what is
    said = rng.random(count) < rates[group, true.astype(int)]
    order = rng.permutation(count)
    return [said[order], true[order], group[order]], {}


def equalized_odds(said, true, group):
    return float(max(abs(_gap(said, true, group)), abs(_gap(said, ~true, group))))


def true_positives_alone(said, true, group):
    """Yours is the gap of the true positive rate alone (equal opportunity); the false positive rate counts, too."""
    return float(abs(_gap(said, true, group)))


def false_positives_alone(said, true, group):
    """Yours is the gap of the false positive rate alone; the true positive rate counts, too."""
    return float(abs(_gap(said, ~true, group)))


def gaps_averaged(said, true, group):
    """You took the mean of the two gaps; the larger is asked for."""
    return (true_positives_alone(said, true, group) + false_positives_alone(said, true, group)) / 2


def gaps_added(said, true, group):
    """You added the two gaps; the larger is asked for."""
    return true_positives_alone(said, true, group) + false_positives_alone(said, true, group)


def with_sign(said, true, group):
    """Your gap has a sign; its size is asked for, whichever group comes off worse."""
    return float(max(_gap(said, true, group), _gap(said, ~true, group)))


def share_said_positive(said, true, group):
    """You compare how often each group is said to be positive (demographic parity); that does not look at the truth."""
    return float(abs(_gap(said, np.ones(len(said), bool), group)))


def accuracy_gap(said, true, group):
    """You compare accuracies; a group can have equal accuracy and other mistakes."""
    return float(abs(_gap(said == true, np.ones(len(said), bool), group)))


def precision_gap(said, true, group):
    """You divide by how many are said to be positive: that is precision. Divide by how many are."""
    return float(max(abs(_gap(true, said, group)), abs(_gap(true, ~said, group))))


def over_all_of_the_group(said, true, group):
    """You divide by all examples of the group; divide by those of its positive, or its negative, ones."""
    gaps = [abs(_gap(said & kind, np.ones(len(said), bool), group)) for kind in (true, ~true)]
    return float(max(gaps))


def of_the_positive_of_both(said, true, group):
    """You divide by the positive, or the negative, of *both* groups; each group has its own below the line."""
    gaps = []
    for kind in (true, ~true):
        counts = [(said & kind & (group == number)).sum() / kind.sum() for number in (0, 1)]
        gaps.append(abs(counts[0] - counts[1]))
    return float(max(gaps))


def the_smaller_gap(said, true, group):
    """You took the smaller of the two gaps; the larger is asked for."""
    return min(true_positives_alone(said, true, group), false_positives_alone(said, true, group))


def _gap(said, kind, group):
    """The share of `said` among the examples of a kind, in group 1 less in group 0."""
    rates = [said[kind & (group == number)] for number in (0, 1)]
    return (rates[1].mean() if len(rates[1]) else 0.0) - (rates[0].mean() if len(rates[0]) else 0.0)


def _reached(values, signs):
    return np.abs(signs @ values) >= abs(values.sum()) - 1e-9


def _unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _cosines(some, others):
    return _unit(some) @ _unit(others).T


def _effect(near, far):
    return float((near.mean() - far.mean()) / np.concatenate([near, far]).std(ddof=1))


EXERCISES = (
    Exercise.of(
        association,
        points=4,
        draw=draw_vectors,
        mistakes=(
            products_for_cosines,
            only_attributes_shortened,
            not_divided,
            all_below_the_root,
            spread_within_the_lists,
            variance_for_deviation,
            lists_exchanged,
            without_sign,
            standard_error,
            one_attribute_alone,
            sums_for_means,
            middle_of_the_attributes,
        ),
    ),
    Exercise.of(
        flipped_p,
        points=3,
        draw=draw_pairs,
        mistakes=(
            observed_left_out,
            observed_only_above,
            observed_only_below,
            one_sided,
            observed_with_sign,
            strictly_farther,
            less_far,
            signs_counted,
            absolute_values,
            centred,
        ),
    ),
    Exercise.of(
        equalized_odds,
        points=3,
        draw=draw_classifier,
        mistakes=(
            true_positives_alone,
            false_positives_alone,
            gaps_averaged,
            gaps_added,
            with_sign,
            share_said_positive,
            accuracy_gap,
            precision_gap,
            over_all_of_the_group,
            of_the_positive_of_both,
            the_smaller_gap,
        ),
    ),
)
