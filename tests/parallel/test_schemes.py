"""Every way to share the work gives the gradients, and the parameters after 20 steps, of one process alone."""

from dataclasses import replace

import numpy as np
import pytest

from minigpt import Batch, Run, Transformer, TransformerConfig, UserError
from minigpt.objectives import causal_lm, loss_and_gradient, scored
from minigpt.optim import adamw, clip_by_global_norm
from minigpt.parallel import run
from minigpt.parallel.grid import Part, make_grid
from minigpt.parallel.schedule import SCHEDULES, idle_share, timeline
from minigpt.parallel.tensor import cut_axis, join_params, shard_config, shard_params, shard_run
from minigpt.parallel.zero import SlicedGradients, SlicedOptimizer, SlicedParams, sum_gradients

SIZES = {"vocabulary_size": 37, "context": 9, "width": 24, "layers": 5, "heads": 8, "hidden": 42, "init_std": 0.3}
CONFIGS = {
    "GPT-2": TransformerConfig(**SIZES),
    "modern": TransformerConfig(
        **SIZES,
        key_value_heads=4,
        head_size=6,
        norm="rms",
        activation="silu",
        gated=True,
        position="rotary",
        bias=False,
        tied=False,
    ),
    "post-norm": TransformerConfig(**SIZES, norm_place="post", activation="relu", position="sinusoidal"),
}
STEPS, BATCH = 20, 8
kinds = pytest.mark.parametrize("kind", CONFIGS)


def start(kind, dtype=np.float64):
    # Smaller matrices in float32: gradients of about 1, whose rounding is then about 1e-7.
    std = 0.3 if dtype == np.float64 else 0.1
    model = Transformer(replace(CONFIGS[kind], init_std=std))
    return model, model.init(np.random.default_rng(0), dtype=dtype)


def batch_at(step):
    return causal_lm(np.random.default_rng([1, step]).integers(0, 37, (BATCH, 9)))


def make(decayed):
    return adamw(decayed=decayed, weight_decay=0.1)


def alone(kind, steps=STEPS):
    """Parameters after training in one process."""
    model, params = start(kind)
    optimizer = make(params.matrix_size)
    state = optimizer.init(params.flat)
    for step in range(steps):
        _, grads = loss_and_gradient(model, params, batch_at(step))
        clip_by_global_norm(grads.flat, 1.0)
        optimizer.update(params.flat, grads.flat, state, learning_rate=0.01)
    return params


def close(ours, theirs, names=None):
    """Equal to 1e-12, but for key biases: their gradient is 0, and Adam divides its rounding errors by themselves."""
    for name in names or ours:
        tolerance = 1e-9 if name.endswith("key.bias") else 1e-12
        np.testing.assert_allclose(ours[name], theirs[name], rtol=0, atol=tolerance, err_msg=name)


@kinds
@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-6)])
def test_tensor_parallel_gradients(kind, size, dtype, tolerance):
    model, params = start(kind, dtype)
    loss, grads = loss_and_gradient(model, params, batch_at(0))

    def rank(comm):
        shard = shard_params(params, model.config, comm.rank, comm.size)
        part = Transformer(shard_config(model.config, comm.rank, comm.size))
        return *loss_and_gradient(part, shard, batch_at(0), shard_run(model.config, comm)), dict(comm.sent)

    results = run(rank, size)
    assert all(abs(result[0] - loss) < tolerance for result in results)
    joined = join_params([result[1] for result in results], model.config)
    np.testing.assert_allclose(joined.flat, grads.flat, rtol=0, atol=tolerance)
    for name in grads:
        if cut_axis(name) is None:  # what every rank has stays equal to the bit
            assert all(np.array_equal(result[1][name], results[0][1][name]) for result in results)
    rows = BATCH * 8
    item = np.dtype(dtype).itemsize
    activations = rows * model.config.width * item
    # Two sums in the forward and two in the backward of each block, one for the embedding, one for the head.
    assert results[0][2]["Allreduce"] == (4 * model.config.layers + 2) * activations + 2 * rows * item
    assert results[0][2]["Allgather"] == rows * item


@kinds
@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_data_parallel_and_zero_train_alike(kind, size, stage):
    model, params = start(kind)
    reference = alone_unclipped(kind)

    def rank(comm):
        return train_sliced(comm, model, params.copy(), stage)

    results = run(rank, size)
    for trained, _ in results:
        close(trained, reference)
    assert all(np.array_equal(trained.flat, results[0][0].flat) for trained, _ in results)
    sent, whole = results[0][1], params.flat.nbytes * STEPS
    if stage == 3:  # the blocks twice, forward and backward; the last of the forward is still there for the backward
        assert sent["Reduce"] == whole
        assert whole < sent["Bcast"] < 2 * whole + params.flat.nbytes
    elif stage == 0:
        assert sent == {"Allreduce": whole}
    else:
        assert sent == {"Allreduce" if stage == 1 else "Reduce": whole, "Bcast": whole}


def alone_unclipped(kind):
    model, params = start(kind)
    optimizer = make(params.matrix_size)
    state = optimizer.init(params.flat)
    for step in range(STEPS):
        optimizer.update(
            params.flat, loss_and_gradient(model, params, batch_at(step))[1].flat, state, learning_rate=0.01
        )
    return params


def train_sliced(comm, model, params, stage):
    sliced = SlicedOptimizer(make, params, comm)
    whole = make(params.matrix_size)
    state = whole.init(params.flat)
    mine = params.flat[sliced.mine].copy()
    sliced.start(mine)
    held = SlicedParams(params, comm, mine) if stage == 3 else params
    for step in range(STEPS):
        batch = batch_at(step)
        rows = slice(comm.rank * BATCH // comm.size, (comm.rank + 1) * BATCH // comm.size)
        own = Batch(batch.tokens[rows], batch.targets[rows])
        grads = params.zeros_like() if stage < 2 else SlicedGradients(params, comm)
        loss_and_gradient(model, held, own, Run(recompute=stage == 3), counts=scored(batch), grads=grads)
        if stage < 2:
            sum_gradients(comm, grads)
        else:
            grads.finish()
        if stage == 0:
            whole.update(params.flat, grads.flat, state, learning_rate=0.01)
        elif stage == 3:
            sliced.update(mine, grads.mine, learning_rate=0.01)
            held.forget()
        else:
            gradient = grads.flat[sliced.mine] if stage == 1 else grads.mine
            sliced.update(params.flat[sliced.mine], gradient, learning_rate=0.01)
            sliced.share(params.flat)
    sent = dict(comm.sent)
    if stage == 3:
        params.flat[sliced.mine] = mine
        sliced.share(params.flat)
    return params, sent


def test_zero_keeps_a_slice():
    _, params = start("GPT-2")

    def rank(comm):
        sliced = SlicedOptimizer(make, params, comm)
        sliced.start(params.flat[sliced.mine])
        return sum(array.nbytes for array in sliced.state.values() if isinstance(array, np.ndarray))

    assert sum(run(rank, 4)) == 2 * params.flat.nbytes


@kinds
@pytest.mark.parametrize("order", SCHEDULES)
@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("size", [1, 2, 4])
def test_pipeline_gradients(kind, order, recompute, size):
    model, params = start(kind)
    batch = batch_at(0)
    loss, grads = loss_and_gradient(model, params, batch)

    def rank(comm):
        part = Part(model.config, make_grid(comm, pipeline=comm.size))
        micros = [Batch(batch.tokens[i : i + 2], batch.targets[i : i + 2]) for i in range(0, BATCH, 2)]
        found = part.gradient(
            part.params(params), micros, counts=scored(batch), order=order, run=Run(recompute=recompute)
        )
        return *found, dict(comm.sent)

    results = run(rank, size)
    assert all(abs(result[0] - loss) < 1e-12 for result in results)
    for _, ours, *_ in results:
        close(ours, grads, list(ours))
    assert set().union(*(set(result[1]) for result in results)) == set(grads)
    events = timeline([result[2] for result in results])
    assert idle_share(events) == pytest.approx((size - 1) / (4 + size - 1))


@kinds
@pytest.mark.parametrize(("data", "tensor", "pipeline"), [(2, 2, 2), (1, 2, 2), (2, 1, 4), (4, 2, 1)])
def test_any_product_trains_alike(kind, data, tensor, pipeline):
    """With clipping and ZeRO-1 among the replicas: the parameters after 20 steps."""
    model, params = start(kind)
    reference = alone(kind)

    def rank(comm):
        return train_product(comm, model, params, data, tensor, pipeline)

    for part, mine in run(rank, data * tensor * pipeline):
        close(mine, part.params(reference))


def train_product(comm, model, params, data, tensor, pipeline):
    part = Part(model.config, make_grid(comm, data=data, tensor=tensor, pipeline=pipeline))
    mine = part.params(params)
    optimizer = part.optimizer(make, mine)
    for step in range(STEPS):
        batch = batch_at(step)
        own = part.rows(batch)
        micros = [Batch(*(array[i : i + 1] for array in own[:2])) for i in range(len(own.tokens))]
        _, grads, _ = part.gradient(mine, micros, counts=scored(batch))
        part.clip(grads, 1.0)
        optimizer.update(mine.flat[optimizer.mine], grads.flat[optimizer.mine], learning_rate=0.01)
        optimizer.share(mine.flat)
    return part, mine


@pytest.mark.parametrize(("grid", "message"), [
    ({"data": 3}, "3 x 1 x 1 ranks .* but 2 are here"),
    ({"pipeline": 2, "layers": 1}, "2 pipeline stages are more than the 1 layers"),
    ({"tensor": 2, "heads": 3}, "do not divide 3 heads"),
    ({"data": 2, "batch": 3}, "a batch of 3 cannot be shared among 2 replicas"),
])  # fmt: skip
def test_what_cannot_be_shared_out_is_named(grid, message):
    changes = {name: grid.pop(name) for name in ("layers", "heads") if name in grid}
    rows = grid.pop("batch", None)
    config = TransformerConfig(**{**SIZES, **changes})

    def rank(comm):
        part = Part(config, make_grid(comm, **grid))
        if rows:
            part.rows(causal_lm(np.zeros((rows, 9), int)))

    with pytest.raises(UserError, match=message):
        run(rank, 2)
