"""What a model is trained to do: each objective makes a batch and scores it."""

import numpy as np

from minigpt.model import Batch, Params, Run, Transformer
from minigpt.ops import IGNORED, cross_entropy_backward, cross_entropy_forward


def causal_lm(windows: np.ndarray) -> Batch:
    """Predict each token from those before it.

    windows: (B, T + 1) integers. The targets are the tokens moved by one: position t sees windows[:, :t + 1] and is
    asked for windows[:, t + 1]. Radford et al. (2018), eq. 1.
    """
    return Batch(windows[:, :-1], windows[:, 1:])


def scored_targets(batch: Batch) -> int:
    """How many targets of the batch count in its loss."""
    return int(np.count_nonzero(_targets(batch) != IGNORED))


def loss(model: Transformer, params: Params, batch: Batch, run: Run = Run(), *, count: int | None = None) -> float:
    """Mean cross-entropy over the scored targets, in nats per token. count: see `cross_entropy_forward`."""
    logits, _ = model.forward(params, batch, run)
    return float(cross_entropy_forward(logits, _targets(batch), count=count)[0])


def loss_and_gradient(
    model: Transformer,
    params: Params,
    batch: Batch,
    run: Run = Run(),
    *,
    count: int | None = None,
    grads: Params | None = None,
) -> tuple[float, Params]:
    """`loss` and its gradient for every parameter. grads: where to write it; None makes a new `Params`."""
    logits, cache = model.forward(params, batch, run)
    value, loss_cache = cross_entropy_forward(logits, _targets(batch), count=count)
    dlogits = run.tap("dlogits", cross_entropy_backward(1.0, loss_cache))
    return float(value), model.backward(params, cache, dlogits, run, grads=grads)


def _targets(batch: Batch) -> np.ndarray:
    assert batch.targets is not None, "a batch to score needs targets"
    return batch.targets
