"""PNG files: what one promises is read and bounded before anything of it is decoded.

The header: Portable Network Graphics (PNG) Specification (Third Edition), W3C, section 11.2.1, IHDR.
"""

import struct
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.files import check_is_file
from minigpt.vision.images import MOST_SIDE

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_BYTES = 1 << 28  # of a file
GREY, COLOUR, PALETTE, GREY_ALPHA, COLOUR_ALPHA = 0, 2, 3, 4, 6  # kinds of colour in a header
CHANNELS = {GREY: 1, COLOUR: 3, PALETTE: 3, GREY_ALPHA: 1, COLOUR_ALPHA: 3}
OPAQUE = 255
ORIENTATION, UPRIGHT = 0x0112, 1  # a tag of Exif data, and what it says of a picture that stays as it is


class Header(NamedTuple):
    """What a PNG file says of itself."""

    width: int
    height: int
    bits: int
    colour: int

    @property
    def size(self) -> tuple[int, int, int]:
        """Y, X, Z, once it is decoded."""
        return self.height, self.width, CHANNELS[self.colour]


def read_header(path: str | Path) -> Header:
    """`UserError` if it is no PNG file, one of more than 8 bits, or one that is too large."""
    check_is_file(path, MOST_BYTES)
    try:
        with open(path, "rb") as file:
            start = file.read(33)
    except OSError as error:
        raise UserError(f"{path} could not be read ({error.strerror}); check the path") from None
    if len(start) < 33 or start[:8] != SIGNATURE or start[12:16] != b"IHDR":
        raise UserError(f"{path} is no PNG file, whatever its name; save the picture as PNG")
    header = Header(*struct.unpack(">IIBB", start[16:26]))
    if header.colour not in CHANNELS or not header.width or not header.height:
        raise UserError(f"{path} is a damaged PNG file (its header is of no picture); save it again")
    if max(header.width, header.height) > MOST_SIDE:
        raise UserError(
            f"{path} has {header.width:,} x {header.height:,} pixels, but a side has at most {MOST_SIDE:,}; shrink it"
        )
    if header.bits > 8:
        raise UserError(f"{path} has {header.bits} bits for each number, but 8 at most can be read; save it with 8")
    return header


def read_png(path: str | Path) -> np.ndarray:
    """(Y, X, Z) bytes: grey, or red, green and blue.

    `UserError` if it is damaged, partly transparent, moves, or is to be turned by who shows it.
    """
    header = read_header(path)
    try:
        from PIL import Image
    except ImportError as error:
        raise UserError(f"PNG files need Pillow ({error}); install it with: pip install pillow") from None
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=("PNG",)) as image:
            frames = getattr(image, "n_frames", 1)
            image.load()
            turned = image.getexif().get(ORIENTATION, UPRIGHT)
            see_through = "A" in image.mode or "transparency" in image.info
            found = np.asarray(image.convert("RGBA")) if see_through else None
            pixels = np.asarray(image.convert("L" if header.size[2] == 1 else "RGB"))
    except (OSError, ValueError, SyntaxError, struct.error, MemoryError) as error:
        raise UserError(f"{path} is a damaged PNG file ({error}); save it again") from None
    if frames > 1:
        raise UserError(f"{path} moves, in {frames} pictures; save one of them")
    if turned != UPRIGHT:
        raise UserError(f"{path} is to be turned before it is looked at (orientation {turned} in its Exif data); do so")
    if found is not None and (found[..., 3] != OPAQUE).any():
        raise UserError(f"{path} is partly transparent, and what is behind it is not known; save it without that")
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    if pixels.shape != header.size:
        raise UserError(
            f"{path} holds a picture of {pixels.shape}, not {header.size} as its header says; save it again"
        )
    return pixels
