"""How large a model is, before any of it is made."""

import math
from dataclasses import replace
from typing import Any

from minigpt.errors import UserError
from minigpt.model.config import TransformerConfig
from minigpt.model.transformer import Transformer

NUMBER = 4  # bytes of the shortest that parameters are stored in
SMALL = 1 << 20  # bytes that do no harm


def count_parameters(config: TransformerConfig) -> int:
    """How many numbers the model has, from its shapes; nothing is made of that size.

    Blocks are alike, and so are experts: the count grows by as much from one to two as with any other, so that a
    million layers take no longer than two.
    """
    encoder = config.encoder
    for name, few, many in (
        ("layers", 1, config.layers),
        ("experts", config.experts_per_token, config.experts or 0),
        ("encoder", 1, encoder.layers if encoder else 0),
    ):
        if many > few + 1:
            one, two = (count_parameters(_with(config, name, count)) for count in (few, few + 1))
            return one + (many - few) * (two - one)
    return sum(math.prod(shape) for shape in Transformer(config).shapes().values())


def _with(config: TransformerConfig, name: str, count: int) -> TransformerConfig:
    """The same with so many layers, experts, or layers of the encoder."""
    value: Any = replace(config.encoder, layers=count) if name == "encoder" else count
    return replace(config, **{name: value})


def check_size(config: TransformerConfig, stored: int) -> None:
    """`UserError` for a model that so many bytes cannot hold: a damaged description must not ask for memory."""
    count = count_parameters(config)
    if NUMBER * count > stored + SMALL:
        raise UserError(
            f"the configuration asks for {count:,} parameters, more than the {stored:,} bytes of the file can hold"
        )
