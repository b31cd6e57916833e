"""The exercises of lesson 22, explainability."""

import math

import numpy as np

from minigpt.grade.exercise import Exercise, Question, larger


def draw_weights(rng: np.random.Generator) -> Question:
    layers, heads, length = int(rng.integers(2, 5)), int(rng.integers(2, 5)), larger(rng, rng.integers(3, 6))
    weights = rng.random((layers, heads, length, length)) ** 3
    if rng.random() < 0.5:
        weights *= np.tri(length)
    return [weights / weights.sum(axis=-1, keepdims=True)], {}


def attention_rollout(weights):
    return _product(0.5 * weights.mean(axis=1) + 0.5 * np.eye(weights.shape[-1]))


def no_residual(weights):
    """You left the residual connection out; half of a position goes on to itself."""
    return _product(weights.mean(axis=1))


def residual_of_the_input(weights):
    """You mix in the identity in every layer; the residual connection hands on what a position *holds* by then."""
    identity = np.eye(weights.shape[-1])
    held = identity
    for layer in weights.mean(axis=1):
        held = 0.5 * layer @ held + 0.5 * identity
    return held


def residual_added(weights):
    """You add the identity and do not halve: a row must sum to 1."""
    return _product(weights.mean(axis=1) + np.eye(weights.shape[-1]))


def wrong_order(weights):
    """You multiply in the wrong order; the last layer stands on the left: its rows are what we ask about."""
    return _product(0.5 * weights.mean(axis=1)[::-1] + 0.5 * np.eye(weights.shape[-1]))


def heads_summed(weights):
    """You sum over the heads; their mean is wanted."""
    return _product(0.5 * weights.sum(axis=1) + 0.5 * np.eye(weights.shape[-1]))


def strongest_head(weights):
    """You take the largest weight of all heads; their mean is wanted."""
    return _product(0.5 * weights.max(axis=1) + 0.5 * np.eye(weights.shape[-1]))


def first_head(weights):
    """You take the first head alone; the mean of all heads is wanted."""
    return _product(0.5 * weights[:, 0] + 0.5 * np.eye(weights.shape[-1]))


def last_layer_only(weights):
    """That is the last layer alone; the product over all layers is wanted."""
    return _product(0.5 * weights[-1:].mean(axis=1) + 0.5 * np.eye(weights.shape[-1]))


def mean_over_layers(weights):
    """You average over layers; what passes through one layer after another is multiplied."""
    return 0.5 * weights.mean(axis=(0, 1)) + 0.5 * np.eye(weights.shape[-1])


def first_layer_forgotten(weights):
    """You left out the first layer; begin with the identity, and multiply with every layer."""
    return _product(0.5 * weights[1:].mean(axis=1) + 0.5 * np.eye(weights.shape[-1]))


def columns_for_rows(weights):
    """Your rows are the inputs; row t is to say what position t holds."""
    return attention_rollout(weights).T


def element_by_element(weights):
    """You multiply element by element; it is a product of matrices."""
    mixed = 0.5 * weights.mean(axis=1) + 0.5 * np.eye(weights.shape[-1])
    return np.prod(mixed, axis=0)


def draw_way(rng: np.random.Generator) -> Question:
    steps, length, width = int(rng.integers(2, 5)), larger(rng, rng.integers(2, 5)), int(rng.integers(2, 6))
    gradients = rng.standard_normal((steps, length, width))
    x, baseline = rng.standard_normal((2, length, width))
    return [gradients, x, 1 + baseline], {}


def sum_of_the_way(gradients, x, baseline):
    return ((x - baseline) * gradients.mean(axis=0)).sum(axis=-1)


def way_forgotten(gradients, x, baseline):
    """You did not multiply with the way, x - baseline."""
    return gradients.mean(axis=0).sum(axis=-1)


def times_input(gradients, x, baseline):
    """You multiply with x; the way is x - baseline."""
    return (x * gradients.mean(axis=0)).sum(axis=-1)


def backwards(gradients, x, baseline):
    """Your way goes from the input to the baseline: its sign is wrong."""
    return -sum_of_the_way(gradients, x, baseline)


def steps_summed(gradients, x, baseline):
    """You sum over the steps; each is only one of N parts of the way, so take the mean."""
    return ((x - baseline) * gradients.sum(axis=0)).sum(axis=-1)


def only_at_the_end(gradients, x, baseline):
    """You take the last gradient only; the mean of all is wanted."""
    return ((x - baseline) * gradients[-1]).sum(axis=-1)


def only_at_the_start(gradients, x, baseline):
    """You take the first gradient only; the mean of all is wanted."""
    return ((x - baseline) * gradients[0]).sum(axis=-1)


def width_averaged(gradients, x, baseline):
    """You average over the width; a position's numbers are summed, or the scores would not sum to the difference."""
    return ((x - baseline) * gradients.mean(axis=0)).mean(axis=-1)


def positions_summed(gradients, x, baseline):
    """You sum over the positions; each position keeps its own score."""
    return ((x - baseline) * gradients.mean(axis=0)).sum(axis=0)


def sizes_summed(gradients, x, baseline):
    """You sum sizes; what speaks against the answer must count below zero."""
    return np.abs((x - baseline) * gradients.mean(axis=0)).sum(axis=-1)


def products_of_lengths(gradients, x, baseline):
    """You multiply lengths of vectors; it is the sum of products, number by number."""
    return np.linalg.norm(x - baseline, axis=-1) * np.linalg.norm(gradients.mean(axis=0), axis=-1)


def draw_values(rng: np.random.Generator) -> Question:
    players = int(rng.integers(3, 6))
    return [3 + rng.standard_normal(2**players)], {}


def shapley_values(values):
    return _weighted(values, lambda size, n: math.factorial(size) * math.factorial(n - size - 1) / math.factorial(n))


def alone(values):
    """You ask what a player adds to nobody; it counts what it adds to every group of others."""
    return _weighted(values, lambda size, _n: float(size == 0))


def last_to_come(values):
    """That is occlusion: what is lost when a player leaves all others. It counts what it adds to every group."""
    return _weighted(values, lambda size, n: float(size == n - 1))


def one_order(values):
    """That is one order of coming, from player 0 on; average over all orders."""
    n = int(np.log2(len(values)))
    return np.array([values[2 ** (player + 1) - 1] - values[2**player - 1] for player in range(n)])


def shared_evenly(values):
    """You share out evenly; a player gets what that player adds."""
    n = int(np.log2(len(values)))
    return np.full(n, (values[-1] - values[0]) / n)


def first_and_last(values):
    """You average over first and last to come; the groups in between count as well."""
    return (alone(values) + last_to_come(values)) / 2


def all_groups_alike(values):
    """You weigh all groups alike; each *size* of group has the weight 1 / n, shared by the groups of it."""
    return _weighted(values, lambda _size, n: 1 / 2 ** (n - 1))


def sizes_alike(values):
    """You give every group 1 / n; that is the weight of all groups of one size together."""
    return _weighted(values, lambda _size, n: 1 / n)


def size_with_player(values):
    """Your size counts the player too; it is that of the group before the player comes."""
    return _weighted(
        values, lambda size, n: math.factorial(size + 1) * math.factorial(max(0, n - size - 2)) / math.factorial(n)
    )


def not_divided(values):
    """You did not divide by n!, the number of orders."""
    return shapley_values(values) * math.factorial(int(np.log2(len(values))))


def bits_reversed(values):
    """You read the bits from the other end; bit 0, the lowest, is player 0."""
    return shapley_values(values)[::-1]


def brought_to_one(values):
    """You divide so that they sum to 1; they sum to what all players reach beyond none."""
    found = shapley_values(values)
    return found / found.sum()


def what_is_lost(values):
    """Your signs are turned: a player's value is what it adds."""
    return -shapley_values(values)


def groups_without(values):
    """You average what the groups with a player reach; take off what they reach without it."""
    n = int(np.log2(len(values)))
    groups = np.arange(len(values))
    return np.array([values[(groups >> player) & 1 == 1].mean() for player in range(n)])


def _product(layers):
    found = np.eye(layers.shape[-1])
    for layer in layers:
        found = layer @ found
    return found


def _weighted(values, weight):
    n = int(np.log2(len(values)))
    found = np.zeros(n)
    for player in range(n):
        for group in range(len(values)):
            if not group >> player & 1:
                found[player] += weight(group.bit_count(), n) * (values[group | 1 << player] - values[group])
    return found


EXERCISES = (
    Exercise.of(
        attention_rollout,
        points=3,
        draw=draw_weights,
        mistakes=(
            no_residual,
            residual_of_the_input,
            residual_added,
            wrong_order,
            heads_summed,
            strongest_head,
            first_head,
            last_layer_only,
            mean_over_layers,
            first_layer_forgotten,
            columns_for_rows,
            element_by_element,
        ),
    ),
    Exercise.of(
        sum_of_the_way,
        points=3,
        draw=draw_way,
        mistakes=(
            way_forgotten,
            times_input,
            backwards,
            steps_summed,
            only_at_the_end,
            only_at_the_start,
            width_averaged,
            positions_summed,
            sizes_summed,
            products_of_lengths,
        ),
    ),
    Exercise.of(
        shapley_values,
        points=4,
        draw=draw_values,
        mistakes=(
            alone,
            last_to_come,
            one_order,
            shared_evenly,
            first_and_last,
            all_groups_alike,
            sizes_alike,
            size_with_player,
            not_divided,
            bits_reversed,
            brought_to_one,
            what_is_lost,
            groups_without,
        ),
    ),
)
