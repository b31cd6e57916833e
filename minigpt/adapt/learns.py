"""What of a model learns, and what stays as it is."""

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from minigpt.adapt.adapters import low_rank_adapters
from minigpt.errors import UserError
from minigpt.model import Overlay, Params, Transformer
from minigpt.model.head import head_arrays
from minigpt.model.params import Weights
from minigpt.values import TEXT, check, choice, list_of, number, read, whole

WAYS = ("all", "last", "head", "low-rank")
LAYERS = ("attention.query", "attention.value")  # as Hu et al. (2021), arXiv:2106.09685, section 4.2
RATE = number(0.0, 1.0)
REMEDY = "train low-rank adapters or a new head, or open the model with all its bits"


@dataclass(frozen=True)
class Learns:
    """Which arrays are trained. `UserError` for a value that does not fit.

    way: all; last: the last `blocks` blocks and what follows them; head: the head alone; low-rank: an adapter of `rank`
    beside each of `layers`, and the head where it is new. dropout: of what goes into adapters, while training.
    """

    way: str = "all"
    blocks: int = 1
    rank: int = 8
    layers: tuple[str, ...] = LAYERS
    dropout: float = 0.0

    def __post_init__(self) -> None:
        check("what learns", self.way, choice(*WAYS))
        check("the number of last blocks", self.blocks, whole(1))
        check("the rank", self.rank, whole(1))
        check("the layers", list(self.layers), list_of(TEXT))
        check("the dropout of adapters", self.dropout, RATE)
        if self.dropout and self.way != "low-rank":
            raise UserError(f"low-rank adapters alone have a dropout of their own, and {self.way} learns; leave it out")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**asdict(self), "layers": list(self.layers)}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> "Learns":
        """What `to_dict` made."""
        layers = tuple(read(value, "layers", list_of(TEXT)))
        blocks, rank = (read(value, name, whole(1)) for name in ("blocks", "rank"))
        return cls(read(value, "way", TEXT), blocks, rank, layers, read(value, "dropout", RATE, 0.0))

    @property
    def whole(self) -> bool:
        """Whether everything learns, so that the model stands for itself."""
        return self.way == "all"


class Part(NamedTuple):
    """What of a model learns, and what it lies on."""

    base: Weights | None  # what stays as it is; None: nothing does
    fresh: Params  # what learns, as it begins
    adapter_dropout: float = 0.0

    def under(self, trained: Params) -> Params | Overlay:
        """What the model computes with, `trained` in the place of what is fresh."""
        return trained if self.base is None else Overlay(self.base, trained, self.adapter_dropout)


def divided(model: Transformer, params: Weights, learns: Learns, seed: int) -> Part:
    """What of these parameters learns, copied, and what it lies on. seed: of the adapters.

    `UserError` if the model has no such part, or it is stored in few bits, which cannot learn.
    """
    if learns.whole:
        if not isinstance(params, Params):
            raise UserError(f"a model in few bits cannot learn as a whole; {REMEDY}")
        return Part(None, params)
    adapters, chosen = Params({}), _chosen(model, learns)
    if learns.way == "low-rank":
        adapters = low_rank_adapters(model, np.random.default_rng([seed, 1]), rank=learns.rank, layers=learns.layers)
    for name in chosen:
        if not isinstance(params[name], np.ndarray):
            raise UserError(f"{name} is stored in few bits, so it cannot learn; {REMEDY}")
    arrays, (_, first) = model.arrays(), next(iter(params.items()))
    trained = Params({**adapters.arrays, **{name: arrays[name] for name in chosen}}, dtype=first.dtype)
    for name in trained:
        trained[name] = adapters[name] if name in adapters else params[name]
    return Part(params, trained, learns.dropout)


def _chosen(model: Transformer, learns: Learns) -> list[str]:
    """The arrays of the model itself that learn. `UserError` if there are none, and no adapters either."""
    config, new = model.config, set(head_arrays(model.config))
    if learns.way == "low-rank":
        chosen = new if config.head != "language" else set()
    else:
        chosen = new if learns.way == "head" else new | _last_blocks(model, learns.blocks)
        if not chosen:
            raise UserError(
                "the head of this model is its token embedding, so there is no head to be trained alone; train the "
                "last blocks, low-rank adapters or all"
            )
    return [name for name in model.arrays() if name in chosen]


def _last_blocks(model: Transformer, count: int) -> set[str]:
    """The arrays of the last `count` blocks and of the norm after them."""
    config = model.config
    if count > config.layers:
        raise UserError(f"the model has {config.layers} blocks, not {count}; choose fewer, or train all of it")
    wanted = {f"blocks.{number}" for number in range(config.layers - count, config.layers)}
    return {name for name, record in model.arrays().items() if record.block in wanted or name.startswith("final_norm.")}
