"""Distillation: a small model, the student, learns from what a large one, its teacher, says of the same text.

The loss is a mixture of three, each a mean over the scored tokens:

    (1 - soft) *  cross-entropy with the text, as always
    soft       *  divergence from the teacher at a temperature
                  (Hinton, Vinyals & Dean 2015, arXiv:1503.02531, section 2)
    hidden     *  squared error of the residual stream, through a matrix that is learnt along, from that of the teacher
                  (Romero et al. 2015, "FitNets", arXiv:1412.6550, section 2.2; Jiao et al. 2020, "TinyBERT",
                  arXiv:1909.10351, section 3.1; layer l of L learns from layer l * teacher's / L, as in their
                  experiments)
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from minigpt.model import Batch, Call, Params, Transformer
from minigpt.objectives import Counts, scored
from minigpt.objectives.refusal import check_suits
from minigpt.objectives.score import score_backward, score_forward
from minigpt.ops import (
    IGNORED,
    linear_backward,
    linear_forward,
    soft_targets_backward,
    soft_targets_forward,
    squared_error_backward,
    squared_error_forward,
)
from minigpt.optim import adamw, clip_by_global_norm
from minigpt.train.engine import OneProcess
from minigpt.train.folder import RunFolder
from minigpt.train.student import Distillation, Teacher, check_teaches, how_of

MOMENTS = ("first_moment", "second_moment")  # of Adam


class Distiller(OneProcess):
    """The engine of a distillation: everything but the gradient is as always, and so is the run that comes of it.

    The matrices between the hidden states are no part of the model. Checkpoints have them, with their moments, beside
    it, so a distillation goes on to the same bits as any training.

    Parameters
    ----------
    folder : RunFolder
        Of the student, as `prepare_student` makes it.
    teacher : OpenedModel
        Whose run.json it stands in.

    Raises
    ------
    UserError
        For a teacher that does not fit, or has other values than when the student began.

    Examples
    --------
    >>> fables = minigpt.Corpus("fables", ("The fox met a hen. " * 20,), ("The hen met a fox. " * 5,))
    >>> settings, sizes = minigpt.TrainSettings(steps=2, batch=2), {"width": 16, "heads": 2, "context": 16}
    >>> folder = minigpt.prepare_run(
    ...     "large", fables, tokenizer="characters", changes=sizes, settings=settings, progress=False
    ... )
    >>> _ = minigpt.train.train(folder, show_progress=False)
    >>> teacher = minigpt.open_model("large")
    >>> folder = minigpt.prepare_student(
    ...     "small", teacher, fables, minigpt.Distillation(), settings=settings, progress=False
    ... )
    >>> engine = minigpt.Distiller(folder, teacher)
    >>> params, progress = minigpt.train.train(folder, engine=engine, show_progress=False)
    >>> progress.step, folder.config.width
    (2, 8)
    """

    def __init__(self, folder: RunFolder, teacher: Teacher):
        check_teaches(teacher.model.config, folder.config)
        self.teacher, self.how = teacher, how_of(folder, teacher)
        self.pairs = pairs_of_blocks(folder.config.layers, teacher.model.config.layers) if self.how.hidden else {}
        fresh = fresh_projections(self.pairs, folder.config.width, teacher.model.config.width)
        moments = {f"projections_{moment}": fresh.zeros_like() for moment in MOMENTS}
        super().__init__(folder, beside={"projections": fresh, **moments})
        self.projections: Params = self.state["projections"]
        self._optimizer = adamw(weight_decay=0.0)
        self._total = self.params.zeros_like(), self.projections.zeros_like()

    def gradient(self, batches: Sequence[Batch], step: int) -> tuple[float, float]:
        """See `Engine`."""
        counts = sum((scored(batch) for batch in batches), Counts(0, 0))
        loss = 0.0
        for total in self._total:
            total.flat[...] = 0
        for micro, batch in enumerate(batches):
            call = Call(rng=np.random.default_rng([self.folder.settings.seed, step, micro, 0]))
            one, *grads = distillation_loss_and_gradient(
                self.model, self.params, self.teacher, batch, self.how, self.projections, call, counts=counts
            )
            loss += one
            for total, part in zip(self._total, grads, strict=True):
                total.flat += part.flat
        self._grads = self._total[0]
        clip_by_global_norm(self._total[1].flat, self.folder.settings.clip)
        return loss, clip_by_global_norm(self._grads.flat, self.folder.settings.clip)

    def update(self, learning_rate: float) -> None:
        """See `Engine`."""
        super().update(learning_rate)
        if not self.projections:
            return
        state = {moment: self.state[f"projections_{moment}"].flat for moment in MOMENTS}
        flat, grads = self.projections.flat, self._total[1].flat
        self._optimizer.update(flat, grads, state | {"step": self.progress.step}, learning_rate=learning_rate)


def distillation_loss_and_gradient(
    model: Transformer,
    params: Params,
    teacher: Teacher,
    batch: Batch,
    how: Distillation,
    projections: Params,
    call: Call = Call(),
    *,
    counts: Counts | None = None,
) -> tuple[float, Params, Params]:
    """The mixture of losses, and its gradients: of the student's parameters and of the projections.

    projections: as `fresh_projections` makes them; counts: as in `loss_and_gradient`. The teacher reads the batch
    without dropout, and nothing of it is kept but what is compared.
    """
    check_suits(model.config, batch)
    assert batch.targets is not None
    counts = scored(batch) if counts is None else counts
    counted, count = batch.targets != IGNORED, counts.targets
    names = {name.removeprefix("projection."): name for name in projections}  # student's block -> its matrix
    wanted, said = _teacher_says(teacher, batch, {student: _teachers(student, model, teacher) for student in names})

    seen: dict[str, np.ndarray] = {}
    logits, cache = model.forward(params, batch, replace(call, hook=_keeping(seen, {f"blocks.{n}" for n in names})))
    hard, hard_cache = score_forward(model.config.head, logits, batch, call, counts=counts)
    soft, soft_cache = soft_targets_forward(
        logits, teacher=said, temperature=how.temperature, counted=counted, count=count
    )
    loss = (1 - how.soft) * hard + how.soft * float(soft)
    added, dprojections = {}, projections.zeros_like()
    for student, name in names.items():
        y, linear = linear_forward(seen[f"blocks.{student}"], projections[name])
        error, error_cache = squared_error_forward(y, wanted=wanted[student], counted=counted, count=count)
        loss += how.hidden * float(error)
        dx, dprojections[name] = linear_backward(squared_error_backward(how.hidden, error_cache), linear)
        added[f"blocks.{student}.dresidual_post"] = dx

    dlogits = (1 - how.soft) * score_backward(hard_cache) + soft_targets_backward(how.soft, soft_cache)
    back = replace(call, hook=lambda name, x: x + added[name] if name in added else x)
    return loss, model.backward(params, cache, dlogits, back), dprojections


def pairs_of_blocks(students: int, teachers: int) -> dict[int, int]:
    """Which block of the teacher each of the student's learns from, evenly: the last from the last."""
    return {block: (block + 1) * teachers // students - 1 for block in range(students)}


def fresh_projections(pairs: dict[int, int], width: int, wanted: int) -> Params:
    """A matrix (C, teacher's C) for every pair, the identity as far as it goes."""
    projections = Params({f"projection.{student}": (width, wanted) for student in pairs})
    for name in projections:
        projections[name] = np.eye(width, wanted)
    return projections


def _teachers(student: str, model: Transformer, teacher: Teacher) -> int:
    return pairs_of_blocks(model.config.layers, teacher.model.config.layers)[int(student)]


def _teacher_says(teacher: Teacher, batch: Batch, blocks: dict[str, int]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The teacher's hidden states, by the student's block, and its scores (B, T, V)."""
    seen: dict[str, np.ndarray] = {}
    watched = {f"blocks.{block}" for block in blocks.values()}
    call = Call(hook=_keeping(seen, watched) if watched else Call().hook).forward_only()
    said = teacher.model.forward(teacher.params, batch, call)[0]
    return {student: seen[f"blocks.{block}"] for student, block in blocks.items()}, said


def _keeping(seen: dict[str, np.ndarray], blocks: set[str]) -> Any:
    """A hook that keeps what comes out of these blocks."""

    def hook(name: str, x: np.ndarray) -> np.ndarray:
        block, _, last = name.rpartition(".")
        if last == "residual_post" and block in blocks:
            seen[block] = x
        return x

    return hook
