"""minigpt: a transformer in plain NumPy, every gradient written by hand."""

from minigpt.errors import UserError
from minigpt.model import PRESETS, Batch, Params, Run, Transformer, TransformerConfig, preset

__all__ = ["PRESETS", "Batch", "Params", "Run", "Transformer", "TransformerConfig", "UserError", "preset"]
