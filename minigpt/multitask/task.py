"""A task: what draws its batches, and which of the models that share their weights reads them."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from minigpt.model import Batch, Call, Transformer
from minigpt.model.head import HEADS
from minigpt.model.params import Weights
from minigpt.ops import IGNORED


class Task(NamedTuple):
    """One thing to learn.

    A row says by itself which task it is: by a prefix (Radford et al. 2019, "Language Models are Unsupervised
    Multitask Learners"; Raffel et al. 2020, "T5", arXiv:1910.10683) or by what kind of input it is.
    """

    name: str
    make: Callable[[np.random.Generator, int], Batch]  # (rng, rows) -> a batch of so many rows
    reader: str = ""  # which model of a `Joint` reads it


class Asked(NamedTuple):
    """A batch of one task."""

    task: Task
    batch: Batch


def exact_match(model: Transformer, params: Weights, batch: Batch) -> float:
    """The share of rows whose whole answer is right: every scored token, or the class.

    Where each token of an answer is the likeliest after the right ones before it, greedy decoding writes that answer,
    and no other row's; so this is the exact match of what the model would write.
    """
    logits = model.forward(params, batch, Call().forward_only())[0]
    wanted = batch.targets if HEADS[model.config.head].asked[0] == "targets" else batch.labels
    assert wanted is not None, "a task's batch says what is asked"
    right = (logits.argmax(axis=-1) == wanted) | (wanted == IGNORED)
    return float(right.reshape(len(wanted), -1).all(axis=1).mean())
