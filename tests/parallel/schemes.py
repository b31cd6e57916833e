"""What the tests of thread ranks and of MPI ranks share: every scheme, beside one process that does the same alone.

Each check is a rank function: every rank compares its own part.
"""

from functools import cache

import numpy as np

from minigpt import Batch, Call, Transformer, TransformerConfig
from minigpt.objectives import causal_lm, loss_and_gradient, scored
from minigpt.optim import adamw, clip_by_global_norm
from minigpt.parallel.grid import Part, make_grid
from minigpt.parallel.zero import SlicedGradients, SlicedOptimizer, SlicedParams, slices, sum_gradients, sum_slices

SIZES = {
    "vocabulary_size": 37,
    "context": 9,
    "width": 24,
    "layers": 5,
    "heads": 8,
    "feed_forward_width": 42,
    "init_std": 0.2,
}
CONFIGS = {
    "GPT-2": TransformerConfig(**SIZES),
    "modern": TransformerConfig(
        **SIZES,
        key_value_heads=4,
        head_width=6,
        norm="rms",
        activation="silu",
        gated=True,
        position="rotary",
        bias=False,
        tied=False,
    ),
    "post-norm": TransformerConfig(**SIZES, norm_place="post", activation="relu", position="sinusoidal"),
    "deep": TransformerConfig(**{**SIZES, "layers": 9}),  # for pipelines of more than 5 stages
}
STEPS, BATCH, LENGTH = 20, 8, 8
RATE = 0.003
# How far from one process any number may be: of a gradient at the start, of the parameters after 20 steps.
BOUNDS = {"float64": 1e-12, "float32": 1e-6}
# Adam divides a gradient by its own size, so an entry whose true gradient is almost 0 takes steps of rounding error.
# With the usual epsilon, 1e-8, changing every number at the start by its last bit moves float32 parameters of ONE
# process by up to 4e-3 in 20 steps (key biases most, whose true gradient is 0: softmax does not see a shift, and they
# shift all scores of a query alike). No bound would mean anything. With 1e-3 it moves them by less than 8e-7, so 1e-6
# means that sharing the work costs no more than rounding does, and no array has to be left out.
EPSILON = 1e-3


def start(kind, dtype="float64"):
    model = Transformer(CONFIGS[kind])
    return model, model.init(np.random.default_rng(0), dtype=np.dtype(dtype))


def batch_at(step):
    return causal_lm(np.random.default_rng([1, step]).integers(0, 37, (BATCH, LENGTH + 1)))


def make(decayed):
    return adamw(decayed=decayed, weight_decay=0.1, epsilon=EPSILON)


@cache
def gradient_alone(kind, dtype):
    """Loss and gradient of the first batch, in one process."""
    model, params = start(kind, dtype)
    return loss_and_gradient(model, params, batch_at(0))


@cache
def trained_alone(kind, dtype, clip=np.inf):
    """Parameters after training in one process."""
    model, params = start(kind, dtype)
    optimizer = make(params.matrix_size)
    state = optimizer.init(params.flat)
    for step in range(STEPS):
        _, grads = loss_and_gradient(model, params, batch_at(step))
        clip_by_global_norm(grads.flat, clip)
        optimizer.update(params.flat, grads.flat, state, learning_rate=RATE)
    return params


def close(ours, theirs, dtype):
    """Equal within the bound of this dtype."""
    for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=0, atol=BOUNDS[dtype], err_msg=name)


def micro_batches(part, batch):
    """This replica's rows, in up to four micro-batches."""
    own = part.rows(batch)
    size = max(1, len(own.tokens) // 4)
    return [Batch(own.tokens[i : i + size], own.targets[i : i + size]) for i in range(0, len(own.tokens), size)]


def check_gradients(comm, kind, dtype, *, order="1f1b", recompute=False, **grid):
    """One gradient on a grid (data=, tensor=, pipeline=) is that of one process. Returns what was done when."""
    (model, params), batch = start(kind, dtype), batch_at(0)
    loss, grads = gradient_alone(kind, dtype)
    part = Part(model.config, make_grid(comm, **grid))
    micros = micro_batches(part, batch)
    found, ours, executed = part.gradient(
        part.params(params), micros, counts=scored(batch), order=order, call=Call(recompute=recompute)
    )
    assert abs(found - loss) < BOUNDS[dtype]
    close(ours, part.params(grads), dtype)
    shared = [ours[name] for name in ours if ours.arrays[name].cut is None]
    for array in shared:  # what every tensor-parallel rank has stays equal to the bit
        theirs = np.empty((part.grid.tensor.size, *array.shape), array.dtype)
        part.grid.tensor.Allgather(array, theirs)
        assert all(np.array_equal(array, other) for other in theirs)
    return executed


def check_training(comm, kind, dtype, *, order="1f1b", recompute=False, **grid):
    """20 steps on a grid, with clipping and ZeRO-1 among the replicas, end where one process ends."""
    model, params = start(kind, dtype)
    part = Part(model.config, make_grid(comm, **grid))
    mine = part.params(params)
    optimizer = part.optimizer(make, mine)
    for step in range(STEPS):
        batch = batch_at(step)
        call = Call(recompute=recompute)
        _, grads, _ = part.gradient(mine, micro_batches(part, batch), counts=scored(batch), order=order, call=call)
        part.clip(grads, 1.0)
        optimizer.update(mine.flat[optimizer.mine], grads.flat[optimizer.mine], learning_rate=RATE)
        optimizer.share(mine.flat)
    close(mine, part.params(trained_alone(kind, dtype, 1.0)), dtype)


def check_zero(comm, kind, dtype, stage):
    """Data parallel with this stage of ZeRO: the first gradient, and the parameters after 20 steps. Returns these."""
    model, params = start(kind, dtype)
    sliced = SlicedOptimizer(make, params, comm)
    whole = make(params.matrix_size)
    state = whole.init(params.flat)
    mine = params.flat[sliced.mine].copy()
    sliced.start(mine)
    held = SlicedParams(params, comm, mine) if stage == 3 else params
    for step in range(STEPS):
        gradient = zero_gradient(comm, model, held, params, batch_at(step), stage)
        if step == 0:
            expected = gradient_alone(kind, dtype)[1].flat
            where = sliced.mine if stage else slice(None)
            np.testing.assert_allclose(gradient, expected[where], rtol=0, atol=BOUNDS[dtype])
        if stage == 0:
            whole.update(params.flat, gradient, state, learning_rate=RATE)
        elif stage == 3:
            sliced.update(mine, gradient, learning_rate=RATE)
            held.forget()
        else:
            sliced.update(params.flat[sliced.mine], gradient, learning_rate=RATE)
            sliced.share(params.flat)
    if stage == 3:
        params.flat[sliced.mine] = mine
        sliced.share(params.flat)
    close(params, trained_alone(kind, dtype), dtype)
    return params


def zero_gradient(comm, model, held, layout, batch, stage):
    """The flat gradient of all replicas' rows together: all of it, or from stage 1 on this rank's slice of it."""
    rows = slice(comm.rank * BATCH // comm.size, (comm.rank + 1) * BATCH // comm.size)
    own = Batch(batch.tokens[rows], batch.targets[rows])
    grads = layout.zeros_like() if stage < 2 else SlicedGradients(layout, comm)
    loss_and_gradient(model, held, own, Call(recompute=stage == 3), counts=scored(batch), grads=grads)
    if stage == 0:
        sum_gradients(comm, grads)
        return grads.flat
    if stage == 1:
        owners = slices(grads.flat.size, comm.size)
        sum_slices(comm, grads, owners)
        return grads.flat[owners[comm.rank]]
    grads.finish()
    return grads.mine
