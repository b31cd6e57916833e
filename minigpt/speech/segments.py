"""From the tokens of a window to pieces of text with their times, and to where the next window begins."""

from itertools import pairwise
from typing import NamedTuple

from minigpt.speech.special import STEP, Special


class Piece(NamedTuple):
    """Tokens between two times of a window."""

    tokens: list[int]  # without times
    start: float  # seconds from the window's beginning
    end: float


def pieces_of(tokens: list[int], special: Special, seconds: float) -> tuple[list[Piece], float]:
    """The pieces of a window, and how many seconds further the next one begins.

    seconds: how much sound there is in the window. A time ends a piece and the same or a later one begins the next.
    What follows the last such pair was cut off by the window's end, so the next window begins there; with a single time
    at the end nobody speaks after it, and the next one begins behind this window (Radford et al. 2022, section 4.5).
    """
    zero = special.zero
    pairs = [i for i in range(1, len(tokens)) if tokens[i - 1] >= zero and tokens[i] >= zero]
    if not pairs:
        times = [token for token in tokens if token > zero]
        end = (times[-1] - zero) * STEP if times else seconds
        return [_piece(tokens, special, 0.0, end)], seconds
    is_whole = tokens[-1] >= zero and tokens[-2] < zero
    cuts = [0, *pairs, *([len(tokens)] if is_whole else [])]
    found = []
    for first, last in pairwise(cuts):
        start, end = ((token - zero) * STEP for token in (tokens[first], tokens[last - 1]))
        found.append(_piece(tokens[first:last], special, start, end))
    return found, seconds if is_whole else (tokens[pairs[-1] - 1] - zero) * STEP


def _piece(tokens: list[int], special: Special, start: float, end: float) -> Piece:
    return Piece([token for token in tokens if token < special.end], start, end)
