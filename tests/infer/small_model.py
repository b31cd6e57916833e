"""Small models with opinions, for the tests of writing."""

import numpy as np

from minigpt import Params, Transformer, TransformerConfig

VARIANTS = {
    "gpt2": {},
    "untied": {"tied": False, "bias": False},
    "vaswani": {"norm_place": "post", "activation": "relu", "position": "sinusoidal", "scale_embedding": True},
    "llama": {"norm": "rms", "activation": "silu", "gated": True, "position": "rotary", "bias": False},
    "grouped": {"norm": "rms", "key_value_heads": 2, "position": "rotary", "tied": False},
    "multi-query-post": {
        "norm": "rms",
        "norm_place": "post",
        "activation": "gelu",
        "gated": True,
        "key_value_heads": 1,
    },
}


def small_model(seed=0, dtype=np.float64, **changes) -> tuple[Transformer, Params]:
    """A model whose parameters are all random, gains and biases too, so that its greedy text does not settle early."""
    sizes = {"vocabulary_size": 23, "context": 12, "width": 24, "layers": 2, "heads": 4, "feed_forward_width": 20}
    model = Transformer(TransformerConfig(**{**sizes, **changes}))
    rng = np.random.default_rng([seed, 7])
    params = model.init(rng, dtype=dtype)
    params.flat += 0.4 * rng.standard_normal(params.flat.shape)
    return model, params
