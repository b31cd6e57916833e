"""Training that begins with parameters that are there already."""

import numpy as np
import pytest
from objective_run import SIZES, STORIES, objective_run
from tiny_run import make_run, parameters

from minigpt import Transformer, UserError, preset
from minigpt.parallel import launch
from minigpt.parallel.grid import make_grid
from minigpt.parallel.ranks import Ranks
from minigpt.train import Interrupted, TrainSettings, first_checkpoint, open_run, prepare_run, train
from minigpt.train.lock import locked
from minigpt.train.start import first_parameters


def drawn(config):
    return Transformer(config).init(np.random.default_rng(77))


@pytest.mark.parametrize("by_name", [True, False])
def test_the_first_step_is_taken_from_the_start(tmp_path, by_name):
    folder = make_run(tmp_path, steps=1, learning_rate=1e-6, weight_decay=0.0, warmup=0, dropout=0.0)
    start = dict(drawn(folder.config).items()) if by_name else drawn
    params, progress = train(folder, start=start, show_progress=False)
    assert progress.step == 1
    moved = np.abs(params.flat - drawn(folder.config).flat)
    assert 0 < moved.max() < 2e-6


def test_a_run_that_is_killed_before_its_first_validation_still_begins_there(tmp_path):
    whole, killed = (make_run(tmp_path / name) for name in ("whole", "killed"))
    train(whole, start=drawn, show_progress=False)

    class Killed(Exception):
        pass

    def kill(config):
        first_checkpoint(killed, drawn)
        raise Killed

    with pytest.raises(Killed):
        train(killed, start=kill, show_progress=False)
    assert open_run(killed.path, "last").progress["step"] == 0
    train(killed, show_progress=False)
    assert parameters(killed.path) == parameters(whole.path)


def test_a_start_does_not_undo_what_was_trained_since(tmp_path):
    whole, parts = (make_run(tmp_path / name) for name in ("whole", "parts"))
    train(whole, start=drawn, show_progress=False)

    def stop(params, row):
        if row["step"] == 20:
            raise Interrupted(20)

    with pytest.raises(Interrupted):
        train(parts, start=drawn, on_validation=stop, show_progress=False)
    train(parts, start=drawn, show_progress=False)
    assert parameters(parts.path) == parameters(whole.path)


def test_ranks_begin_there_too(tmp_path):
    folder = make_run(tmp_path, steps=1, learning_rate=1e-6, weight_decay=0.0, warmup=0, dropout=0.0)
    first_checkpoint(folder, drawn)
    launch(lambda comm: train(folder, engine=Ranks(folder, make_grid(comm, data=2)), show_progress=False), 2)
    assert np.abs(open_run(tmp_path, "last").params.flat - drawn(folder.config).flat).max() < 2e-6

    def late(comm):
        train(folder, start=drawn, engine=Ranks(folder, make_grid(comm, data=2)), show_progress=False)

    with pytest.raises(UserError, match="call first_checkpoint before"):
        launch(late, 2)


def test_arrays_that_do_not_fit_are_named(tmp_path):
    folder = make_run(tmp_path)
    with pytest.raises(UserError, match=r"an array blocks\.9\.odd, but the model of this run has none"):
        train(folder, start={"blocks.9.odd": np.zeros(3)}, show_progress=False)
    with pytest.raises(UserError, match=r"final_norm.gain of the start has shape \(3,\), but .* needs \(16,\)"):
        train(folder, start={"final_norm.gain": np.zeros(3)}, show_progress=False)
    assert not folder.has_checkpoint("last")


def test_a_decoder_goes_on_with_another_objective_and_a_shorter_context(tmp_path):
    first = objective_run(tmp_path / "first", "fill-in-the-middle", steps=10)
    train(first, show_progress=False)
    opened = open_run(first.path, "last")
    then = prepare_run(
        tmp_path / "then", STORIES, objective="mixture", changes={"context": 16}, start=opened, progress=False
    )
    assert then.special == first.special and then.config.context == 16
    assert then.start == {"name": str(first.path), "left_out": [], "fresh": []}
    begun = open_run(then.path, "last")
    assert np.array_equal(begun.params.flat, opened.params.flat)
    with pytest.raises(
        UserError, match="brings its own model and tokenizer; leave model, tokenizer and vocabulary out"
    ):
        prepare_run(tmp_path / "tokens", STORIES, tokenizer="characters", start=opened)
    with pytest.raises(UserError, match="was made for 24 tokens, not 32"):
        prepare_run(tmp_path / "longer", STORIES, changes={"context": 32}, start=opened)
    with pytest.raises(UserError, match="the objective masked cannot train a decoder"):
        prepare_run(tmp_path / "masked", STORIES, objective="masked", start=opened)
    with pytest.raises(UserError, match="architecture decoder, which cannot be changed"):
        prepare_run(tmp_path / "other", STORIES, objective="masked", architecture="encoder", start=opened)


def test_learned_positions_are_cut_and_the_old_head_is_left_out(tmp_path):
    learned = {**SIZES, "position": "learned", "segments": 2}
    first = prepare_run(
        tmp_path / "first",
        STORIES,
        objective="masked",
        changes=learned,
        tokenizer="characters",
        settings=TrainSettings(steps=2, batch=4),
        progress=False,
    )
    train(first, show_progress=False)
    opened = open_run(first.path)
    then = prepare_run(
        tmp_path / "then", STORIES, objective="masked", changes={"context": 9}, start=opened, progress=False
    )
    begun = open_run(then.path, "last").params
    assert np.array_equal(begun["position_embedding.weight"], opened.params["position_embedding.weight"][:9])
    assert then.start["fresh"] == []
    with pytest.raises(UserError, match=r"next-sentence needs a special token <\|classify\|>"):
        prepare_run(tmp_path / "pairs", STORIES, objective="next-sentence", start=opened, progress=False)


def test_a_folder_that_is_in_use_or_holds_a_trained_model_is_not_prepared_again(tmp_path):
    folder = prepare_run(tmp_path, STORIES, tokenizer="characters", settings=TrainSettings(steps=2), progress=False)
    kept = folder.file("training.npy").read_bytes()
    with locked(tmp_path), pytest.raises(UserError, match="another training"):
        prepare_run(tmp_path, STORIES, vocabulary=270, progress=False)
    train(folder, show_progress=False)
    with pytest.raises(UserError, match="holds a model that was trained"):
        prepare_run(tmp_path, STORIES, vocabulary=270, progress=False)
    assert folder.file("training.npy").read_bytes() == kept


@pytest.mark.parametrize("name", ["training.npy", "validation.npy", "tokenizer.json", "loss.png", "config.json"])
def test_a_file_of_somebody_elses_is_not_overwritten(tmp_path, name):
    (tmp_path / name).write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match=f"holds {name} already, and nothing is overwritten"):
        prepare_run(tmp_path, STORIES, tokenizer="characters", progress=False)
    assert (tmp_path / name).read_text(encoding="utf-8") == "mine"
    assert {one.name for one in tmp_path.iterdir()} <= {name, ".lock"}


def test_what_a_killed_preparation_left_is_made_anew(tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("minigpt.train.prepare.TextData", killed)
    with pytest.raises(KeyboardInterrupt):
        prepare_run(tmp_path, STORIES, tokenizer="characters", progress=False)
    assert (tmp_path / "training.npy").exists() and not (tmp_path / "run.json").exists()
    monkeypatch.undo()
    prepare_run(tmp_path, STORIES, tokenizer="characters", progress=False)
    assert (tmp_path / "run.json").exists() and not (tmp_path / ".preparing").exists()


def test_what_the_start_lacks_is_made_as_a_fresh_model_makes_it_and_nothing_else(monkeypatch):
    model = Transformer(preset("tiny", vocabulary_size=30, layers=2, width=24, heads=2))
    fresh, start = (model.init(np.random.default_rng(seed)) for seed in (5, 6))
    given = {name: array for name, array in start.items() if not name.startswith("blocks.1.")}
    made, maker = [], Transformer.maker

    def counted(self, rng):
        make = maker(self, rng)
        return lambda name: made.append(name) or make(name)

    monkeypatch.setattr(Transformer, "maker", counted)
    found = first_parameters(model.config, given, 5)
    assert sorted(made) == sorted(set(found) - set(given))
    for name, array in found.items():
        np.testing.assert_array_equal(array, given.get(name, fresh[name]))
