"""How much of what is labelled was found, and how much of what was found is right, for each kind.

A label counts as found if spans of its kind cover half of its characters; a span counts as right if labels of its kind
cover half of its. Intervals are bootstrapped over documents (Efron & Tibshirani 1993, section 13.3).
"""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minigpt.corpus.personal.find import KINDS, find
from minigpt.corpus.personal.labelled import Document, Label
from minigpt.corpus.personal.span import Span
from minigpt.errors import UserError
from minigpt.measure.intervals import interval_of


class Score(NamedTuple):
    """Of one kind: how many labels there were and spans were given, the shares, and 95% intervals of these."""

    labels: int
    spans: int
    precision: float
    recall: float
    f2: float  # recall counts four times as much as precision (van Rijsbergen 1979, beta = 2)
    intervals: dict[str, tuple[float, float]]


class Evaluation(NamedTuple):
    """The scores of each kind, and which share of all labelled characters spans of any kind cover."""

    kinds: dict[str, Score]
    covered: float
    missed: list[tuple[str, str]]  # of labels that were not found: the kind, the text with what is around it
    wrong: list[tuple[str, str]]  # of spans that are not right


def evaluate(
    documents: Sequence[Document],
    finder: Callable[[str], list[Span]] = find,
    *,
    rng: np.random.Generator,
    kinds: Sequence[str] = KINDS,
    resamples: int = 1000,
    shown: int = 20,
) -> Evaluation:
    """What `finder` finds in the documents, beside what is labelled there.

    rng: for the resamples. shown: how many examples of each fault and kind are kept.
    """
    counts = {kind: np.zeros((len(documents), 4), np.int64) for kind in kinds}  # labels, found, spans, right
    covered = labelled = 0
    missed: list[tuple[str, str]] = []
    wrong: list[tuple[str, str]] = []
    for row, document in enumerate(documents):
        spans = finder(document.text)
        inside = [_overlap(label, spans) for label in document.labels]
        covered, labelled = covered + sum(inside), labelled + sum(label.end - label.start for label in document.labels)
        for kind in kinds:
            labels = [label for label in document.labels if label.kind == kind]
            given = [span for span in spans if span.kind == kind]
            unfound = [label for label in labels if 2 * _overlap(label, given) < label.end - label.start]
            not_right = [span for span in given if 2 * _overlap(span, labels) < span.end - span.start]
            counts[kind][row] = len(labels), len(labels) - len(unfound), len(given), len(given) - len(not_right)
            missed += [(kind, _around(document.text, label)) for label in unfound]
            wrong += [(kind, _around(document.text, span)) for span in not_right]
    scores = {kind: _score(counts[kind], rng, resamples) for kind in kinds}
    return Evaluation(scores, covered / max(1, labelled), _some(missed, shown), _some(wrong, shown))


class Speed(NamedTuple):
    """How fast one kind, or all, are looked for."""

    megabytes_per_second: float  # of UTF-8
    median_ms: float  # for one text
    slow_ms: float  # 95 of 100 texts take no longer


def speed(texts: Sequence[str], finder: Callable[[str], list[Span]] = find) -> Speed:
    """The time that `finder` takes for each text, one after the other. `UserError` if there is no text."""
    if not any(texts):
        raise UserError("there is no text to measure the speed on; give some")
    seconds = []
    for text in texts:
        start = time.perf_counter()
        finder(text)
        seconds.append(time.perf_counter() - start)
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    return Speed(size / 1e6 / sum(seconds), 1e3 * float(np.median(seconds)), 1e3 * float(np.quantile(seconds, 0.95)))


def _overlap(one: Label | Span, others: Iterable[Any]) -> int:
    """How many characters of one lie in the others, which do not overlap one another."""
    return sum(max(0, min(one.end, other.end) - max(one.start, other.start)) for other in others)


def _around(text: str, place: Label | Span) -> str:
    start = max(0, place.start - 30)
    return f"{text[start : place.start]}[{text[place.start : place.end]}]{text[place.end : place.end + 20]}"


def _some(faults: list[tuple[str, str]], shown: int) -> list[tuple[str, str]]:
    kinds = dict.fromkeys(kind for kind, _ in faults)
    return [fault for kind in kinds for fault in [fault for fault in faults if fault[0] == kind][:shown]]


def shares(counts: np.ndarray) -> np.ndarray:
    """Precision, recall and F2 (..., 3) of counts (..., 4): labels, found, spans, right. NaN where nothing is there."""
    labels, found, spans, right = np.moveaxis(np.asarray(counts, np.float64), -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision, recall = right / spans, found / labels
        f2 = 5 * precision * recall / (4 * precision + recall)
    return np.stack([precision, recall, np.where((right == 0) & (spans + labels > 0), 0.0, f2)], axis=-1)


def _score(counts: np.ndarray, rng: np.random.Generator, resamples: int) -> Score:
    """counts: (N, 4) of each document."""
    total = counts.sum(axis=0)
    some = counts[counts.any(axis=1)]  # a document without this kind changes no sum
    probabilities = np.array([1 / len(counts)] * len(some) + [1 - len(some) / len(counts)])
    draws = rng.multinomial(len(counts), probabilities, resamples)[:, : len(some)]
    values = shares(draws @ some if len(some) else np.zeros((resamples, 4)))
    precision, recall, f2 = shares(total).tolist()
    named = zip(("precision", "recall", "f2"), (precision, recall, f2), values.T, strict=True)
    intervals = {name: (found.low, found.high) for name, value, drawn in named for found in [interval_of(value, drawn)]}
    return Score(int(total[0]), int(total[2]), precision, recall, f2, intervals)
