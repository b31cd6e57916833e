"""Batches of images: every epoch in an order of its own, every image changed anew each time it is seen."""

import numpy as np

from minigpt.model import Batch
from minigpt.objectives import HeldOut
from minigpt.vision.augment import augmented
from minigpt.vision.run import ImageFolder

ROWS = 100  # of a batch that is judged
CHANGED = 1  # beside the seed, in the seed of how images are changed: the order has one of its own


class ImageData:
    """What `minigpt.train.train` asks for. What a step sees is a function of the seed and the step."""

    bits_per_nat = None
    counted = "images"

    def __init__(self, folder: ImageFolder):
        self.folder = folder
        self._pixels, self._targets = folder.pixels("training"), folder.targets("training")
        self._held_out = in_batches(folder, folder.pixels("validation"), folder.targets("validation"))

    @property
    def steps_per_epoch(self) -> int:
        """Micro-batches in which every image is seen once; the last one may have fewer."""
        return -(-len(self._targets) // self.folder.settings.batch)

    def batches(self, step: int) -> list[Batch]:
        """See `minigpt.train.TrainingData`."""
        accumulate = self.folder.settings.accumulate
        return [self._batch(micro) for micro in range(step * accumulate, (step + 1) * accumulate)]

    def held_out(self) -> list[HeldOut]:
        """See `minigpt.train.TrainingData`."""
        return self._held_out

    def _batch(self, micro: int) -> Batch:
        settings = self.folder.settings
        epoch, within = divmod(micro, self.steps_per_epoch)
        order = np.random.default_rng([settings.seed, epoch]).permutation(len(self._targets))
        rows = np.sort(order[within * settings.batch : (within + 1) * settings.batch])
        images = self.folder.scaled(self._pixels[rows])
        rng = np.random.default_rng([settings.seed, micro, CHANGED])
        return Batch(augmented(images, self.folder.augment, rng), labels=self._targets[rows])


def in_batches(folder: ImageFolder, pixels: np.ndarray, targets: np.ndarray) -> list[HeldOut]:
    """All of these images, in their order, as they are."""
    starts = range(0, len(targets), ROWS)
    return [
        HeldOut(Batch(folder.scaled(pixels[first : first + ROWS]), labels=targets[first : first + ROWS]))
        for first in starts
    ]
