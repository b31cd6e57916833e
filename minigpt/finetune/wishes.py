"""What a user wants of a fine-tuning."""

import math
from dataclasses import dataclass, field, fields
from typing import Any

from minigpt.adapt import Learns
from minigpt.errors import UserError
from minigpt.train import TrainSettings
from minigpt.values import FLAG, Kind, check, choice, number, whole

RATES = {"all": 5e-5, "last": 2e-4, "head": 1e-3, "low-rank": 1e-3}  # what learns -> the highest rate
POOLED = choice("first", "last", "mean").or_none()
KINDS: dict[str, Kind] = {
    "epochs": whole(1, 10_000),
    "steps": whole(1).or_none(),
    "replay": number(0.0, 1.0),
    "batch": whole(1, 1 << 20),
    "accumulate": whole(1),
    "learning_rate": number(0.0).or_none(),
    "pooled": POOLED,
    "context": whole(1).or_none(),
    "dropout": number(0.0, 1.0),
    "weight_decay": number(0.0),
    "balanced": FLAG,
    "patience": whole(1).or_none(),
    "validations": whole(1),
    "cut": FLAG,
    "packed": FLAG,
    "seed": whole(0),
    "workers": whole(1, 1024),
}


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What a user wants of a fine-tuning. `UserError` names a value that does not fit.

    Parameters
    ----------
    task : str
        One of `TASKS`.
    columns : dict of str to str
        Role -> the name of its column, where they differ.
    learns : Learns
        Which part of the model.
    epochs, batch, accumulate : int
        How often each example is seen; rows in a micro-batch; micro-batches to an update.
    steps : int, optional
        Updates, in place of epochs.
    learning_rate : float, optional
        The highest; None: that of `RATES`.
    pooled : str, optional
        Of classify: first, last or mean. None: first in an encoder, last in a decoder.
    context : int, optional
        Tokens of an example at most; None: what the model sees.
    dropout, weight_decay : float
        As in `TransformerConfig` and `TrainSettings`.
    balanced : bool
        Whether the classes count alike in the loss, however many examples each has.
    patience : int, optional
        End after so many validations without a better one; None: never.
    validations : int
        In an epoch.
    cut, packed : bool
        Cut texts that are too long; put several conversations in one row.
    workers : int
        Processes that share the rows of a batch.
    replay : float
        Of domain: the share of the rows of each batch that is old text.
    seed : int
        Of the order, of dropout, and of all that begins fresh.
    """

    task: str
    columns: dict[str, str] = field(default_factory=dict)
    learns: Learns = field(default_factory=Learns)
    epochs: int = 3
    batch: int = 32
    accumulate: int = 1
    steps: int | None = None
    learning_rate: float | None = None
    pooled: str | None = None
    context: int | None = None
    dropout: float = 0.0
    weight_decay: float = 0.01
    balanced: bool = False
    patience: int | None = None
    validations: int = 2
    cut: bool = False
    packed: bool = False
    replay: float = 0.0
    workers: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        for one in fields(self):
            if one.name in KINDS:
                check(one.name, getattr(self, one.name), KINDS[one.name])
        for name, task in (("pooled", "classify"), ("balanced", "classify"), ("packed", "chat"), ("replay", "domain")):
            if getattr(self, name) and self.task != task:
                raise UserError(f"{name} matters to the task {task} alone, and this is {self.task}; leave it out")

        if self.cut and self.task == "domain":
            raise UserError("the texts of a domain are read in windows, so none is too long to be cut; leave cut out")

    def settings(self, examples: int) -> TrainSettings:
        """The numbers of the training on so many rows."""
        per_epoch = math.ceil(examples / (self.batch * self.accumulate))
        steps = self.epochs * per_epoch if self.steps is None else self.steps
        return TrainSettings(
            steps=steps,
            batch=self.batch,
            accumulate=self.accumulate,
            learning_rate=RATES[self.learns.way] if self.learning_rate is None else self.learning_rate,
            schedule="linear",
            final_rate=0.0,
            warmup=max(1, steps // 10),
            weight_decay=self.weight_decay,
            beta2=0.999,
            seed=self.seed,
            workers=min(self.workers, self.batch),
            validate_every=min(steps, max(1, per_epoch // self.validations)),
        )

    def of_data(self) -> dict[str, Any]:
        """Those that say what is made of the data."""
        return {name: getattr(self, name) for name in OF_DATA}


OF_DATA = {name: KINDS[name] for name in ("context", "balanced", "packed", "patience", "replay")}
