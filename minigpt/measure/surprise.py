"""How much each token of a text surprises a model."""

import numpy as np

from minigpt.ops import softmax_forward

LEAST = 1e-300  # a probability that is rounded to zero is taken for this one, whose logarithm is finite


def surprise(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """-log p of each target, in nats. logits: (..., V); targets: (...) integers; result (...) in float64."""
    p = np.take_along_axis(softmax_forward(logits.astype(np.float64))[0], targets[..., None], axis=-1)[..., 0]
    return -np.log(np.maximum(p, LEAST))
