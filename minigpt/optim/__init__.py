"""Optimizers as pure (init, update) pairs over one flat vector; learning-rate schedules; clipping."""

from minigpt.optim.clipping import clip_by_global_norm, shorten
from minigpt.optim.optimizers import Optimizer, adam, adam_rule, adamw, muon, orthogonal, sgd
from minigpt.optim.schedules import Schedule, constant, warmup_cosine, warmup_linear

__all__ = [
    "Optimizer",
    "Schedule",
    "adam",
    "adam_rule",
    "adamw",
    "clip_by_global_norm",
    "constant",
    "muon",
    "orthogonal",
    "sgd",
    "shorten",
    "warmup_cosine",
    "warmup_linear",
]
