"""Going on: from what is whole, with what may be changed, and never in silence with something else."""

import json
import math
import shutil
import time

import numpy as np
import pytest
from tiny_run import TEXT, make_run, parameters

from minigpt import UserError
from minigpt.cli import main
from minigpt.files import read_json
from minigpt.train import Interrupted, open_folder, open_run, read_metrics, starting_point, steps_done, train
from minigpt.train import loop as loop_module
from minigpt.train.engine import OneProcess

WORDS = ["--context", "16", "--batch", "4", "--vocabulary", "280", "--workers", "1", "--steps", "20"]


def stopped_at(path, step, **settings):
    """A run that was stopped after `step` steps of 40, with validations every ten."""
    folder = make_run(path, **settings)

    class Stops(OneProcess):
        def anyone(self, flag):
            return self.progress.step == step

    with pytest.raises(Interrupted):
        train(folder, engine=Stops(folder), show_progress=False)
    return folder


def flip(path, bits, rng):
    data = bytearray(path.read_bytes())
    for place in rng.integers(0, 8 * len(data), bits):
        data[place // 8] ^= 1 << place % 8
    path.write_bytes(data)


def test_checkpoints_by_the_clock_change_no_bit(tmp_path):
    train(make_run(tmp_path / "whole", validate_every=40), show_progress=False)
    folder = make_run(tmp_path / "often", validate_every=40, checkpoint_seconds=0.0)
    saved = []

    class Counts(OneProcess):
        def save(self, names):
            saved.append((self.progress.step, *names))
            super().save(names)
            if self.progress.step == 13:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(folder, engine=Counts(folder), show_progress=False)
    assert saved == [(step, "last") for step in range(1, 14)]
    assert steps_done(folder) == 13
    train(folder, show_progress=False)
    assert parameters(tmp_path / "often") == parameters(tmp_path / "whole")
    assert [step for step, _ in read_metrics(tmp_path / "often" / "metrics.csv")["loss"]] == list(range(1, 41))


def test_without_much_time_there_is_no_checkpoint_between_validations(tmp_path):
    folder = stopped_at(tmp_path, 15)
    assert steps_done(folder) == 15
    assert open_run(tmp_path, "best").progress["step"] == 10


@pytest.mark.parametrize("damage", ["gone", "cut", "flipped", "foreign"])
def test_without_a_whole_last_checkpoint_it_goes_on_from_the_best(tmp_path, damage, capsys):
    folder = stopped_at(tmp_path, 15)
    last = folder.checkpoint("last")
    if damage == "gone":
        last.unlink()
    elif damage == "cut":
        last.write_bytes(last.read_bytes()[:-100])
    elif damage == "flipped":
        flip(last, 20, np.random.default_rng(0))
    else:
        last.write_bytes(b"no checkpoint")
    begun = starting_point(folder)
    assert begun.progress.step == 10 and "going on from the best one, of step 10" in begun.notice
    train(folder, show_progress=False)
    assert "going on from the best one" in capsys.readouterr().err
    assert steps_done(folder) == 40
    train(make_run(tmp_path / "whole"), show_progress=False)
    assert parameters(tmp_path) == parameters(tmp_path / "whole")


def test_with_no_whole_checkpoint_it_is_refused(tmp_path):
    folder = stopped_at(tmp_path, 15)
    folder.checkpoint("last").write_bytes(b"")
    folder.checkpoint("best").write_bytes(b"")
    with pytest.raises(UserError, match=r"best\.safetensors is damaged"):
        train(folder, show_progress=False)
    folder.checkpoint("best").unlink()
    with pytest.raises(UserError, match=r"last\.safetensors is damaged .*there is no other one"):
        train(folder, show_progress=False)


@pytest.mark.parametrize("seed", range(10))
def test_twenty_flipped_bits_are_refused(tmp_path, seed):
    folder = make_run(tmp_path, steps=2, validate_every=2)
    train(folder, show_progress=False)
    rng = np.random.default_rng(seed)
    for name in ("best.safetensors", "last.safetensors"):
        flip(tmp_path / name, 20, rng)
    with pytest.raises(UserError, match=r"damaged|not written by minigpt"):
        starting_point(folder)
    with pytest.raises(UserError, match=r"damaged|not written by minigpt"):
        open_run(tmp_path)


def test_every_single_bit_of_a_header_counts(tmp_path):
    folder = make_run(tmp_path, steps=1)
    train(folder, show_progress=False)
    path = folder.checkpoint("last")
    folder.checkpoint("best").unlink()
    whole = path.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    for place in np.random.default_rng(1).integers(0, 8 * header, 150):
        data = bytearray(whole)
        data[place // 8] ^= 1 << place % 8
        path.write_bytes(data)
        with pytest.raises(UserError):
            starting_point(folder)


@pytest.mark.parametrize(("part", "place"), [("training", -1), ("validation", 200)])
def test_a_changed_token_file_is_refused(run, part, place, capsys):
    out, _ = run
    data = bytearray((out / f"{part}.npy").read_bytes())
    data[place] ^= 1
    (out / f"{part}.npy").write_bytes(data)
    assert main(["train", "--resume", "--out", str(out), "--steps", "25"]) == 2
    assert f"{part}.npy is damaged or not a token file (its checksum is not" in capsys.readouterr().err


def test_a_validation_that_is_no_number_replaces_nothing(tmp_path):
    folder = make_run(tmp_path)

    class Diverges(OneProcess):
        def judge(self, held_out):
            return (math.nan, 0.0) if self.progress.step == 20 else super().judge(held_out)

    with pytest.raises(UserError, match=r"the validation loss is nan at step 20: training diverged"):
        train(folder, engine=Diverges(folder), show_progress=False)
    assert steps_done(folder) == 10
    assert [step for step, _ in read_metrics(tmp_path / "metrics.csv")["validation_loss"]] == [10]


def test_a_folder_that_is_deleted_stays_deleted(tmp_path):
    folder = make_run(tmp_path / "run", steps=1000)
    with pytest.raises(UserError, match=r"run.* is gone"):
        train(folder, on_validation=lambda *_: shutil.rmtree(folder.path), show_progress=False)
    assert not folder.path.exists()


def test_a_folder_deleted_between_rows_is_noticed_when_it_saves(tmp_path):
    folder = make_run(tmp_path / "run", steps=1000, log_every=1000, validate_every=500, checkpoint_seconds=0.0)

    class Deletes(OneProcess):
        def update(self, rate):
            super().update(rate)
            if self.progress.step == 7:
                shutil.rmtree(self.folder.path)

    with pytest.raises(UserError, match=r"could not write .*last.*; its folder is gone"):
        train(folder, engine=Deletes(folder), show_progress=False)
    assert not folder.path.exists()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run and its text."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "text.txt").write_text(TEXT, encoding="utf-8")
    assert main(["train", str(folder / "text.txt"), *WORDS, "--out", str(folder / "run")]) == 0
    return folder / "run", folder / "text.txt"


@pytest.fixture
def run(finished, tmp_path):
    """A copy of it, whose path has to be quoted."""
    shutil.copytree(finished[0], tmp_path / "a run")
    return tmp_path / "a run", finished[1]


OTHERS = {
    "corpus": ["pydocs"],
    "--objective": ["masked"],
    "--architecture": ["encoder"],
    "--start": ["smollm2"],
    "--preset": ["small"],
    "--tokenizer": ["characters"],
    "--vocabulary": ["400"],
    "--batch": ["5"],
    "--accumulate": ["2"],
    "--context": ["32"],
    "--dropout": ["0.5"],
    "--optimizer": ["sgd"],
    "--weight-decay": ["0.5"],
    "--seed": ["1"],
    "--position": ["alibi"],
    "--window": ["8"],
    "--sinks": ["2"],
    "--rotary-scaling": ["linear:2"],
}


def test_what_cannot_be_changed_is_refused_by_name(run, capsys):
    out, text = run
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    for flag, value in OTHERS.items():
        words = [*([] if flag == "corpus" else [flag]), *value]
        assert main(["train", *words, "--resume", "--out", str(out), "--steps", "30"]) == 2, flag
        assert f"minigpt: {flag} {value[0]} is not what {out} has" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    as_begun = [str(text), *WORDS, "--preset", "tiny", "--tokenizer", "bpe", "--seed", "0", "--objective", "causal"]
    assert main(["train", *as_begun, "--resume", "--out", str(out), "--steps", "22"]) == 0
    assert main(["train", "--tokenizer", str(out / "tokenizer.json"), "--resume", "--out", str(out)]) == 0


def test_every_option_of_a_run_is_changed_refused_or_of_this_session(run):
    from minigpt.cli import _parser
    from minigpt.cli.images import OF_IMAGES
    from minigpt.cli.resume import CHANGED, FIXED

    session = {"execute", "goes_on", "out", "resume", "json", "zero"}
    session |= {"data_parallel", "tensor_parallel", "pipeline_parallel", "task", *OF_IMAGES}
    arguments = vars(_parser("train").parse_args(["train"]))
    assert set(arguments) == session | set(CHANGED) | set(FIXED)
    assert all(arguments[name] is None for name in (*CHANGED, *FIXED))
    assert set(OTHERS) == {name if name == "corpus" else "--" + name.replace("_", "-") for name in FIXED}


def test_what_can_be_changed_is_recorded(run):
    out, _ = run
    changes = ["--steps", "24", "--learning-rate", "0.001", "--validate-every", "2", "--workers", "2"]
    assert main(["train", "--resume", "--out", str(out), *changes]) == 0
    settings = open_folder(out).settings
    assert (settings.steps, settings.learning_rate, settings.validate_every, settings.workers) == (24, 0.001, 2, 2)
    assert [step for step, _ in read_metrics(out / "metrics.csv")["validation_loss"]][-2:] == [22, 24]


def test_fewer_steps_than_are_done_are_refused(run, capsys):
    out, _ = run
    before = (out / "run.json").read_bytes()
    assert main(["train", "--resume", "--out", str(out), "--steps", "19"]) == 2
    assert "--steps is 19, but" in (said := capsys.readouterr().err) and "has done 20 steps" in said
    assert (out / "run.json").read_bytes() == before


def test_a_finished_run_shows_its_report_without_training(run, capsys):
    out, _ = run
    before = (out / "last.safetensors").stat().st_mtime_ns
    time.sleep(0.01)
    assert main(["train", "--resume", "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert "is finished: all 20 steps are done" in said.err and "this model" in said.out
    assert f"minigpt generate '{out}'" in said.out
    assert (out / "last.safetensors").stat().st_mtime_ns == before
    assert main(["train", "--resume", "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 20


def test_the_advice_after_divergence_can_be_followed(tmp_path, capsys):
    text, out = tmp_path / "text.txt", str(tmp_path / "run")
    text.write_text(TEXT, encoding="utf-8")
    wild = ["--learning-rate", "1e20", "--optimizer", "sgd", "--validate-every", "2"]
    assert main(["train", str(text), *WORDS, *wild, "--out", out]) == 2
    said = capsys.readouterr().err
    assert "start again with a lower --learning-rate than 1e+20; with --resume it goes on from" in said
    assert main(["train", "--resume", "--out", out, "--learning-rate", "1e-3"]) == 0
    assert read_json(tmp_path / "run" / "run.json")["settings"]["learning_rate"] == 1e-3


def test_an_interrupted_training_says_so_to_programs(run, capsys, monkeypatch):
    out, _ = run
    monkeypatch.setattr(loop_module.threading.Event, "is_set", lambda self: True)
    assert main(["train", "--resume", "--out", str(out), "--steps", "30", "--json"]) == 130
    said = capsys.readouterr()
    error = json.loads(said.out)["error"]
    assert error in said.err and f"minigpt train --resume --out '{out}'" in error


def test_a_run_that_cannot_be_prepared_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "short.txt").write_text("too short", encoding="utf-8")
    for more in ([], ["--out", "deep/down/run"]):
        assert main(["train", "short.txt", "--tokenizer", "characters", *more]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["short.txt"]


@pytest.mark.parametrize(("name", "wanted"), [("step", "a whole number"), ("loss", "a number")])
def test_a_cell_that_is_no_number_is_named(name, wanted, tmp_path):
    path = tmp_path / "metrics.csv"
    names = "step,loss,validation_loss,validation_bits_per_byte,learning_rate,gradient_norm,tokens_per_second,seconds"
    cells = {**dict.fromkeys(names.split(","), "1"), name: "many"}
    path.write_text(f"{names}\n{','.join(cells.values())}\n", encoding="utf-8")
    with pytest.raises(UserError, match=f"{name} in line 2 of .* is 'many', not {wanted};"):
        read_metrics(path)
