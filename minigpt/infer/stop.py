"""Strings at which writing ends, wherever the borders between the pieces of the text lie."""

from collections.abc import Collection, Iterable, Iterator


class StopStrings:
    """A text that comes in pieces, up to the first of some strings to be complete, which is not part of it.

    What might be the beginning of a stop string is held back until it is clear that it is not.
    """

    def __init__(self, stop: Collection[str]):
        self.stop = tuple(stop)
        self.found = False  # whether one was complete
        self._held = ""

    def add(self, piece: str) -> str:
        """The next piece of the text. Returns what is certain now; after a stop string was found, nothing."""
        if self.found:
            return ""
        text = self._held + piece
        found = [(place + len(stop), place) for stop in self.stop if (place := text.find(stop)) >= 0]
        if found:
            self.found, self._held = True, ""
            return text[: min(found)[1]]
        certain = len(text) - max((_overlap(text, stop) for stop in self.stop), default=0)
        self._held = text[certain:]
        return text[:certain]

    def end(self) -> str:
        """Nothing more comes. Returns what was held back."""
        rest, self._held = self._held, ""
        return rest


def until_stop(pieces: Iterable[str], stop: Collection[str]) -> Iterator[str]:
    """The pieces up to the first of the strings `stop` that is complete, as `StopStrings` gives them."""
    text = StopStrings(stop)
    for piece in pieces:
        if ready := text.add(piece):
            yield ready
        if text.found:
            return
    if rest := text.end():
        yield rest


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of `text` are a beginning of `stop`."""
    return next((n for n in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:n])), 0)
