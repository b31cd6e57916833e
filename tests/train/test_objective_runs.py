"""Every objective trains: it learns what guessing does not reach, goes on to the bit, on threads and on ranks."""

import signal
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from conftest import thorough
from objective_run import objective_run

from minigpt import UserError
from minigpt.measure import guesses
from minigpt.objectives import OBJECTIVES
from minigpt.parallel import launch
from minigpt.parallel.grid import make_grid
from minigpt.parallel.ranks import Ranks
from minigpt.train import Interrupted, TextData, judge_all, open_folder, open_run, read_metrics, train

BY_RANKS = {"steps": 10, "validate_every": 5, "optimizer": "sgd", "learning_rate": 0.05}
LONGER = {"masked": 450, "spans": 300, "infilling": 150}  # steps; the others need fewer


def last(path):
    return open_run(path, "last").params.flat


@thorough
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_it_learns_more_than_guessing_reaches(objective, tmp_path):
    steps = LONGER.get(objective, 120)
    folder = objective_run(tmp_path, objective, steps=steps, validate_every=steps)
    params, _ = train(folder, show_progress=False)
    data, config = TextData(folder), folder.config
    guessed = guesses(folder.tokens("training"), data.held_out(), config.vocabulary_size, config.architecture)
    loss, accuracy = judge_all(open_run(tmp_path).model, params, data.held_out())
    # Half of the way from the best guess to always right: by chance, with hundreds of questions, nobody comes there.
    best = max(guessed.accuracy.values())
    assert accuracy > best + 0.35 * (1 - best)
    assert loss < 0.8 * min(guessed.nats.values())
    metrics = read_metrics(tmp_path / "metrics.csv")
    assert metrics["validation_accuracy"] == [(steps, pytest.approx(accuracy, abs=1e-6))]
    assert metrics["validation_loss"] == [(steps, pytest.approx(loss, rel=1e-5))]
    assert bool(metrics["validation_bits_per_byte"]) == (objective == "causal")


@thorough
@pytest.mark.parametrize("objective", ["causal", "masked", "next-sentence", "infilling", "mixture"])
def test_stopped_and_resumed_on_two_threads_gives_the_same_bits(objective, tmp_path):
    settings = {"workers": 2, "accumulate": 2}
    whole, parts = (objective_run(tmp_path / name, objective, **settings) for name in ("whole", "parts"))
    train(whole, show_progress=False)

    def stop(params, row):
        if row["step"] == 10:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted):
        train(parts, on_validation=stop, show_progress=False)
    train(open_folder(parts.path), show_progress=False)
    assert np.array_equal(last(parts.path), last(whole.path))


GRIDS = {"replicas": {"data": 2}, "tensor": {"tensor": 2}, "pipeline": {"pipeline": 2}}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """objective -> a run that one process trained."""

    @cache
    def trained(objective):
        folder = objective_run(tmp_path_factory.mktemp(objective), objective, **BY_RANKS)
        train(folder, show_progress=False)
        return folder

    return trained


PAIRS = [(objective, list(GRIDS)[number % 3]) for number, objective in enumerate(OBJECTIVES)]


@pytest.mark.parametrize(("objective", "grid"), [*PAIRS, ("infilling", "pipeline"), ("masked", "tensor")])
def test_two_ranks_train_what_one_process_trains(objective, grid, tmp_path, alone):
    one, two = alone(objective), objective_run(tmp_path, objective, **BY_RANKS)

    def rank(comm):
        train(two, engine=Ranks(two, make_grid(comm, **GRIDS[grid])), show_progress=False)

    if grid == "pipeline" and one.config.architecture == "encoder-decoder":
        with pytest.raises(UserError, match="encoder-decoder"):
            launch(rank, 2)
        return
    launch(rank, 2)
    np.testing.assert_allclose(last(two.path), last(one.path), rtol=0, atol=5e-6)
    a, b = (read_metrics(run.file("metrics.csv")) for run in (one, two))
    for name in ("validation_loss", "validation_accuracy"):
        np.testing.assert_allclose(a[name], b[name], rtol=1e-4)


def test_held_out_questions_do_not_depend_on_the_seed_and_training_ones_do(tmp_path):
    one, other = (TextData(objective_run(tmp_path / str(seed), "masked", seed=seed)) for seed in (0, 1))
    for a, b in zip(one.held_out(), other.held_out(), strict=True):
        assert np.array_equal(a.batch.tokens, b.batch.tokens) and np.array_equal(a.batch.targets, b.batch.targets)
    assert not np.array_equal(one.batches(0)[0].tokens, other.batches(0)[0].tokens)
    assert not np.array_equal(one.batches(3)[0].tokens, one.batches(4)[0].tokens)


def test_what_stands_in_sight_does_not_count_as_a_right_answer(tmp_path):
    folder = objective_run(tmp_path, "masked")
    mask, all_hidden = folder.special["mask"], []
    for batch, counted in TextData(folder).held_out():
        asked = batch.targets >= 0
        assert np.array_equal(batch.tokens[asked] == mask, counted[asked]) and not counted[~asked].any()
        all_hidden.append(counted[asked])
    assert 0.6 < np.concatenate(all_hidden).mean() < 0.95, "eight of ten, though all are asked for"


def test_masks_are_drawn_anew_for_the_same_window(tmp_path):
    folder = objective_run(tmp_path, "masked")
    # a text of another length, so its checksum is left out
    short = replace(folder, settings=replace(folder.settings, batch=200), corpus={**folder.corpus, "checksums": {}})
    np.save(tmp_path / "training.npy", folder.tokens("training")[: folder.config.context + 1].copy())  # one window
    targets = [TextData(short).batches(step)[0].targets for step in (0, 1)]
    assert (targets[0] >= 0).any(axis=0).all(), "every place is asked for now and then"
    assert not np.array_equal(*targets)


def test_an_objective_that_cannot_train_an_architecture_is_refused_before_anything_is_written(tmp_path):
    from minigpt.train import prepare_run

    with pytest.raises(UserError, match="the objective masked cannot train a decoder: under a causal mask"):
        prepare_run(tmp_path / "run", "pydocs", objective="masked", architecture="decoder")
    with pytest.raises(UserError, match="the objective causal cannot train an encoder: every position"):
        prepare_run(tmp_path / "run", "pydocs", architecture="encoder")
    with pytest.raises(UserError, match="no objective 'rlhf'"):
        prepare_run(tmp_path / "run", "pydocs", objective="rlhf")
    assert not (tmp_path / "run").exists()


def test_a_run_says_whether_it_writes(tmp_path):
    folder = objective_run(tmp_path, "masked")
    with pytest.raises(UserError, match=r"objective masked .*does not continue a text.*--objective causal"):
        folder.check_writes()
    assert open_folder(tmp_path) == folder
    assert set(folder.special) == {"end", "mask"}
    replace(folder, objective="mixture").check_writes()


def test_the_held_out_batches_are_the_windows_once_each(tmp_path):
    data = TextData(objective_run(tmp_path, "causal", batch=2, validation_windows=21))
    tokens = np.concatenate([one.batch.tokens for one in data.held_out()])
    assert len(data.held_out()) == 3 and np.array_equal(tokens, data.windows[:, :-1])
