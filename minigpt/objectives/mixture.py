"""Several objectives in one training, by chance (Tay et al. 2022, "UL2", arXiv:2205.05131, mixes denoisers so)."""

from collections.abc import Callable, Sequence

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Batch

Make = Callable[[np.random.Generator], Batch]


def mixture(parts: Sequence[tuple[float, Make]], rng: np.random.Generator) -> Batch:
    """One batch by one of several makers. parts: (weight, make); each is chosen in proportion to its weight."""
    weights = np.array([weight for weight, _ in parts], float)
    if not parts or not (weights >= 0).all() or not 0 < weights.sum() < np.inf:
        raise UserError(f"the weights {weights.tolist()} must be at least 0, and one of them above 0")
    return parts[rng.choice(len(parts), p=weights / weights.sum())][1](rng)
