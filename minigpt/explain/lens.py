"""What a model would say after each layer, if that were the last.

The logit lens (nostalgebraist 2020, "interpreting GPT: the logit lens") shows the residual stream to the model's own
end and head. The tuned lens (Belrose et al. 2023, arXiv:2303.08112) first translates it, by an affine map of each
layer's own, trained so that the answer is closest to the model's: early layers write in other directions than late
ones read.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.explain.question import Frozen
from minigpt.explain.watch import dtype_of, watched
from minigpt.model import Batch, Call, Params, Transformer, Weights
from minigpt.model.arrays import BIAS, MATRIX, ArrayRecord
from minigpt.model.head import HEADS, head_backward, head_forward
from minigpt.model.stack import end_backward, end_forward
from minigpt.model.transformer import as_batch
from minigpt.ops import soft_targets_backward, soft_targets_forward, softmax_forward
from minigpt.optim import Schedule, adam
from minigpt.values import check, whole


class Lens(NamedTuple):
    """After the embedding and after every block: R = L + 1 rows. T is 1 for a head of the whole sequence."""

    names: tuple[str, ...]  # (R,)
    tokens: np.ndarray  # (R, T, k) integers, the likeliest tokens, or classes, first
    probabilities: np.ndarray  # (R, T, k)  theirs
    ranks: np.ndarray | None = None  # (R, T) integers, how many are likelier than the target
    target_probabilities: np.ndarray | None = None  # (R, T)


Translate = Callable[[int, np.ndarray], np.ndarray]  # (row, (B, T, C)) -> (B, T, C)


def logit_lens(
    model: Transformer,
    params: Weights,
    batch: Batch | np.ndarray,
    *,
    top: int = 5,
    target: int | np.ndarray | None = None,
    translators: "Translators | None" = None,
) -> Lens:
    """The likeliest answers after every layer. The last row is the model's own.

    Parameters
    ----------
    model, params
        One with a head.
    batch : Batch or (1, T) integers
        One input.
    top : int
        k, how many answers.
    target : int or (T,) integers, optional
        Whose rank and probability to tell at each position.
    translators : Translators, optional
        A tuned lens. None: the logit lens.

    Raises
    ------
    UserError
        For a model without a head, more than one row, and a target that is no answer.
    """
    batch = as_batch(batch)
    if len(batch.tokens) != 1:
        raise UserError(f"one input is explained at a time, but the batch has {len(batch.tokens)} rows; give one")
    check("top", top, whole(1))
    streams = streams_of(model, params, batch)
    translate = _as_it_is if translators is None else translators.translate
    found = []
    for row, x in enumerate(streams.values()):
        logits = lens_logits(model, params, translate(row, x), batch)[0]
        probabilities, _ = softmax_forward(logits.reshape(-1, logits.shape[-1]))  # (T, V)
        found.append(_likeliest(probabilities, min(top, probabilities.shape[-1]), target))
    tokens, best, ranks, wanted = (np.stack(each) for each in zip(*found, strict=True))
    told = target is not None
    return Lens(tuple(streams), tokens, best, ranks if told else None, wanted if told else None)


def streams_of(model: Transformer, params: Weights, batch: Batch | np.ndarray) -> dict[str, np.ndarray]:
    """The residual stream of the decoder, or of the only stack, after each layer: name -> (B, T, C)."""
    blocks = [f"blocks.{layer}.residual_post" for layer in range(model.config.layers)]
    _, seen = watched(model, params, batch, {"embedding", *blocks}.__contains__)
    streams = {"embedding": seen["embedding"]}
    return streams | {f"block {layer}": seen[name] for layer, name in enumerate(blocks)}


def lens_logits(model: Transformer, params: Weights, x: np.ndarray, batch: Batch | np.ndarray) -> np.ndarray:
    """What the model's end and head make of a residual stream, (B, T, C): logits. Of the last layer's, the model's."""
    return _end_and_head(model, params, x, as_batch(batch))[0]


def _end_and_head(
    model: Transformer, params: Weights, x: np.ndarray, batch: Batch
) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """The logits, and the function from their gradient to that of x."""
    config = model.config
    if not HEADS[config.head].answers:
        raise UserError("a model without a head says nothing, so no layer of it does; ask one with a head")
    own = x[:, -batch.tokens.shape[1] :] if config.encoder_ahead else x  # what stands ahead of a text is not asked
    h, end_cache = end_forward(params, "", config, own, call=Call())
    output, head_cache = head_forward(params, config, h, model.read_by_head(batch), Call())
    several = isinstance(output, tuple)

    def back(dlogits: np.ndarray) -> np.ndarray:
        doutput = (dlogits, *(np.zeros_like(other) for other in output[1:])) if several else dlogits
        dh = head_backward(Frozen(), config, doutput, head_cache, Call())
        return end_backward(Frozen(), "", config, dh, end_cache, call=Call())

    return (output[0] if several else output), back


class Translators:
    """A tuned lens: for the embedding and for every block but the last, x + x @ weight + bias, (C, C) and (C,).

    As nothing is between the last block and the end, its translator is none.
    """

    def __init__(self, rows: int, width: int, dtype: Any = np.float32) -> None:
        self.rows = rows
        arrays: dict[str, ArrayRecord] = {}
        for row in range(rows - 1):
            arrays[f"translators.{row}.weight"] = ArrayRecord((width, width), MATRIX, std=0.0)
            arrays[f"translators.{row}.bias"] = ArrayRecord((width,), BIAS)
        self.params = Params(arrays, dtype=dtype)

    def translate(self, row: int, x: np.ndarray) -> np.ndarray:
        """x: (..., C), of a row of the lens."""
        if row == self.rows - 1:
            return x
        weight, bias = self.params[f"translators.{row}.weight"], self.params[f"translators.{row}.bias"]
        return x + x @ weight + bias


def tuned_lens(
    model: Transformer, params: Weights, batches: Iterable[Batch | np.ndarray], learning_rate: Schedule
) -> tuple[Translators, np.ndarray]:
    """Train a translator for every layer: the divergence of its answer from the model's is brought down, with Adam.

    Parameters
    ----------
    model, params
        One with a head; it does not change.
    batches : iterable of Batch or of (B, T) integers
        Inputs, one step for each. The same for all layers.
    learning_rate : Schedule
        The rate at each step.

    Returns
    -------
    Translators
    (steps, L) floats
        The divergence in nats of each layer's answer at each step, before it.
    """
    lens = Translators(model.config.layers + 1, model.config.width, dtype_of(params))
    optimizer, found = adam(), []
    state = optimizer.init(lens.params.flat)
    for step, batch in enumerate(batches):
        losses, grads = _divergences(lens, model, params, as_batch(batch))
        found.append(losses)
        optimizer.update(lens.params.flat, grads.flat, state, learning_rate=learning_rate(step))
    return lens, np.array(found)


def _divergences(lens: Translators, model: Transformer, params: Weights, batch: Batch) -> tuple[list[float], Params]:
    """Of each layer, the mean divergence of its answer from the model's, and the gradient for its translator."""
    *early, last = streams_of(model, params, batch).values()
    teacher, losses, grads = lens_logits(model, params, last, batch), [], lens.params.zeros_like()
    for row, x in enumerate(early):
        logits, back = _end_and_head(model, params, lens.translate(row, x), batch)
        loss, cache = soft_targets_forward(logits, teacher=teacher)
        dy = back(soft_targets_backward(1.0, cache))
        x = x[:, -dy.shape[1] :].reshape(-1, x.shape[-1])
        grads[f"translators.{row}.weight"] = x.T @ dy.reshape(x.shape)
        grads[f"translators.{row}.bias"] = dy.reshape(x.shape).sum(axis=0)
        losses.append(float(loss))
    return losses, grads


def _as_it_is(_row: int, x: np.ndarray) -> np.ndarray:
    return x


def _likeliest(
    probabilities: np.ndarray, top: int, target: int | np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of (T, V): the best answers and their probabilities, (T, k); the target's rank and probability, (T,)."""
    some = np.argpartition(-probabilities, top - 1, axis=-1)[:, :top]
    order = np.argsort(-np.take_along_axis(probabilities, some, axis=-1), axis=-1, kind="stable")
    tokens = np.take_along_axis(some, order, axis=-1)
    asked = np.broadcast_to(0 if target is None else target, len(probabilities))
    if asked.min() < 0 or asked.max() >= probabilities.shape[-1]:
        raise UserError(f"the target {target} is not among the {probabilities.shape[-1]:,} answers; give one that is")
    wanted = probabilities[np.arange(len(asked)), asked]
    ranks = (probabilities > wanted[:, None]).sum(axis=-1)
    return tokens, np.take_along_axis(probabilities, tokens, axis=-1), ranks, wanted
