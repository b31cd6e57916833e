"""Models to open: published ones in the layouts that others use, and one's own runs."""

from minigpt.pretrained.gguf_model import save_gguf
from minigpt.pretrained.load import Pretrained, load_pretrained
from minigpt.pretrained.named import NAMED, fetch_named, is_fetched
from minigpt.pretrained.opened import OpenedModel, open_model
from minigpt.pretrained.save import fitting_class, save_pretrained

__all__ = [
    "NAMED",
    "OpenedModel",
    "Pretrained",
    "fetch_named",
    "fitting_class",
    "is_fetched",
    "load_pretrained",
    "open_model",
    "save_gguf",
    "save_pretrained",
]
