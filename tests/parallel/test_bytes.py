"""What every rank sends in a step equals the formulas, to the byte.

Counted is what is handed over, also to a communicator of one rank, which sends nothing.
"""

from math import prod

import numpy as np
import pytest
from schemes import BATCH, CONFIGS, LENGTH, batch_at, make, micro_batches, start, zero_gradient

from minigpt import Call
from minigpt.objectives import HeldOut, scored
from minigpt.parallel import launch
from minigpt.parallel.grid import Part, make_grid
from minigpt.parallel.pipeline import pipeline_judge
from minigpt.parallel.tensor import part as share
from minigpt.parallel.zero import SlicedOptimizer, SlicedParams

DOUBLE = 8  # bytes of a float64: losses and norms
pairs = pytest.mark.parametrize(("kind", "dtype"), [("GPT-2", "float64"), ("modern", "float32")])
kinds = pytest.mark.parametrize("kind", ["GPT-2", "modern"])


def step_on(comm, kind, dtype, order, recompute, grid):
    """One training step: gradient, clipping, ZeRO-1. Returns the bytes that each of the three sent, how many letters
    went to other stages, and the bytes of this rank's part of the model."""
    model, params = start(kind, dtype)
    part = Part(model.config, make_grid(comm, **grid))
    mine = part.params(params)
    optimizer = part.optimizer(make, mine)
    batch, said = batch_at(kind, 0), []

    def sent():
        said.append({name: count for name, count in comm.sent.items() if count})
        comm.sent.clear()

    _, grads, _ = part.gradient(
        mine, micro_batches(part, batch), counts=scored(batch), order=order, call=Call(recompute=recompute)
    )
    sent()
    part.clip(grads, 1.0)
    sent()
    optimizer.update(mine.flat[optimizer.mine], grads.flat[optimizer.mine], learning_rate=0.01)
    optimizer.share(mine.flat)
    sent()
    return said, comm.messages["Isend"], mine.flat.nbytes


def formulas(kind, dtype, rank, parameters, recompute, *, data=1, tensor=1, pipeline=1):
    """Bytes that the three parts of a step send from this rank, and letters. parameters: bytes of its part."""
    config, item = CONFIGS[kind], np.dtype(dtype).itemsize
    stage = rank // tensor // data
    first, last = stage == 0, stage == pipeline - 1
    layers = len(share(config.layers, stage, pipeline))
    micros = min(4, BATCH // data)
    rows = BATCH // data * LENGTH  # tokens of this replica, in all its micro-batches
    activations = rows * config.width * item
    tokens = len(share(config.vocabulary_size, rank % tensor, tensor))  # of the vocabulary, on this rank

    # Borders: for each micro-batch an activation forward to the next stage, and a gradient back to the one before. Both
    # ends of a tied model have the table, and send each other its gradient.
    borders = (not last) + (not first)
    tied = config.tied and pipeline > 1 and (first or last)
    letters = borders * micros + tied
    lettered = borders * micros * (activations // micros) + tied * tokens * config.width * item
    # Tensor: in each block two sums forward and two back, those forward once more if they are computed again. The first
    # stage adds up the rows of the table; the last one the gradient of what goes into the head.
    blocks = (6 if recompute else 4) * layers * activations
    sums = maxima = 0
    if tensor > 1:
        sums = blocks + (first + last) * activations + last * 2 * rows * item  # 2: sum of exponentials, target's score
        maxima = last * rows * item
    gradient = {
        "Isend": lettered,
        "Bcast": DOUBLE,  # the loss, from the last stage
        "Allreduce": sums + parameters + DOUBLE,  # the gradient, and the loss, among replicas
        "Allgather": maxima,
    }
    parts = [
        {name: count for name, count in gradient.items() if count},
        {"Allreduce": DOUBLE},  # the squared norm
        {"Bcast": parameters},  # each replica gives its slice, and takes the others'
    ]
    return parts, letters


@pairs
@pytest.mark.parametrize(("order", "recompute"), [("1f1b", False), ("gpipe", False), ("1f1b", True)])
@pytest.mark.parametrize("grid", [
    {"data": 2}, {"tensor": 2}, {"pipeline": 2}, {"pipeline": 4},
    {"tensor": 2, "pipeline": 3}, {"data": 2, "tensor": 2, "pipeline": 2},
], ids=str)  # fmt: skip
def test_a_step_sends_what_the_formulas_say(dtype, kind, order, recompute, grid):
    results = launch(lambda comm: step_on(comm, kind, dtype, order, recompute, grid), prod(grid.values()))
    for rank, (sent, letters, parameters) in enumerate(results):
        assert (sent, letters) == formulas(kind, dtype, rank, parameters, recompute, **grid)


@pairs
@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_zero_sends_what_the_formulas_say(dtype, kind, size, stage):
    """A gradient, and then what makes the parameters whole again, if this stage does that at once."""

    def rank(comm):
        model, params = start(kind, dtype)
        sliced = SlicedOptimizer(make, params, comm)
        held = SlicedParams(params, comm, params.flat[sliced.mine].copy()) if stage == 3 else params
        part, batch = Part(model.config, make_grid(comm, data=size)), batch_at(kind, 0)
        zero_gradient(part, held, params, [part.rows(batch)], stage, counts=scored(batch))
        if stage in (1, 2):
            sliced.share(params.flat)
        return dict(comm.sent), dict(comm.messages)

    _, params = start(kind, dtype)
    whole, last = params.flat.nbytes, f"blocks.{CONFIGS[kind].layers - 1}."
    blocks, last_block = (
        sum(params[name].nbytes for name in params if name.startswith(begin)) for begin in ("blocks.", last)
    )
    loss = {"Allreduce": DOUBLE}
    expected = {
        0: {"Allreduce": whole + DOUBLE, "Bcast": DOUBLE},  # the loss: from the last stage of a pipeline of one
        1: {"Reduce_scatter": whole, "Bcast": whole + DOUBLE, **loss},
        2: {"Reduce": whole, "Bcast": whole, **loss},
        # All parameters for the forward, and the blocks again for the backward, which begins with the one still here.
        3: {"Reduce": whole, "Bcast": whole + blocks - last_block, **loss},
    }[stage]
    for sent, messages in launch(rank, size):
        assert sent == expected and sent.keys() == messages.keys()


@kinds
def test_validation_on_a_pipeline_sends_what_the_formulas_say(kind):
    def rank(comm):
        model, params = start(kind, "float32")
        part = Part(model.config, make_grid(comm, pipeline=3))
        batch = batch_at(kind, 0)
        held_out = HeldOut(batch)
        pipeline_judge(part.stage, part.params(params), held_out, part.grid.pipeline)
        return dict(comm.sent)

    activations = BATCH * LENGTH * CONFIGS[kind].width * 4
    first, middle, last = launch(rank, 3)
    assert first == middle == {"Isend": activations, "Bcast": 3 * DOUBLE}  # loss, right answers, all answers
    assert last == {"Bcast": 3 * DOUBLE}
