"""Arrays of drawn sizes for every operation: what hypothesis varies is the shapes, the seed and the choices."""

from itertools import product

import numpy as np
from hypothesis import strategies as st

from minigpt import ops

small = st.integers(1, 5)


def normal(rng, *shapes, scale=1.0):
    return tuple(scale * rng.standard_normal(shape) for shape in shapes)


def rows(draw, least=0):
    """Leading axes: `least` to two."""
    return tuple(draw(st.lists(small, min_size=least, max_size=2)))


def linear(draw, rng):
    width, outputs = draw(small), draw(small)
    bias = [(outputs,)] if draw(st.booleans()) else []
    return normal(rng, (*rows(draw), width), (width, outputs), *bias), {}


def low_rank(draw, rng):
    width, rank, outputs = draw(small), draw(small), draw(small)
    shapes = (*rows(draw), width), (width, rank), (rank, outputs)
    return normal(rng, *shapes), {"scale": draw(st.sampled_from([0.5, 2.0, -3.0]))}


def convolution(axes):
    def make(draw, rng):
        numbers = st.integers(1, 3)
        channels, filters = draw(small), draw(small)
        kernel, stride, padding, more = (
            [draw(each) for _ in range(axes)] for each in (numbers, numbers, st.integers(0, 2), st.integers(0, 5))
        )
        size = [max(1, k - 2 * min(padding)) + m for k, m in zip(kernel, more, strict=True)]
        bias = [(filters,)] if draw(st.booleans()) else []
        x = (draw(numbers), channels, *size)
        one_for_all = draw(st.booleans())  # axes
        options = {
            name: numbers[0] if one_for_all else tuple(numbers)
            for name, numbers in (("stride", stride), ("padding", padding))
        }
        return normal(rng, x, (filters, channels, *kernel), *bias), options

    return make


def embedding(draw, rng):
    vocabulary, width = draw(small), draw(small)
    return (rng.integers(0, vocabulary, rows(draw)), rng.standard_normal((vocabulary, width))), {}


def layer_norm(draw, rng):
    width = draw(st.integers(1, 8))
    bias = [(width,)] if draw(st.booleans()) else []
    x, gain, *bias = normal(rng, (*rows(draw), width), (width,), *bias)
    return (3 * x + draw(st.sampled_from([0, 2, -5])), gain, *bias), {"epsilon": 0.1}


def rms_norm(draw, rng):
    width = draw(st.integers(1, 8))
    return normal(rng, (*rows(draw), width), (width,)), {"epsilon": 0.1}


def elementwise(draw, rng):
    shape = rows(draw, least=1)
    return (rng.uniform(0.05, 4, shape) * rng.choice([-1.0, 1.0], shape),), {}


def gated(draw, rng):
    (gate,), _ = elementwise(draw, rng)
    return (gate, rng.standard_normal(gate.shape)), {"name": draw(st.sampled_from(sorted(ops.ACTIVATIONS)))}


def softmax(draw, rng):
    return normal(rng, (*rows(draw), draw(small)), scale=3), {}


def routed(draw, rng):
    experts = draw(small)
    shape = (*rows(draw, least=1), experts)
    ranks = rng.permuted(np.tile(np.arange(experts), (*shape[:-1], 1)), axis=-1)  # nobody is nearly chosen
    return (0.7 * ranks + rng.uniform(0, 0.3, shape),), {"top": draw(st.integers(1, experts))}


def attention(draw, rng):
    batch, groups, shared, queries, keys, width = (draw(small) for _ in range(6))
    heads = groups * shared
    shapes = (batch, heads, queries, width), (batch, groups, keys, width), (batch, groups, keys, width)
    options = {}
    mask = draw(st.sampled_from([None, "causal", "random", "per head", "padding"]))
    if mask == "causal":
        options["mask"] = ops.causal_mask(queries, keys)
    elif mask == "padding":
        options["mask"] = ops.padding_mask(rng.random((batch, keys)) < 0.7)
    elif mask is not None:
        options["mask"] = rng.random((batch, heads if mask == "per head" else 1, queries, keys)) < 0.7
    if draw(st.booleans()):
        options.update(dropout_mask=ops.draw_dropout_mask(rng, (batch, heads, queries, keys), 0.3), rate=0.3)
    if draw(st.booleans()):
        options["scale"] = 0.5
    if draw(st.booleans()):
        options["bias"] = rng.standard_normal((heads, queries, keys))
    return normal(rng, *shapes), options


RULES = {"mask", "bias", "dropout_mask"}


def array_of_rule(rule, shape, tiles):
    """What a rule says, (B, H, T, S), put together from tiles of (h, t, s)."""
    found = np.ones(shape)
    starts = product(*(range(0, n, step) for n, step in zip(shape[1:], tiles, strict=True)))
    for sequence, start in product(range(shape[0]), starts):
        place = tuple(slice(a, min(n, a + step)) for a, n, step in zip(start, shape[1:], tiles, strict=True))
        tile = rule.tile(sequence, *place)
        found[sequence, *place] = 1 if tile is None else tile
    return found if found.min() < 0 else found.astype(bool)


def blockwise_attention(draw, rng):
    """The same in tiles, and with rules in place of arrays."""
    arrays, options = attention(draw, rng)
    (batch, heads, queries, _), keys = arrays[0].shape, arrays[1].shape[2]
    options |= {"rows": draw(st.integers(1, 6)), "columns": draw(st.integers(1, 6))}
    places = np.arange(queries) + draw(small), np.arange(keys)
    if draw(st.booleans()):
        options["mask"] = ops.MaskRule(
            *places,
            causal=draw(st.booleans()),
            window=draw(st.sampled_from([None, 1, 2, 4])),
            sinks=draw(st.integers(0, 2)),
            present=draw(st.sampled_from([None, rng.random((batch, keys)) < 0.7])),
            prefix=draw(st.sampled_from([None, rng.integers(0, keys + 1, batch)])),
        )
    if draw(st.booleans()):
        options["bias"] = ops.AlibiBias(ops.alibi_slopes(heads), *places)
    if draw(st.booleans()):
        options |= {"dropout_mask": ops.DropoutRule(draw(small), 0.3), "rate": 0.3}
    return arrays, options


def rotary(draw, rng):
    length, width = draw(small), 2 * draw(small)
    start = draw(st.integers(0, 1000))
    cos, sin = ops.rotary_angles(np.arange(start, start + length), width, dtype=np.float64)
    return normal(rng, (*rows(draw), length, width)), {"cos": cos, "sin": sin}


def dropout(draw, rng):
    shape, rate = rows(draw, least=1), draw(st.sampled_from([0.0, 0.1, 0.5, 0.9]))
    return normal(rng, shape), {"mask": ops.draw_dropout_mask(rng, shape, rate), "rate": rate}


def cross_entropy(draw, rng):
    vocabulary, shape = draw(small), rows(draw)
    targets = rng.integers(0, vocabulary, shape)
    targets = np.where(rng.random(shape) < draw(st.sampled_from([0.0, 0.4])), ops.IGNORED, targets)
    importance = draw(st.sampled_from([None, rng.uniform(0.1, 3, shape)]))
    options = {"smoothing": draw(st.sampled_from([0.0, 0.1])), "importance": importance}
    return (*normal(rng, (*shape, vocabulary), scale=3), targets), options


def taught(name):
    """A loss against a constant of the same shape."""

    def build(draw, rng):
        shape = (*rows(draw), draw(small))
        x, constant = normal(rng, shape, shape, scale=2)
        options = {name: constant, "counted": draw(st.sampled_from([None, rng.random(shape[:-1]) < 0.6]))}
        return (x,), options | ({"temperature": draw(st.sampled_from([0.5, 1.0, 4.0]))} if name == "teacher" else {})

    return build


def contrastive(draw, rng):
    shape = draw(small), draw(st.integers(2, 5))  # a vector of one number has no direction but its sign
    return normal(rng, shape, shape, (1,)), {}


BUILDERS = {
    "linear": linear,
    "low_rank": low_rank,
    "convolution_1d": convolution(1),
    "convolution_2d": convolution(2),
    "embedding": embedding,
    "layer_norm": layer_norm,
    "rms_norm": rms_norm,
    **dict.fromkeys((name for name in ops.ACTIVATIONS if name in ops.OPERATIONS), elementwise),
    "tanh": elementwise,
    "gated": gated,
    "softmax": softmax,
    "router": routed,
    "load_balancing": routed,
    "attention": attention,
    "blockwise_attention": blockwise_attention,
    "rotary": rotary,
    "dropout": dropout,
    "cross_entropy": cross_entropy,
    "soft_targets": taught("teacher"),
    "squared_error": taught("wanted"),
    "contrastive": contrastive,
}


@st.composite
def inputs(draw, operation):
    """Arrays and options for `operation`."""
    return BUILDERS[operation](draw, np.random.default_rng(draw(st.integers(0, 2**32 - 1))))
