"""Training goes on exactly where it stopped, however it stopped."""

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import killed_at_the_end
from tiny_run import make_run, parameters

from minigpt import UserError
from minigpt.train import Interrupted, TrainSettings, loop, open_folder, open_run, read_metrics, train

PROGRAM = Path(__file__).parent / "tiny_run.py"
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([p for p in sys.path if p])}


def start(path, *more):
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), str(path), *more], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
    )


def test_a_trained_run_has_learnt_and_can_be_opened(tmp_path):
    rows = []
    train(make_run(tmp_path, steps=120), on_validation=lambda params, row: rows.append(row), show_progress=False)
    assert [row["step"] for row in rows] == list(range(10, 121, 10))
    assert rows[-1]["validation_loss"] < 0.75 * rows[0]["validation_loss"]
    run = open_run(tmp_path)
    assert run.progress["step"] <= 120
    metrics = read_metrics(tmp_path / "metrics.csv")
    assert [step for step, _ in metrics["loss"]] == list(range(1, 121))
    assert metrics["validation_loss"][-1] == (120, pytest.approx(rows[-1]["validation_loss"]))
    assert all(speed > 0 for _, speed in metrics["tokens_per_second"])


def test_the_speed_is_that_of_all_tokens_since_the_last_row(tmp_path, monkeypatch):
    ticks = itertools.count()
    monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=lambda: float(next(ticks)), monotonic=lambda: 0.0))
    train(make_run(tmp_path, steps=12, log_every=4, validate_every=8, batch=3, accumulate=2), show_progress=False)
    metrics = read_metrics(tmp_path / "metrics.csv")
    assert metrics["tokens_per_second"] == [(step, 4 * 2 * 3 * 12.0) for step in (4, 8, 12)]  # a tick is a second
    assert metrics["seconds"] == [(4, 1.0), (8, 2.0), (12, 3.0)]


@pytest.mark.parametrize(
    "settings", [{}, {"workers": 2}, {"accumulate": 3}, {"optimizer": "muon"}, {"optimizer": "sgd"}]
)
def test_stopping_and_resuming_gives_the_same_bits(tmp_path, settings):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(make_run(whole, **settings), show_progress=False)
    folder = make_run(parts, **settings)

    def stop_here(params, row):
        if row["step"] in (10, 30):
            signal.raise_signal(signal.SIGINT)

    for stopped_at in (11, 31):  # the request is heeded after the next step
        with pytest.raises(Interrupted) as stopped:
            train(folder, on_validation=stop_here, show_progress=False)
        assert stopped.value.step == stopped_at or stopped.value.step == stopped_at - 1
    train(folder, on_validation=lambda params, row: None, show_progress=False)
    assert parameters(parts) == parameters(whole)
    steps = [step for step, _ in read_metrics(parts / "metrics.csv")["loss"]]
    assert steps == list(range(1, 41))


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL does not exist on Windows")
def test_killed_at_random_and_resumed_three_times_gives_the_same_bits(tmp_path):
    settings = {"steps": 400, "validate_every": 20}
    train(make_run(tmp_path / "whole", **settings), show_progress=False)
    make_run(tmp_path / "killed", **settings)
    chance = random.Random(1)
    killed = 0
    while killed < 3:
        process = start(tmp_path / "killed")
        process.stdout.readline()  # it trains
        time.sleep(chance.uniform(0, 0.08))
        process.kill()
        process.wait()
        process.stdout.close()
        killed += 1
    process = start(tmp_path / "killed")
    assert process.communicate()[0].split()[-1:] in ([], ["400"])
    assert process.returncode == 0
    assert parameters(tmp_path / "killed") == parameters(tmp_path / "whole")
    steps = [step for step, _ in read_metrics(tmp_path / "killed" / "metrics.csv")["loss"]]
    assert steps == list(range(1, 401))


@pytest.mark.skipif(os.name == "nt", reason="SIGTERM cannot be caught on Windows")
def test_a_request_to_terminate_saves_first(tmp_path):
    make_run(tmp_path, steps=1_000_000, validate_every=50)
    with killed_at_the_end(start(tmp_path)) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=300)
    assert process.returncode == 1  # Interrupted, which the command line turns into a hint
    last_step, _ = read_metrics(tmp_path / "metrics.csv")["loss"][-1]
    assert open_run(tmp_path, "last").progress["step"] == last_step >= 50


def test_a_loss_that_is_no_number_ends_training_with_advice(tmp_path):
    folder = make_run(tmp_path, dropout=0.0)
    train(replace(folder, settings=replace(folder.settings, steps=10)), show_progress=False)
    before = parameters(tmp_path)
    wild = replace(folder.settings, learning_rate=1e30, optimizer="sgd", clip=1e30)
    (tmp_path / "wild").mkdir()
    wild_folder = make_run(tmp_path / "wild", dropout=0.0)
    with pytest.raises(UserError, match=r"training diverged; start again with a lower --learning-rate than 1e\+30"):
        train(replace(wild_folder, settings=wild), show_progress=False)
    assert parameters(tmp_path) == before


def test_held_out_text_shorter_than_the_context_is_refused(tmp_path):
    folder = make_run(tmp_path)
    np.save(tmp_path / "validation.npy", np.zeros(12, np.uint16))
    with pytest.raises(UserError, match="the held-out text has 12 tokens, but the context of 12 needs at least 13"):
        train(folder, show_progress=False)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"batch": 1.5}, "batch is 1.5"),
        ({"learning_rate": -1.0}, "learning_rate is -1.0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"beta1": 1.0}, "beta1 1.0"),
        ({"optimizer": "lion"}, "optimizer 'lion'"),
        ({"schedule": "step"}, "schedule 'step'"),
    ],
)
def test_settings_that_do_not_fit_are_named(change, says):
    with pytest.raises(UserError, match=says):
        TrainSettings(**change)


def test_a_run_folder_survives_being_read_back(tmp_path):
    folder = make_run(tmp_path)
    assert open_folder(tmp_path) == folder
    with pytest.raises(UserError, match=r"no run\.json"):
        open_folder(tmp_path / "nothing")
    (tmp_path / "run.json").write_text('{"format": "minigpt run 1", "config": {}}', encoding="utf-8")
    with pytest.raises(UserError, match=r"incomplete|damaged"):
        open_folder(tmp_path)


def test_who_asks_twice_is_not_kept_waiting(tmp_path):
    """The first Ctrl-C saves after the step; the second one acts at once."""

    def impatient(params, row):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # what a shell starts in the background ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            train(make_run(tmp_path), on_validation=impatient, show_progress=False)
    finally:
        signal.signal(signal.SIGINT, before)
