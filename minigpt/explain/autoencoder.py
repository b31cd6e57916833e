"""A sparse autoencoder: hidden states as sums of few directions out of many.

A layer of C numbers may hold more than C features, as directions that are almost at right angles, if few are present
at once (Elhage et al. 2022, "Toy Models of Superposition", arXiv:2209.10652). Bricken et al. (2023), "Towards
Monosemanticity", and Cunningham et al. (2023), arXiv:2309.08600, look for them with an autoencoder that has more
latents than numbers, and pays for every one that is active.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minigpt.model import Params
from minigpt.model.arrays import BIAS, MATRIX, ArrayRecord
from minigpt.ops import linear_backward, linear_forward, relu_backward, relu_forward
from minigpt.optim import Schedule, adam


class AutoencoderCache(NamedTuple):
    encoder: Any
    relu: Any
    decoder: Any
    error: np.ndarray  # (N, C)
    latents: np.ndarray  # (N, F)
    lengths: np.ndarray  # (F,)  of the decoder's rows
    sparsity: float


def autoencoder_forward(params: Params, x: np.ndarray, *, sparsity: float) -> tuple[float, AutoencoderCache]:
    """loss = mean over rows of |y - x|^2 + sparsity * sum_i f_i |d_i|.

    f = relu((x - b) @ encoder + bias): (N, F), the latents; y = f @ decoder + b: (N, C); d_i the decoder's rows. The
    price of a latent is what it writes, so it does not pay to be small with a long row. x: (N, C).
    """
    h, encoder_cache = linear_forward(x - params["decoder.bias"], params["encoder.weight"], params["encoder.bias"])
    latents, relu_cache = relu_forward(h)
    y, decoder_cache = linear_forward(latents, params["decoder.weight"], params["decoder.bias"])
    error, lengths = y - x, np.linalg.norm(params["decoder.weight"], axis=1)
    loss = (np.square(error).sum() + sparsity * (latents @ lengths).sum()) / len(x)
    cache = AutoencoderCache(encoder_cache, relu_cache, decoder_cache, error, latents, lengths, sparsity)
    return float(loss), cache


def autoencoder_backward(params: Params, cache: AutoencoderCache) -> Params:
    """Gradients of all arrays. The forward's lines in reverse; the decoder's bias has two uses."""
    grads, count = params.zeros_like(), len(cache.error)
    dy = 2 * cache.error / count
    dlatents, dweight, dbias = linear_backward(dy, cache.decoder)
    price = cache.sparsity / count
    dlatents += price * cache.lengths
    directions = params["decoder.weight"] / np.maximum(cache.lengths, 1e-12)[:, None]
    grads["decoder.weight"] = dweight + price * cache.latents.sum(axis=0)[:, None] * directions
    dx, grads["encoder.weight"], grads["encoder.bias"] = linear_backward(
        relu_backward(dlatents, cache.relu), cache.encoder
    )
    grads["decoder.bias"] = dbias - dx.sum(axis=0)
    return grads


def latents_of(params: Params, x: np.ndarray) -> np.ndarray:
    """(N, F) how active each latent is on hidden states (N, C)."""
    h, _ = linear_forward(x - params["decoder.bias"], params["encoder.weight"], params["encoder.bias"])
    return relu_forward(h)[0]


class Trained(NamedTuple):
    """An autoencoder and what became of it."""

    params: Params
    losses: np.ndarray  # (steps,)
    dead: int  # latents that were active on none of the rows of the last tenth of the steps

    @property
    def directions(self) -> np.ndarray:
        """(F, C) what each latent writes, of length 1; zeros stay zeros."""
        rows = self.params["decoder.weight"]
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def train_autoencoder(
    draw: Callable[[np.random.Generator], np.ndarray],
    latents: int,
    rng: np.random.Generator,
    learning_rate: Schedule,
    *,
    steps: int,
    sparsity: float,
) -> Trained:
    """Train with Adam on what `draw` gives at each step, (N, C).

    The encoder begins as the transpose of the decoder, whose rows are random directions.
    """
    x = draw(rng)
    width = x.shape[1]
    params = Params(
        {
            "encoder.weight": ArrayRecord((width, latents), MATRIX),
            "decoder.weight": ArrayRecord((latents, width), MATRIX),
            "encoder.bias": ArrayRecord((latents,), BIAS),
            "decoder.bias": ArrayRecord((width,), BIAS),
        },
        dtype=x.dtype,
    )
    rows = rng.standard_normal((latents, width))
    params["decoder.weight"] = 0.5 * rows / np.linalg.norm(rows, axis=1, keepdims=True)
    params["encoder.weight"] = params["decoder.weight"].T
    params["decoder.bias"] = x.mean(axis=0)
    optimizer, losses, used = adam(), np.empty(steps), np.zeros(latents, bool)
    state = optimizer.init(params.flat)
    for step in range(steps):
        loss, cache = autoencoder_forward(params, x, sparsity=sparsity)
        grads = autoencoder_backward(params, cache)
        optimizer.update(params.flat, grads.flat, state, learning_rate=learning_rate(step))
        losses[step] = loss
        if step >= steps - max(1, steps // 10):
            used |= (cache.latents > 0).any(axis=0)
        x = draw(rng)
    return Trained(params, losses, int((~used).sum()))


class Planted(NamedTuple):
    """Hidden states that are made of known directions."""

    directions: np.ndarray  # (K, C)  of length 1
    chance: float  # that a feature is present in a row

    def draw(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """(count, C) float32: sums of the features that are present, each with a strength between a half and 1."""
        shape = count, len(self.directions)
        strengths = (rng.random(shape) < self.chance) * rng.uniform(0.5, 1.0, shape)
        return (strengths @ self.directions).astype(np.float32)


def planted_features(rng: np.random.Generator, features: int, width: int, chance: float) -> Planted:
    """K random directions in C dimensions."""
    rows = rng.standard_normal((features, width))
    return Planted(rows / np.linalg.norm(rows, axis=1, keepdims=True), chance)


def recovered(planted: np.ndarray, found: np.ndarray, *, cosine: float = 0.9) -> float:
    """The share of planted directions (K, C) to which one of (F, C) found is as close as `cosine`, up to sign."""
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    return float((np.abs(planted @ (found / np.maximum(lengths, 1e-12)).T).max(axis=1) >= cosine).mean())


def principal_directions(x: np.ndarray) -> np.ndarray:
    """(C, C) the principal components of hidden states (N, C), the widest first."""
    _, vectors = np.linalg.eigh(np.cov(x.astype(np.float64), rowvar=False))
    return vectors.T[::-1]
