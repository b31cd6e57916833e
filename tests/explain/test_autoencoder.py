"""The autoencoder's gradient is right, and it finds planted features that neither PCA nor chance does."""

import numpy as np
import pytest

from minigpt.explain.autoencoder import (
    autoencoder_backward,
    autoencoder_forward,
    latents_of,
    planted_features,
    principal_directions,
    recovered,
    train_autoencoder,
)
from minigpt.model import Params
from minigpt.optim import warmup_cosine

SHAPES = {"encoder.weight": (4, 7), "decoder.weight": (7, 4), "encoder.bias": (7,), "decoder.bias": (4,)}


def filled(seed):
    params = Params(SHAPES, dtype=np.float64)
    params.flat[...] = np.random.default_rng(seed).standard_normal(params.flat.size)
    return params


@pytest.mark.parametrize("sparsity", [0.0, 0.7])
def test_the_gradient_is_right_for_every_number(sparsity):
    params, x = filled(0), np.random.default_rng(1).standard_normal((5, 4))
    grads = autoencoder_backward(params, autoencoder_forward(params, x, sparsity=sparsity)[1])
    for index in range(params.flat.size):
        sides = []
        for sign in (1, -1):
            moved = params.copy()
            moved.flat[index] += sign * 1e-6
            sides.append(autoencoder_forward(moved, x, sparsity=sparsity)[0])
        assert grads.flat[index] == pytest.approx((sides[0] - sides[1]) / 2e-6, rel=1e-5, abs=1e-7)


def test_latents_are_those_of_the_forward():
    params, x = filled(2), np.random.default_rng(3).standard_normal((5, 4))
    cache = autoencoder_forward(params, x, sparsity=0.1)[1]
    assert np.array_equal(latents_of(params, x), cache.latents)
    assert (cache.latents >= 0).all()


def test_planted_features_are_recovered():
    rng = np.random.default_rng(0)
    planted, rate = planted_features(rng, 32, 16, 0.04), warmup_cosine(0.01, warmup=50, total=1200)
    found = train_autoencoder(lambda rng: planted.draw(rng, 128), 48, rng, rate, steps=1200, sparsity=0.3)
    x = planted.draw(rng, 5000)
    assert recovered(planted.directions, found.directions) > 0.95
    assert recovered(planted.directions, principal_directions(x)) < 0.1
    assert recovered(planted.directions, rng.standard_normal((48, 16))) < 0.1
    assert found.losses[-1] < 0.5 * found.losses[0]
    assert found.dead == int((~(latents_of(found.params, x) > 0).any(axis=0)).sum())
    assert recovered(planted.directions, -planted.directions) == 1.0


def test_dead_latents_are_counted():
    rng = np.random.default_rng(0)
    planted = planted_features(rng, 6, 6, 0.2)
    rate = warmup_cosine(0.05, warmup=1, total=80)
    dear = train_autoencoder(lambda rng: planted.draw(rng, 64), 9, rng, rate, steps=80, sparsity=30.0)
    assert dear.dead == 9  # where a latent costs more than it explains, none is used
