"""Operations arranged into a network: configuration, parameters, blocks, the whole transformer."""

from minigpt.model.arrays import ArrayRecord
from minigpt.model.call import Batch, Call
from minigpt.model.config import TransformerConfig
from minigpt.model.params import Overlay, Params, Place, Weights
from minigpt.model.presets import PRESETS, preset
from minigpt.model.scaling import RotaryScaling
from minigpt.model.transformer import Transformer

__all__ = [
    "PRESETS",
    "ArrayRecord",
    "Batch",
    "Call",
    "Overlay",
    "Params",
    "Place",
    "RotaryScaling",
    "Transformer",
    "TransformerConfig",
    "Weights",
    "preset",
]
