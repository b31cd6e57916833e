"""A text as detectors see it: where its digits are, and what stands around a place."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

MARGIN = 64  # characters around digits that one detector may look at
DIGITS = re.compile(r"\d(?:[^\d\n]{0,4}\d){3}")  # four digits close together
REACH = 48  # how far a cue may stand from what it announces


@dataclass(frozen=True)
class Source:
    """One text. Detectors of numbers read the regions around digits alone, so that prose costs them little."""

    text: str

    @cached_property
    def numbers(self) -> list[tuple[int, int]]:
        """The regions (start, end) around four or more digits, in order and apart from one another."""
        regions: list[tuple[int, int]] = []
        for match in DIGITS.finditer(self.text):
            start, end = max(0, match.start() - MARGIN), min(len(self.text), match.end() + MARGIN)
            if regions and start <= regions[-1][1]:
                start = regions.pop()[0]
            regions.append((start, end))
        return regions

    def near_digits(self, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
        """The matches of a pattern, which has four digits close together, in the regions around digits."""
        for start, end in self.numbers:
            yield from pattern.finditer(self.text, start, end)

    def before(self, place: int, reach: int = REACH) -> str:
        """What stands before a place."""
        return self.text[max(0, place - reach) : place]

    def after(self, place: int, reach: int = REACH) -> str:
        """What stands after a place."""
        return self.text[place : place + reach]
