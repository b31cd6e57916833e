"""Two towers: an encoder of pictures and one of texts, whose vectors lie together where a text belongs to a picture.

CLIP: Radford et al. (2021), arXiv:2103.00020, section 2.3 and figure 3. The temperature is learned as the logarithm of
its inverse, which is kept from growing above that of 100 (section 2.5).
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Batch, Call, Params, Transformer, TransformerConfig, preset
from minigpt.ops import contrastive_backward, contrastive_forward
from minigpt.optim import Schedule, adamw, clip_by_global_norm
from minigpt.text import Tokenizer
from minigpt.vision.prepare import RECIPES, eye_of

FIRST_SCALE, MOST_SCALE = math.log(1 / 0.07), math.log(100)  # of the inverse temperature (section 2.5)
SIZES: dict[str, Any] = {"width": 64, "layers": 3, "heads": 4, "head": "sequence", "pooled": "mean", "pooler": False}
ROWS = 100  # that are asked together


class TowerParams(NamedTuple):
    """Parameters of both towers, and the factor: views of one vector, so that one optimizer moves all."""

    flat: np.ndarray  # (P,)
    images: Params
    texts: Params
    log_scale: np.ndarray  # (1,)


@dataclass(frozen=True)
class Towers:
    """An encoder of pictures and one of texts, with heads that make vectors of equal width."""

    images: Transformer
    texts: Transformer

    def params(self, flat: np.ndarray) -> TowerParams:
        """The arrays of both in one vector."""
        first, second = (sum(math.prod(s) for s in tower.shapes().values()) for tower in (self.images, self.texts))
        if flat.shape != (first + second + 1,):
            raise UserError(f"the vector has shape {flat.shape}, but these towers need ({first + second + 1},)")
        return TowerParams(
            flat,
            Params(self.images.arrays(), flat=flat[:first]),
            Params(self.texts.arrays(), flat=flat[first:-1]),
            flat[-1:],
        )

    def init(self, rng: np.random.Generator, *, dtype: Any = np.float32) -> TowerParams:
        """Fresh parameters, and an inverse temperature of 1 / 0.07."""
        parts = [tower.init(rng, dtype=dtype).flat for tower in (self.images, self.texts)]
        return self.params(np.concatenate([*parts, np.full(1, FIRST_SCALE, dtype)]))


def towers_for(
    size: tuple[int, ...], vocabulary: int, longest: int, *, patch: int | None = None, width: int = 64
) -> Towers:
    """Towers for pictures of Y, X, Z and texts of so many tokens at most; vectors of `width` numbers."""
    shared = {**SIZES, **RECIPES["modern"], "architecture": "encoder", "labels": width, "head_bias": False}
    return Towers(
        Transformer(TransformerConfig(vocabulary_size=1, tied=False, **shared, **eye_of(size, patch))),
        Transformer(
            preset("tiny", vocabulary_size=vocabulary, **{**shared, "context": longest, "position": "learned"})
        ),
    )


def loss_and_gradient(
    towers: Towers, params: TowerParams, images: np.ndarray, texts: Batch
) -> tuple[float, TowerParams]:
    """The contrastive loss, in nats, of pictures, (N, Z, Y, X), and their texts; its gradient in the same layout."""
    first, of_images = towers.images.forward(params.images, Batch(images))
    second, of_texts = towers.texts.forward(params.texts, texts)
    loss, cache = contrastive_forward(first, second, params.log_scale)
    dfirst, dsecond, dlog_scale = contrastive_backward(1.0, cache)
    grads = towers.params(np.zeros_like(params.flat))
    towers.images.backward(params.images, of_images, dfirst, grads=grads.images)
    towers.texts.backward(params.texts, of_texts, dsecond, grads=grads.texts)
    grads.log_scale[...] = dlog_scale
    return float(loss), grads


def fit_towers(
    towers: Towers,
    params: TowerParams,
    batches: Iterable[tuple[np.ndarray, Batch]],
    learning_rate: Schedule,
    *,
    weight_decay: float = 0.05,
    on_step: Callable[[int, float], None] = lambda step, loss: None,
) -> list[float]:
    """Train in place with AdamW, one step for each batch of pictures and texts; the loss of every step, before it.

    `UserError` as soon as the loss is not a number.
    """
    parts = [(part.flat, part.matrix_size) for part in (params.images, params.texts)] + [(params.log_scale, 0)]
    optimizers = [adamw(weight_decay=weight_decay, decayed=decayed) for _, decayed in parts]
    states = [one.init(flat) for one, (flat, _) in zip(optimizers, parts, strict=True)]
    losses = []
    for step, (images, texts) in enumerate(batches):
        loss, grads = loss_and_gradient(towers, params, images, texts)
        if not math.isfinite(loss):
            raise UserError(f"the loss of step {step} is {loss}; lower the learning rate")
        losses.append(loss)
        clip_by_global_norm(grads.flat, 1.0)
        slopes = (grads.images.flat, grads.texts.flat, grads.log_scale)
        for one, (flat, _), slope, state in zip(optimizers, parts, slopes, states, strict=True):
            one.update(flat, slope, state, learning_rate=learning_rate(step))
        np.minimum(params.log_scale, MOST_SCALE, out=params.log_scale)
        on_step(step, loss)
    return losses


def text_batch(tokenizer: Tokenizer, texts: Sequence[str]) -> Batch:
    """The texts as rows of tokens, padded at their ends."""
    rows = [tokenizer.encode(text) for text in texts]
    longest = max(map(len, rows))
    present = np.arange(longest) < np.array([[len(row)] for row in rows])
    tokens = np.zeros(present.shape, np.int64)
    tokens[present] = np.concatenate(rows)
    return Batch(tokens, present=present)


def image_vectors(towers: Towers, params: TowerParams, images: np.ndarray) -> np.ndarray:
    """(N, D) of length 1, of pictures (N, Z, Y, X)."""
    parts = [images[first : first + ROWS] for first in range(0, len(images), ROWS)]
    return _upright([towers.images.forward(params.images, Batch(part), Call(recompute=True))[0] for part in parts])


def text_vectors(towers: Towers, params: TowerParams, tokenizer: Tokenizer, texts: Sequence[str]) -> np.ndarray:
    """(N, D) of length 1."""
    parts = [text_batch(tokenizer, texts[first : first + ROWS]) for first in range(0, len(texts), ROWS)]
    return _upright([towers.texts.forward(params.texts, part, Call(recompute=True))[0] for part in parts])


def _upright(parts: list[np.ndarray]) -> np.ndarray:
    vectors = np.concatenate(parts)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def nearest_texts(images: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """(N,) which of the texts, (M, D), is nearest to each picture, (N, D): naming classes that were never trained."""
    return (images @ texts.T).argmax(axis=1)


def found_first(
    asked: np.ndarray, own: np.ndarray, among: np.ndarray, size: int, rng: np.random.Generator
) -> np.ndarray:
    """(N,) booleans: whether its own partner is nearer to a vector than `size` - 1 others that are drawn.

    asked: (N, D); own: (N,), which row of `among`, (M, D), is the partner of each.
    """
    found = []
    for vector, row in zip(asked, own, strict=True):
        others = rng.choice(np.delete(np.arange(len(among)), row), size - 1, replace=False)
        found.append(vector @ among[row] > (among[others] @ vector).max())
    return np.array(found)
