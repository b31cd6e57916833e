"""Several objectives in one training, by chance (Tay et al. 2022, "UL2", arXiv:2205.05131, mixes denoisers so)."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Batch
from minigpt.objectives.causal import CAUSAL, FILL_IN_THE_MIDDLE, PREFIX
from minigpt.objectives.record import ONLY_DECODER, Objective, Texts

Make = Callable[[np.random.Generator], Batch]


def mixture(parts: Sequence[tuple[float, Make]], rng: np.random.Generator) -> Batch:
    """One batch by one of several makers. parts: (weight, make); each is chosen in proportion to its weight."""
    return parts[rng.choice(len(parts), p=proportions([weight for weight, _ in parts], "weights"))][1](rng)


def proportions(weights: Sequence[float] | np.ndarray, what: str) -> np.ndarray:
    """(N,) weights, made to add up to 1. what: their name in the `UserError` for those that can be no shares."""
    found = np.asarray(weights, float)
    if found.ndim != 1 or not (found >= 0).all() or not 0 < found.sum() < np.inf:
        raise UserError(f"the {what} {found.tolist()} must be at least 0, and one of them above 0")
    return found / found.sum()


def _mixed_batch(texts: Texts, rng: np.random.Generator) -> Batch:
    return mixture([(weight, partial(part.make, texts)) for weight, part in PARTS if part.make is not None], rng)


PARTS = ((0.5, CAUSAL), (0.25, PREFIX), (0.25, FILL_IN_THE_MIDDLE))  # weights of what one decoder learns together
MIXTURE = Objective(
    name="mixture",
    function="mixture",
    summary=", ".join(f"{part.name} ({weight:g})" for weight, part in PARTS) + ", one of them by chance for each batch",
    refusals=ONLY_DECODER,
    make=_mixed_batch,
    special=tuple(role for _, part in PARTS for role in part.special),
    left_to_right=True,
    counted="next tokens",
    sample="continued",
)
