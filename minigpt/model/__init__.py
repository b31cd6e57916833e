"""Operations arranged into a network: configuration, parameters, blocks, the whole transformer."""

from minigpt.model.call import Batch, Call
from minigpt.model.config import TransformerConfig
from minigpt.model.params import Params
from minigpt.model.presets import PRESETS, preset
from minigpt.model.transformer import Transformer

__all__ = ["PRESETS", "Batch", "Call", "Params", "Transformer", "TransformerConfig", "preset"]
