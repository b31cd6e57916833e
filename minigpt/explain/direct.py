"""Direct logit attribution: the parts of a logit that every head and every network writes itself.

The residual stream is a sum: the embedding, and what attention and feed-forward networks add. With the scales of the
norms held at what they were, the way from each summand to the logit is linear, so the logit is a sum of the parts that
they write directly (Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits", where the norm's scale is
held in the same way). What a part does through later layers is in these layers' parts, not in its own.
"""

from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.explain.question import Question
from minigpt.explain.watch import watched
from minigpt.model import Call
from minigpt.model.head import head_forward
from minigpt.model.parts import apply_linear

Components = dict[str, np.ndarray]  # what wrote it -> (T, C)


class Direct(NamedTuple):
    """What each part of a model adds to the number by itself."""

    names: tuple[str, ...]
    scores: np.ndarray  # (n,)  they sum to the question's value

    def of(self, ending: str) -> float:
        """The sum of the parts whose name has this ending."""
        return float(sum(score for name, score in zip(self.names, self.scores, strict=True) if name.endswith(ending)))


def direct_attribution(question: Question, *, heads: bool = True) -> Direct:
    """The number as a sum: over the embedding, every head, every feed-forward network, and the biases.

    Parameters
    ----------
    question : Question
        Of a model whose head is linear: language, classes without a pooler, a direction.
    heads : bool
        Each head alone; False: each attention as a whole.

    Raises
    ------
    UserError
        For a head with a layer in it that is not linear: it has no parts that sum.
    """
    config = question.model.config
    if config.head in ("masked", "pretraining") or (config.head == "sequence" and config.pooler):
        raise UserError(
            f"the {config.head} head of this model is not linear, so its answer is no sum of parts; use integrated "
            "gradients or patching"
        )
    last = ("embedding", ".output", ".heads", "residual_mid", "residual_post", "residual_cross")
    _, seen = watched(question.model, question.params, question.batch, lambda name: name.endswith(last))
    parts: Components = {"embedding": seen["embedding"][0]}
    before = seen["embedding"][0]
    for layer in range(config.layers):
        block = f"blocks.{layer}"
        cross = f"{block}.residual_cross" in seen
        kinds = ["attention", *["cross_attention"] * cross, "feed_forward"]
        after = [*[f"{block}.residual_cross"] * cross, f"{block}.residual_mid", f"{block}.residual_post"]
        for kind, then in zip(kinds, after, strict=True):
            name = f"{block}.{kind}"
            written = seen[f"{name}.output"][0]
            alone = heads and kind != "feed_forward"
            parts |= _heads(question, name, seen[f"{name}.heads"], written) if alone else {name: written}
            if config.norm_place == "post":
                parts = _normed(question, f"{name}_norm", parts, before + written)
            before = seen[then][0]
    if config.norm_place == "pre":
        parts = _normed(question, "final_norm", parts, before)
    if config.encoder_ahead:  # what stands ahead of a text says nothing
        parts = {name: part[-question.lengths()["embedding"] :] for name, part in parts.items()}
    return _read(question, parts)


def _heads(question: Question, name: str, heads: np.ndarray, written: np.ndarray) -> Components:
    """What each head writes, through its rows of the output layer, and that layer's bias: (T, C) each."""
    _, count, length, width = heads.shape
    alone = np.zeros((count + 1, length, count * width), heads.dtype)  # the last row is no head: the bias
    for head in range(count):
        alone[head, :, head * width : (head + 1) * width] = heads[0, head]
    y = apply_linear(question.params, f"{name}.output", alone, Call())[0]
    parts = {f"{name}.head.{head}": y[head] - y[-1] for head in range(count)}
    biased = y[-1].any()
    return parts | ({f"{name}.output.bias": y[-1]} if biased else {})


def _normed(question: Question, name: str, parts: Components, x: np.ndarray) -> Components:
    """The parts after a norm whose scale is that of their sum, x: (T, C); its bias is a part of its own."""
    config, params = question.model.config, question.params
    mean = x.mean(axis=-1, keepdims=True) if config.norm == "layer" else 0.0
    scale = params[f"{name}.gain"] / np.sqrt(np.square(x - mean).mean(axis=-1, keepdims=True) + config.norm_epsilon)
    center = config.norm == "layer"
    normed = {
        part: (each - each.mean(axis=-1, keepdims=True) if center else each) * scale for part, each in parts.items()
    }
    bias = params.get(f"{name}.bias")
    return normed if bias is None else {**normed, f"{name}.bias": np.broadcast_to(bias, x.shape)}


def _read(question: Question, parts: Components) -> Direct:
    """What the head makes of each part; of none, its bias."""
    config, batch = question.model.config, question.batch
    stacked = np.stack([*parts.values(), np.zeros_like(next(iter(parts.values())))])  # (n + 1, T, C)
    present: Any = question.model.read_by_head(batch)
    present = None if present is None else np.repeat(present, len(stacked), axis=0)
    output, _ = head_forward(question.params, config, stacked, present, Call())
    values = question.read(output)
    names, scores = tuple(parts), values[:-1] - values[-1]
    if values[-1]:
        names, scores = (*names, "head.bias"), np.append(scores, values[-1])
    return Direct(names, scores)
