"""One loss for all objectives: the cross-entropy of what the head says against what the batch asks for."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Batch, Call, Params, Transformer
from minigpt.objectives.refusal import check_suits
from minigpt.objectives.sharded import (
    ShardedCache,
    sharded_cross_entropy_backward,
    sharded_cross_entropy_forward,
)
from minigpt.ops import IGNORED, cross_entropy_backward, cross_entropy_forward


class Counts(NamedTuple):
    """How much is scored. A loss is a mean over these, also when a batch is worked on in parts."""

    targets: int  # tokens
    labels: int  # of sequences, or ends of spans

    def __add__(self, other: Any) -> "Counts":
        return Counts(self.targets + other.targets, self.labels + other.labels)


def scored(batch: Batch) -> Counts:
    """How many targets and labels of the batch count in its loss."""
    return Counts(*(0 if array is None else int(np.count_nonzero(array != IGNORED)) for array in batch[1:3]))


def loss(
    model: Transformer,
    params: Params,
    batch: Batch,
    call: Call = Call(),
    *,
    counts: Counts | None = None,
    against_advice: bool = False,
) -> float:
    """Mean cross-entropy over the scored targets, in nats per token (per sequence, or per end of a span, for labels).

    A pretraining head has both; its loss is the sum of the two means. counts: divide by these instead of the batch's
    own (see `scored`). `UserError` if the objective cannot train this architecture, unless against_advice: then it is
    tried all the same, to see what goes wrong.
    """
    if not against_advice:
        check_suits(model.config, batch)
    output, _ = model.forward(params, batch, call)
    return sum(float(value) for value, _ in head_losses(model.config.head, output, batch, counts, call))


def loss_and_gradient(
    model: Transformer,
    params: Params,
    batch: Batch,
    call: Call = Call(),
    *,
    counts: Counts | None = None,
    against_advice: bool = False,
    grads: Params | None = None,
) -> tuple[float, Params]:
    """`loss` and its gradient for every parameter (with experts, also that of `load_balancing` times their unevenness).

    grads: where to write it; None makes a new `Params`."""
    if not against_advice:
        check_suits(model.config, batch)
    if counts is not None and model.config.experts:
        call = replace(call, share=scored(batch).targets / max(1, counts.targets))
    output, cache = model.forward(params, batch, call)
    losses = list(head_losses(model.config.head, output, batch, counts, call))
    doutput: Any = tuple(_backward(loss_cache) for _, loss_cache in losses)
    if model.config.head == "span":
        doutput = (doutput[0].swapaxes(1, 2),)
    if len(doutput) == 1:
        doutput = call.hook("dlogits", doutput[0])
    return sum(float(value) for value, _ in losses), model.backward(params, cache, doutput, call, grads=grads)


def head_losses(head: str, output: Any, batch: Batch, counts: Counts | None, call: Call) -> Iterator[tuple[Any, Any]]:
    """The loss and its cache of each question that this head answers."""
    questions: tuple[tuple[Any, str], ...]
    if head == "pretraining":
        questions = ((output[0], "targets"), (output[1], "labels"))
    elif head == "span":
        questions = ((output.swapaxes(1, 2), "labels"),)  # (B, 2, T): which of the T tokens, twice
    elif head in ("language", "masked", "token", "sequence"):
        questions = ((output, "labels" if head == "sequence" else "targets"),)
    else:
        raise UserError("a model without a head says nothing that could be scored; give its configuration a head")
    for logits, kind in questions:
        wanted = getattr(batch, kind)
        if wanted is None:
            raise UserError(f"a {head} head is scored against {kind}, but the batch has none; add them")
        count = getattr(counts, kind) if counts else None
        if call.comm is None:
            yield cross_entropy_forward(logits, wanted, count=count)
        else:
            yield sharded_cross_entropy_forward(
                logits, wanted, comm=call.comm, first=call.vocabulary_offset, count=count
            )


def head_loss(output: Any, batch: Batch, counts: Counts, call: Call) -> tuple[Any, Any]:
    """The loss of a language head alone, and a function that gives its gradient: for the last stage of a pipeline."""
    ((value, cache),) = head_losses("language", output, batch, counts, call)
    return value, lambda: _backward(cache)


def _backward(cache):
    backward = sharded_cross_entropy_backward if isinstance(cache, ShardedCache) else cross_entropy_backward
    return backward(1.0, cache)
