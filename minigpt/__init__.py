"""minigpt: a transformer in plain NumPy, every gradient written by hand."""

from importlib import import_module
from typing import Any

from minigpt.errors import UserError
from minigpt.model import PRESETS, Batch, Call, Params, Transformer, TransformerConfig, preset

LATER = {"OpenedModel": "minigpt.pretrained", "open_model": "minigpt.pretrained"}  # imported when asked for

__all__ = [
    "PRESETS",
    "Batch",
    "Call",
    "OpenedModel",
    "Params",
    "Transformer",
    "TransformerConfig",
    "UserError",
    "open_model",
    "preset",
]


def __getattr__(name: str) -> Any:
    if name in LATER:
        return getattr(import_module(LATER[name]), name)
    raise AttributeError(f"module 'minigpt' has no attribute {name!r}")
