"""Intervals by drawing examples, or whole groups of them, again."""

import numpy as np
import pytest

from minigpt.measure.intervals import bootstrapped_mean, paired_difference, share, spread


def test_the_interval_of_a_mean_is_that_of_the_normal_law():
    values = np.random.default_rng(0).standard_normal(400) + 3
    found, error = bootstrapped_mean(values), values.std() / 20
    assert found.value == values.mean()
    assert (found.high - found.low) / (2 * 1.96 * error) == pytest.approx(1, abs=0.1)
    assert paired_difference(values, values - 1) == pytest.approx((1, 1, 1))


def test_groups_of_like_values_are_drawn_whole():
    groups = np.repeat([f"g{n}" for n in range(25)], 16)
    values = np.random.default_rng(1).standard_normal(25).repeat(16)
    alone, together = bootstrapped_mean(values), bootstrapped_mean(values, groups)
    assert together.value == pytest.approx(alone.value)
    assert (together.high - together.low) / (alone.high - alone.low) == pytest.approx(
        4, rel=0.2
    )  # 16 are as good as one
    shuffled = np.random.default_rng(2).permutation(400)
    assert bootstrapped_mean(values[shuffled], groups[shuffled]) == pytest.approx(tuple(together))


@pytest.mark.parametrize("right", [True, False])
def test_of_answers_that_are_all_right_or_all_wrong_the_interval_still_tells_how_few_they_are(right):
    found = bootstrapped_mean(np.full(6, right))
    assert found == share(6 * right, 6) and found.high - found.low == pytest.approx(0.39, abs=0.01)
    grouped = bootstrapped_mean(np.full(6, right), np.array(list("aabbcc")))
    assert grouped == share(3 * right, 3)


def test_of_two_models_that_agree_everywhere_the_interval_still_tells_how_few_were_asked():
    agree, other = np.array([True, False] * 3), np.array([True] * 6)
    reach = share(0, 6).high
    assert paired_difference(agree, agree) == (0, -reach, reach)
    assert paired_difference(agree, agree, np.array(list("aabbcc"))) == (0, -share(0, 3).high, share(0, 3).high)
    assert paired_difference(other, ~other) == (1, 1 - 2 * reach, 1)
    assert paired_difference(~other, other) == (-1, -1, 2 * reach - 1)
    rng = np.random.default_rng(0)
    within = []
    for _ in range(400):  # models of which each alone is right in a thirtieth
        pairs = rng.random((2, 20)) < [[1 / 30], [1 / 30]]
        found = paired_difference(*pairs)
        within.append(found.low <= 0 <= found.high)
    assert np.mean(within) > 0.94


def test_one_example_has_no_interval():
    for found in (bootstrapped_mean(np.array([2.0])), bootstrapped_mean(np.arange(4.0), np.zeros(4))):
        assert np.isnan(found.low) and np.isnan(found.high) and spread(found._asdict()) == "no interval of so few"
    assert spread({"low": -0.5, "high": 0.25}, 1, factor=100, sign="+") == "-50.0 to +25.0"
