"""From images to the folder of a run that can begin."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.model import TransformerConfig
from minigpt.train import TrainSettings
from minigpt.train.lock import locked
from minigpt.train.provenance import provenance
from minigpt.vision.augment import UNCHANGED, Augmentation
from minigpt.vision.data import ImageData
from minigpt.vision.images import Images, check_unit, classes_of
from minigpt.vision.named import split
from minigpt.vision.run import ImageFolder, described_last, pixel_statistics, write_parts

SIZES: dict[str, Any] = {"width": 64, "layers": 4, "heads": 4}
MODERN = "modern"
RECIPES: dict[str, dict[str, Any]] = {
    # The blocks of `tiny` and the mean of all patches, which learns from few images sooner than a class token does
    # (Beyer, Zhai & Kolesnikov 2022, "Better plain ViT baselines for ImageNet-1k", arXiv:2205.01580).
    MODERN: {"norm": "rms", "activation": "silu", "gated": True, "init_std": 0.1},
    # Dosovitskiy et al. (2021), section 3.1: what a folder of transformers can hold.
    "vit": {"class_token": True, "activation": "gelu"},
}
PATCHES = 4  # beside each other, where nobody says how large they are
TEST, MOST_TEST = 0.2, 1000  # of images without a test of their own
VALIDATION, MOST_VALIDATION = 0.05, 1000  # of the others


def prepare_images(
    path: str | Path,
    images: Images,
    test: Images | None = None,
    *,
    name: str = "images",
    patch: int | None = None,
    recipe: str = MODERN,
    augment: Augmentation = UNCHANGED,
    changes: Mapping[str, Any] | None = None,
    settings: TrainSettings | None = None,
    held: bool = False,
    words: Sequence[str] | None = None,
) -> ImageFolder:
    """Check everything, share the images out, and write them and, last, images.json.

    test: on which the model is measured once, at the end; None: a fifth of the images, 1,000 at most. Of the rest a
    twentieth validates: the checkpoint `best` is chosen by it. name: what they are called in reports. patch: pixels of
    a patch's side; None: a quarter of the image's. recipe: one of `RECIPES`. changes: fields of the configuration.
    held: whether the caller holds the folder's lock. words: of the command that asks for it, for its provenance.
    `UserError` for all that does not fit, and for a folder that holds a model that was trained.
    """
    path, settings = Path(path), settings or TrainSettings()
    labels = classes_of(images)
    if test is None:
        if len(images.pixels) < 4:
            raise UserError(f"there are {len(images.pixels)} images, too few to hold some out; give more")
        images, test = _apart(images, max(1, min(MOST_TEST, int(TEST * len(images.pixels)))))
    if test.size != images.size:
        raise UserError(f"the images of the test are {test.size}, those to learn from {images.size}; make them alike")
    check_unit(test.pixels, images.pixels.dtype == np.uint8, f"the test, {test.places[0]}")
    if len(images.pixels) < 2:
        raise UserError("there is one image alone to learn from; at least two are needed, one of them to validate with")
    training, validation = _apart(images, max(1, min(MOST_VALIDATION, int(VALIDATION * len(images.pixels)))))
    parts = {"training": training, "validation": validation, "test": test}
    if missing := sorted(set(labels) - {label or "" for label in training.labels}):
        raise UserError(f"the class {missing[0]!r} has no image to learn from; give it more")
    for part in parts.values():
        part.targets(labels)  # a class that is not known is said now
    config = config_of(images.size, len(labels), patch, recipe, changes or {})
    mean, deviation = pixel_statistics(training.pixels)
    folder = ImageFolder(
        path,
        config,
        settings,
        {
            "name": name,
            **{part: len(some.pixels) for part, some in parts.items()},
            "bytes": images.pixels.dtype == np.uint8,
        },
        labels=labels,
        mean=mean,
        deviation=deviation,
        augment=augment,
        provenance=provenance(words),
    )
    names = [f"{part}{kind}.npy" for part in parts for kind in ("", "_targets")]
    with nullcontext() if held else locked(path, make_folder=True), described_last(folder, names):
        folder.corpus["checksums"] = write_parts(path, parts, labels)
        ImageData(folder)  # says now what training would say later
    return folder


def config_of(
    size: tuple[int, int, int], labels: int, patch: int | None, recipe: str, changes: Mapping[str, Any]
) -> TransformerConfig:
    """An encoder for images of this size, Y, X, Z. `UserError` if the patches do not fit."""
    eye = eye_of(size, patch)
    fields = {**SIZES, **RECIPES[recipe], **changes}
    token = bool(fields.get("class_token"))
    return TransformerConfig(
        vocabulary_size=1,
        architecture="encoder",
        tied=False,
        head="sequence",
        labels=labels,
        pooled="first" if token else "mean",
        pooler=False,
        **{**eye, "context": eye["context"] + token, **fields},
    )


def eye_of(size: tuple[int, ...], patch: int | None) -> dict[str, Any]:
    """The fields of a configuration that say which images it reads, of Y, X, Z, and in which patches.

    patch: pixels of a patch's side; None: a quarter of the image's. `UserError` if it does not fit.
    """
    height, width, channels = size
    side = patch or max(1, min(height, width) // PATCHES)
    if side > min(height, width):
        raise UserError(f"a patch of {side} pixels does not fit into {height} x {width}; choose a smaller one")
    positions = (height // side) * (width // side)
    return {"input": "images", "image": (channels, height, width), "patch": (side, side), "context": positions}


def left_out(config: TransformerConfig) -> tuple[int, int]:
    """Rows and columns of pixels, below and on the right, that no patch reaches."""
    eye = config.encoder or config
    assert eye.image is not None, "it reads images"
    rows, columns = (side % patch for side, patch in zip(eye.image[1:], eye.patch, strict=True))
    return rows, columns


def _apart(images: Images, count: int) -> tuple[Images, Images]:
    """The rest, and `count` of them that are held out."""
    held_out, rest = split(len(images.pixels), count)
    return images.take(rest), images.take(held_out)
