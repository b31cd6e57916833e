"""Permutation tests: exact where they can be counted by hand, and never zero."""

from itertools import combinations, product

import numpy as np
import pytest

from minigpt.measure.permutations import exchanged_sides, flipped_signs, holm, repartitioned, sign_test


def test_a_sign_test_counts_both_tails():
    assert sign_test(8, 10) == pytest.approx(2 * (1 + 10 + 45) / 1024)
    assert sign_test(2, 10) == sign_test(8, 10) and sign_test(5, 10) == 1.0 and sign_test(0, 0) == 1.0
    assert 0 < sign_test(1000, 1500) < 1e-30  # numbers far beyond a float's


def test_flipped_signs_are_those_of_all_ways():
    values = np.array([0.3, 1.2, -0.4, 0.9, 0.8, 0.1])
    sums = np.array([np.dot(signs, values) for signs in product((1, -1), repeat=6)])
    assert flipped_signs(values) == pytest.approx(np.mean(np.abs(sums) >= values.sum() - 1e-9), abs=0.015)
    assert flipped_signs(values) == flipped_signs(-values)
    assert flipped_signs(np.ones(40)) == pytest.approx(1e-4, rel=0.01)  # not zero


def test_signs_of_a_group_flip_together():
    values, groups = np.ones(40), np.repeat(["a", "b", "c"], [10, 10, 20])
    assert flipped_signs(values, groups) == pytest.approx(2 / 8, abs=0.02)  # as three values, and not forty


def test_sides_of_groups_are_exchanged_in_all_ways():
    rng = np.random.default_rng(2)
    sizes = rng.integers(1, 6, (2, 5))
    sums = rng.binomial(sizes, [[0.8], [0.3]])
    apart = []
    for turned in product((False, True), repeat=5):
        one, other = ([np.where(turned, part[1 - side], part[side]).sum() for part in (sums, sizes)] for side in (0, 1))
        apart.append(one[0] / one[1] - other[0] / other[1])
    found = exchanged_sides(*np.stack([sums, sizes], axis=-1))
    assert found == pytest.approx(np.mean(np.abs(apart) >= abs(apart[0]) - 1e-9), abs=0.015)
    alike = np.array([[3, 6], [1, 2]])
    assert exchanged_sides(alike, alike) == 1.0


@pytest.mark.parametrize("first", [3, 4])
def test_partitions_are_all_looked_at(first):
    values = np.array([2.0, 1.5, 0.1, -0.2, 0.3, -1.0, 0.4])
    sums = [values[list(some)].sum() for some in combinations(range(7), first)]
    assert repartitioned(values, first) == pytest.approx(np.mean(np.array(sums) >= values[:first].sum() - 1e-9))


def test_many_partitions_are_drawn_and_agree_with_a_smaller_exact_case():
    rng = np.random.default_rng(0)
    apart = np.concatenate([rng.normal(1.5, 1, 25), rng.normal(0, 1, 25)])
    assert repartitioned(apart, 25) <= 0.001
    assert repartitioned(rng.permutation(apart), 25) > 0.01
    assert repartitioned(-apart, 25) > 0.99  # one-sided


def test_holm_raises_the_smallest_most_and_keeps_the_order():
    found = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.5})
    assert found == pytest.approx({"a": 0.04, "c": 0.09, "b": 0.09, "d": 0.5})
    assert holm({}) == {}
