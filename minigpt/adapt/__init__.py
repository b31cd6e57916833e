"""Training a part of a model on top of the rest: low-rank adapters, and whatever else is chosen by name."""

from minigpt.adapt.adapters import ATTENTION, low_rank_adapters, merge, unmerge

__all__ = ["ATTENTION", "low_rank_adapters", "merge", "unmerge"]
