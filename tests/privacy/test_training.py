"""One example moves a private gradient by no more than is granted, and the noise is what was asked for."""

from dataclasses import replace

import numpy as np
import pytest

import minigpt
from minigpt import UserError
from minigpt.model import Batch
from minigpt.objectives import loss_and_gradient
from minigpt.privacy import PrivateGradient, poisson_rows
from minigpt.privacy.training import example_gradients
from minigpt.train.gradient import take_rows

ROWS = np.random.default_rng(0).integers(0, 11, (5, 8))


@pytest.fixture
def small():
    config = minigpt.preset("tiny", vocabulary_size=11, context=8, width=12, heads=3, layers=2)
    model = minigpt.Transformer(config)
    return model, model.init(np.random.default_rng(1), dtype=np.float64)


def private(longest=1e9, noise=0.0, expected=5, seed=2):
    return PrivateGradient(longest=longest, noise=noise, expected=expected, rng=np.random.default_rng(seed))


def test_the_rows_gradients_are_those_of_rows_alone_and_their_mean_is_the_batchs(small):
    model, params = small
    batch = minigpt.causal_lm(ROWS)
    alone = [loss_and_gradient(model, params, minigpt.causal_lm(ROWS[row : row + 1]))[1].flat for row in range(5)]
    found = [gradient.flat.copy() for _, gradient in example_gradients(model, params, batch)]
    np.testing.assert_allclose(found, alone, rtol=1e-12)
    loss, whole = loss_and_gradient(model, params, batch)
    np.testing.assert_allclose(np.mean(found, axis=0), whole.flat, atol=1e-12)
    said, gradient = private()(model, params, batch)
    np.testing.assert_allclose(gradient.flat, whole.flat, atol=1e-12)
    assert said == pytest.approx(loss)


def test_each_example_is_cut_by_itself_and_not_their_sum(small):
    model, params = small
    batch = minigpt.causal_lm(ROWS)
    alone = [gradient.flat.copy() for _, gradient in example_gradients(model, params, batch)]
    lengths = np.linalg.norm(alone, axis=1)
    longest = float(np.median(lengths))  # some are longer, some are not
    expected = sum(one * min(1, longest / length) for one, length in zip(alone, lengths, strict=True)) / 7
    _, gradient = private(longest=longest, expected=7)(model, params, batch)
    np.testing.assert_allclose(gradient.flat, expected, atol=1e-12)


@pytest.mark.parametrize("row", range(5))
def test_without_one_example_the_sum_moves_by_no_more_than_the_longest(row, small):
    model, params = small
    batch, others = minigpt.causal_lm(ROWS), minigpt.causal_lm(np.delete(ROWS, row, axis=0))
    sums = [private(longest=0.3, expected=1)(model, params, some)[1].flat for some in (batch, others)]
    assert np.linalg.norm(sums[0] - sums[1]) <= 0.3 * (1 + 1e-9)


def test_the_noise_is_as_asked_for_and_does_not_depend_on_the_batch(small):
    model, params = small
    batch = minigpt.causal_lm(ROWS)
    with_noise = private(longest=0.3, noise=1.5, expected=4)(model, params, batch)[1].flat
    without = private(longest=0.3, noise=0.0, expected=4)(model, params, batch)[1].flat
    noise = (with_noise - without) * 4
    assert noise.std() == pytest.approx(1.5 * 0.3, rel=0.05) and abs(noise.mean()) < 0.05
    empty = private(longest=0.3, noise=1.5, expected=4)(model, params, take_rows(batch, slice(0, 0)))
    assert empty[0] == 0
    np.testing.assert_allclose(empty[1].flat * 4, noise, atol=1e-9)
    again = private(longest=0.3, noise=1.5, expected=4)(model, params, batch)[1].flat
    assert np.array_equal(again, with_noise)


def test_labels_and_adapters_do_as_well(small):
    model = minigpt.Transformer(replace(small[0].config, head="sequence", labels=3, pooled="last"))
    base = model.init(np.random.default_rng(1), dtype=np.float64)
    trained = minigpt.low_rank_adapters(model, np.random.default_rng(3), rank=2, dtype=np.float64)
    adapted = minigpt.Overlay(base, trained)
    batch = Batch(ROWS, labels=np.array([0, 2, 1, 1, 0]))
    whole = loss_and_gradient(model, adapted, batch)[1].flat
    _, gradient = private()(model, adapted, batch)
    np.testing.assert_allclose(gradient.flat, whole, atol=1e-12)


def test_each_row_is_drawn_by_itself():
    drawn = [len(rows) for rows in poisson_rows(np.arange(200)[:, None], 0.1, 500, np.random.default_rng(0))]
    assert np.mean(drawn) == pytest.approx(20, rel=0.03)
    assert np.var(drawn) == pytest.approx(200 * 0.1 * 0.9, rel=0.2)  # of a binomial; a fixed size would have none


def test_private_training_learns(small):
    model, params = small
    rows = np.tile(np.arange(11), (40, 1))[:, :8]
    rng = np.random.default_rng(0)
    batches = (minigpt.causal_lm(some) for some in poisson_rows(rows, 0.5, 60, rng))
    score = PrivateGradient(longest=1.0, noise=0.3, expected=20, rng=rng)
    losses = minigpt.fit(model, params, batches, lambda step: 0.01, clip=np.inf, score=score)
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize(("changes", "says"), [
    ({"longest": 0}, "longest is 0"),
    ({"expected": -1}, "expected is -1"),
    ({"noise": -0.5}, "the noise is -0.5"),
    ({"noise": np.nan}, "the noise is nan"),
])  # fmt: skip
def test_what_cannot_be_is_refused(changes, says):
    with pytest.raises(UserError, match=says):
        private(**changes)


@pytest.mark.parametrize("rate", [0, 1.1, np.nan])
def test_a_rate_that_is_none_is_refused(rate):
    with pytest.raises(UserError, match="the rate is"):
        next(poisson_rows(ROWS, rate, 1, np.random.default_rng(0)))
