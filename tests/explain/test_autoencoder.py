"""The autoencoder's gradient is right, and it finds planted features that neither PCA nor chance does."""

import numpy as np
import pytest
from conftest import optional

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


def asked(sparsity):
    """Parameters, hidden states, and what the forward keeps of them."""
    params, x = filled(0), np.random.default_rng(1).standard_normal((5, 4))
    return params, x, autoencoder_forward(params, x, sparsity=sparsity)[1]


def central_differences(params, x, sparsity):
    slopes = np.empty(params.flat.size)
    for index in range(params.flat.size):
        sides = []
        for sign in (1, -1):
            moved = params.copy()
            moved.flat[index] += sign * 1e-6
            sides.append(autoencoder_forward(moved, x, sparsity=sparsity)[0])
        slopes[index] = (sides[0] - sides[1]) / 2e-6
    return slopes


@pytest.mark.parametrize("sparsity", [0.0, 0.7])
def test_the_gradient_is_right_for_every_number(sparsity):
    params, x, cache = asked(sparsity)
    grads = autoencoder_backward(params, cache)
    np.testing.assert_allclose(grads.flat, central_differences(params, x, sparsity), rtol=1e-5, atol=1e-7)


def with_array(grads, name, value):
    grads[name] = value
    return grads


def bias_used_once(params, cache):
    return with_array(autoencoder_backward(params, cache), "decoder.bias", 2 * cache.error.sum(axis=0) / 5)


def bias_added_twice(params, cache):
    right = autoencoder_backward(params, cache)
    once = bias_used_once(params, cache)["decoder.bias"]
    return with_array(right, "decoder.bias", 2 * once - right["decoder.bias"])


def long_rows_for_free(params, cache):
    free = autoencoder_backward(params, cache._replace(sparsity=0.0))["decoder.weight"]
    return with_array(autoencoder_backward(params, cache), "decoder.weight", free)


def price_of_a_latent_without_its_row(params, cache):
    wrong = autoencoder_backward(params, cache._replace(lengths=np.ones_like(cache.lengths)))
    return with_array(wrong, "decoder.weight", autoencoder_backward(params, cache)["decoder.weight"])


def rows_that_are_not_directions(params, cache):
    wrong = autoencoder_backward(params, cache._replace(lengths=np.ones_like(cache.lengths)))
    return with_array(autoencoder_backward(params, cache), "decoder.weight", wrong["decoder.weight"])


def sum_for_mean(params, cache):
    grads = autoencoder_backward(params, cache)
    grads.flat *= len(cache.error)
    return grads


def square_without_its_two(params, cache):
    return autoencoder_backward(params, cache._replace(error=cache.error / 2))


def latents_counted_not_summed(params, cache):
    return autoencoder_backward(params, cache._replace(latents=(cache.latents > 0).astype(float)))


def latents_below_zero_pass(params, cache):
    open_ = cache.relu._replace(**{name: np.abs(np.asarray(one)) + 1 for name, one in cache.relu._asdict().items()})
    return autoencoder_backward(params, cache._replace(relu=open_))


MISTAKES = [
    bias_used_once,
    bias_added_twice,
    long_rows_for_free,
    price_of_a_latent_without_its_row,
    rows_that_are_not_directions,
    sum_for_mean,
    square_without_its_two,
    latents_counted_not_summed,
    latents_below_zero_pass,
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda one: one.__name__)
def test_a_planted_mistake_is_seen(mistake):
    params, x, cache = asked(0.7)
    wrong = np.abs(mistake(params, cache).flat - central_differences(params, x, 0.7))
    assert wrong.max() > 0.01


def test_a_latent_that_nothing_wakes_has_no_gradient():
    params, x = filled(0), np.random.default_rng(1).standard_normal((5, 4))
    params["encoder.bias"][3] = -100
    cache = autoencoder_forward(params, x, sparsity=0.7)[1]
    grads, awake = autoencoder_backward(params, cache), cache.latents.any(axis=0)
    assert not awake[3] and awake.sum() > 2
    for rows in (grads["encoder.weight"].T, grads["decoder.weight"]):
        assert rows[awake].all() and not rows[~awake].any()


@pytest.mark.parametrize("sparsity", [0.0, 0.7])
def test_loss_and_gradient_equal_those_of_pytorch(sparsity):
    torch = optional("torch")
    params, x, _ = asked(sparsity)
    theirs = {name: torch.tensor(params[name].copy(), requires_grad=True) for name in SHAPES}
    below = theirs["decoder.bias"]
    latents = torch.relu((torch.tensor(x) - below) @ theirs["encoder.weight"] + theirs["encoder.bias"])
    error = latents @ theirs["decoder.weight"] + below - torch.tensor(x)
    prices = latents @ theirs["decoder.weight"].norm(dim=1)
    their_loss = (error.square().sum(dim=1) + sparsity * prices).mean()
    their_loss.backward()
    loss, cache = autoencoder_forward(params, x, sparsity=sparsity)
    assert loss == pytest.approx(float(their_loss.detach()), rel=1e-13)
    for name, array in autoencoder_backward(params, cache).items():
        np.testing.assert_allclose(array, theirs[name].grad.numpy(), rtol=1e-10, atol=1e-12)


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
