"""Scenes of two pictures and their captions: "a seven above a three", composed anew from a seed."""

from typing import NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.vision.images import Images

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PLACES = ("above", "below", "left of", "right of")
CORNERS = {  # where the first and the second stand, in quarters of the scene: (row, column)
    "above": ((0, 0), (1, 0)),
    "below": ((1, 0), (0, 0)),
    "left of": ((0, 0), (0, 1)),
    "right of": ((0, 1), (0, 0)),
}


class Scenes(NamedTuple):
    """Scenes with what is to be seen in them."""

    pixels: np.ndarray  # (N, 2 Y, 2 X, Z)
    captions: tuple[str, ...]


def named_digits(images: Images) -> Images:
    """The same with words for the classes 0 to 9. `UserError` for other classes."""
    if not {*images.labels} <= {*map(str, range(10))}:
        raise UserError("scenes are made of digits, whose classes are 0 to 9; choose mnist or digits")
    return images._replace(labels=tuple(WORDS[int(str(label))] for label in images.labels))


def captions_of(names: tuple[str, ...]) -> list[str]:
    """Every caption there is."""
    return [f"{first} {place} {second}" for first in names for place in PLACES for second in names]


def compose(images: Images, captions: list[str], rng: np.random.Generator) -> Scenes:
    """A scene for each caption, `FIRST PLACE SECOND`, of images of these classes that are drawn at random.

    The pair stands in either half of the scene, so that a place says nothing by itself.
    """
    rows = {label: np.flatnonzero(np.array(images.labels) == label) for label in {*images.labels}}
    height, width, channels = images.size
    pixels = np.zeros((len(captions), 2 * height, 2 * width, channels), images.pixels.dtype)
    for scene, caption in zip(pixels, captions, strict=True):
        first, _, rest = caption.partition(" ")
        place, _, second = rest.rpartition(" ")
        moved = int(rng.integers(2))  # the other column of a pair above each other, or the other row
        for name, (row, column) in zip((first, second), CORNERS[place], strict=True):
            upright = place in PLACES[:2]
            row, column = (row, moved) if upright else (moved, column)
            picture = images.pixels[rng.choice(rows[name])]
            scene[row * height : (row + 1) * height, column * width : (column + 1) * width] = picture
    return Scenes(pixels, tuple(captions))
