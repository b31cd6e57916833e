"""Famous points in the space of configurations, by name."""

from typing import Any

from minigpt.errors import UserError
from minigpt.model.config import TransformerConfig

GPT2: dict[str, Any] = {"context": 1024}
MODERN: dict[str, Any] = {
    "norm": "rms",
    "activation": "silu",
    "gated": True,
    "position": "rotary",
    "bias": False,
}

PRESETS: dict[str, dict[str, Any]] = {
    # Vaswani et al. (2017), table 3 "base", as a decoder alone: post-norm, ReLU, sinusoidal positions.
    "transformer-2017": {
        "layers": 6,
        "width": 512,
        "heads": 8,
        "context": 512,
        "norm_place": "post",
        "activation": "relu",
        "position": "sinusoidal",
        "scale_embedding": True,
    },
    # Radford et al. (2018): GPT-1. Post-norm, GELU, learned positions.
    "gpt1": {"layers": 12, "width": 768, "heads": 12, "context": 512, "norm_place": "post"},
    # Radford et al. (2019), table 2: GPT-2 moved the norm before each part and added a last one.
    "gpt2": {"layers": 12, "width": 768, "heads": 12, **GPT2},
    "gpt2-medium": {"layers": 24, "width": 1024, "heads": 16, **GPT2},
    "gpt2-large": {"layers": 36, "width": 1280, "heads": 20, **GPT2},
    "gpt2-xl": {"layers": 48, "width": 1600, "heads": 25, **GPT2},
    # The recipe since Llama (Touvron et al. 2023, arXiv:2302.13971, section 2.2), in sizes that a laptop trains.
    "tiny": {"layers": 4, "width": 128, "heads": 4, "context": 64, "init_std": 0.06, **MODERN},
    "small": {"layers": 6, "width": 384, "heads": 6, "context": 256, **MODERN},
    # The same two sizes with GPT-2's recipe, for comparison.
    "tiny-gpt2": {"layers": 4, "width": 128, "heads": 4, "context": 64},
    "small-gpt2": {"layers": 6, "width": 384, "heads": 6, "context": 256},
}


def preset(name: str, *, vocabulary_size: int = 50257, **changes: Any) -> TransformerConfig:
    """The configuration called `name`, with `changes` to any of its fields.

    Parameters
    ----------
    name : str
        One of `PRESETS`.
    vocabulary_size : int
        V, of the tokenizer.
    **changes
        Other fields of `TransformerConfig`.

    Returns
    -------
    TransformerConfig
        Checked.

    Raises
    ------
    UserError
        If there is no such preset, or a field does not fit.

    Examples
    --------
    >>> config = minigpt.preset("gpt2", dropout=0.1)
    >>> config.layers, config.width, config.dropout
    (12, 768, 0.1)
    """
    if name not in PRESETS:
        raise UserError(f"there is no preset {name!r}; choose one of {', '.join(PRESETS)}")
    return TransformerConfig(vocabulary_size=vocabulary_size, **{**PRESETS[name], **changes})
