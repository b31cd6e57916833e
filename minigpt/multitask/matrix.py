"""Alone against together: models that learn one task each, one that learns all, and what each knows of every task."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, cast

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Params
from minigpt.multitask.joint import Joint
from minigpt.multitask.mixing import rows_of_tasks
from minigpt.multitask.task import Asked, Task, exact_match
from minigpt.objectives.mixture import proportions
from minigpt.optim import warmup_cosine
from minigpt.train import fit

WARMUP = 0.05  # of the steps
ASKED = 512  # new rows of each task, that a model is asked


class Trained(NamedTuple):
    """Parameters, the loss of every step, each task's own, and how many rows of each task were seen."""

    params: Params
    losses: list[float]
    of_tasks: np.ndarray  # (steps, N); not a number where a step had no row of the task
    rows: np.ndarray  # (N,)


def train_tasks(
    joint: Joint,
    tasks: Sequence[Task],
    steps: int,
    *,
    shares: Sequence[float] | None = None,
    rows: int = 64,
    learning_rate: float = 3e-3,
    seed: int = 0,
    watch: Callable[[int, Params], None] | None = None,
) -> Trained:
    """Train fresh parameters on a mixture. What a step sees is a function of the seed and the step.

    Parameters
    ----------
    joint : Joint
        The models.
    tasks : sequence of Task
        What is learnt.
    steps, rows : int
        Updates, and rows in each, of all tasks together.
    shares : sequence of float, optional
        How much of each task; None: of all alike.
    learning_rate : float
        The highest; a warm-up and a cosine shape it.
    seed : int
        Of the parameters and of all rows. Of one task, the rows that it sees are the same alone and in a mixture.
    watch : callable, optional
        watch(step, params), before every step; it must leave the parameters alone.

    Raises
    ------
    UserError
        For shares that do not fit the tasks, two tasks of one name, a task that no model reads, too few steps or rows,
        and where the loss is no number.
    """
    shares = [1.0] * len(tasks) if shares is None else shares
    _check(joint, tasks, shares, steps, rows)
    seen, of_tasks = np.zeros(len(tasks), np.int64), []

    def batches() -> Iterator[list[Asked]]:
        for step in range(steps):
            if watch is not None:
                watch(step, params)
            counts = rows_of_tasks(shares, rows, np.random.default_rng([seed, 1, step]))
            seen[:] += counts
            yield [
                Asked(task, task.make(np.random.default_rng([seed, 2, step, *task.name.encode()]), int(count)))
                for task, count in zip(tasks, counts, strict=True)
                if count
            ]

    params = joint.init(np.random.default_rng([seed, 0]))
    grads, rate = params.zeros_like(), warmup_cosine(learning_rate, warmup=max(1, int(WARMUP * steps)), total=steps)

    def score(_model: Any, params: Any, asked: Any, call: Any) -> tuple[float, Params]:
        own: dict[str, float] = {}
        found = joint.loss_and_gradient(params, asked, call, grads=grads, losses=own)
        of_tasks.append([own.get(task.name, np.nan) for task in tasks])
        return found

    losses = fit(cast(Any, joint), params, cast(Any, batches()), rate, score=score)
    return Trained(params, losses, np.array(of_tasks).reshape(-1, len(tasks)), seen)


def _check(joint: Joint, tasks: Sequence[Task], shares: Sequence[float], steps: int, rows: int) -> None:
    names = [task.name for task in tasks]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"two tasks are called {twice[0]!r}, and would see the same rows; give each a name of its own")
    if len(shares) != len(tasks):
        raise UserError(f"there are {len(shares)} shares for {len(tasks)} tasks; give one for each")
    proportions(shares, "shares")
    if steps < 1 or rows < 1:
        raise UserError(f"steps is {steps} and rows is {rows}, but both must be at least 1")
    for task in tasks:
        joint.model(task)


def transfer_matrix(
    joint: Joint,
    tasks: Sequence[Task],
    params: Sequence[Params],
    *,
    score: Callable[..., float] = exact_match,
    rng: np.random.Generator,
) -> np.ndarray:
    """How well each of some parameters does each task: (models, tasks), on new rows, the same for all models."""
    asked = [task.make(rng, ASKED) for task in tasks]
    return np.array(
        [[score(joint.model(task), one, batch) for task, batch in zip(tasks, asked, strict=True)] for one in params]
    )
