"""What a model is and what made it, counted from its arrays and files: the ground of its card."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.measure.scale import step_flops
from minigpt.model import TransformerConfig
from minigpt.model.params import sha256_of
from minigpt.pretrained import OpenedModel
from minigpt.pretrained.compressed import has_compressed, open_compressed
from minigpt.pretrained.named import NAMED
from minigpt.pretrained.tuned import has_tuned, open_tuned_folder
from minigpt.train.folder import history_of
from minigpt.train.provenance import without_folders
from minigpt.values import TABLE, TEXT, about, list_of, number, read, whole
from minigpt.vision import has_images, open_image_folder

REACHED = ("seconds", "validation_loss")
WITH = ("minigpt", "python", "numpy", "system", "processor")
JOULES_PER_KILOWATT_HOUR = 3.6e6


@dataclass(frozen=True)
class Energy:
    """What is assumed where nobody measured: it decides the result, so it stands beside it.

    Strubell et al. (2019), arXiv:1906.02243, multiply power, time and an overhead likewise; here no meter was read.
    """

    watts_per_core: float = 15.0  # of the processor, memory and everything else of the machine, under load
    overhead: float = 1.0  # of a building, on top of its machines; a desk has none
    grams_per_kilowatt_hour: float = 400.0  # of CO2; from about 20 to 900, by grid and hour

    def of(self, seconds: float, cores: int) -> dict[str, float]:
        """Kilowatt-hours and grams of CO2 of so many seconds on so many cores."""
        used = seconds * cores * self.watts_per_core * self.overhead / JOULES_PER_KILOWATT_HOUR
        return {"kilowatt_hours": used, "grams_of_co2": used * self.grams_per_kilowatt_hour}


def facts_of(opened: OpenedModel, assumed: Energy) -> dict[str, Any]:
    """Plain values: `model`, counted from the arrays; `training`, as the run recorded it; `energy`, as assumed.

    training and energy are None where the files do not know it, as of a published model.
    """
    config = opened.model.config
    training = _training(opened, config)
    return {
        "model": {
            "architecture": config.architecture,
            "input": (config if config.encoder is None else config.encoder).input,
            "layers": config.layers,
            "width": config.width,
            "heads": config.heads,
            "context": config.context,
            "vocabulary": config.vocabulary_size,
            "parameters": sum(int(np.prod(array.shape)) for _, array in opened.params.items()),
            "sha256": sha256_of(opened.params),
            "operations_per_token": None if opened.model.two_stacks else forward_operations(config),
        },
        "training": training,
        "energy": _energy(training, assumed),
    }


def forward_operations(config: TransformerConfig) -> float:
    """Operations of reading one token in a text of the whole context, matrix products only."""
    return step_flops(config, 1, recompute=False) / 3 / config.context


def _history(opened: OpenedModel) -> dict[str, Any] | None:
    """What is recorded of its training, of whatever kind, or of that of which a compressed model was made."""
    if opened.run is not None:
        return history_of(opened.run)
    if opened.name in NAMED:
        return None
    for there, open_ in ((has_tuned, open_tuned_folder), (has_images, open_image_folder)):
        if there(opened.name):
            return history_of(open_(opened.name))
    if not has_compressed(opened.name):
        return None
    with about(opened.name, "compress the run again"):
        source = read(open_compressed(opened.name).header["made"], "source", TABLE, {})
        history = read(source, "run", TABLE.or_none(), None)
        for name in () if history is None else ("settings", "reached", "corpus"):
            read(history, name, TABLE)
        return history


def _training(opened: OpenedModel, config: TransformerConfig) -> dict[str, Any] | None:
    history = _history(opened)
    if history is None:
        return None
    settings, origin = history["settings"], history.get("provenance") or {}
    task, below = history.get("task"), history.get("below") or history.get("start") or {}
    steps = read(history["reached"], "steps", whole(0))
    each = read(settings, "batch", whole(1)) * read(settings, "accumulate", whole(1)) * config.context
    in_windows = task is None  # else what a step reads is as long as its examples are
    reached = {name: read(history["reached"], name, number(0.0).or_none(), None) for name in REACHED}
    command = read(origin, "command", list_of(TEXT).or_none(), None)
    return {
        **_data(opened, history),
        "task": task,
        "objective": history.get("objective") if task in (None, "domain") else None,
        "start": None if below.get("name") is None else without_folders(below["name"]),
        "start_sha256": below.get("sha256"),
        "learns": history.get("learns", {}).get("way"),
        **{name: settings.get(name) for name in ("optimizer", "learning_rate", "batch", "seed")},
        "steps": steps,
        **reached,
        "tokens_read": steps * each if in_windows else None,
        "operations": 3 * forward_operations(config) * steps * each
        if in_windows and not opened.model.two_stacks
        else None,
        "command": None if command is None else " ".join(command),
        **{name: read(origin, name, TEXT.or_none(), None) for name in WITH},
        "cores": read(origin, "cores", whole(1).or_none(), None),
    }


def _data(opened: OpenedModel, history: dict[str, Any]) -> dict[str, Any]:
    """What it learnt from: name and hashes, and how much it was."""
    data: dict[str, Any] = history.get("corpus") or history["data"]
    file, examples = None, None
    if opened.run is not None:
        opened.run.tokens("training")  # refused if it is not what was written
        file = opened.run.file("training.npy")
    elif "files" in data:
        named = read(data["files"], "training", TABLE)
        data = {"name": without_folders(read(named, "path", TEXT)), "sha256": named.get("sha256")}
    elif "texts" in data:
        data = read(data["texts"], "domain", TABLE)
    elif has_images(opened.name):
        images = open_image_folder(opened.name)
        images.pixels("training")
        file, examples = images.file("training.npy"), data["training"]
    return {
        "corpus": None if data.get("name") is None else without_folders(read(data, "name", TEXT)),
        "corpus_sha256": data.get("sha256"),
        "training_tokens": data.get("training_tokens"),
        "training_examples": examples,
        "tokens_file_sha256": None if file is None else _digest(file),
    }


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _energy(training: dict[str, Any] | None, assumed: Energy) -> dict[str, Any] | None:
    if training is None or training["seconds"] is None or training["cores"] is None:
        return None
    return {**assumed.of(training["seconds"], training["cores"]), **asdict(assumed)}
