"""One loss for all objectives: the cross-entropy of what the head says against what the batch asks for."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Batch, Call, Overlay, Params, Transformer
from minigpt.model.head import HEADS
from minigpt.objectives.refusal import check_suits
from minigpt.objectives.sharded import (
    ShardedCache,
    sharded_cross_entropy_backward,
    sharded_cross_entropy_forward,
)
from minigpt.ops import IGNORED, cross_entropy_backward, cross_entropy_forward
from minigpt.ops.cross_entropy import check_whole


class Counts(NamedTuple):
    """How much is scored. A loss is a mean over these, also when a batch is worked on in parts."""

    targets: float  # tokens
    labels: float  # of sequences, or ends of spans; where they have weights, the sum of these

    def __add__(self, other: Any) -> "Counts":
        return Counts(self.targets + other.targets, self.labels + other.labels)

    def share_of(self, whole: "Counts") -> float:
        """How much of the whole this part is: of its targets or, where none are asked for, of its labels."""
        if whole.targets:
            return self.targets / whole.targets
        return self.labels / whole.labels if whole.labels else 0.0


def scored(batch: Batch) -> Counts:
    """How many targets and labels of the batch count in its loss. `UserError` if they are not whole numbers."""
    return Counts(_count("targets", batch.targets), _count("labels", batch.labels, batch.weights))


def loss(
    model: Transformer,
    params: Params | Overlay,
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
    return score_forward(model.config.head, output, batch, call, counts=counts)[0]


def loss_and_gradient(
    model: Transformer,
    params: Params | Overlay,
    batch: Batch,
    call: Call = Call(),
    *,
    counts: Counts | None = None,
    against_advice: bool = False,
    grads: Params | None = None,
) -> tuple[float, Params]:
    """The mean cross-entropy over what the batch asks for, and its gradient for every parameter.

    In nats per token (per sequence, or per end of a span, for labels); a pretraining head has both, and the loss is
    their sum. With experts the gradient is also that of `load_balancing` times their unevenness.

    Parameters
    ----------
    model : Transformer
        What is trained.
    params : Params or Overlay
        Its parameters; of an `Overlay`, only what is on top gets gradients.
    batch : Batch
        As an objective makes it, see `minigpt.objectives`.
    call : Call
        A generator for dropout, hooks.
    counts : Counts, optional
        Divide by these instead of the batch's own (see `minigpt.objectives.scored`), when a batch is worked on in
        parts.
    against_advice : bool
        Try an objective that cannot train this architecture all the same, to see what goes wrong.
    grads : Params, optional
        Where to write the gradient; None makes a new `Params`.

    Returns
    -------
    loss : float
        In nats.
    grads : Params
        In the layout of what is trained.

    Raises
    ------
    UserError
        If the objective cannot train this architecture, with the reason; if the batch lacks what the head is asked for.

    Examples
    --------
    >>> model = minigpt.Transformer(minigpt.preset("tiny", vocabulary_size=50, layers=1))
    >>> params = model.init(np.random.default_rng(0))
    >>> batch = minigpt.causal_lm(np.array([[5, 6, 7, 8]]))
    >>> loss, grads = minigpt.loss_and_gradient(model, params, batch)
    >>> bool(2 < loss < 6), grads["token_embedding.weight"].shape
    (True, (50, 128))
    """
    if not against_advice:
        check_suits(model.config, batch)
    if counts is not None and model.config.experts:
        call = replace(call, share=scored(batch).share_of(counts))
    output, cache = model.forward(params, batch, call)
    value, score_cache = score_forward(model.config.head, output, batch, call, counts=counts)
    return value, model.backward(params, cache, score_backward(score_cache), call, grads=grads)


class ScoreCache(NamedTuple):
    """Of each question that a head answers: what it is asked for, and the cache of its cross-entropy."""

    questions: list[tuple[str, Any]]


def score_forward(
    head: str, output: Any, batch: Batch, call: Call = Call(), *, counts: Counts | None = None
) -> tuple[float, ScoreCache]:
    """The loss of what a head said, in nats: the sum of the mean cross-entropies of its questions; and the cache.

    output: what the model's forward returned. counts: as in `loss`. `UserError` if the head says nothing that could be
    scored, or the batch lacks what it is scored against.
    """
    if not HEADS[head].asked:
        raise UserError("a model without a head says nothing that could be scored; give its configuration a head")
    total, questions = 0.0, []
    cache: Any
    outputs = output if isinstance(output, tuple) else (output,)
    for logits, asked in zip(outputs, HEADS[head].asked, strict=True):
        kind = "targets" if asked == "targets" else "labels"
        wanted = getattr(batch, kind)
        if wanted is None:
            raise UserError(f"a {head} head is scored against {kind}, but the batch has none; add them")
        if asked == "spans":
            logits = logits.swapaxes(1, 2)  # (B, 2, T): which of the T tokens, twice
        count = getattr(counts, kind) if counts else None
        if call.comm is not None and asked == "targets" and HEADS[head].scores_tokens:
            one, cache = sharded_cross_entropy_forward(
                logits, wanted, comm=call.comm, first=call.vocabulary_offset, count=count
            )
        else:
            importance = None if kind == "targets" or batch.weights is None else _spread(batch.weights, wanted)
            one, cache = cross_entropy_forward(logits, wanted, count=count, importance=importance)
        total += float(one)
        questions.append((asked, cache))
    return total, ScoreCache(questions)


def score_backward(cache: ScoreCache) -> Any:
    """Gradient of the head's output: an array, or a tuple of them for a head that answers several questions."""
    gradients = []
    for asked, one in cache.questions:
        backward = sharded_cross_entropy_backward if isinstance(one, ShardedCache) else cross_entropy_backward
        dlogits = backward(1.0, one)
        gradients.append(dlogits.swapaxes(1, 2) if asked == "spans" else dlogits)
    return tuple(gradients) if len(gradients) > 1 else gradients[0]


def _count(name: str, wanted: np.ndarray | None, weights: np.ndarray | None = None) -> float:
    if wanted is None:
        return 0
    check_whole(name, wanted)
    if weights is None:
        return int(np.count_nonzero(wanted != IGNORED))
    return float(_spread(weights, wanted)[wanted != IGNORED].sum())


def _spread(weights: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(B,) weights for labels, (B,) or (B, 2)."""
    return np.broadcast_to(weights.reshape(-1, *[1] * (labels.ndim - 1)), labels.shape)
