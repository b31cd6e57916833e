"""Can it be told whether a text was in the training text?

A model is surer of what it has seen. Who has the model can score a text and guess: Yeom et al. (2018), arXiv:1709.01604
(the loss); Carlini et al. (2021), arXiv:2012.07805, section 4.2 (the loss over the compressed size); Shi et al. (2024),
arXiv:2310.16789 (the least likely tokens). None of this shows anything unless texts that were seen and texts that were
not are of one kind: a guesser that never asks the model must be at chance (Duan et al. 2024, arXiv:2402.07841; Das,
Zhang & Tramèr 2024, arXiv:2406.16201). That guesser is measured beside them.
"""

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigpt.measure.intervals import Interval, bootstrap
from minigpt.measure.surprise import surprise
from minigpt.model import Batch, Call, Transformer

LEAST_LIKELY = 0.2  # the share of a text's tokens that Min-K% looks at
ALARMS = 0.01  # the share of false alarms at which hits are counted: Carlini et al. (2022), arXiv:2112.03570, section 3
BATCH = 16


def token_nats(model: Transformer, params: Any, rows: np.ndarray) -> np.ndarray:
    """The surprise at each token but the first, in nats: rows (N, T + 1) integers, result (N, T)."""
    call, found = Call().forward_only(), np.empty((len(rows), rows.shape[1] - 1))
    for first in range(0, len(rows), BATCH):
        some = rows[first : first + BATCH]
        logits, _ = model.forward(params, Batch(some[:, :-1]), call)
        found[first : first + BATCH] = surprise(logits, some[:, 1:])
    return found


def membership_scores(nats: np.ndarray, texts: Sequence[bytes]) -> dict[str, np.ndarray]:
    """By name of the guess, how much each text looks as if it had been seen: (N,) each.

    nats: (N, T) of `token_nats`; texts: the same texts as bytes. `without the model` is the control.
    """
    sizes = np.array([len(zlib.compress(text, 9)) for text in texts])
    least = max(1, round(LEAST_LIKELY * nats.shape[1]))
    return {
        "loss": -nats.mean(axis=1),
        "loss over compressed size": -nats.sum(axis=1) / sizes,
        "least likely tokens": -np.sort(nats, axis=1)[:, -least:].mean(axis=1),
        "without the model": -sizes.astype(float),
    }


def area_under_curve(seen: np.ndarray, unseen: np.ndarray) -> float:
    """The probability that a text that was seen scores above one that was not, ties half: 0.5 is chance.

    It is the area under the curve of hits against false alarms (Hanley & McNeil 1982).
    """
    ordered = np.sort(unseen)
    below, up_to = np.searchsorted(ordered, seen, "left"), np.searchsorted(ordered, seen, "right")
    return float((below + up_to).mean() / (2 * len(unseen)))


def hits(seen: np.ndarray, unseen: np.ndarray, alarms: float = ALARMS) -> float:
    """The share of seen texts above the score that only `alarms` of the unseen ones exceed."""
    return float(np.mean(seen > np.quantile(unseen, 1 - alarms)))


def membership(seen: dict[str, np.ndarray], unseen: dict[str, np.ndarray]) -> dict[str, dict[str, Any]]:
    """For each guess of `membership_scores` the area under its curve and its hits, each with a 95% interval."""
    return {
        name: {
            "area": _with_interval(area_under_curve, seen[name], unseen[name])._asdict(),
            "hits": _with_interval(hits, seen[name], unseen[name])._asdict(),
        }
        for name in seen
    }


def _with_interval(measure: Any, seen: np.ndarray, unseen: np.ndarray) -> Interval:
    """Texts of both kinds are drawn again, out of all together."""
    both, border = np.concatenate([seen, unseen]), len(seen)

    def of(rows: np.ndarray) -> float:
        drawn_seen, drawn_unseen = both[rows[rows < border]], both[rows[rows >= border]]
        return measure(drawn_seen, drawn_unseen) if drawn_seen.size and drawn_unseen.size else float("nan")

    return bootstrap(of, len(both))
