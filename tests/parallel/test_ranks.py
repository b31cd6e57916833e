"""Training on a grid of ranks: the same model as one process trains, and checkpoints that any other grid can open."""

from dataclasses import replace
from itertools import cycle

import numpy as np
import pytest
from conftest import thorough
from tiny_run import make_run

from minigpt import Transformer, UserError
from minigpt.parallel import launch
from minigpt.parallel.grid import make_grid
from minigpt.parallel.ranks import Ranks
from minigpt.train import Interrupted, open_run, read_metrics, train
from minigpt.train.shards import load_shards

# Without biases in attention: that of the keys has no gradient but rounding, which Adam makes steps of.
SIZES = {"width": 16, "heads": 4, "layers": 3, "attention_bias": False}
STEPS = {"steps": 12, "validate_every": 6, "batch": 4, "accumulate": 2, "warmup": 2}


def thorough_if_many(grid):
    """Many ranks as threads of one process take long."""
    return pytest.param(grid, marks=thorough if np.prod(grid[:3]) > 2 else ())


GRIDS = [  # data, tensor, pipeline, zero
    (2, 1, 1, 0),
    (2, 1, 1, 1),
    (2, 1, 1, 2),
    (4, 1, 1, 3),
    (1, 2, 1, 0),
    (1, 1, 3, 0),
    (2, 2, 1, 3),
    (2, 2, 2, 1),
]


def on(grid, folder, **options):
    """Train the run on a grid of thread ranks."""
    data, tensor, pipeline, zero = grid

    def rank(comm):
        engine = Ranks(folder, make_grid(comm, data=data, tensor=tensor, pipeline=pipeline), zero=zero)
        train(folder, engine=engine, show_progress=False, **options)

    launch(rank, data * tensor * pipeline, seconds=60)


def end(folder, which="last"):
    return open_run(folder.path, which)


def by_one_process(path, **settings):
    folder = make_run(path, dropout=0.0, sizes=SIZES, **{**STEPS, **settings})
    train(folder, show_progress=False)
    return folder


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return by_one_process(tmp_path_factory.mktemp("alone"))


@pytest.fixture(scope="module")
def alone_with_sgd(tmp_path_factory):
    return by_one_process(tmp_path_factory.mktemp("sgd"), optimizer="sgd", learning_rate=0.03)


@pytest.mark.parametrize("grid", [thorough_if_many(grid) for grid in GRIDS], ids=str)
def test_trains_what_one_process_trains(alone, alone_with_sgd, grid, tmp_path):
    """AdamW, as it is set for training, makes steps of the rounding of gradients near 0 (see `schemes.EPSILON`)."""
    for one, bound in ((alone, 2e-5), (alone_with_sgd, 1e-6)):
        path = tmp_path / one.settings.optimizer
        folder = make_run(path, dropout=0.0, sizes=SIZES)
        folder = replace(folder, settings=one.settings)
        on(grid, folder)
        ours, theirs = end(folder), end(one)
        assert ours.progress["step"] == 12
        np.testing.assert_allclose(ours.params.flat, theirs.params.flat, rtol=0, atol=bound)
        for name in ("loss", "validation_loss", "gradient_norm"):
            a, b = (read_metrics(run.file("metrics.csv"))[name] for run in (folder, one))
            np.testing.assert_allclose(a, b, rtol=1e-6)


@pytest.mark.parametrize(
    ("first", "then"), list(zip(GRIDS, cycle([None, (2, 1, 1, 1), (1, 2, 1, 0)]), strict=False)), ids=str
)
def test_a_checkpoint_opens_on_another_layout(alone, first, then, tmp_path):
    folder = make_run(tmp_path, dropout=0.0, sizes=SIZES, **STEPS)
    half = replace(folder, settings=replace(folder.settings, steps=12))

    def stop(params, row):
        if row["step"] == 6:
            raise Interrupted(6)

    with pytest.raises(Interrupted):
        on(first, half, on_validation=stop)
    assert end(folder).progress["step"] == 6
    if then is None:
        train(folder, show_progress=False)
    else:
        on(then, folder)
    assert end(folder).progress["step"] == 12
    np.testing.assert_allclose(end(folder).params.flat, end(alone).params.flat, rtol=0, atol=2e-5)


def test_the_optimizer_s_states_are_kept_to_the_bit(tmp_path):
    folder = make_run(tmp_path, dropout=0.0, sizes=SIZES, **STEPS)
    on((2, 2, 2, 1), folder)
    states = []
    for _ in range(2):
        params = end(folder).params
        state = folder.settings.make_optimizer(params).init(params.flat)
        params, _ = load_shards(folder.path, "last", folder.config, state=state)
        states.append((params.flat.copy(), *(np.copy(value) for value in state.values())))
        on((4, 1, 1, 3), replace(folder, settings=replace(folder.settings, steps=12)))  # opens it, has nothing to do
    assert all(np.array_equal(a, b) for a, b in zip(*states, strict=True))
    assert any(np.any(value) for value in states[0][1:])


@pytest.mark.parametrize("grid", [(2, 1, 1, 2), (2, 2, 2, 1)], ids=str)
def test_stopped_and_resumed_on_the_same_ranks_is_the_same_to_the_bit(grid, tmp_path):
    whole, parts = (make_run(tmp_path / name, dropout=0.0, sizes=SIZES, **STEPS) for name in ("whole", "parts"))
    on(grid, whole)

    def stop(params, row):
        if row["step"] == 6:
            raise Interrupted(6)

    with pytest.raises(Interrupted):
        on(grid, parts, on_validation=stop)
    on(grid, parts)
    assert np.array_equal(end(parts).params.flat, end(whole).params.flat)


@pytest.mark.parametrize(("grid", "settings", "message"), [
    ((2, 1, 2, 2), {}, "ZeRO stage 2 does not go with a pipeline"),
    ((3, 1, 1, 0), {}, "a batch of 4 cannot be shared among 3 replicas; use a multiple of 3"),
    ((2, 1, 1, 4), {}, "there is no ZeRO stage 4"),
    ((2, 1, 1, 0), {"optimizer": "muon"}, "muon works on whole matrices"),
    ((1, 1, 4, 0), {}, "4 pipeline stages are more than the 3 layers"),
    ((1, 3, 1, 0), {}, "3 tensor-parallel ranks do not divide 4 heads"),
])  # fmt: skip
def test_what_cannot_be_shared_out_is_named_before_any_work(grid, settings, message, tmp_path):
    folder = make_run(tmp_path, dropout=0.0, sizes=SIZES, **{**STEPS, **settings})
    before = sorted(path.name for path in folder.path.iterdir())
    with pytest.raises(UserError, match=message):
        on(grid, folder)
    assert sorted(path.name for path in folder.path.iterdir()) == before


def test_a_lost_or_damaged_shard_is_named(tmp_path):
    folder = make_run(tmp_path, dropout=0.0, sizes=SIZES, **{**STEPS, "steps": 2, "validate_every": 2})
    on((2, 1, 1, 1), folder)
    (shard,) = folder.path.glob("step-*/rank-0001.safetensors")
    whole = shard.read_bytes()
    for data in (whole[: len(whole) // 2], b"", b"\xff" * 100):
        shard.write_bytes(data)
        with pytest.raises(UserError, match="is damaged"):
            end(folder)
    shard.unlink()
    with pytest.raises(UserError, match="every rank's file is needed"):
        end(folder)


def test_one_process_after_many_ranks_writes_the_newer_checkpoint(tmp_path):
    folder = make_run(tmp_path, dropout=0.0, sizes=SIZES, **{**STEPS, "steps": 6})
    on((2, 1, 1, 1), folder)
    longer = replace(folder, settings=replace(folder.settings, steps=12))
    train(longer, show_progress=False)
    assert end(folder).progress["step"] == 12
    even_longer = replace(folder, settings=replace(folder.settings, steps=18))
    on((2, 1, 1, 1), even_longer)
    assert end(folder).progress["step"] == 18
    assert len(list(folder.path.glob("step-*"))) <= 2


def test_without_a_stage_of_zero_every_replica_has_all_states(tmp_path):
    folder = make_run(tmp_path, dropout=0.0)

    def rank(comm):
        engine = Ranks(folder, make_grid(comm, data=2))
        return engine.zero, engine.optimizer.state["first_moment"].size

    size = Transformer(folder.config).init(np.random.default_rng(0)).flat.size
    assert launch(rank, 2) == [(0, size)] * 2
