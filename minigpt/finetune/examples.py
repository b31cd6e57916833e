"""What tasks make of records: rows of tokens with what should be said about them, and batches of these."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from minigpt.model import Batch
from minigpt.ops import IGNORED


class Example(NamedTuple):
    """One row of a batch, before it is padded."""

    ids: np.ndarray  # (T,) integers
    target: Any  # of a task: a class, or (T,) integers with `IGNORED`, or the (2,) ends of a span
    segments: np.ndarray | None = None  # (T,) which text each token belongs to; None: all to the first
    weight: float = 1.0  # how much it counts
    record: Any = None  # what it was made of, for measuring


def is_answered(example: Example) -> bool:
    """Whether anything of it is scored."""
    return bool(np.any(np.asarray(example.target) != IGNORED))


def padded(examples: Sequence[Example], padding: int) -> Batch:
    """The rows as one batch, each padded at its end to the longest of them; without labels and targets."""
    longest = max(len(example.ids) for example in examples)
    tokens = np.full((len(examples), longest), padding, np.int64)
    present = np.zeros(tokens.shape, bool)
    segments = np.zeros(tokens.shape, np.int64)
    for row, example in enumerate(examples):
        length = len(example.ids)
        tokens[row, :length] = example.ids
        present[row, :length] = True
        if example.segments is not None:
            segments[row, :length] = example.segments
    alike = present.all()
    return Batch(tokens, present=None if alike else present, segments=segments)


def with_labels(examples: Sequence[Example], padding: int) -> Batch:
    """A batch in which each row has a label, or the two ends of a span."""
    weights = np.array([example.weight for example in examples], np.float32)
    labels = np.array([example.target for example in examples], np.int64)
    return padded(examples, padding)._replace(labels=labels, weights=None if (weights == 1).all() else weights)


def with_targets(examples: Sequence[Example], padding: int) -> Batch:
    """A batch in which each token has a target."""
    batch = padded(examples, padding)
    targets = np.full(batch.tokens.shape, IGNORED, np.int64)
    for row, example in enumerate(examples):
        targets[row, : len(example.ids)] = example.target
    return batch._replace(targets=targets)
