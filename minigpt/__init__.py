"""minigpt: a transformer in plain NumPy, every gradient written by hand."""

from minigpt.errors import UserError
from minigpt.model import PRESETS, Batch, Call, Params, Transformer, TransformerConfig, preset

__all__ = ["PRESETS", "Batch", "Call", "Params", "Transformer", "TransformerConfig", "UserError", "preset"]
