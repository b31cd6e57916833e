"""Every operation with arrays to check it on.

The arrays are made so that mistakes show: all sizes of a case differ, gains are away from 1 and biases from 0, tokens
repeat, some targets are ignored, some queries may attend to nothing, dropout has a fixed mask.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigpt import ops
from minigpt.check.gradient import check_gradient
from minigpt.check.report import GradientReport
from minigpt.ops import ACTIVATIONS, OPERATIONS

Arrays = tuple[np.ndarray, ...]
Inputs = tuple[Arrays, dict[str, Any]]  # arrays and options
Make = Callable[[np.random.Generator], Inputs]


@dataclass(frozen=True)
class Case:
    """One way to call an operation."""

    operation: str
    variant: str  # "" for the plain one
    make: Make  # rng -> arrays, options
    samples: int | None = None  # entries of each array to check; None: all

    @property
    def name(self) -> str:
        """As the table shows it: `attention, causal`."""
        return f"{self.operation}, {self.variant}" if self.variant else self.operation

    def inputs(self, seed: int = 0) -> Inputs:
        """Arrays and options; the same seed gives the same."""
        return self.make(np.random.default_rng(seed))

    def check(self, forward: Callable | None = None, backward: Callable | None = None, seed: int = 0) -> GradientReport:
        """`check_gradient` of this pair on the case's arrays; None stands for minigpt's own."""
        ours = OPERATIONS[self.operation]
        arrays, options = self.inputs(seed)
        return check_gradient(
            forward or ours.forward, backward or ours.backward, *arrays, seed=seed, samples=self.samples, **options
        )


def find_case(name: str) -> Case:
    """The case that the table calls `name`."""
    return next(case for case in CASES if case.name == name)


def _linear(*shape: int, bias: bool = True) -> Make:
    *rows, width, outputs = shape
    extra = [(outputs,)] if bias else []
    return _normal((*rows, width), (width, outputs), *extra)


def _norm(bias: bool) -> Make:
    def make(rng: np.random.Generator) -> Inputs:
        arrays = 3 * rng.standard_normal((2, 3, 5)) + 1, rng.uniform(1.5, 2.5, 5), rng.uniform(0.5, 1.5, 5)
        return arrays if bias else arrays[:2], {"epsilon": 0.01}  # large enough that forgetting it shows

    return make


def _embedding(rng: np.random.Generator) -> Inputs:
    tokens = np.array([[3, 1, 3, 0], [5, 3, 1, 6]])  # 3 and 1 repeat, 2 and 4 do not occur
    return (tokens, rng.standard_normal((7, 5))), {}


def _normal(*shapes: tuple[int, ...], **options: Any) -> Make:
    return lambda rng: (tuple(rng.standard_normal(shape) for shape in shapes), options)


def _spread(rng: np.random.Generator) -> Inputs:
    """Where activations bend and where they are flat, on both sides, and not near ReLU's kink at 0."""
    size = np.concatenate([rng.uniform(0.1, 1.5, 9), rng.uniform(1.5, 4.0, 6)]).reshape(3, 5)
    return (size * rng.permutation(np.resize([-1.0, 1.0], size.size)).reshape(size.shape),), {}


def _gated(name: str) -> Make:
    def make(rng: np.random.Generator) -> Inputs:
        (gate,), _ = _spread(rng)
        return (gate, rng.standard_normal(gate.shape)), {"name": name}

    return make


def _routed(experts: int, top: int) -> Make:
    """Scores of each token far enough apart that no difference quotient changes who is chosen."""

    def make(rng: np.random.Generator) -> Inputs:
        ranks = rng.permuted(np.tile(np.arange(experts), (2, 3, 1)), axis=-1)
        return (0.7 * ranks + rng.uniform(0, 0.3, ranks.shape),), {"top": top}

    return make


def _attention(
    heads: int = 6,
    groups: int = 3,
    queries: int = 4,
    keys: int = 5,
    width: int = 7,
    mask: str | None = None,
    bias: bool = False,
    dropout: float = 0.0,
    **options: Any,
) -> Make:
    """mask: None, "causal", "random", "empty row". All of B (2), H, G, T, S, D differ by default."""

    def make(rng: np.random.Generator) -> Inputs:
        chosen = dict(options)
        query = rng.standard_normal((2, heads, queries, width))
        key, value = rng.standard_normal((2, 2, groups, keys, width))
        if mask == "causal":
            chosen["mask"] = ops.causal_mask(queries, keys)
        elif mask is not None:
            allowed = rng.random((2, 1, queries, keys)) < 0.6
            allowed[..., 0] = True  # every query may attend to something
            allowed[0, :, 1] &= mask != "empty row"  # except one
            chosen["mask"] = allowed
        if bias:
            chosen["bias"] = rng.standard_normal((heads, queries, keys))
        if dropout:
            chosen.update(rate=dropout, dropout_mask=ops.draw_dropout_mask(rng, (2, heads, queries, keys), dropout))
        return (query, key, value), chosen

    return make


def _by_rules(rng: np.random.Generator) -> Inputs:
    """Blockwise attention of which no mask or bias is ever there as an array."""
    (query, key, value), options = _attention(rows=4, columns=4)(rng)
    places = np.arange(3, 7), np.arange(2, 7)  # of the queries and of the keys
    present = np.array([[True] * 5, [True] * 4 + [False]])
    rules = {
        "mask": ops.MaskRule(*places, window=2, sinks=3, present=present),
        "bias": ops.AlibiBias(ops.alibi_slopes(6), *places),
    }
    return (query, key, value), {**options, **rules}


def _rotary(rng: np.random.Generator) -> Inputs:
    cos, sin = ops.rotary_angles(np.arange(2, 7), 6, theta=100.0, dtype=np.float64)
    return (rng.standard_normal((2, 3, 5, 6)),), {"cos": cos, "sin": sin}


def _dropout(rng: np.random.Generator) -> Inputs:
    return (rng.standard_normal((3, 5)),), {"mask": ops.draw_dropout_mask(rng, (3, 5), 0.4), "rate": 0.4}


def _cross_entropy(ignored: bool = True, **options: Any) -> Make:
    def make(rng: np.random.Generator) -> Inputs:
        targets = rng.integers(0, 7, (2, 4))
        if ignored:
            targets[0, 1] = targets[1, 3] = ops.IGNORED
        return (2 * rng.standard_normal((2, 4, 7)), targets), options

    return make


def _taught(name: str, **options: Any) -> Make:
    def make(rng: np.random.Generator) -> Inputs:
        x, constant = 2 * rng.standard_normal((2, 2, 3, 5))
        return (x,), {name: constant, **options}

    return make


SOME = np.array([[True, False, True], [True, True, False]])

CASES = (
    Case("linear", "", _linear(2, 3, 5, 4)),
    Case("linear", "no bias", _linear(2, 3, 5, 4, bias=False)),
    Case("linear", "square", _linear(2, 3, 5, 5)),
    Case("low_rank", "", _normal((2, 3, 7), (7, 4), (4, 5), scale=1.7)),
    Case("low_rank", "square", _normal((2, 3, 5), (5, 4), (4, 5), scale=1.7)),
    Case("convolution_1d", "", _normal((2, 3, 8), (5, 3, 4), (5,))),
    Case("convolution_1d", "stride 2, padded", _normal((2, 3, 10), (5, 3, 3), (5,), stride=2, padding=2)),
    Case("convolution_1d", "stride 3, a rest", _normal((2, 3, 12), (5, 3, 2), (5,), stride=3)),
    Case("convolution_1d", "no bias", _normal((2, 3, 8), (5, 3, 4))),
    Case("convolution_1d", "square", _normal((2, 3, 7), (3, 3, 4), (3,))),
    Case("convolution_2d", "", _normal((2, 3, 5, 7), (4, 3, 2, 3), (4,))),
    Case("convolution_2d", "stride 2, padded", _normal((2, 3, 6, 7), (4, 3, 3, 2), (4,), stride=2, padding=2)),
    Case("convolution_2d", "pairs", _normal((2, 1, 7, 8), (4, 1, 2, 3), (4,), stride=(2, 3), padding=(0, 2))),
    Case("convolution_2d", "patches, a rest", _normal((2, 1, 5, 10), (4, 1, 2, 3), stride=(2, 3))),
    Case("convolution_2d", "square", _normal((2, 3, 5, 6), (3, 3, 2, 2), (3,))),
    Case("embedding", "", _embedding),
    Case("layer_norm", "", _norm(bias=True)),
    Case("layer_norm", "no bias", _norm(bias=False)),
    Case("rms_norm", "", _norm(bias=False)),
    *(Case(name, "", _spread) for name in ACTIVATIONS if name in OPERATIONS),
    *(Case("gated", name, _gated(name)) for name in ACTIVATIONS),
    Case("tanh", "", _spread),
    Case("softmax", "", _normal((2, 3, 5))),
    Case("router", "two of five", _routed(5, 2)),
    Case("router", "one of four", _routed(4, 1)),
    Case("router", "all", _routed(3, 3)),
    Case("load_balancing", "two of five", _routed(5, 2)),
    Case("load_balancing", "one of four", _routed(4, 1)),
    Case("attention", "", _attention()),
    Case("attention", "one head each", _attention(groups=6)),
    Case("attention", "one head each, causal", _attention(groups=6, mask="causal")),
    Case("attention", "one head each, random mask", _attention(groups=6, mask="random")),
    Case("attention", "one head each, nothing to attend to", _attention(groups=6, mask="empty row")),
    Case("attention", "T = S, causal", _attention(queries=5, mask="causal")),
    Case("attention", "T < S, causal", _attention(mask="causal")),
    Case("attention", "random mask", _attention(mask="random")),
    Case("attention", "nothing to attend to", _attention(mask="empty row")),
    Case("attention", "own scale", _attention(scale=0.7)),
    Case("attention", "dropout", _attention(dropout=0.3)),
    Case("attention", "all at once", _attention(mask="random", dropout=0.3)),
    Case("attention", "long, causal", _attention(heads=2, groups=1, queries=150, keys=170, mask="causal"), samples=8),
    Case("attention", "bias", _attention(bias=True)),
    Case("blockwise_attention", "", _attention(), samples=24),
    Case("blockwise_attention", "small tiles", _attention(rows=3, columns=2), samples=24),
    Case("blockwise_attention", "one head each", _attention(groups=6, rows=2, columns=3), samples=24),
    Case("blockwise_attention", "T = S, causal", _attention(queries=5, mask="causal", rows=4, columns=2), samples=24),
    Case("blockwise_attention", "T < S, causal", _attention(mask="causal", rows=4, columns=2), samples=24),
    Case("blockwise_attention", "nothing to attend to", _attention(mask="empty row", rows=4, columns=3), samples=24),
    Case("blockwise_attention", "bias", _attention(bias=True, rows=4, columns=3), samples=24),
    Case(
        "blockwise_attention",
        "all at once",
        _attention(mask="random", bias=True, dropout=0.3, scale=0.7, rows=4, columns=3),
        samples=24,
    ),
    Case("blockwise_attention", "by rules", _by_rules, samples=24),
    Case("rotary", "", _rotary),
    Case("dropout", "", _dropout),
    Case("cross_entropy", "", _cross_entropy(ignored=False)),
    Case("cross_entropy", "ignored targets", _cross_entropy()),
    Case("cross_entropy", "smoothing", _cross_entropy(smoothing=0.2)),
    Case("cross_entropy", "count of the whole batch", _cross_entropy(count=20)),
    Case("soft_targets", "", _taught("teacher", temperature=1.0)),
    Case("soft_targets", "some rows", _taught("teacher", temperature=2.5, counted=SOME)),
    Case("squared_error", "", _taught("wanted", count=9)),
    Case("squared_error", "some rows", _taught("wanted", counted=SOME)),
    Case("contrastive", "", _normal((4, 3), (4, 3), (1,))),
    Case("contrastive", "square", _normal((4, 4), (4, 4), (1,))),
)
