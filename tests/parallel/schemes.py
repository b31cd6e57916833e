"""What the tests of thread ranks and of MPI ranks share: every scheme, beside one process that does the same alone.

Each check is a rank function: every rank compares its own part.
"""

from functools import cache
from itertools import pairwise

import numpy as np
from layouts import LAYOUTS, OBJECTIVE_CONFIGS, make_batch, row_by_row, trim

from minigpt import Call, Transformer, TransformerConfig
from minigpt.objectives import causal_lm, loss_and_gradient, scored
from minigpt.optim import adamw, clip_by_global_norm
from minigpt.parallel.grid import Part, make_grid
from minigpt.parallel.zero import SlicedOptimizer, SlicedParams, slices
from minigpt.train import take_rows

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
    **OBJECTIVE_CONFIGS,
}
STEPS, BATCH, LENGTH = 20, 8, 8
RATE, CLIP = 0.003, 1.0
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


def batch_at(kind, step):
    rng = np.random.default_rng([1, step])
    if kind in OBJECTIVE_CONFIGS:
        return make_batch(kind, rng, BATCH)
    return causal_lm(rng.integers(0, 37, (BATCH, LENGTH + 1)))


def make(decayed):
    return adamw(decayed=decayed, weight_decay=0.1, epsilon=EPSILON)


@cache
def gradient_alone(kind, dtype):
    """Loss and gradient of the first batch, in one process."""
    model, params = start(kind, dtype)
    return loss_and_gradient(model, params, batch_at(kind, 0))


@cache
def trained_alone(kind, dtype):
    """Parameters after training in one process."""
    model, params = start(kind, dtype)
    optimizer = make(params.matrix_size)
    state = optimizer.init(params.flat)
    for step in range(STEPS):
        _, grads = loss_and_gradient(model, params, batch_at(kind, step))
        clip_by_global_norm(grads.flat, CLIP)
        optimizer.update(params.flat, grads.flat, state, learning_rate=RATE)
    return params


def close(ours, theirs, dtype):
    """Equal within the bound of this dtype."""
    for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=0, atol=BOUNDS[dtype], err_msg=name)


def micro_batches(part, batch):
    """This replica's rows, in up to four micro-batches; of an objective two or three, uneven and as short as can be."""
    own = part.rows(batch)
    count = len(own.tokens)
    ends = np.linspace(0, count, min(4, count) + 1).astype(int)
    if batch.present is not None:
        ends = [0, 1, count // 2 + 1, count] if part.grid.pipeline.size > 1 else [0, 1, count]
    micros = [take_rows(own, slice(first, last)) for first, last in pairwise(ends)]
    return [trim(micro) for micro in micros] if batch.present is not None else micros


def check_plain(kind):
    """One process with padding, masks and one large batch is one process that reads text by text, without padding."""
    model, params = start(kind)
    batch = batch_at(kind, 0)
    loss, grads = gradient_alone(kind, "float64")
    expected_loss, expected = row_by_row(model.config, params, batch)
    assert abs(loss - expected_loss) < BOUNDS["float64"]
    close(grads, expected, "float64")
    silent = [name for name in grads if not grads[name].any()]
    assert not silent, f"no gradient reaches {silent}, so nothing about them is tested"


def check_gradients(comm, kind, dtype, *, order="1f1b", recompute=False, **grid):
    """One gradient on a grid (data=, tensor=, pipeline=) is that of one process. Returns what was done when."""
    (model, params), batch = start(kind, dtype), batch_at(kind, 0)
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
        mine = np.ascontiguousarray(array)
        theirs = np.empty((part.grid.tensor.size, *mine.shape), mine.dtype)
        part.grid.tensor.Allgather(mine, theirs)
        assert all(np.array_equal(mine, other) for other in theirs)
    return executed


def check_training(comm, kind, dtype, *, order="1f1b", recompute=False, **grid):
    """20 steps on a grid, with clipping and ZeRO-1 among the replicas, end where one process ends."""
    model, params = start(kind, dtype)
    part = Part(model.config, make_grid(comm, **grid))
    mine = part.params(params)
    optimizer = part.optimizer(make, mine)
    call = Call(recompute=recompute)
    for step in range(STEPS):
        batch = batch_at(kind, step)
        _, grads, _ = part.gradient(mine, micro_batches(part, batch), counts=scored(batch), order=order, call=call)
        part.clip(grads, CLIP)
        optimizer.update(mine.flat[optimizer.mine], grads.flat[optimizer.mine], learning_rate=RATE)
        optimizer.share(mine.flat)
    close(mine, part.params(trained_alone(kind, dtype)), dtype)


def check_zero(comm, kind, dtype, stage, **grid):
    """This stage of ZeRO among the replicas: the first gradient, and the parameters after 20 steps. Returns these."""
    model, whole = start(kind, dtype)
    part = Part(model.config, make_grid(comm, **(grid or {"data": comm.size})))
    params = part.params(whole)
    data = part.grid.data
    sliced = SlicedOptimizer(make, params, data if stage else data.Split(data.rank))
    mine = params.flat[sliced.mine].copy() if stage == 3 else params.flat[sliced.mine]
    sliced.start(mine)
    held = SlicedParams(params, data, mine) if stage == 3 else params
    for step in range(STEPS):
        batch = batch_at(kind, step)
        loss, gradient = zero_gradient(part, held, params, micro_batches(part, batch), stage, counts=scored(batch))
        if step == 0:
            alone, expected = gradient_alone(kind, dtype)
            assert abs(loss - alone) < BOUNDS[dtype]
            np.testing.assert_allclose(gradient, part.params(expected).flat[sliced.mine], rtol=0, atol=BOUNDS[dtype])
        part.clip_slice(params, gradient, sliced.mine, CLIP, copies=1 if stage else data.size)
        sliced.update(mine, gradient, learning_rate=RATE)
        if stage == 3:
            held.forget()
        else:
            sliced.share(params.flat)
    if stage == 3:
        params.flat[sliced.mine] = mine
        sliced.share(params.flat)
    close(params, part.params(trained_alone(kind, dtype)), dtype)
    return params


def zero_gradient(part, held, layout, micros, stage, *, counts):
    """The loss of all replicas' rows together, and its flat gradient: all of it, or from stage 1 on this rank's slice.

    held: this rank's parameters, or its slice of them. layout: of all parameters of this part of the model.
    """
    if stage >= 2:
        loss, grads = part.sliced_gradient(held, layout, micros, counts=counts, call=Call(recompute=stage == 3))
        return loss, grads.mine
    owners = slices(layout.flat.size, part.grid.data.size) if stage else None
    loss, grads, _ = part.gradient(held, micros, counts=counts, slices=owners)
    return loss, grads.flat[owners[part.grid.data.rank]] if stage else grads.flat


def check_frozen(comm, kind, layout):
    """Only the arrays that are asked for get a gradient, and it is that of all of them."""
    axes = dict(LAYOUTS[layout])
    zero, recompute = axes.pop("zero", 0), axes.pop("recompute", False)
    order = axes.pop("order", "1f1b")
    (model, params), batch = start(kind), batch_at(kind, 0)
    part = Part(model.config, make_grid(comm, **axes))
    mine, expected = part.params(params), part.params(gradient_alone(kind, "float64")[1])
    trained = [name for name in mine if "feed_forward" in name]  # neither the token table nor all of a block
    layout, expected = mine.only(trained), expected.only(trained)
    micros, call = micro_batches(part, batch), Call(recompute=recompute or zero == 3)
    if zero >= 2:
        where = slices(mine.flat.size, comm.size)[comm.rank]
        held = SlicedParams(mine, comm, mine.flat[where].copy()) if zero == 3 else mine
        _, ours = part.sliced_gradient(held, layout, micros, counts=scored(batch), call=call)
        own = slices(layout.flat.size, comm.size)[comm.rank]
        np.testing.assert_allclose(ours.mine, expected.flat[own], rtol=0, atol=1e-12)
        return
    grads = layout.zeros_like()
    part.gradient(mine, micros, counts=scored(batch), order=order, call=call, grads=grads)
    close(grads, expected, "float64")


def check_layout(comm, kind, dtype, layout):
    """Gradients and training of an objective on one of `layouts.LAYOUTS`."""
    axes = dict(LAYOUTS[layout])
    zero = axes.pop("zero", None)
    if zero is not None:
        return check_zero(comm, kind, dtype, zero, **axes)
    check_gradients(comm, kind, dtype, **axes)
    return check_training(comm, kind, dtype, **axes)
