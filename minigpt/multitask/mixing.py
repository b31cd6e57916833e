"""How much of each task: shares, and the rows that they give a step."""

from collections.abc import Sequence

import numpy as np

from minigpt.errors import UserError
from minigpt.objectives.mixture import proportions


def mixing_shares(examples: Sequence[int], *, temperature: float = 1.0, limit: float = np.inf) -> np.ndarray:
    """Shares of tasks by how many examples each has: min(n, limit)^(1 / temperature), made to add up to 1.

    Temperature 1 mixes in proportion to the examples, a large one all tasks alike; the limit keeps one huge task from
    taking everything. Raffel et al. (2020), "Exploring the Limits of Transfer Learning with a Unified Text-to-Text
    Transformer", arXiv:1910.10683, the section on multi-task learning. `UserError` for numbers that are not positive.
    """
    counts = np.asarray(examples, float)
    if counts.ndim != 1 or not counts.size or not (counts > 0).all() or not np.isfinite(counts).all():
        raise UserError(f"examples is {list(examples)}, but every task needs a positive number of them")
    if not (temperature > 0 and limit > 0):
        raise UserError(f"temperature is {temperature:g} and limit is {limit:g}, but both must be positive")
    logs = np.log(np.minimum(counts, limit)) / temperature
    powers = np.exp(logs - logs.max())
    return powers / powers.sum()


def rows_of_tasks(shares: Sequence[float] | np.ndarray, rows: int, rng: np.random.Generator) -> np.ndarray:
    """How many of a step's rows each task gets: whole numbers that add up to `rows` and are right on the average.

    The whole part of each task's due is certain, and what is left over is drawn; so a share of 0 gets nothing, and no
    task is forgotten for long. `UserError` for shares that are not what shares are.
    """
    due = proportions(shares, "shares") * rows
    whole = np.floor(due + 1e-9).astype(np.int64)
    left = rows - int(whole.sum())
    # One draw, `left` marks at equal distances: each task is hit as often as its remainder says.
    edges = np.cumsum(np.maximum(due - whole, 0))
    marks = (rng.random() + np.arange(left)) * (edges[-1] / max(1, left))
    return whole + np.bincount(
        np.minimum(np.searchsorted(edges, marks, side="right"), len(due) - 1), minlength=len(due)
    )
