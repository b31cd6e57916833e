"""Published models: read and written in the layouts that others use."""

from minigpt.pretrained.load import Pretrained, load_pretrained, save_pretrained
from minigpt.pretrained.named import NAMED, fetch_named, is_fetched

__all__ = ["NAMED", "Pretrained", "fetch_named", "is_fetched", "load_pretrained", "save_pretrained"]
