"""Pipeline parallelism: every rank has some of the blocks, and micro-batches flow through them.

Huang et al. (2019), "GPipe", arXiv:1811.06965; the schedules are in `minigpt.parallel.schedule`.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Batch, Call, Params, TransformerConfig
from minigpt.model.block import Sight, block_shapes
from minigpt.model.head import head_backward, head_forward, head_shapes
from minigpt.model.parts import Shapes
from minigpt.model.stack import (
    TOKENS,
    blocks_backward,
    blocks_forward,
    embed_backward,
    embed_forward,
    end_backward,
    end_forward,
    rotary_of,
    stack_shapes,
)
from minigpt.objectives import Counts, HeldOut, Judged, right_answers
from minigpt.objectives.score import head_loss
from minigpt.ops import causal_mask
from minigpt.parallel.schedule import Actions, schedule
from minigpt.parallel.tensor import part

FORWARD, BACKWARD = 1, 2  # tags of the messages


class StageCache(NamedTuple):
    embedded: Any  # of the first stage
    blocks: list[tuple[str, Any]]
    norm: Any  # of the last stage, as the next two
    head: Any
    loss: Any
    output: Any = None


class Sent(NamedTuple):
    """A message on its way; its buffer must live until it has arrived."""

    request: Any
    buffer: np.ndarray


class Stage:
    """One rank's part of a decoder: some of its blocks; the first also embeds, the last also answers."""

    def __init__(self, config: TransformerConfig, stage: int, stages: int):
        """config: of the whole model (or of this tensor-parallel rank's part of it)."""
        if stages > config.layers:
            raise UserError(f"{stages} pipeline stages are more than the {config.layers} layers; use fewer stages")
        if config.architecture != "decoder" or config.head != "language":
            raise UserError("pipelines are for decoders with a language head; train this model without one")
        if config.experts:
            raise UserError("a mixture of experts is trained in one process; the other schemes do not share it out yet")
        self.config, self.layers = config, part(config.layers, stage, stages)
        self.stage, self.stages = stage, stages
        self.first, self.last = stage == 0, stage == stages - 1

    def shapes(self) -> Shapes:
        """Name and shape of every array of this stage. A tied token table is on the first and on the last stage."""
        shapes: Shapes = {}
        if self.first or (self.last and self.config.tied):
            shapes[TOKENS] = (self.config.vocabulary_size, self.config.width)
        for name, shape in stack_shapes("", self.config).items():
            at_the_end = name.startswith("final_norm")
            if not name.startswith("blocks.") and (self.last if at_the_end else self.first):
                shapes[name] = shape
        for layer in self.layers:
            shapes.update(block_shapes(f"blocks.{layer}", self.config))
        return {**shapes, **head_shapes(self.config)} if self.last else shapes

    def forward(self, params: Params, batch: Batch, x: np.ndarray | None, call: Call, counts: Counts):
        """x: (B, T, C) from the stage before, None for the first. Returns what goes to the next and the cache.

        The last stage returns the loss instead: mean nats over `counts` targets, those of all micro-batches.
        """
        embedded = norm_cache = head_cache = loss_cache = logits = None
        if self.first:
            x, embedded = embed_forward(params, "", self.config, batch.tokens, call=call)
        assert x is not None
        length = batch.tokens.shape[1]
        sight = Sight(causal_mask(length), rotary_of(self.config, np.arange(length), x.dtype))
        y, blocks = blocks_forward(params, "", self.config, self.layers, x, sight=sight, call=call)
        if self.last:
            y, norm_cache = end_forward(params, "", self.config, y, call=call)
            logits, head_cache = head_forward(params, self.config, y, None, call)
            y, loss_cache = head_loss(logits, batch, counts, call)
        return y, StageCache(embedded, blocks, norm_cache, head_cache, loss_cache, logits)

    def backward(self, params: Params, grads: Params, dy: np.ndarray | None, cache: StageCache, call: Call):
        """Write this stage's gradients of one micro-batch. dy: from the next stage, None for the last.

        Returns the gradient for the stage before, (B, T, C).
        """
        if TOKENS in grads and not (self.last and self.config.tied):
            grads[TOKENS][...] = 0
        dx: Any = dy
        if self.last:
            dx = head_backward(grads, self.config, cache.loss(), cache.head, call)
            dx = end_backward(grads, "", self.config, dx, cache.norm, call=call)
        dx = blocks_backward(params, grads, "", self.config, dx, cache.blocks, call=call)
        if self.first:
            embed_backward(grads, "", self.config, dx, cache.embedded, call=call)
        return dx


def pipeline_gradient(
    stage: Stage,
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

    batches: the micro-batches, the same on every stage. comm: of the stages. counts: of all micro-batches (and, with
    data parallelism, of all replicas). grads: where to write the gradients; None makes a new `Params`. The loss is the
    same number on every stage.
    """
    total = params.zeros_like() if grads is None else grads
    one, loss = params.zeros_like() if len(batches) > 1 else total, 0.0  # one: of a micro-batch after the first
    caches: dict[int, StageCache] = {}
    ahead: dict[int, Sent] = {}  # activations on their way to the next stage
    back: Sent | None = None  # the gradient on its way to the stage before
    executed: Actions = []
    for action, micro in schedule(order, stage.stage, stage.stages, len(batches)):
        batch = batches[micro]
        shape = (*batch.tokens.shape, stage.config.width)
        if action == "forward":
            x = None if stage.first else _receive(comm, shape, params.flat.dtype, stage.stage - 1, FORWARD)
            y, caches[micro] = stage.forward(params, batch, x, call, counts)
            if stage.last:
                loss += float(y)
            else:
                ahead[micro] = _send(comm, y, stage.stage + 1, FORWARD)
        else:
            dy = None if stage.last else _receive(comm, shape, params.flat.dtype, stage.stage + 1, BACKWARD)
            if not stage.last:
                ahead.pop(micro).request.Wait()  # the next stage has it, or there would be no dy
            dx = stage.backward(params, one if micro else total, dy, caches.pop(micro), call)
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


def pipeline_loss(
    stage: Stage, params: Params, batch: Batch, comm: Any, *, counts: Counts, call: Call = Call()
) -> float:
    """The loss of one batch, forward only; the same number on every stage."""
    shape = (*batch.tokens.shape, stage.config.width)
    x = None if stage.first else _receive(comm, shape, params.flat.dtype, stage.stage - 1, FORWARD)
    y, _ = stage.forward(params, batch, x, call, counts)
    if not stage.last:
        _send(comm, y, stage.stage + 1, FORWARD).request.Wait()
    said = np.array([float(y) if stage.last else 0.0])
    comm.Bcast(said, root=stage.stages - 1)
    return float(said[0])


def pipeline_judge(
    stage: Stage, params: Params, held_out: HeldOut, comm: Any, *, counts: Counts, call: Call = Call()
) -> Judged:
    """`objectives.judge` over the stages, forward only; the same numbers on every stage."""
    batch = held_out.batch
    shape = (*batch.tokens.shape, stage.config.width)
    x = None if stage.first else _receive(comm, shape, params.flat.dtype, stage.stage - 1, FORWARD)
    y, cache = stage.forward(params, batch, x, call, counts)
    said = np.zeros(3)
    if stage.last:
        said[:] = float(y), *right_answers(cache.output, held_out, call)
    else:
        _send(comm, y, stage.stage + 1, FORWARD).request.Wait()
    comm.Bcast(said, root=stage.stages - 1)
    return Judged(float(said[0]), int(said[1]), int(said[2]))


def _share_tied_table(stage, grads, comm):
    """A tied table has a gradient as embedding on the first stage and as head on the last; both need the sum."""
    if stage.stages == 1 or not stage.config.tied:
        return
    if stage.first or stage.last:
        other = stage.stages - 1 if stage.first else 0
        request = comm.Isend(grads[TOKENS].copy(), other, FORWARD)
        theirs = np.empty_like(grads[TOKENS])
        comm.Recv(theirs, other, FORWARD)
        request.Wait()
        # In the same order on both, so that the two copies of the table stay equal to the bit.
        grads[TOKENS] = grads[TOKENS] + theirs if stage.first else theirs + grads[TOKENS]


def _send(comm, x, to, tag) -> Sent:
    x = np.ascontiguousarray(x)
    return Sent(comm.Isend(x, to, tag), x)


def _receive(comm, shape, dtype, source, tag):
    x = np.empty(shape, dtype)
    comm.Recv(x, source, tag)
    return x
