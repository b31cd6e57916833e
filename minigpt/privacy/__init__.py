"""What a model gives away of its training text, and training that bounds it."""

from minigpt.privacy.accountant import noise_for, renyi_divergence, spent
from minigpt.privacy.audit import audit_run
from minigpt.privacy.canaries import Canary, exposure, plant, read_canaries
from minigpt.privacy.extraction import extracted
from minigpt.privacy.membership import area_under_curve, membership_scores
from minigpt.privacy.training import PrivateGradient, poisson_rows

__all__ = [
    "Canary",
    "PrivateGradient",
    "area_under_curve",
    "audit_run",
    "exposure",
    "extracted",
    "membership_scores",
    "noise_for",
    "plant",
    "poisson_rows",
    "read_canaries",
    "renyi_divergence",
    "spent",
]
