"""Showing things below a cell of the page."""

from typing import Any

from page_kernel import display

__all__ = ["display"]


def Markdown(text: str) -> Any:
    """Text that is shown as Markdown."""
    from minigpt.course import Shown

    return Shown(text, text)
