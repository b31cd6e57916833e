"""A model of images, ready to be asked."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Batch, Call, Transformer
from minigpt.ops import softmax_forward
from minigpt.train.folder import newest
from minigpt.train.provenance import arrays_sha256
from minigpt.vision.data import ROWS
from minigpt.vision.images import Images, check_unit
from minigpt.vision.named import named_images, named_set
from minigpt.vision.read import check_no_label, read_images
from minigpt.vision.run import open_image_folder


class Seen:
    """The model of a run, and what it says to images."""

    def __init__(self, path: str | Path, checkpoint: str = "best"):
        """`UserError` if the folder holds no model of images, or none that is whole."""
        self.folder = open_image_folder(path)
        if self.folder.task != "classify":
            raise UserError(f"{path} answers questions about pictures, and names no classes; use minigpt ask")
        self.labels = self.folder.labels
        self.model = Transformer(self.folder.config)
        self.params, self.progress = newest(self.folder, checkpoint)

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        """(N, labels) of images, (N, Y, X, Z). `UserError` for images of another size, or in another unit."""
        channels, height, width = self.folder.config.image
        if pixels.shape[1:] != (height, width, channels):
            raise UserError(
                f"the images are {pixels.shape[1]} x {pixels.shape[2]} with {pixels.shape[3]} channels, but this model "
                f"was trained on {height} x {width} with {channels}; make them of that size and kind"
            )
        check_unit(pixels, self.folder.learnt_bytes, "the images")
        said = [
            self.model.forward(
                self.params, Batch(self.folder.scaled(pixels[first : first + ROWS])), Call().forward_only()
            )[0]
            for first in range(0, len(pixels), ROWS)
        ]
        return softmax_forward(np.concatenate(said).astype(np.float64))[0]


def answers(labels: Sequence[str], images: Images, shares: np.ndarray) -> list[dict[str, Any]]:
    """Of each image the likeliest class, and the probability of every one, (N, labels): plain values, for JSON."""
    return [
        {
            "image": place,
            "label": labels[int(row.argmax())],
            "probabilities": dict(zip(labels, row.tolist(), strict=True)),
        }
        for place, row in zip(images.places, shares, strict=True)
    ]


def images_sha256(pixels: np.ndarray, said: Sequence[Any]) -> str:
    """SHA-256 of images, (N, Y, X, Z), and of what was said of them, such as their classes: plain values, for JSON."""
    return arrays_sha256(pixels, np.frombuffer(json.dumps(said).encode(), np.uint8))


def images_of(source: str, label: str | None = None) -> Images:
    """The images of a set by its name, or of a file or folder."""
    if named_set(source) is None:
        return read_images(source, label=label)
    check_no_label(source, label)
    return named_images(source)
