"""What one call of a model carries and no model stores."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np


class Past(Protocol):
    """Keys and values of earlier positions, so that they need not be computed again (see `minigpt.infer`)."""

    length: int

    def extend(self, name: str, key: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Append key, value: (B, G, T, D) of the attention called `name`; return all so far: (B, G, S, D)."""
        ...

    def stored(self, name: str) -> tuple[np.ndarray, np.ndarray] | None:
        """Keys and values of the cross-attention called `name`, or None the first time."""
        ...

    def store(self, name: str, key: np.ndarray, value: np.ndarray) -> None:
        """Store them: what a decoder looks at in the encoder's text does not change while it writes."""
        ...


def _unchanged(_name: str, x: np.ndarray) -> np.ndarray:
    return x


@dataclass(frozen=True)
class Call:
    """One forward or backward: what to watch, what to draw at random, what was computed before.

    Parameters
    ----------
    hook : callable
        hook(name, x) sees every named activation and returns what to use in its place (x itself to only look). The
        backward calls it with gradients, named with a d before the last part: `blocks.3.residual_mid` and
        `blocks.3.dresidual_mid`.
    rng : numpy.random.Generator, optional
        For dropout; None evaluates, without dropout.
    past : KeyValuePast, optional
        Keys and values of earlier positions, when generating.
    recompute : bool
        Keep only what goes into each block; the backward computes the rest again, for memory.
    comm, vocabulary_offset
        The communicator of tensor-parallel ranks (see `minigpt.parallel`), and where this rank's part of the vocabulary
        begins.
    share : float
        Of a batch that is worked on in parts, how much this part is; for losses that are means over a batch.

    Examples
    --------
    >>> model = minigpt.Transformer(minigpt.preset("tiny", vocabulary_size=50, layers=1))
    >>> seen = {}
    >>> call = minigpt.Call(hook=lambda name, x: seen.setdefault(name, x))
    >>> output, cache = model.forward(model.init(np.random.default_rng(0)), np.array([[5, 6, 7]]), call)
    >>> seen["blocks.0.attention.weights"].shape  # (B, H, T, S)
    (1, 4, 3, 3)
    """

    hook: Callable[[str, np.ndarray], np.ndarray] = _unchanged
    rng: np.random.Generator | None = None
    past: Past | None = None
    recompute: bool = False
    comm: Any = None
    vocabulary_offset: int = 0
    share: float = 1.0

    def hook_of(self, name: str) -> Callable[[str, np.ndarray], np.ndarray] | None:
        """The hook of an operation, whose activations are called NAME.LAST; None where nobody looks."""
        return None if self.hook is _unchanged else lambda last, x: self.hook(f"{name}.{last}", x)

    def random_state(self) -> Any:
        """The state of the generator, to which `replayed` can go back; None without one."""
        return self.rng.bit_generator.state if self.rng is not None and self.recompute else None

    def replayed(self, random_state: Any) -> "Call":
        """The same call with the generator as it was, and without hooks, which have seen everything already."""
        if random_state is None:
            return replace(self, hook=_unchanged)
        kind = type(self.rng.bit_generator)  # type: ignore[union-attr]
        rng = np.random.Generator(kind())
        rng.bit_generator.state = random_state
        return replace(self, hook=_unchanged, rng=rng)


class Batch(NamedTuple):
    """What a model is trained on, or asked, at once. All but the tokens may be left out.

    `tokens` and `source` are what the configuration's kind of input takes (`model.inputs`): tokens, (B, T) integers;
    image patches, (B, N, P) floats; sound frames, (B, F, M) floats. T, or S, is the number of vectors that they become:
    N + 1 with a class token, and one for every two frames. What is said about positions counts these.

    Examples
    --------
    >>> batch = minigpt.Batch(np.array([[5, 6, 7]]), targets=np.array([[6, 7, 8]]))
    >>> batch.present is None  # no padding
    True
    """

    tokens: np.ndarray  # (B, T) integers, what the model (of an encoder-decoder: the decoder) sees; or other inputs
    targets: np.ndarray | None = None  # (B, T) integers, what it should say at each position; `IGNORED` is not scored
    labels: np.ndarray | None = None  # (B,) the class of each sequence; (B, 2) the first and last token of a span
    present: np.ndarray | None = None  # (B, T) booleans, False = padding; None: no padding
    segments: np.ndarray | None = None  # (B, T) integers, which text each token belongs to; None: all to the first
    prefix: np.ndarray | None = None  # (B,) integers: in a decoder, the first `prefix` tokens see each other
    source: np.ndarray | None = None  # (B, S) integers, what the encoder of an encoder-decoder sees; or other inputs
    source_present: np.ndarray | None = None  # (B, S) booleans
    objective: str | None = None  # what made the batch; it is refused by a model that would learn to cheat
