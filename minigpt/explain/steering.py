"""Steering: a direction that is added to the residual stream, and what a model then says.

Turner et al. (2023), "Activation Addition", arXiv:2308.10248; Rimsky et al. (2023), arXiv:2312.06681, who take the mean
difference of many pairs of texts.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from minigpt.errors import UserError
from minigpt.explain.question import Question
from minigpt.explain.watch import activations, one_after_another
from minigpt.model import Call


def direction_between(questions: Sequence[Question], others: Sequence[Question], layer: int) -> np.ndarray:
    """(C,) the mean residual stream after a block, at the last position, of `questions` less that of `others`."""
    name = f"blocks.{layer}.residual_post"

    def mean(some: Sequence[Question]) -> np.ndarray:
        rows = [activations(each.model, each.params, each.batch, name.__eq__) for each in some]
        if not rows or name not in rows[0]:
            raise UserError(f"a direction is between two sets of texts, after a block; there is no block {layer}")
        return np.stack([row[name][0, -1] for row in rows]).astype(np.float64).mean(axis=0)

    return mean(questions) - mean(others)


def steering(
    direction: np.ndarray,
    layer: int,
    strength: float = 1.0,
    *,
    positions: Sequence[int] | None = None,
    call: Call = Call(),
) -> Call:
    """A call in which `strength` times a direction, (C,), is added to the residual stream after a block.

    positions: where; None: everywhere. call: what else it has; its hook sees the changed stream.
    """
    name = f"blocks.{layer}.residual_post"

    def hook(seen: str, x: np.ndarray) -> np.ndarray:
        if seen != name:
            return x
        if direction.shape != x.shape[-1:]:
            raise UserError(f"the direction has shape {direction.shape}, but the stream is {x.shape[-1]} wide")
        y, rows = x.copy(), list(range(x.shape[1]) if positions is None else positions)
        y[:, rows] += (strength * direction).astype(x.dtype)
        return y

    return replace(call, hook=one_after_another([hook, call.hook]))
