"""How much each token of a text surprises a model."""

import numpy as np

from minigpt.errors import UserError
from minigpt.infer.window import check_writes
from minigpt.model import Transformer
from minigpt.ops import softmax_forward

LEAST = 1e-300  # a probability that is rounded to zero is taken for this one, whose logarithm is finite
DAMAGED = (
    "the model answers with scores that are no finite numbers, so its parameters are damaged or its training diverged; "
    "train it again, or fetch it again"
)


def surprise(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """-log p of each target, in nats. logits: (..., V); targets: (...) integers; result (...) in float64."""
    with np.errstate(invalid="ignore"):  # of a damaged model, whose surprise is no number
        p = softmax_forward(logits.astype(np.float64))[0]
    return -np.log(np.maximum(np.take_along_axis(p, targets[..., None], axis=-1)[..., 0], LEAST))


def check_predicts(model: Transformer) -> None:
    """`UserError` for a model that does not say how probable a text is."""
    check_writes(model)
    if model.two_stacks:
        raise UserError(
            "an encoder-decoder says how probable a text is after another one, and this is one; use a decoder"
        )
