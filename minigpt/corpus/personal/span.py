"""A piece of a text that tells something of a person, and which of two that overlap stays."""

from bisect import bisect
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Span:
    """text[start:end] is of this kind. score: how unmistakable its form is, 0 to 1; set by hand, no probability."""

    start: int
    end: int
    kind: str
    score: float


def without_overlaps(spans: Iterable[Span]) -> list[Span]:
    """The spans in the order of the text, no two of which share a character.

    Of those that do, the one with the higher score stays; of equal scores the longer one, then the earlier one, then
    the one whose kind is first in the alphabet.
    """
    starts: list[int] = []
    kept: list[Span] = []
    for span in sorted(set(spans), key=lambda span: (-span.score, span.start - span.end, span.start, span.kind)):
        place = bisect(starts, span.start)
        is_free = place == 0 or kept[place - 1].end <= span.start
        if is_free and (place == len(kept) or span.end <= kept[place].start):
            starts.insert(place, span.start)
            kept.insert(place, span)
    return kept
