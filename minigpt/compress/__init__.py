"""Models made smaller: matrices rounded to few bits, so that their answers change little."""

from minigpt.compress.rounded_model import compress_model, compress_params
from minigpt.compress.settings import METHODS, Compression

__all__ = ["METHODS", "Compression", "compress_model", "compress_params"]
