"""The gradient of a batch does not depend on how its rows are shared out."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from minigpt import Batch, Transformer, TransformerConfig
from minigpt.machine import blas_threads
from minigpt.objectives import causal_lm, loss_and_gradient
from minigpt.optim import adamw
from minigpt.train import BatchGradient, split_rows


def make(dtype=np.float64, dropout=0.0):
    config = TransformerConfig(
        vocabulary_size=13, context=9, width=12, layers=2, heads=3, feed_forward_width=20, dropout=dropout, init_std=0.3
    )
    model, rng = Transformer(config), np.random.default_rng(0)
    batch = causal_lm(rng.integers(0, 13, (7, 10)))
    targets = batch.targets.copy()
    targets[2:4, 1:] = -1  # rows differ in how many targets they score
    return model, model.init(rng, dtype=dtype), Batch(batch.tokens, targets)


@pytest.mark.parametrize("threads", [1, 2, 3, 9])
def test_threads_give_the_gradient_of_the_whole_batch(threads):
    model, params, batch = make()
    loss, grads = loss_and_gradient(model, params, batch)
    gradient = BatchGradient(model, params, threads=threads)
    split_loss, split_grads = gradient(params, [batch], step=0)
    assert split_loss == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(split_grads.flat, grads.flat, rtol=1e-10, atol=1e-13)
    assert gradient.loss(params, batch) == pytest.approx(loss, rel=1e-12)
    gradient.close()


@pytest.mark.parametrize("threads", [1, 2])
def test_accumulated_micro_batches_equal_one_large_batch(threads):
    model, params, batch = make()
    loss, grads = loss_and_gradient(model, params, batch)
    gradient = BatchGradient(model, params, threads=threads)
    parts = [Batch(batch.tokens[rows], batch.targets[rows]) for rows in (slice(0, 3), slice(3, 4), slice(4, 7))]
    for _ in range(2):  # the second call must not add to the first
        part_loss, part_grads = gradient(params, parts, step=0)
    assert part_loss == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(part_grads.flat, grads.flat, rtol=1e-10, atol=1e-13)
    gradient.close()


def test_dropout_depends_on_seed_and_step_only():
    model, params, batch = make(dropout=0.3)
    one, other = (BatchGradient(model, params, threads=2, seed=5) for _ in range(2))
    first = one(params, [batch], step=3)[1].flat.copy()
    one(params, [batch], step=4)
    assert np.array_equal(other(params, [batch], step=3)[1].flat, first)
    assert not np.array_equal(other(params, [batch], step=4)[1].flat, first)
    assert not np.array_equal(BatchGradient(model, params, seed=6)(params, [batch], step=3)[1].flat, first)
    for gradient in (one, other):
        gradient.close()


def test_two_threads_on_the_same_parameters_give_the_same_bits_two_hundred_times():
    model, params, batch = make(np.float32)
    expected = loss_and_gradient(model, params, batch)[1].flat.tobytes()

    def repeat(_):
        return all(loss_and_gradient(model, params, batch)[1].flat.tobytes() == expected for _ in range(200))

    with blas_threads(1), ThreadPoolExecutor(2) as pool:
        assert list(pool.map(repeat, range(2))) == [True, True]


def test_one_batch_is_learnt_by_heart():
    model, params, _ = make()
    windows = np.random.default_rng(1).integers(0, 13, (7, 10))
    windows[:, 0] = np.arange(7)  # no two beginnings are alike, so the ends can be known
    batch = causal_lm(windows)
    optimizer = adamw(weight_decay=0.0)
    state = optimizer.init(params.flat)
    for _ in range(300):
        loss, grads = loss_and_gradient(model, params, batch)
        optimizer.update(params.flat, grads.flat, state, learning_rate=0.01)
    assert loss < 0.01


def test_rows_are_split_without_empty_parts():
    batch = Batch(np.arange(10).reshape(5, 2), None)
    assert [len(part.tokens) for part in split_rows(batch, 3)] == [2, 2, 1]
    assert [len(part.tokens) for part in split_rows(batch, 9)] == [1] * 5
    assert split_rows(batch, 2)[0].targets is None


def test_a_shorter_text_leaves_nothing_of_a_longer_one_in_the_arrays_that_are_used_again():
    model, params, batch = make()
    gradient = BatchGradient(model, params)
    gradient(params, [batch], step=0)
    short = Batch(batch.tokens[:, :4], batch.targets[:, :4])
    _, expected = loss_and_gradient(model, params, short)
    np.testing.assert_array_equal(gradient(params, [short], step=1)[1].flat, expected.flat)
