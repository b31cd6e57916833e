"""Are all gradients of a whole transformer right?"""

from typing import Any

import numpy as np

from minigpt.check.gradient import check_gradient
from minigpt.check.report import GradientReport
from minigpt.model import Batch, Params, Run, Transformer, TransformerConfig
from minigpt.ops import IGNORED, cross_entropy_backward, cross_entropy_forward

SMALL: dict[str, Any] = {  # V, T, C, L, H, F and D = 5 all differ; the batch of 2 is shorter than the context
    "vocabulary_size": 13,
    "context": 7,
    "width": 30,
    "layers": 2,
    "heads": 6,
    "hidden": 11,
}

CONFIGS: dict[str, TransformerConfig] = {
    "GPT-2": TransformerConfig(**SMALL),
    "2017, post-norm": TransformerConfig(
        **SMALL, norm_place="post", activation="relu", position="sinusoidal", scale_embedding=True, tied=False
    ),
    "modern, grouped heads": TransformerConfig(
        **{**SMALL, "width": 24},  # rotary positions need an even D, here 4
        key_value_heads=3,
        norm="rms",
        activation="silu",
        gated=True,
        position="rotary",
        bias=False,
    ),
    "GEGLU, dropout": TransformerConfig(**SMALL, activation="gelu", gated=True, dropout=0.2, tied=False),
}


def check_model(
    config: TransformerConfig | Transformer,
    *,
    seed: int = 0,
    samples: int | None = 4,
    absolute: float = 1e-10,
    **settings: Any,
) -> GradientReport:
    """`check_gradient` of the cross-entropy of a transformer, for every one of its parameter arrays.

    config: what to check, at a size at which a forward takes about a millisecond; or a model, to check one of your own.
    Matrices are random, gains and biases away from 1 and 0, tokens and targets random with some targets ignored;
    dropout, if the configuration has any, draws the same masks every time.
    samples, absolute, settings: as in `check_gradient`; besides its sampled entries every array is checked along a
    random direction, which no wrong entry escapes.
    """
    model = config if isinstance(config, Transformer) else Transformer(config)
    rng = np.random.default_rng(seed)
    params = _random_params(model, rng)
    batch = _random_batch(model.config, rng)

    def filled(arrays) -> Params:
        filled = Params(params.shapes, dtype=arrays[0].dtype)
        for name, array in zip(params, arrays, strict=True):
            filled[name] = array
        return filled

    def forward(*arrays):
        run, current = Run(rng=np.random.default_rng([seed, 2])), filled(arrays)
        logits, cache = model.forward(current, batch, run)
        loss, loss_cache = cross_entropy_forward(logits, batch.targets)
        return loss, (current.flat, cache, loss_cache)

    def backward(dloss, caches):
        flat, cache, loss_cache = caches
        current = Params(params.shapes, flat=flat)
        grads = model.backward(current, cache, cross_entropy_backward(dloss, loss_cache))
        return tuple(grads[name] for name in params)

    arrays = [array for _, array in params.items()]
    return check_gradient(
        forward, backward, *arrays, seed=seed, samples=samples, absolute=absolute, names=list(params), **settings
    )


def _random_params(model: Transformer, rng: np.random.Generator) -> Params:
    params = model.init(rng, dtype=np.float64)
    for name, array in params.items():
        if name.endswith(".gain"):
            array[...] = rng.uniform(0.5, 1.5, array.shape)
        elif array.ndim == 1:
            array[...] = rng.uniform(-0.5, 0.5, array.shape)
        else:
            array[...] = rng.standard_normal(array.shape) / np.sqrt(array.shape[0])
    return params


def _random_batch(config: TransformerConfig, rng: np.random.Generator) -> Batch:
    shape = (2, max(1, config.context - 1))
    targets = rng.integers(0, config.vocabulary_size, shape)
    targets[0, shape[1] // 2] = IGNORED
    return Batch(rng.integers(0, config.vocabulary_size, shape), targets)
