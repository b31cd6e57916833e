"""Pipeline parallelism: every rank has some of the blocks, and micro-batches flow through them.

A stage is a `Transformer` of its own, the same forward as in one process; here is what the stages say to each other.
Huang et al. (2019), "GPipe", arXiv:1811.06965; the schedules are in `minigpt.parallel.schedule`.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from minigpt.model import Batch, Call, Params, Transformer
from minigpt.model.head import ties_tokens
from minigpt.model.inputs import INPUTS, TOKENS
from minigpt.objectives import Counts, HeldOut, Judged, check_suits, right_answers
from minigpt.objectives.score import score_backward, score_forward
from minigpt.parallel.schedule import Actions, schedule

FORWARD, BACKWARD = 1, 2  # tags of the messages


class StageCache(NamedTuple):
    model: Any
    score: Any  # of the last stage


class Sent(NamedTuple):
    """A message on its way; its buffer must live until it has arrived."""

    request: Any
    buffer: np.ndarray


def pipeline_gradient(
    stage: Transformer,
    params: Params,
    batches: Sequence[Batch],
    comm: Any,
    *,
    counts: Counts,
    call: Call = Call(),
    order: str = "1f1b",
    grads: Params | None = None,
) -> tuple[float, Params, Actions]:
    """The loss and this stage's gradients, of all micro-batches together, and what was done in which order.

    stage: this rank's part of the model. batches: the micro-batches, the same on every stage. comm: of the stages.
    counts: of all micro-batches (and, with data parallelism, of all replicas). grads: where to write the gradients;
    None makes a new `Params`. The loss is the same number on every stage.
    """
    total = params.zeros_like() if grads is None else grads
    one, loss = total.zeros_like() if len(batches) > 1 else total, 0.0  # one: of a micro-batch after the first
    caches: dict[int, StageCache] = {}
    ahead: dict[int, Sent] = {}  # activations on their way to the next stage
    back: Sent | None = None  # the gradient on its way to the stage before
    executed: Actions = []
    for action, micro in schedule(order, stage.stage, stage.stages, len(batches)):
        batch = batches[micro]
        shape = _shape(stage, batch)
        if action == "forward":
            x = None if stage.first else _receive(comm, shape, total.flat.dtype, stage.stage - 1, FORWARD)
            y, caches[micro] = _forward(stage, params, batch, x, call, counts)
            if stage.last:
                loss += y
            else:
                ahead[micro] = _send(comm, y, stage.stage + 1, FORWARD)
        else:
            dy = None if stage.last else _receive(comm, shape, total.flat.dtype, stage.stage + 1, BACKWARD)
            if not stage.last:
                ahead.pop(micro).request.Wait()  # the next stage has it, or there would be no dy
            dx = _backward(stage, params, one if micro else total, dy, caches.pop(micro), call)
            if micro:
                total.flat += one.flat
            if not stage.first:
                if back:
                    back.request.Wait()  # one at a time, or they would pile up
                back = _send(comm, dx, stage.stage - 1, BACKWARD)
        executed.append((action, micro))
    if back:
        back.request.Wait()
    _share_tied_table(stage, total, comm)
    said = np.array([loss])
    comm.Bcast(said, root=stage.stages - 1)
    return float(said[0]), total, executed


def pipeline_judge(stage: Transformer, params: Params, held_out: HeldOut, comm: Any, call: Call = Call()) -> Judged:
    """`objectives.judge` over the stages, forward only; the same numbers on every stage."""
    batch = held_out.batch
    check_suits(stage.config, batch)
    x = None if stage.first else _receive(comm, _shape(stage, batch), params.flat.dtype, stage.stage - 1, FORWARD)
    y, _ = stage.forward(params, batch, call, x)
    said = np.zeros(3)
    if stage.last:
        loss, _ = score_forward(stage.config.head, y, batch, call)
        said[:] = loss, *right_answers(stage.config.head, y, held_out, call)
    else:
        _send(comm, y, stage.stage + 1, FORWARD).request.Wait()
    comm.Bcast(said, root=stage.stages - 1)
    return Judged(float(said[0]), int(said[1]), int(said[2]))


def _forward(
    stage: Transformer, params: Params, batch: Batch, x: np.ndarray | None, call: Call, counts: Counts
) -> tuple[Any, StageCache]:
    """What goes to the next stage, and the cache; the last stage gives the loss instead, over `counts` targets."""
    check_suits(stage.config, batch)
    y, cache = stage.forward(params, batch, call, x)
    if not stage.last:
        return y, StageCache(cache, None)
    loss, score_cache = score_forward(stage.config.head, y, batch, call, counts=counts)
    return loss, StageCache(cache, score_cache)


def _backward(
    stage: Transformer, params: Params, grads: Params, dy: np.ndarray | None, cache: StageCache, call: Call
) -> np.ndarray:
    """Write this stage's gradients of one micro-batch; the gradient for the stage before, (B, T, C)."""
    dy = score_backward(cache.score) if stage.last else dy
    return stage.back(params, grads, cache.model, dy, call)


def _shape(stage: Transformer, batch: Batch) -> tuple[int, int, int]:
    config = stage.config
    return len(batch.tokens), INPUTS[config.input].length(config, batch.tokens), config.width


def _share_tied_table(stage: Transformer, grads: Params, comm: Any) -> None:
    """A tied table has a gradient as embedding on the first stage and as head on the last; both need the sum."""
    if stage.stages == 1 or not ties_tokens(stage.config) or TOKENS not in grads:
        return
    if stage.first or stage.last:
        other = stage.stages - 1 if stage.first else 0
        request = comm.Isend(grads[TOKENS].copy(), other, FORWARD)
        theirs = np.empty_like(grads[TOKENS])
        comm.Recv(theirs, other, FORWARD)
        request.Wait()
        # In the same order on both, so that the two copies of the table stay equal to the bit.
        grads[TOKENS] = grads[TOKENS] + theirs if stage.first else theirs + grads[TOKENS]


def _send(comm: Any, x: np.ndarray, to: int, tag: int) -> Sent:
    x = np.ascontiguousarray(x)
    return Sent(comm.Isend(x, to, tag), x)


def _receive(comm: Any, shape: tuple[int, ...], dtype: Any, source: int, tag: int) -> np.ndarray:
    x = np.empty(shape, dtype)
    comm.Recv(x, source, tag)
    return x
