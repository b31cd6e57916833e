"""A vision transformer that somebody published, ready to be asked: a folder in the Hugging Face layout.

How pictures become numbers stands in its preprocessor_config.json: their size, how they are resampled to it, and what
pixels are multiplied by, less a mean, over a deviation. What is not understood there is refused by name.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.files import read_json, write_json
from minigpt.model import Batch, Call
from minigpt.ops import softmax_forward
from minigpt.pretrained.folder import CONFIG, read_config
from minigpt.pretrained.load import load_pretrained
from minigpt.values import FLAG, TEXT, Kind, about, choice, list_of, number, read, shown, table_of, whole
from minigpt.vision.data import ROWS
from minigpt.vision.images import MOST_SIDE
from minigpt.vision.resample import NEAREST, resized
from minigpt.vision.run import ImageFolder

PREPROCESSOR = "preprocessor_config.json"
SIDE = whole(1, MOST_SIDE)
SIZE = Kind(
    "a whole number of pixels, or an object of height and width",
    lambda value: (
        SIDE.fits(value)
        or (isinstance(value, dict) and {*value} == {"height", "width"} and all(map(SIDE.fits, value.values())))
    ),
)
RESAMPLES = {0: NEAREST, 1: "lanczos", 2: "bilinear", 3: "bicubic"}  # their numbers, which are Pillow's
TYPES = ("ViTImageProcessor", "ViTImageProcessorFast", "ViTImageProcessorPil", "ViTFeatureExtractor")
KNOWN: dict[str, tuple[Kind, Any]] = {  # and what leaving one out means
    "do_resize": (FLAG, True),
    "size": (SIZE, {"height": 224, "width": 224}),
    "resample": (
        Kind(f"one of {', '.join(map(str, RESAMPLES))}", lambda value: type(value) is int and value in RESAMPLES),
        2,
    ),
    "do_rescale": (FLAG, True),
    "rescale_factor": (number(0.0), 1 / 255),
    "do_normalize": (FLAG, True),
    "image_mean": (list_of(number()), [0.5, 0.5, 0.5]),
    "image_std": (list_of(number(0.0)), [0.5, 0.5, 0.5]),
    "do_convert_rgb": (FLAG.or_none(), None),
}
NAMES = ("image_processor_type", "feature_extractor_type")
HARMLESS = {"data_format": "channels_first", "processor_class": None, "default_to_square": True}


@dataclass(frozen=True)
class Preprocessor:
    """From pixels to what the model sees."""

    size: tuple[int, int] | None  # Y, X; None: pictures stay as large as they are
    resample: str
    factor: float
    mean: np.ndarray  # (Z,)
    deviation: np.ndarray  # (Z,)
    colour: bool  # whether grey becomes red, green and blue that are alike

    def scaled(self, pixels: np.ndarray, image: tuple[int, int, int]) -> np.ndarray:
        """(N, Z, Y, X) of pictures, (N, Y, X, Z). `UserError` if they do not become `image`, Z, Y, X."""
        if self.colour and pixels.shape[3] == 1:
            pixels = np.repeat(pixels, 3, axis=3)
        if self.factor != 1 and pixels.dtype != np.uint8:
            raise UserError(
                "the pixels are no whole numbers of 0 to 255, but this model multiplies by a rescale_factor of "
                f"{self.factor:.4g} first; give pictures of bytes"
            )
        if self.size is not None and pixels.shape[1:3] != self.size:
            if pixels.dtype != np.uint8:
                raise UserError("pixels that are no bytes cannot be resampled; give pictures of the model's size")
            pixels = resized(pixels, self.size, self.resample)
        found = (pixels.shape[3], *pixels.shape[1:3])
        if found != tuple(image):
            raise UserError(
                f"the pictures are {found[1]} x {found[2]} with {found[0]} channels, but this model sees {image[1]} x "
                f"{image[2]} with {image[0]}; make them so"
            )
        seen = (pixels.astype(np.float32) * np.float32(self.factor) - self.mean) / self.deviation
        return np.ascontiguousarray(np.moveaxis(seen.astype(np.float32), -1, 1))


def read_preprocessor(folder: str | Path) -> Preprocessor:
    """What preprocessor_config.json says. `UserError` if it is not there, or says what is not understood."""
    path = Path(folder) / PREPROCESSOR
    if not path.exists():
        raise UserError(f"{folder} has no {PREPROCESSOR}, which says how pictures become numbers; add the one it has")
    with about(path):
        theirs = read_json(path, check=lambda value: isinstance(value, dict))
        for name in NAMES:
            read(theirs, name, choice(*TYPES).or_none(), None)
        for name in sorted({*theirs} - {*KNOWN, *NAMES}):
            if theirs[name] is not None and (name not in HARMLESS or HARMLESS[name] not in (None, theirs[name])):
                raise UserError(
                    f"{name} is {shown(theirs[name])}, which is not understood; remove it if it is not needed"
                )
        said = {name: read(theirs, name, kind, usual) for name, (kind, usual) in KNOWN.items()}
        size = said["size"] if isinstance(said["size"], dict) else {"height": said["size"], "width": said["size"]}
        mean, deviation = (np.array(said[name], np.float32) for name in ("image_mean", "image_std"))
        if len(mean) != len(deviation) or not deviation.all():
            raise UserError("image_mean and image_std must be of one length, and no deviation 0")
        return Preprocessor(
            (size["height"], size["width"]) if said["do_resize"] else None,
            RESAMPLES[said["resample"]],
            said["rescale_factor"] if said["do_rescale"] else 1.0,
            mean if said["do_normalize"] else np.zeros_like(mean),
            deviation if said["do_normalize"] else np.ones_like(deviation),
            bool(said["do_convert_rgb"]),
        )


def is_published(path: str | Path) -> bool:
    """Whether this is a folder of a published vision transformer."""
    if not (Path(path) / CONFIG).exists():
        return False
    theirs = read_config(path)
    return isinstance(theirs, dict) and theirs.get("model_type") == "vit"


class PublishedImages:
    """The model of a folder, and what it says to images."""

    def __init__(self, path: str | Path):
        """`UserError` if the folder holds no classifier of images, or says what is not understood."""
        theirs = read_config(path)
        with about(Path(path) / CONFIG):
            names = read(theirs, "id2label", table_of(TEXT).or_none(), None) or {}
        self.preprocessor = read_preprocessor(path)
        self.model, self.params, _ = load_pretrained(path)
        config = self.model.config
        if config.head != "sequence" or config.image is None:
            raise UserError(f"{path} holds a model without classes; open one of ViTForImageClassification")
        self.labels = tuple(names.get(str(number), f"LABEL_{number}") for number in range(config.labels))
        if len({*self.labels}) < len(self.labels):
            raise UserError(f"{path} gives two classes one name in id2label; tell them apart")

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        """(N, labels) of images, (N, Y, X, Z)."""
        said = []
        for first in range(0, len(pixels), ROWS):
            seen = self.preprocessor.scaled(pixels[first : first + ROWS], self.model.config.image)
            said.append(self.model.forward(self.params, Batch(seen), Call().forward_only())[0])
        return softmax_forward(np.concatenate(said).astype(np.float64))[0]


def write_preprocessor(folder: str | Path, run: ImageFolder) -> None:
    """Add to an exported folder how the run scales pixels, and what its classes are called."""
    channels, height, width = run.image
    mean, deviation = ([value / 255 for value in some] for some in (run.mean, run.deviation))
    write_json(
        Path(folder) / PREPROCESSOR,
        {
            "image_processor_type": "ViTImageProcessor",
            "do_resize": True,
            "size": {"height": height, "width": width},
            "resample": 2,
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "do_normalize": True,
            "image_mean": mean,
            "image_std": deviation,
            "do_convert_rgb": channels == 3,
        },
    )
    theirs = read_config(folder)
    numbered = {str(number): label for number, label in enumerate(run.labels)}
    write_json(
        Path(folder) / CONFIG,
        {**theirs, "id2label": numbered, "label2id": {label: number for number, label in enumerate(run.labels)}},
    )
