"""Linear probes: can a property be read off hidden states by a linear map, and does that mean that they encode it?

A probe that is right may have learned its task by heart. Hewitt & Liang (2019), "Designing and Interpreting Probes with
Control Tasks", arXiv:1909.03368: the same probe is given a control task, in which every kind of input has a label that
was drawn at random once. What it reads better than that, its selectivity, is in the hidden states.
"""

from typing import NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.measure.image_rivals import Dense
from minigpt.measure.intervals import Interval, bootstrapped_mean, paired_difference
from minigpt.measure.rivals import LogisticRegression
from minigpt.values import check, number


class Probe:
    """Multinomial logistic regression on hidden states, each of whose numbers is brought to mean 0 and deviation 1.

    strength: how freely its weights may grow, the inverse of their penalty.
    """

    def __init__(self, states: np.ndarray, labels: np.ndarray, *, strength: float = 1.0) -> None:
        """states: (N, C); labels: (N,) integers from 0. `UserError` if they do not go together."""
        check("strength", strength, number(1e-12))
        if states.ndim != 2 or labels.shape != states.shape[:1] or labels.dtype.kind not in "iu" or labels.min() < 0:
            raise UserError(
                f"a probe takes states (N, C) and a whole number from 0 for each, not {states.shape} and "
                f"{labels.dtype} of shape {labels.shape}"
            )
        self.middle, self.scale = states.mean(axis=0), np.maximum(states.std(axis=0), 1e-9)
        self._linear = LogisticRegression(self._rows(states), labels, int(labels.max()) + 1, strength=strength)

    def predict(self, states: np.ndarray) -> np.ndarray:
        """(N,) the likeliest label of each state."""
        return self._linear.probabilities(self._rows(states)).argmax(axis=1)

    def direction(self, label: int = 1, against: int = 0) -> np.ndarray:
        """(C,) of length 1: along which the one label becomes likelier than the other."""
        found = (self._linear.weight[:, label] - self._linear.weight[:, against]) / self.scale
        return found / np.linalg.norm(found)

    def _rows(self, states: np.ndarray) -> Dense:
        return Dense((states - self.middle) / self.scale)


class Probed(NamedTuple):
    """What a probe reads on inputs that it has not seen, and what it reads in vain."""

    accuracy: Interval
    control: Interval  # of the control task
    selectivity: Interval  # the first less the second, on the same inputs
    usual: float  # how often the most frequent label is right


def probed(
    states: np.ndarray,
    labels: np.ndarray,
    kinds: np.ndarray,
    learnt: np.ndarray,
    rng: np.random.Generator,
    *,
    strength: float = 1.0,
) -> Probed:
    """A probe and its control task.

    Parameters
    ----------
    states : (N, C) floats
        Hidden states.
    labels, kinds : (N,) integers
        What is read, from 0 on; and what each state is of, such as its token: the control task gives every kind one
        label, drawn at random with the frequencies of the true ones.
    learnt : (N,) booleans
        What the probe learns from. It is asked the rest.
    rng : numpy.random.Generator
        Draws the control task.
    strength : float
        Of the probe.
    """
    given = control_labels(labels, kinds, rng)
    right = {}
    for name, truth in (("task", labels), ("control", given)):
        probe = Probe(states[learnt], truth[learnt], strength=strength)
        right[name] = probe.predict(states[~learnt]) == truth[~learnt]
    counts = np.bincount(labels[learnt])
    return Probed(
        bootstrapped_mean(right["task"]),
        bootstrapped_mean(right["control"]),
        paired_difference(right["task"], right["control"]),
        float((labels[~learnt] == counts.argmax()).mean()),
    )


def control_labels(labels: np.ndarray, kinds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(N,) a label for every kind, one of `labels` drawn at random: those of one kind have the same."""
    _, numbers = np.unique(kinds, return_inverse=True)
    return rng.choice(labels, numbers.max() + 1)[numbers]
