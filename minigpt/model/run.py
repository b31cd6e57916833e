"""What one call of a model carries and no model stores."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np


class Past(Protocol):
    """Keys and values of earlier positions, so that they need not be computed again (see `minigpt.infer`)."""

    length: int

    def extend(self, name: str, key: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Append key, value: (B, G, T, D) of the attention called `name`; return all so far: (B, G, S, D)."""
        ...


def _unchanged(_name: str, x: np.ndarray) -> np.ndarray:
    return x


@dataclass(frozen=True)
class Run:
    """One forward or backward: what to watch, what to draw at random, what was computed before.

    tap(name, x): sees every named activation and returns what to use in its place (x itself to only look). The backward
    calls it with gradients, named with a d before the last part: `blocks.3.residual_mid`, `blocks.3.dresidual_mid`.
    rng: for dropout; None evaluates, without dropout. past: keys and values of earlier positions, when generating.
    comm: the communicator of tensor-parallel ranks.
    """

    tap: Callable[[str, np.ndarray], np.ndarray] = _unchanged
    rng: np.random.Generator | None = None
    past: Past | None = None
    comm: Any = None

    @property
    def watched(self) -> bool:
        """Whether a tap was given."""
        return self.tap is not _unchanged


class Batch(NamedTuple):
    """What a model is trained on at once."""

    tokens: np.ndarray  # (B, T) integers, what the model sees
    targets: np.ndarray | None = None  # (B, T) integers, what it should say at each position; `IGNORED` is not scored
