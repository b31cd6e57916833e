"""A classifier by groups of people: does it hit, and does it raise a false alarm, as often for one as for another?

Hardt, Price & Srebro (2016), "Equality of Opportunity in Supervised Learning", arXiv:1610.02413: equalized odds holds
where true and false positive rates are alike in all groups. Kleinberg et al. (2016), arXiv:1609.05807, and Chouldechova
(2017), arXiv:1610.07524: where the groups differ in how often the class occurs, no classifier but a perfect one has
equal rates and is calibrated in each group.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.measure.classes import calibration_error
from minigpt.measure.intervals import DRAWS, SEED, bootstrap, interval_of, share
from minigpt.measure.permutations import holm

GAPS = {  # the measure of a group, and how much it differs at most between two
    "true_positive_rate": "share of the positive that are said to be",
    "false_positive_rate": "share of the negative that are said to be positive",
    "positive_rate": "share that is said to be positive",
    "calibration_error": "how far confidence is from accuracy",
}
EQUALIZED, ODDS = "equalized_odds", ("true_positive_rate", "false_positive_rate")  # whose larger gap it is


def group_report(probabilities: np.ndarray, targets: np.ndarray, groups: Sequence[str]) -> dict[str, Any]:
    """Rates of each group with intervals, the largest gap of each rate between groups with interval and p.

    Parameters
    ----------
    probabilities : (N,) floats
        Of the positive class.
    targets : (N,) booleans
        Whether it is the true one.
    groups : sequence of str
        Whom each example is about.

    Returns
    -------
    dict
        `groups`: name -> examples, share of positives and rates. `gaps`: rate -> largest difference, interval (examples
        drawn anew within each group and class) and p (the groups' names exchanged at random among the examples of a
        class; for `positive_rate` among all), also as Holm raises it for so many gaps. `equalized_odds`: the larger of
        the first two gaps, with the p of the larger of the two. A gap is never negative, so its interval lies above
        zero also where nothing is there: that is for p to say.

    Raises
    ------
    UserError
        Without two groups, or for a group that lacks one of the classes.
    """
    names = sorted(set(groups))
    of = np.searchsorted(names, np.array(groups))
    positive = np.asarray(targets, bool)
    if len(names) < 2:
        raise UserError(f"all examples are of the group {names[0] if names else None}; gaps are between two or more")
    for number, name in enumerate(names):
        for wanted, what in ((True, "positive"), (False, "negative")):
            if not (positive[of == number] == wanted).any():
                raise UserError(f"the group {name} has no {what} example, so it has no such rate; leave the group out")
    probabilities = np.asarray(probabilities, float)
    gaps = {name: _gap(name, probabilities, positive, of, len(names)) for name in GAPS}
    worst = max(ODDS, key=lambda name: gaps[name]["gap"]["value"])
    raised = holm({name: gap["p"] for name, gap in gaps.items()})
    return {
        "groups": {name: _rates(probabilities[of == n], positive[of == n]) for n, name in enumerate(names)},
        "gaps": {name: gap | {"p_holm": raised[name]} for name, gap in gaps.items()},
        "equalized_odds": {"by": worst, **_gap(EQUALIZED, probabilities, positive, of, len(names))},
    }


def _rates(probabilities: np.ndarray, positive: np.ndarray) -> dict[str, Any]:
    said = probabilities >= 0.5
    return {
        "examples": len(said),
        "positives": float(positive.mean()),
        "true_positive_rate": share(int(said[positive].sum()), int(positive.sum()))._asdict(),
        "false_positive_rate": share(int(said[~positive].sum()), int((~positive).sum()))._asdict(),
        "positive_rate": share(int(said.sum()), len(said))._asdict(),
        "calibration_error": bootstrap(
            lambda rows: _calibration(probabilities[rows], positive[rows]), len(said)
        )._asdict(),
        "mean_probability_less_share": float(probabilities.mean() - positive.mean()),
    }


def _calibration(probabilities: np.ndarray, positive: np.ndarray) -> float:
    return calibration_error(np.stack([1 - probabilities, probabilities], axis=1), positive.astype(int))


def _largest(name: str, probabilities: np.ndarray, positive: np.ndarray, of: np.ndarray, count: int) -> float:
    """The largest difference of a measure between two groups."""
    if name == EQUALIZED:
        return max(_largest(rate, probabilities, positive, of, count) for rate in ODDS)
    if name == "calibration_error":
        found = [_calibration(probabilities[of == n], positive[of == n]) for n in range(count)]
        return max(found) - min(found)
    some = {"true_positive_rate": positive, "false_positive_rate": ~positive}.get(name, np.ones(len(of), bool))
    said = probabilities[some] >= 0.5
    rates = np.bincount(of[some], said, count) / np.bincount(of[some], minlength=count)
    return float(rates.max() - rates.min())


def _gap(name: str, probabilities: np.ndarray, positive: np.ndarray, of: np.ndarray, count: int) -> dict[str, Any]:
    value = _largest(name, probabilities, positive, of, count)
    cells = [np.flatnonzero((of == n) & (positive == one)) for n in range(count) for one in (False, True)]
    rng = np.random.default_rng(SEED)
    drawn = []
    for _ in range(DRAWS):
        rows = np.concatenate([rng.choice(cell, len(cell)) for cell in cells])
        drawn.append(_largest(name, probabilities[rows], positive[rows], of[rows], count))
    within = [np.arange(len(of))] if name == "positive_rate" else [np.flatnonzero(positive), np.flatnonzero(~positive)]
    hits = 1 + sum(
        _largest(name, probabilities, positive, _exchanged(of, within, rng.permutation), count) >= value - 1e-12
        for _ in range(DRAWS)
    )
    return {"gap": interval_of(value, np.array(drawn))._asdict(), "p": hits / (DRAWS + 1)}


def _exchanged(of: np.ndarray, within: list[np.ndarray], permutation: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The groups, dealt out anew among the rows of each part."""
    found = of.copy()
    for rows in within:
        found[rows] = of[permutation(rows)]
    return found
