"""What a model is and what made it, counted from its arrays and files: the ground of its card."""

import hashlib
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from minigpt.measure.scale import step_flops
from minigpt.model import TransformerConfig
from minigpt.model.params import Weights
from minigpt.pretrained import OpenedModel
from minigpt.pretrained.compressed import has_compressed, open_compressed
from minigpt.train.folder import history_of
from minigpt.values import TABLE, TEXT, about, number, read, whole

REACHED = ("seconds", "validation_loss")
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
            "layers": config.layers,
            "width": config.width,
            "heads": config.heads,
            "context": config.context,
            "vocabulary": config.vocabulary_size,
            "parameters": sum(int(np.prod(array.shape)) for _, array in opened.params.items()),
            "sha256": weights_hash(opened.params),
            "operations_per_token": None if opened.model.two_stacks else forward_operations(config),
        },
        "training": training,
        "energy": _energy(training, assumed),
    }


def weights_hash(params: Weights) -> str:
    """SHA-256 of all values of a model, as float32, with their names: whoever has other weights has another one."""
    digest = hashlib.sha256()
    for name, array in sorted(params.items()):
        digest.update(name.encode() + b"\0")
        digest.update(np.ascontiguousarray(array, np.float32).data)
    return digest.hexdigest()


def forward_operations(config: TransformerConfig) -> float:
    """Operations of reading one token in a text of the whole context, matrix products only."""
    return step_flops(config, 1, recompute=False) / 3 / config.context


def _history(opened: OpenedModel) -> dict[str, Any] | None:
    """What is recorded of the run: its own, or that of which a compressed model was made."""
    if opened.run is not None:
        return history_of(opened.run)
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
    settings, corpus, origin = history["settings"], history["corpus"], history.get("provenance") or {}
    steps = read(history["reached"], "steps", whole(0))
    each = read(settings, "batch", whole(1)) * read(settings, "accumulate", whole(1)) * config.context
    reached = {name: read(history["reached"], name, number(0.0).or_none(), None) for name in REACHED}
    tokens_file = None
    if opened.run is not None:
        opened.run.tokens("training")  # refused if it is not what was written
        with open(opened.run.file("training.npy"), "rb") as file:
            tokens_file = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "corpus": corpus.get("name"),
        "corpus_sha256": corpus.get("sha256"),
        "training_tokens": corpus.get("training_tokens"),
        "tokens_file_sha256": tokens_file,
        "objective": history.get("objective"),
        "start": (history.get("start") or {}).get("name"),
        **{name: settings.get(name) for name in ("optimizer", "learning_rate", "batch", "seed")},
        "steps": steps,
        **reached,
        "tokens_read": steps * each,
        "operations": None if opened.model.two_stacks else 3 * forward_operations(config) * steps * each,
        **{name: read(origin, name, TEXT.or_none(), None) for name in ("minigpt", "python", "numpy", "processor")},
        "cores": read(origin, "cores", whole(1).or_none(), None),
    }


def _energy(training: dict[str, Any] | None, assumed: Energy) -> dict[str, Any] | None:
    if training is None or training["seconds"] is None or training["cores"] is None:
        return None
    return {**assumed.of(training["seconds"], training["cores"]), **asdict(assumed)}
