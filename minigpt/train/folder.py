"""A run's folder: all that training needs to go on, and all that generating and evaluating need to begin.

run.json (configuration, settings, objective, what the text was), tokenizer.json,
training.npy and validation.npy (token ids), last.safetensors and best.safetensors (checkpoints; many ranks write
last.json and best.json, which name folders of shards, see `minigpt.train.shards`), metrics.csv, loss.png. While a
process trains there, .lock, see `minigpt.train.lock`.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.files import read_json, write_json, write_text
from minigpt.model import Params, Transformer, TransformerConfig
from minigpt.objectives import Objective, objective_of, special_tokens
from minigpt.text import Tokenizer, load_tokenizer, open_tokens
from minigpt.train.checkpoint import DamagedError, checkpoint_header, load_checkpoint
from minigpt.train.metrics import read_metrics
from minigpt.train.settings import TrainSettings
from minigpt.train.shards import load_shards, shards_step
from minigpt.values import TABLE, TEXT, about, read, shown, table_of, whole

FORMAT = "minigpt run 2"
FORMER = "minigpt run 1"  # of version 0.1, which trained on the next token only
DESCRIPTION = {"corpus": TABLE, "objective": TEXT, "special": TABLE, "start": TABLE.or_none()}
PROVENANCE = "provenance"
MARK = ".preparing"  # is there from the first file of a run on until its description is written
RESULTS = ("best.safetensors", "last.safetensors", "metrics.csv", "loss.png", "config.json")  # the last: of others
LATER = ("teacher", PROVENANCE)  # which runs of former versions, and most of ours, lack
COUNTS = ("validation_tokens", "validation_bytes")  # of a corpus, where it has been counted


@dataclass(frozen=True)
class RunFolder:
    """The description in run.json, and where the other files are.

    Parameters
    ----------
    path : Path
        The folder.
    config, settings : TransformerConfig, TrainSettings
        What is trained, and how.
    corpus : dict
        Name, sha256, counts of tokens and bytes: what the text was.
    objective : str
        One of `OBJECTIVES`.
    special : dict of str to int
        Ids of the objective's special tokens, by role.
    start : dict, optional
        The model that it began with, and what was taken of it; None: fresh.
    teacher : dict, optional
        The model that it learns from beside the text, and how; None: none.
    provenance : dict, optional
        Versions, machine and command with which it began; None: of a run of version 0.2 or before.

    Examples
    --------
    >>> config = minigpt.preset("tiny", vocabulary_size=50)
    >>> folder = minigpt.RunFolder("runs/mine", config, minigpt.TrainSettings(), corpus={}, objective="masked")
    >>> folder.record.summary
    'hidden tokens, from those on both sides (BERT)'
    """

    path: Path
    config: TransformerConfig
    settings: TrainSettings
    corpus: dict[str, Any]  # name, sha256, validation_bytes: what the text was
    objective: str = "causal"  # as on the command line
    special: dict[str, int] = field(default_factory=dict)  # ids of the objective's special tokens, by role
    start: dict[str, Any] | None = None  # the model that it began with, and what was taken of it; None: fresh
    teacher: dict[str, Any] | None = None  # the model that it learns from beside the text, and how; None: none
    provenance: dict[str, Any] | None = None  # see `minigpt.train.provenance`; None: of former versions

    @property
    def record(self) -> Objective:
        """The record of the run's objective."""
        return objective_of(self.objective)

    def check_writes(self) -> None:
        """`UserError`, in one sentence, if the model of this run does not continue texts."""
        if not self.record.left_to_right:
            raise UserError(
                f"{self.path} was trained with the objective {self.objective} ({self.record.summary}), so it does not "
                "continue a text; train one that does: minigpt train --objective causal"
            )

    def check_alone(self) -> None:
        """`UserError`, in one sentence, for the run of a student, which cannot go on without its teacher."""
        if self.teacher is not None:
            raise UserError(
                f"{self.path} learns from {self.teacher.get('name')}, and goes on with its teacher: `minigpt distill "
                "--resume`; or train this model on, by itself, with --start"
            )

    def file(self, name: str) -> Path:
        """The path of one of the folder's files."""
        return self.path / name

    def checkpoint(self, which: str) -> Path:
        """The path of the checkpoint `which`: best or last."""
        return self.file(f"{which}.safetensors")

    def has_checkpoint(self, which: str) -> bool:
        """Whether there is a checkpoint `which`, written by one process or by many."""
        return self.checkpoint(which).exists() or shards_step(self.path, which) >= 0

    @property
    def begun(self) -> bool:
        """Whether there is anything to go on from."""
        return self.has_checkpoint("last") or self.has_checkpoint("best")

    def tokenizer(self) -> Tokenizer:
        """The tokenizer; `UserError` if it does not fit the model.

        Only a model that was published may have more ids than tokens: some vocabularies are padded to a round number.
        """
        tokenizer = load_tokenizer(self.file("tokenizer.json"))
        unused = self.config.vocabulary_size - tokenizer.vocabulary_size
        if unused < 0 or (unused and self.start is None):
            raise UserError(
                f"{self.file('tokenizer.json')} has {tokenizer.vocabulary_size} tokens, but the model of this run "
                f"{self.config.vocabulary_size}; one of the two files is from another run"
            )
        return tokenizer

    def tokens(self, which: str) -> np.ndarray:
        """Token ids, (N,), mapped from disk: `training` or `validation`."""
        expected = self.corpus.get("checksums", {}).get(which)  # runs of version 0.1 have none
        return open_tokens(self.file(f"{which}.npy"), self.config.vocabulary_size, expected=expected)

    def described(self) -> dict[str, Any]:
        """What run.json says, plain values."""
        description = {
            "config": self.config.to_dict(),
            "settings": self.settings.to_dict(),
            "corpus": self.corpus,
            "objective": self.objective,
            "special": self.special,
            "start": self.start,
        }
        later = {"teacher": self.teacher, PROVENANCE: self.provenance}
        return {"format": FORMAT, **description, **{name: value for name, value in later.items() if value is not None}}

    def save(self) -> None:
        """Write run.json."""
        write_json(self.file("run.json"), self.described())


@contextmanager
def first_files(path: Path, names: Iterable[str], *, known: bool = False) -> Iterator[None]:
    """While inside, the first files of a run are written, and last what describes it.

    names: of these files. known: whether the folder is described, so that all of them are its own. `UserError` for a
    file that is there and is of no run, which would be overwritten, and for a published model's; what a preparation
    left that was killed, which a mark tells, is overwritten.
    """
    mark = path / MARK
    if not (known or mark.exists()):
        for name in (*names, *RESULTS):
            if (path / name).exists():
                raise UserError(f"{path} holds {name} already, and nothing is overwritten; choose another folder")
    write_text(mark, "")
    yield
    mark.unlink()


def has_run(path: str | Path) -> bool:
    """Whether there is a run in the folder."""
    return (Path(path) / "run.json").exists()


def open_folder(path: str | Path) -> RunFolder:
    """Read run.json. `UserError` if the folder holds no run, or one that this minigpt cannot read."""
    if not has_run(path):
        raise UserError(f"{path} is not the folder of a run (it has no run.json); train one with `minigpt train`")
    with about(Path(path) / "run.json", "it is damaged; restore it or train again"):
        return _described(Path(path), read_json(Path(path) / "run.json"))


def _described(path: Path, value: dict[str, Any]) -> RunFolder:
    """The run that a run.json describes. `UserError` names what does not fit."""
    format_ = read(value, "format", TEXT)
    if format_ == FORMER:
        value |= {"objective": "causal", "special": {}, "start": None}
    elif format_ != FORMAT:
        raise UserError(f"its format is {shown(format_)}, but this minigpt reads {FORMAT!r}")
    unknown = set(value) - {"format", "config", "settings", *LATER, *DESCRIPTION}
    if unknown:
        raise UserError(f"{sorted(unknown)[0]} is not known; this minigpt is older than the file?")
    settings = dict(read(value, "settings", TABLE))
    if "threads" in settings:  # their name in former runs
        settings["workers"] = settings.pop("threads")
    described = {name: read(value, name, kind) for name, kind in DESCRIPTION.items()}
    described |= {name: read(value, name, TABLE.or_none(), None) for name in LATER}
    for name in COUNTS:
        read(described["corpus"], name, whole(1), None)
    read(described["corpus"], "checksums", table_of(TEXT), None)
    config = TransformerConfig.from_dict(read(value, "config", TABLE))
    roles = {*described["special"], *special_tokens(objective_of(described["objective"]), config.context)}
    for role in sorted(roles):
        read(described["special"], role, whole(0, config.vocabulary_size - 1))
    return RunFolder(path=path, config=config, settings=read_settings(settings), **described)


def history_of(folder: RunFolder) -> dict[str, Any]:
    """run.json, and in `reached` how far training came: steps, seconds and the best validation loss, as far as known.

    What a model that is made of the run, and a card of it, say of its training.
    """
    metrics = read_metrics(folder.file("metrics.csv")) if folder.file("metrics.csv").exists() else {}
    seconds, losses = metrics.get("seconds", []), metrics.get("validation_loss", [])
    reached = {
        "steps": steps_done(folder),
        "seconds": seconds[-1][1] if seconds else None,
        "validation_loss": min(loss for _, loss in losses) if losses else None,
    }
    return {**folder.described(), "reached": reached}


def read_settings(values: dict[str, Any]) -> TrainSettings:
    """The settings that a description has. `UserError` names one that is not known, or does not fit."""
    strange = set(values) - {field.name for field in fields(TrainSettings)}
    if strange:
        raise UserError(f"the setting {sorted(strange)[0]} is not known; this minigpt is older than the file?")
    return TrainSettings(**values)


def newest(
    folder: RunFolder, which: str, *, state: dict[str, Any] | None = None, layout: Params | None = None
) -> tuple[Params, dict[str, Any]]:
    """The parameters and the progress in the checkpoint `which`, written by one process or by many, the newer one.

    Fills the optimizer's `state`, fresh from `init`, if it is given. layout: of what learns, where that is not the
    whole model. `UserError` if there is none.
    """
    many = shards_step(folder.path, which)
    if many < 0:
        return load_checkpoint(folder.checkpoint(which), folder.config, state=state, layout=layout)
    if folder.checkpoint(which).exists():
        found = load_checkpoint(folder.checkpoint(which), folder.config, state=state, layout=layout)
        if found[1]["step"] >= many:
            return found
    return load_shards(folder.path, which, folder.config, state=state)


def steps_done(folder: RunFolder) -> int:
    """The step of the checkpoint from which training goes on; 0 before there is one."""
    for which in ("last", "best"):
        steps = [shards_step(folder.path, which)]
        with suppress(DamagedError):
            if folder.checkpoint(which).exists():
                steps.append(int(checkpoint_header(folder.checkpoint(which))["progress"]["step"]))
        if max(steps) >= 0:
            return max(steps)
    return 0


@dataclass(frozen=True)
class OpenedRun:
    """A trained model, ready to use."""

    folder: RunFolder
    model: Transformer
    params: Params
    tokenizer: Tokenizer
    progress: dict[str, Any]  # step, best_loss, seconds

    @property
    def name(self) -> str:
        """Where it was."""
        return str(self.folder.path)

    def training_tokens(self) -> np.ndarray:
        """The ids that the model was trained on, (N,)."""
        return self.folder.tokens("training")


def open_run(path: str | Path, which: str = "best") -> OpenedRun:
    """The model of a run.

    Parameters
    ----------
    path : str or Path
        The run's folder.
    which : str
        The checkpoint: `best` or `last`.

    Returns
    -------
    OpenedRun
        `model`, `params`, `tokenizer`, `folder`, and in `progress` the step, the best loss and the seconds.

    Raises
    ------
    UserError
        Says what is missing or damaged.

    Examples
    --------
    >>> fables = minigpt.Corpus("fables", ("The fox met a hen. " * 20,), ("The hen met a fox. " * 5,))
    >>> settings = minigpt.TrainSettings(steps=2, batch=2)
    >>> folder = minigpt.prepare_run("fables", fables, tokenizer="characters", settings=settings, progress=False)
    >>> params, progress = minigpt.train.train(folder, show_progress=False)
    >>> minigpt.open_run("fables").progress["step"]
    2
    """
    folder = open_folder(path)
    tokenizer = folder.tokenizer()
    params, progress = newest(folder, which)
    return OpenedRun(folder, Transformer(folder.config), params, tokenizer, progress)
