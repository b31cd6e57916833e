"""The exercises of lesson 21, many tasks."""

import numpy as np

from minigpt.grade.exercise import Exercise, Question, larger


def draw_examples(rng: np.random.Generator) -> Question:
    examples = np.round(10 ** rng.uniform(1, 4, larger(rng, rng.integers(3, 6))))
    limit = float(np.sort(examples)[-2] * rng.uniform(0.6, 0.95))
    return [examples, float(rng.uniform(1.5, 5)), limit], {}


def mixing_shares(examples, temperature, limit):
    return _shares(np.minimum(examples, limit) ** (1 / temperature))


def in_proportion(examples, temperature, limit):
    """You leave the temperature out: each count is raised to the power of 1 / temperature."""
    return _shares(np.minimum(examples, limit))


def without_limit(examples, temperature, limit):
    """You leave the limit out: a task counts as having at most that many examples."""
    return _shares(examples ** (1 / temperature))


def power_of_temperature(examples, temperature, limit):
    """You raise to the power of the temperature; that makes the large tasks larger. The power is 1 / temperature."""
    return _shares((np.minimum(examples, limit) / limit) ** temperature)


def limit_as_the_least(examples, temperature, limit):
    """Your limit is the least that a task counts; it is the most: the smaller of the two."""
    return _shares(np.maximum(examples, limit) ** (1 / temperature))


def not_made_to_sum(examples, temperature, limit):
    """These do not add up to 1; divide by their sum."""
    return np.minimum(examples, limit) ** (1 / temperature)


def largest_is_one(examples, temperature, limit):
    """You divide by the largest, so that one share is 1; divide by the sum."""
    powers = np.minimum(examples, limit) ** (1 / temperature)
    return powers / powers.max()


def rare_tasks_get_more(examples, temperature, limit):
    """Yours gives more to a task with fewer examples; a temperature flattens shares and does not turn them round."""
    return _shares(np.minimum(examples, limit) ** (-1 / temperature))


def softmax_of_counts(examples, temperature, limit):
    """Yours is a softmax of the counts; it is the logarithms of the counts that are divided by the temperature."""
    counts = np.minimum(examples, limit) / temperature
    return _shares(np.exp(counts - counts.max()))


def all_alike(examples, temperature, limit):
    """Yours are all alike, which is what a very large temperature gives."""
    return np.full(len(examples), 1 / len(examples))


def divided_by_temperature(examples, temperature, limit):
    """You divide the counts by the temperature, and that falls out of the shares; it is in the exponent."""
    return _shares(np.minimum(examples / temperature, limit))


def shares_before_the_power(examples, temperature, limit):
    """Your shares are raised to a power after they were made, so they do not add up to 1; divide once more."""
    return _shares(np.minimum(examples, limit)) ** (1 / temperature)


def _shares(powers):
    return powers / powers.sum()


def draw_batches(rng: np.random.Generator) -> Question:
    tasks = larger(rng, rng.integers(2, 5))
    return [rng.standard_normal((tasks, 7)), rng.permutation(1 + 7 * np.arange(tasks)) + int(rng.integers(0, 5))], {}


def mixture_gradient(gradients, scored):
    return (scored[:, None] * gradients).sum(axis=0) / scored.sum()


def tasks_count_alike(gradients, scored):
    """Each task counts alike in yours; each target does, so a task counts by how many are scored in its rows."""
    return gradients.mean(axis=0)


def only_added(gradients, scored):
    """You add the gradients of means, so the step is too long; each is weighed by its share of the targets."""
    return gradients.sum(axis=0)


def not_divided(gradients, scored):
    """You weigh by the targets and do not divide by how many there are in all."""
    return (scored[:, None] * gradients).sum(axis=0)


def divided_by_tasks(gradients, scored):
    """You divide by the number of tasks; divide by the number of all targets."""
    return not_divided(gradients, scored) / len(scored)


def divided_twice(gradients, scored):
    """You divide by the targets and by the tasks; shares of the targets already add up to 1."""
    return mixture_gradient(gradients, scored) / len(scored)


def divided_by_mean_count(gradients, scored):
    """You divide by the mean number of targets; divide by how many there are in all."""
    return not_divided(gradients, scored) / scored.mean()


def rare_tasks_count_more(gradients, scored):
    """Your weights are turned round: a task with fewer targets counts more."""
    weights = 1 / scored
    return weights @ gradients / weights.sum()


def divided_by_own_count(gradients, scored):
    """You divide each gradient by its task's targets; that has been done, it is the gradient of a mean."""
    return (gradients / scored[:, None]).sum(axis=0)


def softmax_of_targets(gradients, scored):
    """Your weights are a softmax of the counts; they are the counts, divided by their sum."""
    weights = np.exp(scored - scored.max())
    return weights @ gradients / weights.sum()


def of_the_largest(gradients, scored):
    """Yours is the gradient of the largest task alone."""
    return gradients[scored.argmax()]


def not_added(gradients, scored):
    """You weigh the gradients and do not add them up; the step has one gradient, (P,)."""
    return scored[:, None] * gradients / scored.sum()


def draw_gradients(rng: np.random.Generator) -> Question:
    gradients = (0.5 + rng.standard_normal((larger(rng, rng.integers(3, 6)), 4))) * 10 ** rng.uniform(-1, 1)
    if rng.random() < 0.4:
        gradients[rng.integers(len(gradients))] = 0
    return [gradients], {}


def cosines(gradients):
    units = gradients / _lengths(gradients)
    return units @ units.T


def products(gradients):
    """These are products, in which long gradients count more; divide by both lengths."""
    return gradients @ gradients.T


def divided_by_one_length(gradients):
    """You divide by one of the two lengths; divide by both."""
    return gradients / _lengths(gradients) @ gradients.T


def divided_by_squares(gradients):
    """You divide by squares of the lengths; take their roots."""
    units = gradients / _lengths(gradients) ** 2
    return units @ units.T


def between_numbers(gradients):
    """Yours is between the numbers, (P, P); gradients are the rows."""
    return cosines(gradients.T)


def correlations(gradients):
    """You subtract the mean of each gradient first: that is a correlation. A cosine takes them as they are."""
    return cosines(gradients - gradients.mean(axis=1, keepdims=True))


def less_the_mean_task(gradients):
    """You subtract the mean over the tasks first; a cosine takes the gradients as they are."""
    return cosines(gradients - gradients.mean(axis=0))


def sums_of_magnitudes(gradients):
    """Your length is the sum of the magnitudes; it is the root of the sum of the squares."""
    total = np.abs(gradients).sum(axis=1, keepdims=True)
    units = gradients / np.where(total > 0, total, 1)
    return units @ units.T


def without_signs(gradients):
    """You lost the sign, and the sign says whether two tasks conflict."""
    return np.abs(cosines(gradients))


def angles(gradients):
    """Yours are the angles; their cosines are asked for."""
    return np.arccos(np.clip(cosines(gradients), -1, 1))


def distances(gradients):
    """Yours is 1 less the cosine; the cosine is asked for."""
    return 1 - cosines(gradients)


def nothing_over_nothing(gradients):
    """A gradient of zeros gives you 0 / 0, which is no number; its cosines are 0."""
    with np.errstate(invalid="ignore"):
        units = gradients / np.linalg.norm(gradients, axis=1, keepdims=True)
    return units @ units.T


def always_like_itself(gradients):
    """A gradient of zeros has 1 with itself in yours; it has no direction, and 0 is asked for."""
    found = cosines(gradients)
    np.fill_diagonal(found, 1)
    return found


def squared(gradients):
    """You squared the cosines, and their sign says whether two tasks conflict."""
    return cosines(gradients) ** 2


def lengths_of_columns(gradients):
    """You divide each column by its length; the gradients are the rows."""
    units = gradients / np.linalg.norm(gradients, axis=0)
    return units @ units.T


def _lengths(gradients):
    found = np.linalg.norm(gradients, axis=1, keepdims=True)
    return np.where(found > 0, found, 1)


def draw_conflicts(rng: np.random.Generator) -> Question:
    return [rng.standard_normal((larger(rng, rng.integers(3, 5)), 4)) * rng.uniform(0.3, 3)], {}


def without_conflict(gradients):
    return sum(_rid(gradient, _others(gradients, number)) for number, gradient in enumerate(gradients))


def no_surgery(gradients):
    """Yours is the sum as it was; what points against another task is still in it."""
    return gradients.sum(axis=0)


def agreement_too(gradients):
    """You take the part along the other away in every case; only where the product is negative."""
    return sum(_rid(g, _others(gradients, number), always=True) for number, g in enumerate(gradients))


def agreement_instead(gradients):
    """You take away where two agree; it is where the product is negative."""
    return sum(_rid(g, _others(gradients, number), sign=-1) for number, g in enumerate(gradients))


def not_divided_by_the_square(gradients):
    """You do not divide by the other's length; the part along it is (left . other) / (other . other) times other."""
    return sum(_rid(g, _others(gradients, number), power=0) for number, g in enumerate(gradients))


def divided_by_the_length(gradients):
    """You divide by the other's length once; divide by its square."""
    return sum(_rid(g, _others(gradients, number), power=1) for number, g in enumerate(gradients))


def mean_of_tasks(gradients):
    """Yours is the mean over tasks; the sum is asked for."""
    return without_conflict(gradients) / len(gradients)


def changed_on_the_way(gradients):
    """You project against gradients that were changed already; the others are always those that were given."""
    changed = gradients.copy()
    for number in range(len(changed)):
        changed[number] = _rid(changed[number], _others(changed, number))
    return changed.sum(axis=0)


def all_at_once(gradients):
    """You measure all conflicts on the gradient that was given; measure them on what is left of it."""
    total = gradients.sum(axis=0)
    for number, gradient in enumerate(gradients):
        for other in _others(gradients, number):
            total = total - min(0.0, gradient @ other) / (other @ other) * other
    return total


def dropped(gradients):
    """You leave a task out that conflicts with another; only the part that points against the other goes."""
    kept = [g for number, g in enumerate(gradients) if all(g @ other >= 0 for other in _others(gradients, number))]
    return sum(kept, np.zeros(gradients.shape[1]))


def along_its_own(gradients):
    """You divide by the task's own length; what goes is a part of the other's gradient, so divide by the other's."""
    total = np.zeros(gradients.shape[1])
    for number, gradient in enumerate(gradients):
        left = gradient.copy()
        for other in _others(gradients, number):
            left = left - min(0.0, left @ other) / (gradient @ gradient) * other
        total += left
    return total


def added_not_taken(gradients):
    """You add what points against the other; take it away, so that the product becomes 0."""
    return sum(_rid(g, _others(gradients, number), factor=-1) for number, g in enumerate(gradients))


def only_the_first(gradients):
    """Only the first task's gradient is mended in yours; each of them gives way."""
    return _rid(gradients[0], gradients[1:]) + gradients[1:].sum(axis=0)


def only_one_conflict(gradients):
    """You stop at the first other that a task conflicts with; go on to the rest with what is left."""
    total = np.zeros(gradients.shape[1])
    for number, gradient in enumerate(gradients):
        against = [other for other in _others(gradients, number) if gradient @ other < 0]
        total += _rid(gradient, against[:1])
    return total


def against_the_sum(gradients):
    """You take out what points against the sum of the others; go through them one by one."""
    others = gradients.sum(axis=0) - gradients
    return sum(_rid(gradient, other[None]) for gradient, other in zip(gradients, others, strict=True))


def only_later_ones(gradients):
    """Each task meets only those that come after it in yours; it meets all others."""
    return sum(_rid(gradient, gradients[number + 1 :]) for number, gradient in enumerate(gradients))


def last_ones_first(gradients):
    """You go through the others from the last to the first; the order of their numbers is asked for."""
    return sum(_rid(gradient, _others(gradients, number)[::-1]) for number, gradient in enumerate(gradients))


def turned_round(gradients):
    """You take twice the part away: that mirrors it. Take it once."""
    return sum(_rid(g, _others(gradients, number), factor=2) for number, g in enumerate(gradients))


def _others(gradients, number):
    return np.delete(gradients, number, axis=0)


def _rid(left, others, *, always=False, sign=1, power=2, factor=1):
    """left without what points against the others, one after another."""
    for other in others:
        against = left @ other
        if always or sign * against < 0:
            left = left - factor * against / np.linalg.norm(other) ** power * other
    return left


EXERCISES = (
    Exercise.of(
        mixing_shares,
        points=2,
        draw=draw_examples,
        mistakes=(
            in_proportion,
            without_limit,
            power_of_temperature,
            limit_as_the_least,
            not_made_to_sum,
            largest_is_one,
            rare_tasks_get_more,
            softmax_of_counts,
            all_alike,
            divided_by_temperature,
            shares_before_the_power,
        ),
    ),
    Exercise.of(
        mixture_gradient,
        points=2,
        draw=draw_batches,
        mistakes=(
            tasks_count_alike,
            only_added,
            not_divided,
            divided_by_tasks,
            divided_twice,
            divided_by_mean_count,
            rare_tasks_count_more,
            divided_by_own_count,
            softmax_of_targets,
            of_the_largest,
            not_added,
        ),
    ),
    Exercise.of(
        cosines,
        points=2,
        draw=draw_gradients,
        mistakes=(
            products,
            divided_by_one_length,
            divided_by_squares,
            between_numbers,
            correlations,
            less_the_mean_task,
            sums_of_magnitudes,
            without_signs,
            angles,
            distances,
            nothing_over_nothing,
            always_like_itself,
            squared,
            lengths_of_columns,
        ),
    ),
    Exercise.of(
        without_conflict,
        points=4,
        draw=draw_conflicts,
        mistakes=(
            no_surgery,
            agreement_too,
            agreement_instead,
            not_divided_by_the_square,
            divided_by_the_length,
            mean_of_tasks,
            changed_on_the_way,
            all_at_once,
            dropped,
            along_its_own,
            added_not_taken,
            only_the_first,
            only_one_conflict,
            against_the_sum,
            only_later_ones,
            last_ones_first,
            turned_round,
        ),
    ),
)
