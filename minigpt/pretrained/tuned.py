"""The folder of a fine-tuned model: what was trained of it, and on top of which model.

finetune.json (task, classes, columns, settings, the model below with its checksum, what was measured), tokenizer.json,
best.safetensors and last.safetensors (checkpoints of what learns: the whole model, or a part that needs the model
below), metrics.csv. While a process trains there, .lock.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.adapt import Learns, Part, divided, merge
from minigpt.errors import UserError
from minigpt.files import read_json, write_json
from minigpt.model import Overlay, Params, Transformer, TransformerConfig
from minigpt.model.params import Weights, checksum_of, sha256_of
from minigpt.pretrained.named import NAMED
from minigpt.pretrained.quantized_matrix import StoredWeights
from minigpt.text import Tokenizer, load_tokenizer
from minigpt.train import RunFolder
from minigpt.train.folder import PROVENANCE, newest, read_settings
from minigpt.train.start import first_parameters
from minigpt.values import FLAG, TABLE, TEXT, about, choice, list_of, read, shown, table_of, whole

FILE = "finetune.json"
FORMAT = "minigpt finetune 1"
AS_STORED = "as stored"  # the bits of a base that was opened with `quantized`
DESCRIPTION = {
    "task": TEXT,
    "below": table_of(TEXT),
    "learns": TABLE,
    "labels": list_of(TEXT),
    "columns": table_of(TEXT),
    "data": TABLE,
    "cut": FLAG,
    "special": TABLE,
    "objective": TEXT,
    "measured": TABLE,
}


@dataclass(frozen=True)
class TunedFolder(RunFolder):
    """The description in finetune.json, and where the other files are.

    Parameters
    ----------
    path, config, settings, corpus, objective, special, start, provenance
        As of a `RunFolder`; `corpus` says which data it was.
    task : str
        One of `minigpt.finetune.TASKS`, or domain.
    below : dict of str to str
        `name`, `checksum` and `sha256` of the model that it began with; `bits`, "as stored", where they were left so.
    learns : Learns
        What of it was trained.
    labels, columns : tuple of str, dict of str to str
        The classes in their order; role -> the column of the data.
    cut : bool
        Whether texts that are too long are cut.
    measured : dict
        What it reached, once it was trained.
    """

    task: str = "domain"
    below: dict[str, str] = field(default_factory=dict)
    learns: Learns = field(default_factory=Learns)
    labels: tuple[str, ...] = ()
    columns: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    measured: dict[str, Any] = field(default_factory=dict)

    def described(self) -> dict[str, Any]:
        """What finetune.json says, plain values."""
        description = {
            "config": self.config.to_dict(),
            "settings": self.settings.to_dict(),
            "task": self.task,
            "below": self.below,
            "learns": self.learns.to_dict(),
            "labels": list(self.labels),
            "columns": self.columns,
            "data": self.corpus,
            "cut": self.cut,
            "special": self.special,
            "objective": self.objective,
            "measured": self.measured,
        }
        origin = {} if self.provenance is None else {PROVENANCE: self.provenance}
        return {"format": FORMAT, **description, **origin}

    def save(self) -> None:
        """Write finetune.json."""
        write_json(self.file(FILE), self.described())


def has_tuned(path: str | Path) -> bool:
    """Whether there is a fine-tuned model in the folder."""
    return (Path(path) / FILE).exists()


def open_tuned_folder(path: str | Path) -> TunedFolder:
    """Read finetune.json. `UserError` if the folder holds none, or one that this minigpt cannot read."""
    path = Path(path)
    if not has_tuned(path):
        raise UserError(
            f"{path} is not the folder of a fine-tuned model (it has no {FILE}); minigpt finetune makes one"
        )
    with about(path / FILE, "it is damaged; restore it or fine-tune again"):
        value = read_json(path / FILE)
        format_ = read(value, "format", TEXT)
        if format_ != FORMAT:
            raise UserError(f"its format is {shown(format_)}, but this minigpt reads {FORMAT!r}")
        for name in sorted(set(value) - {"format", "config", "settings", PROVENANCE, *DESCRIPTION}):
            raise UserError(f"{name} is not known; this minigpt is older than the file?")
        found: dict[str, Any] = {name: read(value, name, kind) for name, kind in DESCRIPTION.items()}
        found[PROVENANCE] = read(value, PROVENANCE, TABLE.or_none(), None)  # former versions wrote none
        config = TransformerConfig.from_dict(read(value, "config", TABLE))
        settings = read_settings(read(value, "settings", TABLE))
        for role in found["special"]:
            read(found["special"], role, whole(0, config.vocabulary_size - 1))
        for name in ("name", "checksum"):
            read(found["below"], name, TEXT)
        read(found["below"], "bits", choice(AS_STORED), None)
        found["learns"], found["labels"] = Learns.from_dict(found["learns"]), tuple(found["labels"])
        return TunedFolder(path, config, settings, found.pop("data"), **found)


def said_of(name: str, params: Weights) -> dict[str, str]:
    """What finetune.json says of the model below, so that it is opened in the same way again, from any folder."""
    bits = {} if isinstance(params, Params) else {"bits": AS_STORED}
    is_path = name not in NAMED and Path(name).exists()
    place = str(Path(name).resolve()) if is_path else name
    return {"name": place, "checksum": checksum_of(params), "sha256": sha256_of(params), **bits}


def part_of(folder: TunedFolder, below: Weights) -> Part:
    """What learns, as it begins, and what stays of the model below with the head of the task."""
    model, seed = Transformer(folder.config), folder.settings.seed
    known = model.shapes()
    taken = {name: array for name, array in below.items() if known.get(name) == array.shape}
    if isinstance(below, Params):
        return divided(model, first_parameters(folder.config, taken, seed), folder.learns, seed)
    make = model.maker(np.random.default_rng(seed))  # as `first_parameters` does
    fresh = {name: make(name).astype(np.float32) for name in known if name not in taken}
    return divided(model, StoredWeights(taken | fresh), folder.learns, seed)


def trained_params(folder: TunedFolder, part: Part, checkpoint: str) -> Params | Overlay:
    """The parameters of a checkpoint, put together with what stays."""
    trained, _ = newest(folder, checkpoint, layout=part.fresh)
    return part.under(trained)


def whole_params(config: TransformerConfig, params: Params | Overlay) -> Params:
    """All parameters in one vector, adapters added to their matrices: W + down @ up, equal but for rounding."""
    if isinstance(params, Params):
        return params
    model = Transformer(config)
    names = model.shapes()
    adapters = params.trained.only([name for name in params.trained if name not in names])
    result = Params(model.arrays(), dtype=params.trained.flat.dtype)
    for name in names:
        result[name] = params[name]
    return merge(result, adapters) if len(adapters) else result


def tokenizer_of(folder: TunedFolder) -> Tokenizer:
    """Its tokenizer; `UserError` if it does not fit the model."""
    tokenizer = load_tokenizer(folder.file("tokenizer.json"))
    if tokenizer.vocabulary_size > folder.config.vocabulary_size:
        raise UserError(
            f"{folder.file('tokenizer.json')} has {tokenizer.vocabulary_size} tokens, but the model "
            f"{folder.config.vocabulary_size}; one of the two files is from another folder"
        )
    return tokenizer
