"""Images drawn anew every time they are seen: shifted, cropped, turned, flipped. Everything follows from a generator.

Simard, Steinkraus & Platt (2003), "Best Practices for Convolutional Neural Networks Applied to Visual Document
Analysis", ICDAR: what does not change the answer makes new examples. All of these are one map of the plane, so every
image is sampled once.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.values import FLAG, Kind, check, number, whole

KINDS: dict[str, Kind] = {
    "shift": whole(0, 1 << 15),
    "crop": number(0.0, 1.0),
    "turn": number(0.0, 360.0),
    "flip": FLAG,
}


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How far an image may be from what it was; nothing: it stays so. `UserError` names what does not fit.

    Parameters
    ----------
    shift : int
        Pixels that it moves at most, up or down, left or right.
    crop : float
        The share of its sides that is cut off at most; the rest is drawn as large as the whole.
    turn : float
        Degrees that it is turned at most, either way.
    flip : bool
        Whether left and right change places in every other image.
    """

    shift: int = 0
    crop: float = 0.0
    turn: float = 0.0
    flip: bool = False

    def __post_init__(self) -> None:
        for name, kind in KINDS.items():
            check(name, getattr(self, name), kind)

    @property
    def changes(self) -> bool:
        """Whether it changes anything."""
        return self != Augmentation()

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_text(cls, text: str) -> "Augmentation":
        """As on the command line: `shift:2,turn:10,flip`, or `none`. `UserError` for anything else."""
        values: dict[str, Any] = {}
        for word in [] if text == "none" else text.split(","):
            name, _, value = word.strip().partition(":")
            if name not in KINDS or (name == "flip") != (not value) or name in values:
                known = ", ".join(f"{one.name}:NUMBER" for one in fields(cls) if one.name != "flip")
                raise UserError(f"augmentation {word!r} is not understood; write {known} or flip once, or none alone")
            try:
                values[name] = True if name == "flip" else int(value) if name == "shift" else float(value)
            except ValueError:
                raise UserError(f"{name} is {value!r}, but it must be {KINDS[name].wanted}") from None
        return cls(**values)


UNCHANGED = Augmentation()


def augmented(images: np.ndarray, how: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """The images, (B, Z, Y, X) floats, each changed in its own way; what comes in from outside is as the nearest edge.

    Returns a new array of the same shape, always the same for a generator in the same state.
    """
    if not how.changes:
        return images
    count, _, height, width = images.shape
    size = (count, 1, 1)
    scale = 1 - how.crop * rng.random(size)
    angle = np.deg2rad(how.turn) * rng.uniform(-1, 1, size)
    down, right = rng.integers(-how.shift, how.shift, (2, *size), endpoint=True)
    mirror = np.where(how.flip & (rng.random(size) < 0.5), -1.0, 1.0)
    room = (1 - scale) / 2 * rng.uniform(-1, 1, (2, *size)) * np.reshape([height - 1, width - 1], (2, 1, 1, 1))

    # Where in the old image a pixel of the new one comes from: its place from the middle, turned, scaled and moved.
    y = np.arange(height)[:, None] - (height - 1) / 2  # (Y, 1)
    x = mirror * (np.arange(width) - (width - 1) / 2)  # (B, 1, X)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    rows = (height - 1) / 2 + cos * y - sin * x - down + room[0]  # (B, Y, X)
    columns = (width - 1) / 2 + sin * y + cos * x - right + room[1]
    return sampled(images, rows, columns)


def sampled(images: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The images, (B, Z, Y, X), at places between their pixels, (B, Y', X') each: bilinear, (B, Z, Y', X')."""
    count, _, height, width = images.shape
    rows, columns = np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)
    top, left = np.floor(rows).astype(np.intp), np.floor(columns).astype(np.intp)
    bottom, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    below, beside = ((part - whole).astype(images.dtype)[:, None] for part, whole in ((rows, top), (columns, left)))
    which = np.arange(count)[:, None, None]

    def at(row: np.ndarray, column: np.ndarray) -> np.ndarray:
        return np.moveaxis(images[which, :, row, column], -1, 1)  # (B, Z, Y', X')

    upper = at(top, left) * (1 - beside) + at(top, right) * beside
    lower = at(bottom, left) * (1 - beside) + at(bottom, right) * beside
    return upper * (1 - below) + lower * below
