"""The course's own tools: what lessons are written with."""

from minigpt.course.lesson import Shown, Unexpected, band, expect, quick, show, show_source, table

__all__ = ["Shown", "Unexpected", "band", "expect", "quick", "show", "show_source", "table"]
