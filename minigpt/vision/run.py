"""The folder of a model that was trained on images.

images.json (task, configuration, settings, classes, how pixels are scaled and changed, which images they were),
training.npy, validation.npy and test.npy (pixels) with their NAME_targets.npy (the number of each one's class) or
NAME_questions.json (questions, answers, and which picture each is about; then also tokenizer.json),
best.safetensors and last.safetensors (checkpoints), metrics.csv, loss.png. While a process trains there, .lock.
"""

import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.files import checksum, read_json, replacing, write_json
from minigpt.model import TransformerConfig
from minigpt.train import RunFolder
from minigpt.train.folder import PROVENANCE, first_files, read_settings
from minigpt.values import FLAG, TABLE, TEXT, about, choice, list_of, number, read, shown, table_of, whole
from minigpt.vision.augment import UNCHANGED, Augmentation
from minigpt.vision.images import Images

FILE = "images.json"
FORMAT = "minigpt images 1"
SEEN_PARTS = ("training", "validation")  # by training; the test is seen at its end
SHARE = number(0, 1)
CHECKSUM = "checksum"  # of all else in the description
TASKS = ("classify", "ask")
DESCRIPTION = {
    "labels": list_of(TEXT),
    "mean": list_of(number()),
    "deviation": list_of(number(0.0)),
    "augment": TABLE,
    "data": TABLE,
}


@dataclass(frozen=True)
class ImageFolder(RunFolder):
    """The description in images.json, and where the other files are.

    Parameters
    ----------
    path, config, settings, corpus, provenance
        As of a `RunFolder`; `corpus` says which images they were.
    task : str
        classify, or ask.
    labels : tuple of str
        The names of the classes, in their order; or all answers.
    mean, deviation : tuple of float
        Of each channel of the training images: what the model sees is (pixel - mean) / deviation.
    augment : Augmentation
        How images are changed in training.
    """

    task: str = "classify"
    labels: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()
    augment: Augmentation = UNCHANGED

    def described(self) -> dict[str, Any]:
        """What images.json says, plain values."""
        description = {
            "task": self.task,
            "config": self.config.to_dict(),
            "settings": self.settings.to_dict(),
            "labels": list(self.labels),
            "mean": list(self.mean),
            "deviation": list(self.deviation),
            "augment": self.augment.to_dict(),
            "data": self.corpus,
        }
        origin = {} if self.provenance is None else {PROVENANCE: self.provenance}
        return {"format": FORMAT, **description, **origin}

    def save(self) -> None:
        """Write images.json."""
        said = self.described()
        write_json(self.file(FILE), {**said, CHECKSUM: _checksum(said)})

    @property
    def learnt_bytes(self) -> bool | None:
        """Whether pixels are whole numbers of 0 to 255 (else fractions, say); None where the folder does not tell."""
        return self.corpus.get("bytes")

    @property
    def image(self) -> tuple[int, int, int]:
        """Z, Y, X: channels, height and width of what it looks at."""
        return (self.config.encoder or self.config).image

    def scaled(self, pixels: np.ndarray) -> np.ndarray:
        """What the model sees of pixels, (B, Y, X, Z): (B, Z, Y, X), of mean 0 and deviation 1 in training."""
        mean, deviation = (np.array(of_channels, np.float32) for of_channels in (self.mean, self.deviation))
        scaled = (pixels.astype(np.float32) - mean) / deviation
        return np.ascontiguousarray(np.moveaxis(scaled, -1, 1))

    def pixels(self, part: str) -> np.ndarray:
        """(N, Y, X, Z), mapped from disk: of training, validation or test."""
        channels, height, width = self.image
        found = self._array(f"{part}.npy")
        if found.shape[1:] != (height, width, channels) or found.dtype.kind not in "uf":
            raise UserError(f"{self.file(part)}.npy holds no images of this model's size; {AGAIN}")
        return found

    def targets(self, part: str) -> np.ndarray:
        """(N,) the number of each one's class."""
        found = self._array(f"{part}_targets.npy")
        if found.ndim != 1 or found.dtype.kind not in "iu" or (len(found) and found.max() >= len(self.labels)):
            raise UserError(f"{self.file(part)}_targets.npy holds no classes of this model; {AGAIN}")
        return np.asarray(found, np.int64)

    def check_unchanged(self, name: str) -> None:
        """`UserError` for a file of images or questions that is not as it was when training began."""
        path, expected = self.file(name), self.corpus.get("checksums", {}).get(name)
        try:
            if checksum(path) != expected:
                raise UserError(f"{path} has changed since training began; {AGAIN}")
        except OSError as error:
            raise UserError(f"{path} could not be read ({error}); {AGAIN}") from None

    def _array(self, name: str) -> np.ndarray:
        self.check_unchanged(name)
        try:
            return np.load(self.file(name), mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise UserError(f"{self.file(name)} could not be read ({error}); {AGAIN}") from None


AGAIN = "restore it, or train again into another folder"


def write_parts(path: Path, parts: dict[str, Images], labels: tuple[str, ...]) -> dict[str, str]:
    """Write the images of each part and the numbers of their classes; file -> checksum."""
    checksums: dict[str, str] = {}
    for part, images in parts.items():
        for name, array in ((f"{part}.npy", images.pixels), (f"{part}_targets.npy", images.targets(labels))):
            checksums |= write_array(path / name, array)
    return checksums


def write_array(path: Path, array: np.ndarray) -> dict[str, str]:
    """Write an array as a .npy file; its name -> its checksum."""
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.save(file, array, allow_pickle=False)
    return {path.name: checksum(path)}


@contextmanager
def described_last(folder: ImageFolder, names: Iterable[str]) -> Iterator[None]:
    """While inside, the first files of a run are written, images.json at the end. names: of these files.

    `UserError` for a folder with a model that was trained, and for what `minigpt.train.folder.first_files` refuses.
    """
    path, known = folder.path, has_images(folder.path)
    if known and folder.begun:
        raise UserError(f"{path} holds a model that was trained; choose another folder, or remove that one first")
    with first_files(path, names, known=known):
        yield
        folder.save()


def pixel_statistics(pixels: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Of each channel of (N, Y, X, Z) the mean and the deviation, which is never 0."""
    seen = pixels.astype(np.float64)
    deviation = np.maximum(seen.std(axis=(0, 1, 2)), 1e-6)
    return tuple(seen.mean(axis=(0, 1, 2)).tolist()), tuple(deviation.tolist())


def has_images(path: str | Path) -> bool:
    """Whether there is a model of images in the folder."""
    return (Path(path) / FILE).exists()


def open_image_folder(path: str | Path) -> ImageFolder:
    """Read images.json. `UserError` if the folder holds none, or one that this minigpt cannot read."""
    path = Path(path)
    if not has_images(path):
        raise UserError(f"{path} is not the folder of a model of images (it has no {FILE})")
    with about(path / FILE, "it is damaged; restore it or train again"):
        value = read_json(path / FILE)
        expected = value.pop(CHECKSUM, None)  # former versions wrote none
        if expected not in (None, _checksum(value)):
            raise UserError("it has changed since it was written, so what it says of classes and pixels may be wrong")
        format_ = read(value, "format", TEXT)
        if format_ != FORMAT:
            raise UserError(f"its format is {shown(format_)}, but this minigpt reads {FORMAT!r}")
        for name in sorted(set(value) - {"format", "task", "config", "settings", PROVENANCE, *DESCRIPTION}):
            raise UserError(f"{name} is not known; this minigpt is older than the file?")
        found = {name: read(value, name, kind) for name, kind in DESCRIPTION.items()}
        config = TransformerConfig.from_dict(read(value, "config", TABLE))
        settings = read_settings(read(value, "settings", TABLE))
        read(found["data"], "checksums", table_of(TEXT))
        for name in ("question", "first"):
            read(found["data"], name, TEXT.or_none(), None)
        read(found["data"], "first_steps", whole(0), 0)
        read(found["data"], "word_dropout", SHARE, 0.0)
        read(found["data"], "bytes", FLAG.or_none(), None)
        task = read(value, "task", choice(*TASKS), TASKS[0])
        _check(config, found, task)
        return ImageFolder(
            path,
            config,
            settings,
            found["data"],
            task=task,
            labels=tuple(found["labels"]),
            mean=tuple(map(float, found["mean"])),
            deviation=tuple(map(float, found["deviation"])),
            augment=_augmentation(found["augment"]),
            provenance=read(value, PROVENANCE, TABLE.or_none(), None),  # former versions wrote none
        )


def _checksum(said: dict[str, Any]) -> str:
    """Of a description, whatever the order and the spaces in which it is written."""
    return f"{zlib.crc32(json.dumps(said, sort_keys=True).encode()):08x}"


def _augmentation(values: dict[str, Any]) -> Augmentation:
    for name in sorted(set(values) - {one.name for one in fields(Augmentation)}):
        raise UserError(f"the augmentation {name} is not known; this minigpt is older than the file?")
    return Augmentation(**values)


def _check(config: TransformerConfig, found: dict[str, Any], task: str) -> None:
    """`UserError` for parts of the description that do not fit each other."""
    eye, classify = config.encoder or config, task == "classify"
    if (
        eye.input != "images"
        or config.head != ("sequence" if classify else "language")
        or config.encoder_ahead == classify
    ):
        raise UserError(f"its model reads {eye.input} and has a {config.head} head, which is none for the task {task}")
    if classify and not len(found["labels"]) == len(set(found["labels"])) == config.labels:
        raise UserError(f"it names {len(found['labels'])} classes, but the model tells {config.labels} apart")
    for name in ("mean", "deviation"):
        if len(found[name]) != eye.image[0]:
            raise UserError(f"{name} has {len(found[name])} numbers, but images have {eye.image[0]} channels")
    if not all(found["deviation"]):
        raise UserError("a deviation is 0, and pixels are divided by it")
