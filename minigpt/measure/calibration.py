"""Is a model right as often as it says? Confidence beside accuracy."""

from typing import Any

import numpy as np

BINS = 10


def reliability(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> dict[str, Any]:
    """How far confidence is from accuracy: (N,) and (N,) booleans, in bins of equal width, and their mean distance.

    The expected calibration error of Guo et al. (2017), arXiv:1706.04599, section 2: bins weighted by how many they
    hold. `bins`: of each that holds any, its bounds, how many, their mean confidence and their accuracy.
    """
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    counts = np.bincount(which, minlength=bins)
    held = np.flatnonzero(counts)
    means, accuracies = (np.bincount(which, x, bins)[held] / counts[held] for x in (confidence, right))
    error = float(np.abs(accuracies - means) @ counts[held]) / max(1, len(which))
    rows = [
        {"from": one / bins, "to": (one + 1) / bins, "count": int(counts[one]),
         "confidence": float(mean), "accuracy": float(accuracy)}
        for one, mean, accuracy in zip(held.tolist(), means, accuracies, strict=True)
    ]  # fmt: skip
    return {"error": error, "bins": rows}


def lines_of(found: dict[str, Any], what: str) -> list[str]:
    """What `reliability` found, as lines for people; `what` was counted."""
    lines = [f"{'said with probability':>28}{what:>10}  mean probability  right"]
    lines += [
        f"{row['from']:>20.1f} to {row['to']:.1f}{row['count']:>14,}{row['confidence']:18.3f}{row['accuracy']:7.3f}"
        for row in found["bins"]
    ]
    return [*lines, f"{'calibration error':>28}{found['error']:10.3f}"]
