"""Models made smaller: matrices in few bits; numbers, heads and units taken out. Their answers change little."""

from minigpt.compress.prune import prune_magnitude, prune_structured
from minigpt.compress.pruned_model import pruned_model
from minigpt.compress.rounded_model import compress_model, compress_params
from minigpt.compress.settings import METHODS, Compression

__all__ = [
    "METHODS",
    "Compression",
    "compress_model",
    "compress_params",
    "prune_magnitude",
    "prune_structured",
    "pruned_model",
]
