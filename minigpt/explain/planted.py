"""Models whose reasons are known: they learned a rule that somebody chose, so an explanation can be wrong.

A needle, one of a few tokens that occur once in a text of others, decides what is said at its end. In a model whose
layers see a window of eight positions, a needle up to seven back is seen from the last position; one further away
reaches it only through a position in between, so no weight of the last layer can point at it.

Tokens at random, and the same again: only who copies can say them the second time.
"""

from typing import NamedTuple

import numpy as np

from minigpt.model import Batch, Params, Transformer, TransformerConfig
from minigpt.ops import IGNORED
from minigpt.optim import warmup_cosine
from minigpt.train import fit

FILLER, VALUES = 12, 8  # tokens 0..11 mean nothing; 12..19 are needles; 20 asks
ASKS = FILLER + VALUES
LENGTH, WINDOW = 16, 8
DIRECT, TWO_HOPS = (2, 7), (8, 14)  # distances from the end, both ends among them


class Needle(NamedTuple):
    """Texts with one needle each."""

    tokens: np.ndarray  # (N, T)
    places: np.ndarray  # (N,) where it stands
    values: np.ndarray  # (N,) which it is: a token, and the answer


def draw_needles(rng: np.random.Generator, count: int, distances: tuple[int, int]) -> Needle:
    """Texts of 16 tokens whose needle is so far, at least and at most, from the last one, which asks."""
    tokens = rng.integers(0, FILLER, (count, LENGTH))
    values = rng.integers(FILLER, ASKS, count)
    places = LENGTH - 1 - rng.integers(distances[0], distances[1] + 1, count)
    tokens[np.arange(count), places] = values
    tokens[:, -1] = ASKS
    return Needle(tokens, places, values)


def needle_batch(needles: Needle) -> Batch:
    """What a model learns the rule from: only the last position is scored."""
    targets = np.full(needles.tokens.shape, IGNORED)
    targets[:, -1] = needles.values
    return Batch(needles.tokens, targets=targets)


def train_needles(seed: int, *, steps: int = 300) -> tuple[Transformer, Params]:
    """A model of two layers with a window of eight that learned the rule, needles at all distances from 2 to 14."""
    rng = np.random.default_rng(seed)
    sizes = {"vocabulary_size": ASKS + 1, "context": LENGTH, "width": 32, "layers": 2, "heads": 4}
    model = Transformer(TransformerConfig(**sizes, window=WINDOW, init_std=0.1))  # type: ignore[arg-type]
    params = model.init(rng)
    batches = (needle_batch(draw_needles(rng, 64, (DIRECT[0], TWO_HOPS[1]))) for _ in range(steps))
    fit(model, params, batches, warmup_cosine(0.01, warmup=min(50, steps), total=steps))
    return model, params


def accuracy(model: Transformer, params: Params, needles: Needle) -> float:
    """How often the likeliest token at the end is the needle."""
    logits, _ = model.forward(params, needles.tokens)
    return float((logits[:, -1].argmax(axis=-1) == needles.values).mean())


RANDOM, LONGEST = 32, 12  # tokens that come twice; how many in a row at most


def repeated_batch(rng: np.random.Generator, count: int) -> Batch:
    """Texts of some tokens at random, then 8 to 12 others, then these again; only what comes again is scored.

    The tokens in front are of any number that has room, so that nothing can be copied from a fixed place.
    """
    length = int(rng.integers(8, LONGEST + 1))
    front = int(rng.integers(0, 2 * (LONGEST - length) + 5))
    once = rng.integers(0, RANDOM, (count, length))
    tokens = np.concatenate([rng.integers(0, RANDOM, (count, front)), once, once], axis=1)
    targets = tokens[:, 1:].copy()
    targets[:, : front + length] = IGNORED
    return Batch(tokens[:, :-1], targets=targets)


def train_copying(seed: int, *, steps: int = 500) -> tuple[Transformer, Params]:
    """A model of three layers, four heads each, with rotary positions, that learned to copy what it has seen before."""
    rng = np.random.default_rng(seed)
    sizes = {"vocabulary_size": RANDOM, "context": 2 * LONGEST + 4, "width": 64, "layers": 3, "heads": 4}
    shape = {"feed_forward_width": 32, "position": "rotary", "tied": False, "init_std": 0.125}
    model = Transformer(TransformerConfig(**sizes, **shape))  # type: ignore[arg-type]
    params = model.init(rng)
    batches = (repeated_batch(rng, 32) for _ in range(steps))
    fit(model, params, batches, warmup_cosine(5e-3, warmup=min(50, steps), total=steps))
    return model, params
