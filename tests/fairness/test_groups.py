"""Gaps of a classifier between groups: by hand, on one that is fair and on one that is not by construction."""

import numpy as np
import pytest

from minigpt.errors import UserError
from minigpt.fairness import group_report
from minigpt.fairness.counterfactual import augmented, both_ways, swapped


def judged(rng, miss, count=800):
    """Two groups; of the positives of the second the share `miss` is missed, of the first 0.1."""
    groups = np.repeat(["a", "b"], count // 2)
    targets = rng.random(count) < 0.4
    wrong = rng.random(count) < np.where(groups == "a", 0.1, np.where(targets, miss, 0.1))
    return np.where(targets ^ wrong, 0.9, 0.1), targets, groups.tolist()


def test_rates_are_those_counted_by_hand():
    probabilities = np.array([0.9, 0.2, 0.7, 0.1, 0.8, 0.6, 0.4, 0.3])
    targets = np.array([1, 1, 0, 0, 1, 0, 0, 0], bool)
    found = group_report(probabilities, targets, list("aaaabbbb"))
    a, b = found["groups"]["a"], found["groups"]["b"]
    assert (a["true_positive_rate"]["value"], b["true_positive_rate"]["value"]) == (0.5, 1.0)
    assert (a["false_positive_rate"]["value"], b["false_positive_rate"]["value"]) == (0.5, pytest.approx(1 / 3))
    gaps = {name: gap["gap"]["value"] for name, gap in found["gaps"].items()}
    assert gaps["true_positive_rate"] == 0.5 and gaps["false_positive_rate"] == pytest.approx(1 / 6)
    assert gaps["positive_rate"] == 0 and found["equalized_odds"]["by"] == "true_positive_rate"
    assert a["calibration_error"]["low"] <= a["calibration_error"]["value"] <= a["calibration_error"]["high"]
    assert a["mean_probability_less_share"] == pytest.approx(1.9 / 4 - 0.5)


def test_an_unfair_classifier_is_told_from_a_fair_one():
    unfair = group_report(*judged(np.random.default_rng(0), 0.4))
    fair = group_report(*judged(np.random.default_rng(0), 0.1))
    gap = unfair["gaps"]["true_positive_rate"]
    assert gap["p"] < 0.001 and gap["gap"]["low"] < 0.3 < gap["gap"]["high"]
    assert fair["gaps"]["true_positive_rate"]["p"] > 0.05
    assert unfair["gaps"]["false_positive_rate"]["p"] > 0.01
    assert unfair["equalized_odds"]["p"] < 0.001 and fair["equalized_odds"]["p"] > 0.05
    assert gap["p"] < gap["p_holm"] < 0.01
    assert unfair["gaps"]["calibration_error"]["gap"]["value"] > fair["gaps"]["calibration_error"]["gap"]["value"]


def test_what_has_no_rate_is_refused():
    with pytest.raises(UserError, match="all examples are of the group a"):
        group_report(np.array([0.1]), np.array([True]), ["a"])
    with pytest.raises(UserError, match="the group b has no positive example"):
        group_report(np.array([0.1, 0.9, 0.2]), np.array([True, False, False]), ["a", "a", "b"])


def test_words_are_exchanged_with_their_capitals():
    table = both_ways([("he", "she"), ("uncle", "aunt")])
    assert (
        swapped("He saw the UNCLE; the others' aunt's theme.", table) == "She saw the AUNT; the others' aunt's theme."
    )
    assert swapped(swapped("He left, she came.", table), table) == "He left, she came."
    assert augmented(["He left.", "It rained."], [("he", "she")]) == ["He left.", "She left.", "It rained."]
    with pytest.raises(UserError, match="stands in two pairs, so it is not clear"):
        both_ways([("him", "her"), ("his", "her")])
