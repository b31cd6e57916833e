"""What a training loop asks of those who do the work: here one process; `minigpt.parallel.ranks` has many."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from minigpt.adapt import Part
from minigpt.errors import UserError
from minigpt.model import Batch, Overlay, Params, Transformer
from minigpt.objectives import HeldOut, Judged, judge, scored
from minigpt.optim import Optimizer, clip_by_global_norm
from minigpt.train.checkpoint import DamagedError, save_checkpoint
from minigpt.train.folder import RunFolder, newest
from minigpt.train.gradient import BatchGradient


@dataclass
class Progress:
    """How far training has come; part of every checkpoint."""

    step: int = 0  # updates done
    best_loss: float = math.inf  # lowest validation loss, nats per token
    seconds: float = 0.0  # of training, over all sessions


class Engine(Protocol):
    """Holds the parameters, or a rank's part of them, and does what the loop says. All ranks call the same methods."""

    params: Params
    progress: Progress
    notice: str  # what is to be said of the checkpoint that it begins with; mostly nothing
    speaks: bool  # whether this process writes metrics and shows progress
    blas_threads: int | None

    def gradient(self, batches: Sequence[Batch], step: int) -> tuple[float, float]:
        """Loss of the micro-batches together, and the norm of the gradient, which is kept, clipped, for `update`."""
        ...

    def update(self, learning_rate: float) -> None:
        """One step of the optimizer."""
        ...

    def judge(self, held_out: Sequence[HeldOut]) -> tuple[float, float]:
        """Mean loss over all that is scored in the batches, in nats, without gradient or dropout; and the accuracy."""
        ...

    def save(self, names: Sequence[str]) -> None:
        """Write the checkpoints called so: best, last."""
        ...

    def anyone(self, flag: bool) -> bool:
        """Whether the flag is up on any rank."""
        ...

    def close(self) -> None:
        """Give back threads, or end other processes."""
        ...


class OneProcess:
    """All parameters here; the rows of a batch are shared among threads."""

    speaks = True

    def __init__(self, folder: RunFolder, part: Part | None = None, beside: Mapping[str, Params] | None = None):
        """part: None trains the whole model. beside: what else learns, see `starting_point`."""
        settings = folder.settings
        self.folder, self.model = folder, Transformer(folder.config)
        self.params, self.optimizer, self.state, self.progress, self.notice = starting_point(folder, part, beside)
        self.whole = self.params if part is None else part.under(self.params)  # what the model computes with
        self.blas_threads = 1 if settings.workers > 1 else None
        self._gradient = BatchGradient(self.model, self.params, threads=settings.workers, seed=settings.seed)
        self._grads = self.params

    def gradient(self, batches: Sequence[Batch], step: int) -> tuple[float, float]:
        """See `Engine`."""
        loss, self._grads = self._gradient(self.whole, batches, step=step)
        return loss, clip_by_global_norm(self._grads.flat, self.folder.settings.clip)

    def update(self, learning_rate: float) -> None:
        """See `Engine`."""
        pool = self._gradient.pool
        self.optimizer.update(self.params.flat, self._grads.flat, self.state, learning_rate=learning_rate, pool=pool)

    def judge(self, held_out: Sequence[HeldOut]) -> tuple[float, float]:
        """See `Engine`."""
        return pooled([(self._gradient.judge(self.whole, one), weight(one.batch)) for one in held_out])

    def save(self, names: Sequence[str]) -> None:
        """See `Engine`."""
        for name in names:
            path = self.folder.checkpoint(name)
            save_checkpoint(path, self.model.config, self.params, self.state, asdict(self.progress))

    def anyone(self, flag: bool) -> bool:
        """See `Engine`."""
        return flag

    def close(self) -> None:
        """See `Engine`."""
        self._gradient.close()


def weight(batch: Batch) -> float:
    """How much the loss of a batch counts in a mean over batches: what is scored in it."""
    counts = scored(batch)
    return counts.targets or counts.labels


def pooled(judged: Sequence[tuple[Judged, float]]) -> tuple[float, float]:
    """The loss and the accuracy of several batches together. judged: of each, with its weight."""
    right, counted = sum(one.right for one, _ in judged), sum(one.counted for one, _ in judged)
    loss = sum(one.loss * weight for one, weight in judged) / sum(weight for _, weight in judged)
    return loss, right / max(1, counted)


def judge_all(model: Transformer, params: Params | Overlay, held_out: Sequence[HeldOut]) -> tuple[float, float]:
    """The loss and the accuracy of a model on all these batches together."""
    return pooled([(judge(model, params, one, counts=scored(one.batch)), weight(one.batch)) for one in held_out])


class StartingPoint(NamedTuple):
    """With what training begins or goes on."""

    params: Params
    optimizer: Optimizer
    state: dict[str, Any]
    progress: Progress
    notice: str  # empty, or why it does not go on from the last checkpoint


def starting_point(
    folder: RunFolder, part: Part | None = None, beside: Mapping[str, Params] | None = None
) -> StartingPoint:
    """Parameters, optimizer, its state and the progress: from the newest checkpoint, by however many, or fresh.

    part: what learns, where that is not the whole model. beside: what learns though it is no part of the model, as it
    begins; it and its moments become part of the state, so that checkpoints have them. A last checkpoint that is
    damaged or gone is replaced by the best one, and the notice says so. `UserError` if there are checkpoints, but none
    that can be read.
    """
    settings, progress, notice = folder.settings, Progress(), ""
    params = Transformer(folder.config).init(np.random.default_rng(settings.seed)) if part is None else part.fresh
    optimizer = settings.make_optimizer(params)

    def fresh_state() -> dict[str, Any]:
        return optimizer.init(params.flat) | {name: array.copy() for name, array in (beside or {}).items()}

    if folder.begun:
        (params, numbers, state), notice = _whole_checkpoint(folder, params, fresh_state)
        progress = Progress(**numbers)
    else:
        state = fresh_state()
    return StartingPoint(params, optimizer, state, progress, notice)


def _whole_checkpoint(
    folder: RunFolder, layout: Params, fresh: Callable[[], dict[str, Any]]
) -> tuple[tuple[Params, dict[str, Any], dict[str, Any]], str]:
    """Parameters, progress and optimizer's state of `last` if it is whole, else of `best`; and the notice."""

    def read(which: str) -> tuple[Params, dict[str, Any], dict[str, Any]]:
        state = fresh()
        return *newest(folder, which, state=state, layout=layout), state

    reason = "the last checkpoint is gone"
    if folder.has_checkpoint("last"):
        try:
            return read("last"), ""
        except DamagedError as error:
            if not folder.has_checkpoint("best"):
                raise UserError(f"{error}; there is no other one, so train again into another folder") from None
            reason = "the last checkpoint is damaged"
    found = read("best")
    return found, f"{reason}; going on from the best one, of step {found[1]['step']}"
