"""A text as detectors see it: where its digits are, and what stands around a place."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

DIGITS = re.compile(r"\d(?:[^\d\n]{0,4}\d){3}")  # four digits close together
DIGIT = re.compile(r"\d+")
BEHIND_WORD = re.compile(r"[^\W\d_][.,]?[ ](?:n\.?º?[ ]?)?\d")
MARGIN = 64  # characters around digits that a detector of numbers may look at
WIDE = 120
REACH = 48  # how far a cue may stand from what it announces


@dataclass(frozen=True)
class Source:
    """One text. Detectors of numbers read the regions around digits alone, so that prose costs them little."""

    text: str

    @cached_property
    def numbers(self) -> list[tuple[int, int]]:
        """The regions (start, end) around four or more digits, in order and apart from one another."""
        return self._regions(DIGITS, MARGIN)

    @cached_property
    def any_digits(self) -> list[tuple[int, int]]:
        """The regions, wider ones, around one or more digits."""
        return self._regions(DIGIT, WIDE)

    @cached_property
    def after_words(self) -> list[tuple[int, int]]:
        """The regions around a number that stands behind a word."""
        return self._regions(BEHIND_WORD, WIDE)

    @cached_property
    def lower(self) -> str:
        """The text in small letters, character for character."""
        lower = self.text.lower()
        same = len(lower) == len(self.text)
        return lower if same else "".join(c.lower() if len(c.lower()) == 1 else c for c in self.text)

    def _regions(self, trigger: re.Pattern[str], margin: int) -> list[tuple[int, int]]:
        return self._joined((match.span() for match in trigger.finditer(self.text)), margin, margin)

    def _joined(self, places: Iterable[tuple[int, int]], before: int, after: int) -> list[tuple[int, int]]:
        """Regions around places that are in order."""
        regions: list[tuple[int, int]] = []
        for start, end in places:
            start, end = max(0, start - before), min(len(self.text), end + after)
            if regions and start <= regions[-1][1]:
                start = regions.pop()[0]
            regions.append((start, end))
        return regions

    def near_words(
        self, pattern: re.Pattern[str], words: Iterable[str], *, before: int = 32, after: int = 560
    ) -> Iterator[re.Match[str]]:
        """The matches of a pattern around any of these words, which are in small letters."""
        places = sorted(place for word in words for place in self._places(word))
        for start, end in self._joined(((place, place) for place in places), before, after):
            yield from pattern.finditer(self.text, start, end)

    def _places(self, word: str) -> Iterator[int]:
        place = self.lower.find(word)
        while place >= 0:
            yield place
            place = self.lower.find(word, place + 1)

    def near_digits(self, pattern: re.Pattern[str], *, few: bool = False) -> Iterator[re.Match[str]]:
        """The matches of a pattern that has four digits close together, or a few, in the regions around digits."""
        return self.within(self.any_digits if few else self.numbers, pattern)

    def within(self, regions: Iterable[tuple[int, int]], pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
        """The matches of a pattern in these regions."""
        for start, end in regions:
            yield from pattern.finditer(self.text, start, end)

    def before(self, place: int, reach: int = REACH) -> str:
        """What stands before a place."""
        return self.text[max(0, place - reach) : place]

    def after(self, place: int, reach: int = REACH) -> str:
        """What stands after a place."""
        return self.text[place : place + reach]
