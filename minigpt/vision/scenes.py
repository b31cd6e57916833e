"""Scenes of two pictures and their captions: "a seven above a three", composed anew from a seed."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.vision.images import Images
from minigpt.vision.named import TEST, named_images, split

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
# The upper and the left one is named first, so that a scene has one caption. Where the first and the second stand, in
# quarters of the scene: (row, column).
CORNERS = {"above": ((0, 0), (1, 0)), "left of": ((0, 0), (0, 1))}
PLACES = tuple(CORNERS)
SET = "digit-scenes"
COUNT, COUNT_TEST = 12_000, 2_000  # scenes of the set; half of its test is of arrangements that training never has
SEED = 40  # of the set's scenes


class Arrangement(NamedTuple):
    """What stands where."""

    first: str
    place: str
    second: str

    @property
    def caption(self) -> str:
        """As one says it."""
        return f"{_article(self.first)} {self.place} {_article(self.second)}"


class Scenes(NamedTuple):
    """Scenes with what is to be seen in them."""

    pixels: np.ndarray  # (N, 2 Y, 2 X, Z)
    captions: tuple[str, ...]


def named_digits(images: Images) -> Images:
    """The same with words for the classes 0 to 9. `UserError` for other classes."""
    if not {*images.labels} <= {*map(str, range(10))}:
        raise UserError("scenes are made of digits, whose classes are 0 to 9; choose mnist or digits")
    return images._replace(labels=tuple(WORDS[int(str(label))] for label in images.labels))


def arrangements(names: Sequence[str] = WORDS) -> list[Arrangement]:
    """Every one there is."""
    return [Arrangement(first, place, second) for first in names for place in PLACES for second in names]


def shared_out() -> tuple[list[Arrangement], list[Arrangement]]:
    """Those of digits that are trained on, 180, and the 20 that never are: every word occurs in others."""
    every = arrangements()
    never, trained = split(len(every), len(every) // 10)
    return [every[row] for row in trained], [every[row] for row in never]


def compose(images: Images, wanted: Sequence[Arrangement], rng: np.random.Generator) -> Scenes:
    """A scene for each arrangement, of images of these classes that are drawn at random.

    The pair stands in either half of the scene, so that a place says nothing by itself.
    """
    rows = {label: np.flatnonzero(np.array(images.labels) == label) for label in {*images.labels}}
    height, width, channels = images.size
    pixels = np.zeros((len(wanted), 2 * height, 2 * width, channels), images.pixels.dtype)
    for scene, (first, place, second) in zip(pixels, wanted, strict=True):
        moved = int(rng.integers(2))  # the other column of a pair above each other, or the other row
        for name, (row, column) in zip((first, second), CORNERS[place], strict=True):
            row, column = (row, moved) if place == "above" else (moved, column)
            picture = images.pixels[rng.choice(rows[name])]
            scene[row * height : (row + 1) * height, column * width : (column + 1) * width] = picture
    return Scenes(pixels, tuple(one.caption for one in wanted))


def digit_scenes(name: str) -> Scenes:
    """The set `digit-scenes`, of the digits of mnist, or its test, of those that mnist holds out; always the same.

    The test's first half is of arrangements that are trained on, its second of those that never are.
    """
    trained, never = shared_out()
    test = name.endswith(TEST)
    rng = np.random.default_rng([SEED, test])
    count = COUNT_TEST // 2 if test else COUNT
    wanted = [
        some[row] for some in ((trained, never) if test else (trained,)) for row in rng.integers(0, len(some), count)
    ]
    return compose(named_digits(named_images("mnist" + TEST * test)), wanted, rng)


def _article(word: str) -> str:
    return f"{'an' if word[0] in 'aeiou' and word != 'one' else 'a'} {word}"
