"""How good a classifier is: accuracy, macro-F1, calibration, and which class is taken for which."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.measure.calibration import reliability
from minigpt.measure.intervals import bootstrap, bootstrapped_mean, paired_difference
from minigpt.measure.surprise import DAMAGED


def class_report(probabilities: np.ndarray, targets: np.ndarray, labels: Sequence[str]) -> dict[str, Any]:
    """Accuracy and macro-F1 with 95% intervals, log loss in nats, calibration error, F1 of classes, confusion matrix.

    probabilities: (N, K), a row for each example; targets: (N,) integers in 0..K-1. The confusion matrix has a row for
    each true class and a column for each that was said. `UserError` where a probability is no number.
    """
    if not np.isfinite(probabilities).all():
        raise UserError(DAMAGED)
    said, classes = probabilities.argmax(axis=1), len(labels)
    right = said == targets

    def f1(rows: np.ndarray) -> float:
        return float(np.nanmean(f1_of_classes(confusion(said[rows], targets[rows], classes))))

    matrix = confusion(said, targets, classes)
    own = np.clip(probabilities[np.arange(len(targets)), targets], 1e-300, 1)
    return {
        "examples": len(targets),
        "accuracy": bootstrapped_mean(right)._asdict(),
        "macro_f1": bootstrap(f1, len(targets))._asdict(),
        "log_loss": float(-np.log(own).mean()),
        "calibration_error": calibration_error(probabilities, targets),
        "f1": dict(zip(labels, np.nan_to_num(f1_of_classes(matrix)).tolist(), strict=True)),
        "labels": list(labels),
        "confusion": matrix.tolist(),
    }


def beside(right: np.ndarray, rivals: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Accuracy of each rival with its interval, and the model's less the rival's, example by example.

    right: (N,) booleans, where the model is right; rivals: name -> the same of each.
    """
    return {
        name: {
            "accuracy": bootstrapped_mean(theirs)._asdict(),
            "model_is_better_by": paired_difference(right, theirs)._asdict(),
        }
        for name, theirs in rivals.items()
    }


def confusion(said: np.ndarray, targets: np.ndarray, classes: int) -> np.ndarray:
    """(K, K) counts: how often an example of a class, the row, was said to be of another, the column."""
    return np.bincount(targets * classes + said, minlength=classes * classes).reshape(classes, classes)


def f1_of_classes(matrix: np.ndarray) -> np.ndarray:
    """(K,) the harmonic mean of precision and recall of each class; not a number for one that neither is nor is said.

    F1 = 2 hits / (true + said), which is the same and needs no division by either alone.
    """
    both = matrix.sum(axis=0) + matrix.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return 2 * np.diag(matrix) / np.where(both, both, np.nan)


def calibration_error(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """The expected calibration error of (N, K) probabilities, with (N,) targets; see `reliability`."""
    return reliability(probabilities.max(axis=1), probabilities.argmax(axis=1) == targets)["error"]
