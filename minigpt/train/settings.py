"""How to train: every number that is not the model's."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from minigpt.errors import UserError
from minigpt.model import Params
from minigpt.optim import (
    Optimizer,
    Schedule,
    adam,
    adamw,
    constant,
    muon,
    sgd,
    warmup_cosine,
    warmup_linear,
)
from minigpt.values import MOST_WHOLE, TEXT, Kind, check, number, whole

SCHEDULES = ("cosine", "linear", "constant")
OPTIMIZERS = ("adamw", "adam", "sgd", "muon")
MOST = {
    "accumulate": 65_536,  # a step holds their windows at once, and would not end in days
    "workers": 1024,  # more processes than any machine has cores for
}


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """Numbers of one training run. `UserError` names any that does not fit.

    Parameters
    ----------
    steps, batch, accumulate : int
        Updates of the parameters; windows in a micro-batch; micro-batches to an update.
    optimizer, schedule : str
        adamw, adam, sgd or muon; cosine, linear or constant, after the warm-up.
    learning_rate, warmup, final_rate : float, int, float
        The highest rate; steps in which it rises; the last rate, as a share of the highest.
    weight_decay, beta1, beta2, clip : float
        Of the optimizer (beta1 is also the momentum of sgd); the longest gradient.
    seed, workers : int
        Everything random follows from the seed; so many workers share the rows of a batch.
    log_every, validate_every, validation_windows : int
        Steps between rows of metrics.csv; steps between validations, each followed by a checkpoint; windows of held-out
        text in each.
    checkpoint_seconds : float
        A checkpoint is also written when the last one is so old; what is trained does not depend on it.

    Examples
    --------
    >>> settings = minigpt.TrainSettings(steps=100, warmup=10, learning_rate=0.01)
    >>> settings.rate()(9), round(settings.rate()(100), 4)
    (0.01, 0.001)
    """

    steps: int = 1800  # parameter updates
    batch: int = 12  # windows in a micro-batch
    accumulate: int = 1  # micro-batches to an update
    optimizer: str = "adamw"  # adamw | adam | sgd | muon
    learning_rate: float = 3e-3  # the highest
    schedule: str = "cosine"  # cosine | linear | constant, after the warm-up
    warmup: int = 100  # steps in which the learning rate rises
    final_rate: float = 0.1  # the last learning rate, as a share of the highest
    weight_decay: float = 0.1
    beta1: float = 0.9  # also the momentum of sgd
    beta2: float = 0.99
    clip: float = 1.0  # longest gradient
    seed: int = 0
    workers: int = 1  # that share the rows of a batch
    log_every: int = 10  # steps between rows of metrics.csv
    validate_every: int = 250  # steps between validations, each followed by a checkpoint
    validation_windows: int = 256  # of held-out text, the same ones every time
    checkpoint_seconds: float = 300.0  # between checkpoints at most

    def __post_init__(self) -> None:
        for field in fields(self):
            least = 0 if field.name in ("warmup", "seed") else 1
            kinds: dict[Any, Kind] = {
                int: whole(least, MOST.get(field.name, MOST_WHOLE)),
                float: number(0.0),
                str: TEXT,
            }
            check(field.name, getattr(self, field.name), kinds[field.type])
        if self.learning_rate == 0 or self.clip == 0:
            raise UserError("learning_rate and clip must be above 0, or nothing would be learnt")
        if not (self.beta1 < 1 and self.beta2 < 1 and self.final_rate <= 1):
            raise UserError(
                f"beta1 {self.beta1} and beta2 {self.beta2} must be below 1, final_rate {self.final_rate} <= 1"
            )
        if self.schedule not in SCHEDULES or self.optimizer not in OPTIMIZERS:
            raise UserError(
                f"schedule {self.schedule!r} must be one of {', '.join(SCHEDULES)} "
                f"and optimizer {self.optimizer!r} one of {', '.join(OPTIMIZERS)}"
            )
        if self.optimizer == "muon" and (self.beta1, self.beta2) != (TrainSettings.beta1, TrainSettings.beta2):
            raise UserError("muon has a momentum of its own; leave beta1 and beta2 out, or use another optimizer")

    def rate(self) -> Schedule:
        """step -> learning rate."""
        warmup = min(self.warmup, self.steps)
        if self.schedule == "constant":
            return constant(self.learning_rate, warmup=warmup)
        shape = {"cosine": warmup_cosine, "linear": warmup_linear}[self.schedule]
        return shape(self.learning_rate, warmup=warmup, total=self.steps, final=self.final_rate)

    def make_optimizer(self, params: Params, own: slice | None = None) -> Optimizer:
        """The optimizer for parameters of this layout; gains and biases do not decay.

        own: for this slice of the flat vector alone, which for muon ends where arrays end.
        """
        own = own or slice(0, params.flat.size)
        decayed = min(max(0, params.matrix_size - own.start), own.stop - own.start)
        if self.optimizer == "muon":
            inside = [place for place in params.block_matrices() if own.start <= place.start < own.stop]
            matrices = [place._replace(start=place.start - own.start) for place in inside]
            return muon(matrices, weight_decay=self.weight_decay, decayed=decayed)
        return self.elementwise_optimizer(decayed)

    def elementwise_optimizer(self, decayed: int) -> Optimizer:
        """The optimizer for a slice of the flat vector, of which the first `decayed` entries decay.

        `UserError` for muon, which works on whole matrices.
        """
        if self.optimizer == "muon":
            raise UserError("muon works on whole matrices, which ranks do not have; use adamw, adam or sgd")
        decay: dict[str, Any] = {"weight_decay": self.weight_decay, "decayed": decayed}
        if self.optimizer == "sgd":
            return sgd(momentum=self.beta1, nesterov=self.beta1 > 0, **decay)
        return {"adam": adam, "adamw": adamw}[self.optimizer](beta1=self.beta1, beta2=self.beta2, **decay)

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values, for JSON."""
        return asdict(self)
