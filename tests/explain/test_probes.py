"""A probe reads what is there; its control task shows what it only learned by heart."""

import numpy as np
import pytest

from minigpt import UserError
from minigpt.explain import Probe, control_labels, probed


def drawn(rng, kinds, each, width, *, encoded):
    """Every kind has a vector of its own; its label is written along the first number, or is not."""
    of = np.repeat(np.arange(kinds), each)
    vectors, label = rng.standard_normal((kinds, width)), rng.integers(0, 2, kinds)
    if encoded:
        vectors[:, 0] = 6 * label - 3
    return vectors[of] + 0.1 * rng.standard_normal((len(of), width)), label[of], of


def test_what_is_encoded_is_read_of_new_kinds_and_the_control_is_not():
    rng = np.random.default_rng(0)
    states, labels, kinds = drawn(rng, 60, 5, 12, encoded=True)
    found = probed(states, labels, kinds, kinds < 40, rng)
    assert found.accuracy.value > 0.95
    assert found.control.value < 0.75
    assert found.selectivity.low > 0.2
    assert found.usual < 0.75


def test_what_is_learned_by_heart_has_no_selectivity():
    rng = np.random.default_rng(1)
    states, labels, kinds = drawn(rng, 10, 40, 30, encoded=False)
    found = probed(states, labels, kinds, np.arange(len(kinds)) % 2 == 0, rng)
    assert found.accuracy.value > 0.95  # it looks as if it were encoded
    assert found.control.value > 0.95
    assert abs(found.selectivity.value) < 0.05


def test_a_kind_has_one_control_label():
    kinds = np.array([4, 4, 9, 9, 9, 2])
    labels = control_labels(np.array([0, 1, 1, 0, 1, 1]), kinds, np.random.default_rng(0))
    assert all(len(set(labels[kinds == kind])) == 1 for kind in kinds)


def test_the_direction_is_along_what_tells_the_labels_apart():
    rng = np.random.default_rng(2)
    states, labels, _ = drawn(rng, 200, 1, 8, encoded=True)
    direction = Probe(states, labels).direction()
    assert direction[0] > 0.9
    assert np.linalg.norm(direction) == pytest.approx(1)
    assert Probe(states, labels).direction(0, 1) @ direction == pytest.approx(-1)


@pytest.mark.parametrize(("states", "labels"), [((3, 2), [0, 1]), ((3, 2), [0, -1, 1]), ((3,), [0, 1, 1])])
def test_what_does_not_go_together_is_refused(states, labels):
    with pytest.raises(UserError, match="a probe takes states"):
        Probe(np.zeros(states), np.array(labels))
