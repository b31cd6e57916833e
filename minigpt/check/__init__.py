"""Proof that gradients are right: a numerical checker, a table of cases, and a collection of known mistakes."""

from minigpt.check.gradient import check_gradient
from minigpt.check.report import ArgumentReport, GradientError, GradientReport

__all__ = ["ArgumentReport", "GradientError", "GradientReport", "check_gradient"]
