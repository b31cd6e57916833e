"""How often a model is right: what people ask beside the loss."""

from typing import Any, NamedTuple

import numpy as np

from minigpt.model import Batch, Call, Overlay, Params, Transformer
from minigpt.model.head import HEADS
from minigpt.objectives.refusal import check_suits
from minigpt.objectives.score import Counts, score_forward
from minigpt.ops import IGNORED


class HeldOut(NamedTuple):
    """A batch to judge a model by, always the same."""

    batch: Batch
    counted: np.ndarray | None = None  # (B, T) booleans, which targets the accuracy counts; None: all that are scored


class Judged(NamedTuple):
    """What a model reached on some batches; of parts of a batch, these add up."""

    loss: float  # nats, a mean over the `Counts` that were given
    right: int
    counted: int

    @property
    def accuracy(self) -> float:
        """The share of right answers."""
        return self.right / max(1, self.counted)


def judge(
    model: Transformer, params: Params | Overlay, held_out: HeldOut, call: Call = Call(), *, counts: Counts
) -> Judged:
    """The loss on a batch, divided by `counts` as in `loss`, and how many of its answers are right."""
    batch = held_out.batch
    check_suits(model.config, batch)
    output, _ = model.forward(params, batch, call.forward_only())
    loss, _ = score_forward(model.config.head, output, batch, call, counts=counts)
    return Judged(loss, *right_answers(model.config.head, output, held_out, call))


def right_answers(head: str, output: Any, held_out: HeldOut, call: Call = Call()) -> tuple[int, int]:
    """How many answers are right, and how many were counted. output: what the model's forward returned.

    Of several questions that the head answers the first one counts: of a pretraining head, the masked tokens.
    """
    record, (batch, counted) = HEADS[head], held_out
    logits = output[0] if isinstance(output, tuple) else output
    wanted = batch.targets if record.asked[0] == "targets" else batch.labels
    assert wanted is not None
    if record.asked[0] == "spans":
        logits = logits.swapaxes(1, 2)  # (B, 2, T): which of the T tokens, twice
    counted = wanted != IGNORED if counted is None else counted
    shared = call.comm is not None and record.scores_tokens
    likeliest = _likeliest(logits[counted], call) if shared else logits[counted].argmax(axis=-1)
    return int(np.count_nonzero(likeliest == wanted[counted])), int(np.count_nonzero(counted))


def _likeliest(logits: np.ndarray, call: Call) -> np.ndarray:
    """The token of the highest score: (N,). logits: (N, V / ranks), what this tensor-parallel rank has of them."""
    best = logits.argmax(axis=-1)
    mine = np.stack([logits[np.arange(len(best)), best], best + call.vocabulary_offset]).astype(np.float64)
    every = np.empty((call.comm.size, *mine.shape))  # every rank's best: its score and which token it is
    call.comm.Allgather(mine, every)
    return every[every[:, 0].argmax(axis=0), 1, np.arange(len(best))].astype(np.int64)
