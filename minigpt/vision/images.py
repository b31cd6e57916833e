"""Images with the names of their classes, as every reader gives them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError, described
from minigpt.machine import available_memory
from minigpt.values import shown

MOST_SIDE = 1 << 13  # pixels: more than any model here could look at
CHANNELS = (1, 3)  # grey, or red, green and blue
MOST_CLASSES = 10_000
LONGEST_NUMBER = 19  # digits of a name that is put in its order
SHARE = 0.5  # of the free memory that images may take


class Images(NamedTuple):
    """N images of one size."""

    pixels: np.ndarray  # (N, Y, X, Z) numbers
    labels: tuple[str | None, ...]  # (N,) the name of each one's class; None where nobody said it
    places: tuple[str, ...]  # (N,) where each comes from, for messages and tables

    def take(self, rows: Sequence[int] | np.ndarray) -> "Images":
        """Some of them."""
        chosen = [int(row) for row in rows]
        return Images(
            self.pixels[chosen], tuple(self.labels[row] for row in chosen), tuple(self.places[row] for row in chosen)
        )

    @property
    def size(self) -> tuple[int, int, int]:
        """Y, X, Z: height, width and channels."""
        _, height, width, channels = self.pixels.shape
        return height, width, channels

    def targets(self, classes: Sequence[str]) -> np.ndarray:
        """(N,) the number of each one's class. `UserError` for one without a class, or of another."""
        numbers = {name: number for number, name in enumerate(classes)}
        for label, place in zip(self.labels, self.places, strict=True):
            if label is None:
                raise UserError(f"{place} has no class; give a folder with one sub-folder a class, or labels")
            if label not in numbers:
                known = ", ".join(classes[:8]) + (", ..." if len(classes) > 8 else "")
                raise UserError(f"{place}: the class {shown(label)} is none of those that were trained: {known}")
        return np.array([numbers[label] for label in self.labels if label is not None], np.int64)


def classes_of(images: Images) -> tuple[str, ...]:
    """The names of the classes: numbers in order, words in that of the alphabet. `UserError` for fewer than two."""
    found = {label for label in images.labels if label is not None}
    if len(found) < 2:
        raise UserError(
            f"the images are of {len(found)} classes; there must be two at least, such as a sub-folder each"
        )
    if len(found) > MOST_CLASSES:
        raise UserError(f"there are {len(found):,} classes, but at most {MOST_CLASSES:,} can be told; check the labels")
    return tuple(sorted(found, key=_order))


def _order(name: str) -> tuple[bool, int, str]:
    is_number = name.isdecimal() and len(name) < LONGEST_NUMBER
    return not is_number, int(name) if is_number else 0, name


def check_unit(pixels: np.ndarray, learnt_bytes: bool | None, what: str) -> None:
    """`UserError` for fractions where a model learns from bytes, or the other way round: one of the two would look like
    night to it. learnt_bytes: None where that is not known."""
    if learnt_bytes is not None and (pixels.dtype == np.uint8) != learnt_bytes:
        units = ("whole numbers of 0 to 255", "other numbers, such as fractions or of 16 bits")
        learnt, given = units if learnt_bytes else units[::-1]
        raise UserError(f"{what}: its pixels are {given}, but the model learns from {learnt}; give both in one unit")


def check_room(numbers: int, what: str, bytes_each: int = 1) -> None:
    """`UserError` for images that would take more than half of the free memory, before any is read."""
    free = available_memory()
    if free is not None and numbers * bytes_each > SHARE * free:
        raise UserError(
            f"{what} would take {numbers * bytes_each / 1e9:,.1f} GB, more than half of the {free / 1e9:,.1f} GB that "
            "are free; give fewer or smaller images"
        )


def check_pixels(pixels: Any, what: str) -> np.ndarray:
    """(N, Y, X, Z) of an array (N, Y, X) or (N, Y, X, Z). `UserError` for anything that is no images.

    Whole numbers of 0 to 255 are kept in a byte each, others as float32.
    """
    if not isinstance(pixels, np.ndarray) or pixels.dtype.kind not in "uif" or pixels.ndim not in (3, 4):
        raise UserError(
            f"{what}: images are numbers of shape (count, height, width) or (count, height, width, channels), not "
            f"{described(pixels)}"
        )
    pixels = pixels if pixels.ndim == 4 else pixels[..., None]
    count, height, width, channels = pixels.shape
    if not count or not 1 <= height <= MOST_SIDE or not 1 <= width <= MOST_SIDE or channels not in CHANNELS:
        raise UserError(
            f"{what}: {count:,} images of {height:,} x {width:,} with {channels:,} channels; there must be one at "
            f"least, each side at most {MOST_SIDE:,}, and 1 channel (grey) or 3 (red, green, blue)"
        )
    if pixels.dtype.kind != "f" and pixels.min() >= 0 and pixels.max() <= 255:
        return np.ascontiguousarray(pixels, np.uint8)
    wide = np.ascontiguousarray(pixels, np.float32)
    if not np.isfinite(wide).all():
        row = int(np.flatnonzero(~np.isfinite(wide).all(axis=(1, 2, 3)))[0])
        raise UserError(f"{what}: image {row} has a value that is no finite number; mend or remove it")
    return wide
