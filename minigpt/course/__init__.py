"""The course's own tools: what lessons are written with."""

from minigpt.course.lesson import Shown, Unexpected, band, expect, hear, prediction, quick, show, show_source, table
from minigpt.course.seeds import Difference, difference, paired_difference, spread_table

__all__ = [
    "Difference",
    "Shown",
    "Unexpected",
    "band",
    "difference",
    "expect",
    "hear",
    "paired_difference",
    "prediction",
    "quick",
    "show",
    "show_source",
    "spread_table",
    "table",
]
