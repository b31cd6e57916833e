"""What one call of a model carries and no model stores.

A hook sees these activations, in this order. N is a number; the names in an encoder beside a decoder begin with
`encoder.`. The backward shows the gradient of each, of the same shape, with a d before the last part of its name.

    embedding                              (B, T, C)     what the first block takes: inputs, positions, norm, dropout
    blocks.N.attention.query               (B, H, T, D)  of each head, with rotary positions turned into it
    blocks.N.attention.key                 (B, G, S, D)  the same of each key-value head
    blocks.N.attention.value               (B, G, S, D)
    blocks.N.attention.scores              (B, H, T, S)  scaled; masked ones are far below all others
    blocks.N.attention.weights             (B, H, T, S)  their softmax, before dropout
    blocks.N.attention.heads               (B, H, T, D)  what each head takes from the values
    blocks.N.attention.output              (B, T, C)     of all heads together, after the last linear layer
    blocks.N.residual_cross                (B, T, C)     after attention, where cross-attention follows
    blocks.N.cross_attention.query         (B, H, T, D)  and so on: as in attention, S positions of the memory
    blocks.N.cross_attention.key           (B, G, S, D)
    blocks.N.cross_attention.value         (B, G, S, D)
    blocks.N.cross_attention.scores        (B, H, T, S)
    blocks.N.cross_attention.weights       (B, H, T, S)
    blocks.N.cross_attention.heads         (B, H, T, D)
    blocks.N.cross_attention.output        (B, T, C)
    blocks.N.residual_mid                  (B, T, C)     before the feed-forward network
    blocks.N.feed_forward.routing          (B * T, E)    how much each expert counts, in a mixture of experts
    blocks.N.feed_forward.experts.N.hidden (n, F)        of the n tokens that use this expert
    blocks.N.feed_forward.experts.N.output (n, C)
    blocks.N.feed_forward.hidden           (B, T, F)     after the activation function
    blocks.N.feed_forward.output           (B, T, C)
    blocks.N.residual_post                 (B, T, C)     after the block
    final                                  (B, T, C)     the hidden states: what the head, or a decoder, looks at
    logits                                 see `head`    what the head says, if it says something
    order_logits                           (B, 2)        what a pretraining head says of the sentences' order
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np


class Span(NamedTuple):
    """One of several sequences that lie one behind the other in a single row of tokens, as a batch of one."""

    rows: slice  # which T of the row's positions are new ones of this sequence
    start: int  # how many positions it has already: that of the first new one
    gone: slice = slice(0, 0)  # those whose keys and values were let go, since no window reaches them


class Past(Protocol):
    """Keys and values of earlier positions, so that they need not be computed again (see `minigpt.infer`).

    All rows are at the same position, `length`.
    """

    length: int
    dropped: int  # positions that were let go after the sinks, since no window reaches them
    spans: None

    def extend(self, name: str, key: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Append key, value: (B, G, T, D) of the attention called `name`; return all so far: (B, G, S, D)."""
        ...

    def stored(self, name: str) -> tuple[np.ndarray, np.ndarray] | None:
        """Keys and values of the cross-attention called `name`, or None the first time."""
        ...

    def store(self, name: str, key: np.ndarray, value: np.ndarray) -> None:
        """Store them: what a decoder looks at in the encoder's text does not change while it writes."""
        ...


class SpansPast(Protocol):
    """The same for one row of tokens in which sequences of any lengths lie one behind the other.

    Linear layers and norms do not mind which position is whose; attention goes span by span.
    """

    spans: list[Span]

    def extend_spans(
        self, name: str, key: np.ndarray, value: np.ndarray
    ) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """Append key, value: (1, G, T, D), of all spans; yield each one's rows, and all it has: (1, G, S, D) each."""
        ...


def _unchanged(_name: str, x: np.ndarray) -> np.ndarray:
    return x


@dataclass(frozen=True)
class Call:
    """One forward or backward: what to watch, what to draw at random, what was computed before.

    Parameters
    ----------
    hook : callable
        hook(name, x) sees every activation that `minigpt.model.call` lists and returns what to use in its place (x
        itself to only look; it must not write into x). The backward calls it with the gradients: after
        `blocks.3.residual_mid` comes `blocks.3.dresidual_mid`. Only looking changes no bit.
    rng : numpy.random.Generator, optional
        For dropout; None evaluates, without dropout.
    past : KeyValuePast or PagedPast, optional
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
    past: Past | SpansPast | None = None
    recompute: bool = False
    comm: Any = None
    vocabulary_offset: int = 0
    share: float = 1.0

    def forward_only(self) -> "Call":
        """The same call, to which no backward will come: nothing is kept for one."""
        return replace(self, recompute=True)

    def hook_of(self, name: str) -> Callable[[str, np.ndarray], np.ndarray] | None:
        """The hook of an operation, whose activations are called NAME.LAST; None where nobody looks."""
        return None if self.hook is _unchanged else lambda last, x: self.hook(f"{name}.{last}", x)

    def random_state(self) -> Any:
        """The state of the generator, to which `replayed` can go back; None without one."""
        return self.rng.bit_generator.state if self.rng is not None and self.recompute else None

    def recording(self, replaced: dict[str, np.ndarray]) -> "Call":
        """The same call, which also writes what its hook puts in place of an activation into `replaced`."""
        if self.hook is _unchanged:
            return self

        def hook(name: str, x: np.ndarray) -> np.ndarray:
            y = self.hook(name, x)
            if y is not x:
                replaced[name] = y
            return y

        return replace(self, hook=hook)

    def replayed(self, random_state: Any, replaced: dict[str, np.ndarray]) -> "Call":
        """The same call with the generator as it was; its hook has seen everything, and what it replaced stays so."""

        def again(name: str, x: np.ndarray) -> np.ndarray:
            return replaced.get(name, x)

        hook = again if replaced else _unchanged
        if random_state is None:
            return replace(self, hook=hook)
        kind = type(self.rng.bit_generator)  # type: ignore[union-attr]
        rng = np.random.Generator(kind())
        rng.bit_generator.state = random_state
        return replace(self, hook=hook, rng=rng)


class Batch(NamedTuple):
    """What a model is trained on, or asked, at once. All but the tokens may be left out.

    `tokens` and `source` are what the configuration's kind of input takes (`model.inputs`): tokens, (B, T) integers;
    image patches, (B, N, P) floats; sound frames, (B, F, M) floats. T, or S, is the number of vectors that they become:
    N + 1 with a class token, and one for every two frames. What is said about positions counts these.

    Parameters
    ----------
    tokens : (B, T) integers, or other inputs
        What the model (of an encoder-decoder: the decoder) sees.
    targets : (B, T) integers, optional
        What it should say at each position; `minigpt.ops.IGNORED` is not scored.
    labels : (B,) or (B, 2) integers, optional
        The class of each sequence, or the first and last token of a span.
    present, source_present : (B, T) and (B, S) booleans, optional
        False = padding; None: no padding.
    segments : (B, T) integers, optional
        Which text each token belongs to; None: all to the first.
    prefix : (B,) integers, optional
        In a decoder, the first so many tokens see each other.
    source : (B, S) integers, or other inputs, optional
        What the encoder of an encoder-decoder sees.
    weights : (B,) floats, optional
        How much each label counts in the loss, a weighted mean; None: all alike.
    objective : str, optional
        What made the batch; it is refused by a model that would learn to cheat.

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
    weights: np.ndarray | None = None  # (B,) how much each label counts; None: all alike
    objective: str | None = None  # what made the batch; it is refused by a model that would learn to cheat
