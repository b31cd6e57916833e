"""Proof that gradients are right: a numerical checker, a table of cases, and a collection of known mistakes."""

from minigpt.check.cases import CASES, Case, find_case
from minigpt.check.forward import check_forward
from minigpt.check.gradient import check_gradient
from minigpt.check.model import CONFIGS, check_model
from minigpt.check.optimizer_check import check_clip, check_optimizer
from minigpt.check.planted import (
    PLANTED,
    PlantedBug,
    diagnose,
    diagnose_forward,
    diagnose_model,
    diagnose_optimizer,
)
from minigpt.check.report import ArgumentReport, GradientError, GradientReport
from minigpt.check.table import format_rows, gradcheck_rows
from minigpt.ops import OPERATIONS

__all__ = [
    "CASES",
    "CONFIGS",
    "OPERATIONS",
    "PLANTED",
    "ArgumentReport",
    "Case",
    "GradientError",
    "GradientReport",
    "PlantedBug",
    "check_clip",
    "check_forward",
    "check_gradient",
    "check_model",
    "check_optimizer",
    "diagnose",
    "diagnose_forward",
    "diagnose_model",
    "diagnose_optimizer",
    "find_case",
    "format_rows",
    "gradcheck_rows",
]
