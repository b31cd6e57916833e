"""Every way to share the work gives the gradients, and the parameters after 20 steps, of one process alone."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import thorough
from layouts import LAYOUTS, OBJECTIVE_CONFIGS, drawn, ranks_of
from schemes import (
    BOUNDS,
    CONFIGS,
    check_frozen,
    check_gradients,
    check_layout,
    check_plain,
    check_training,
    check_zero,
    gradient_alone,
    make,
    start,
)

from minigpt import UserError
from minigpt.model import Params
from minigpt.objectives import OBJECTIVES, causal_lm
from minigpt.objectives.sharded import sharded_cross_entropy_forward
from minigpt.parallel import launch, zero
from minigpt.parallel.grid import Part, make_grid
from minigpt.parallel.schedule import SCHEDULES, idle_share, timeline
from minigpt.parallel.zero import SlicedOptimizer

kinds = pytest.mark.parametrize("kind", ["GPT-2", "modern", "post-norm"])
dtypes = pytest.mark.parametrize("dtype", BOUNDS)
PAIRS = [("GPT-2", "float64"), ("post-norm", "float32")]
DRAWN = drawn(14, 1)


def trained(names, often, seldom):
    """What takes longer runs on two pairs, or on one; `mpi_schemes.py` has all."""
    cases = [(*PAIRS[0], *case) for case in often[:-1]]  # the last one takes longest
    further = [(*PAIRS[0], *often[-1]), *((*PAIRS[1], *case) for case in often)]
    further += [("modern", "float64", *case) for case in seldom]
    cases += [pytest.param(*case, marks=thorough) for case in further]
    return pytest.mark.parametrize(("kind", "dtype", *names), cases)


def on(check, kind, dtype, size, *arguments, **options):
    """What a check returns on each of `size` thread ranks."""
    gradient_alone(kind, dtype)  # computed once, before the ranks ask for it together
    return launch(lambda comm: check(comm, kind, dtype, *arguments, **options), size)


@kinds
@dtypes
@pytest.mark.parametrize("size", [2, 4])
def test_tensor_parallel_gradients(kind, dtype, size):
    on(check_gradients, kind, dtype, size, tensor=size)


@pytest.mark.parametrize(
    ("kind", "dtype", "size"),
    [("GPT-2", "float64", 4), ("modern", "float32", 2), ("post-norm", "float64", 4), ("modern", "float64", 1)],
)
@pytest.mark.parametrize("order", SCHEDULES)
@pytest.mark.parametrize("recompute", [False, True])
def test_pipeline_gradients(kind, dtype, order, recompute, size):
    executed = on(check_gradients, kind, dtype, size, pipeline=size, order=order, recompute=recompute)
    assert idle_share(timeline(executed)) == pytest.approx((size - 1) / (4 + size - 1))


@dtypes
@pytest.mark.parametrize(("order", "recompute"), list(zip(SCHEDULES, (True, False), strict=True)))
def test_gradients_of_all_three_at_once(dtype, order, recompute):
    on(check_gradients, "GPT-2", dtype, 8, data=2, tensor=2, pipeline=2, order=order, recompute=recompute)


@trained(["size", "stage"], often=[(2, 0), (2, 1), (2, 3), (2, 2)], seldom=[(4, 2), (4, 3)])
def test_data_parallel_and_zero_train_alike(kind, dtype, size, stage):
    results = on(check_zero, kind, dtype, size, stage)
    assert all(np.array_equal(trained.flat, results[0].flat) for trained in results)


@trained(
    ["data", "tensor", "pipeline"],
    often=[(1, 2, 1), (1, 1, 4), (2, 2, 2)],
    seldom=[(1, 4, 1), (4, 2, 1)],
)
def test_any_product_trains_alike(kind, dtype, data, tensor, pipeline):
    size = data * tensor * pipeline
    on(check_training, kind, dtype, size, data=data, tensor=tensor, pipeline=pipeline)


@dtypes
@pytest.mark.parametrize(("order", "recompute"), [("gpipe", False), ("gpipe", True), ("1f1b", True)])
def test_every_kind_of_pipeline_trains_alike(dtype, order, recompute):
    on(check_training, "GPT-2", dtype, 2, pipeline=2, order=order, recompute=recompute)


@pytest.mark.parametrize("kind", OBJECTIVE_CONFIGS)
def test_one_process_gives_what_text_by_text_gives(kind):
    check_plain(kind)


@pytest.mark.parametrize(
    ("kind", "layout"),
    [pytest.param(kind, layout, marks=thorough if ranks_of(layout) > 2 else ()) for kind, layout in DRAWN],
    ids=lambda word: word.replace(", ", "+").replace(" ", "-"),
)
def test_every_objective_trains_alike_on_every_layout(kind, layout):
    """A sample, since there are too many pairs; `mpi_schemes.py` draws others."""
    on(check_layout, kind, "float64", ranks_of(layout), layout)


@pytest.mark.parametrize(("kind", "layout"), [
    ("infilling", "data 2, zero 2"), ("infilling", "data 2, zero 3"), ("causal", "pipeline 4, 1f1b"),
    ("masked", "data 2, pipeline 2"), ("spans", "tensor 2"),
])  # fmt: skip
def test_what_is_frozen_gets_no_gradient_on_any_rank(kind, layout):
    gradient_alone(kind, "float64")
    launch(lambda comm: check_frozen(comm, kind, layout), ranks_of(layout))


def test_the_sample_leaves_no_objective_and_no_layout_out():
    kinds, layouts = [kind for kind, _ in DRAWN], [layout for _, layout in DRAWN]
    assert set(OBJECTIVES) <= set(kinds) and set(OBJECTIVE_CONFIGS) == set(kinds)
    assert set(LAYOUTS) == set(layouts)


def test_zero_keeps_a_slice():
    _, params = start("GPT-2")

    def rank(comm):
        sliced = SlicedOptimizer(make, params, comm)
        sliced.start(params.flat[sliced.mine])
        return sum(array.nbytes for array in sliced.state.values() if isinstance(array, np.ndarray))

    assert sum(launch(rank, 4)) == 2 * params.flat.nbytes


@pytest.mark.parametrize(("grid", "message"), [
    ({"data": 3}, "3 x 1 x 1 ranks .* but 2 are here"),
    ({"pipeline": 2, "layers": 1}, "2 pipeline stages are more than the 1 layers"),
    ({"tensor": 2, "heads": 3, "key_value_heads": 3}, "do not divide 3 heads"),
    ({"data": 2, "batch": 3}, "a batch of 3 cannot be shared among 2 replicas"),
])  # fmt: skip
def test_what_cannot_be_shared_out_is_named(grid, message):
    changes = {name: grid.pop(name) for name in ("layers", "heads", "key_value_heads") if name in grid}
    rows = grid.pop("batch", None)
    config = replace(CONFIGS["GPT-2"], **changes)

    def rank(comm):
        part = Part(config, make_grid(comm, **grid))
        if rows:
            part.rows(causal_lm(np.zeros((rows, 9), int)))

    with pytest.raises(UserError, match=message):
        launch(rank, 2)


@pytest.mark.parametrize("target", [13, -2])
def test_a_target_beyond_the_vocabulary_is_refused_where_every_rank_has_a_part_of_it(target):
    targets = np.array([[1, target, 12]])

    def rank(comm):
        first, stop = 13 * comm.rank // 3, 13 * (comm.rank + 1) // 3
        sharded_cross_entropy_forward(np.zeros((1, 3, stop - first)), targets, comm=comm, first=first)

    with pytest.raises(UserError, match=f"target {target} is not a class"):
        launch(rank, 3)


def test_gradients_are_summed_bucket_by_bucket(monkeypatch):
    monkeypatch.setattr(zero, "BUCKET", 7)
    drawn = [np.random.default_rng(rank).standard_normal(40) for rank in range(3)]

    def rank(comm):
        grads = Params({"weight": (4, 10)}, flat=drawn[comm.rank].copy())
        zero.sum_gradients(comm, grads)
        return grads.flat, comm.sent["Allreduce"]

    for flat, sent in launch(rank, 3):
        np.testing.assert_allclose(flat, sum(drawn), rtol=1e-14)
        assert sent == 40 * 8
