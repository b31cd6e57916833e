"""Training a part of a model on top of the rest: low-rank adapters, and whatever else is chosen by name."""

from minigpt.adapt.adapters import ATTENTION, low_rank_adapters, merge, unmerge
from minigpt.adapt.learns import WAYS, Learns, Part, divided

__all__ = ["ATTENTION", "WAYS", "Learns", "Part", "divided", "low_rank_adapters", "merge", "unmerge"]
