"""Windows of tokens: random ones to train on, all of them to evaluate on."""

from collections.abc import Iterator

import numpy as np

from minigpt.errors import UserError
from minigpt.ops import IGNORED


class BatchSampler:
    """Draws windows of context + 1 tokens, each start equally likely.

    What batch number `step` holds depends on the seed and the step alone, so training resumes exactly without saving
    anything. With many more windows than draws, drawing with or without replacement makes no visible difference.
    """

    def __init__(self, tokens: np.ndarray, context: int, batch: int, seed: int):
        """tokens: (N,) integers, may be mapped from disk. `UserError` if they are fewer than context + 1."""
        if len(tokens) < context + 1:
            raise UserError(
                f"the corpus has {len(tokens)} tokens, but the context of {context} needs at least {context + 1}; "
                "choose a larger corpus or a smaller --context"
            )
        self.tokens, self.context, self.batch, self.seed = tokens, context, batch, seed

    def batch_at(self, step: int) -> np.ndarray:
        """Batch number `step`: (batch, context + 1) int64."""
        return self.draw(self.rng_at(step))

    def rng_at(self, step: int) -> np.random.Generator:
        """The generator of batch number `step`."""
        return np.random.default_rng([self.seed, step])

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Windows at random places: (batch, context + 1) int64."""
        starts = rng.integers(0, len(self.tokens) - self.context, self.batch)
        return self.tokens[starts[:, None] + np.arange(self.context + 1)].astype(np.int64)


def evaluation_windows(
    tokens: np.ndarray, context: int, *, stride: int | None = None, batch: int = 16
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs (inputs, targets), (up to batch, T) each, that score every token but the first exactly once.

    A window sees `context` tokens and moves by `stride` (default: context). Its targets are the tokens that the window
    before it did not score; the others are `IGNORED`. So every scored token but the first few has at least
    context - stride tokens before it: a small stride is fairer to the model and costs context / stride times as much.
    All windows have one length, the context or, where there are fewer tokens, all of them.
    """
    stride = context if stride is None else stride
    if not 1 <= stride <= context:
        raise UserError(f"the stride is {stride}, but it must be from 1 to the context, {context}")
    length = min(context, len(tokens) - 1)  # T
    if length < 1:
        raise UserError(f"there are {len(tokens)} tokens, but scoring needs at least 2: one to see and one to predict")
    scored = 0  # tokens 1..scored have been targets
    inputs, targets = [], []
    while scored < len(tokens) - 1:
        end = length if scored == 0 else min(scored + stride, len(tokens) - 1)  # the last target's place
        start = end - length
        inputs.append(tokens[start:end].astype(np.int64))
        target = tokens[start + 1 : end + 1].astype(np.int64)
        target[: max(0, scored - start)] = IGNORED
        targets.append(target)
        scored = end
        if len(inputs) == batch or scored == len(tokens) - 1:
            yield np.stack(inputs), np.stack(targets)
            inputs, targets = [], []
