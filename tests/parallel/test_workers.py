"""Worker processes train what one process trains, to the same bits every time, and end with a sentence."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from conftest import killed_at_the_end, thorough
from launch import PATHS, children, until
from objective_run import objective_run
from tiny_run import TEXT, make_run, parameters

from minigpt import UserError
from minigpt.model import Params
from minigpt.parallel import processes, workers
from minigpt.parallel.workers import Workers, on_workers
from minigpt.train import Interrupted, OneProcess, open_folder, open_run, read_metrics, train


def trained(folder):
    train(folder, engine=on_workers(folder), show_progress=False)
    return open_run(folder.path, "last").params.flat


SETTINGS = {
    "adamw": {"workers": 2},
    "three workers": {"workers": 3, "batch": 5},
    "more workers than rows in the last parts": {"workers": 3, "batch": 2, "dropout": 0.0},
    "micro-batches": {"workers": 2, "accumulate": 3},
    "sgd": {"workers": 2, "optimizer": "sgd", "learning_rate": 0.05},
    "muon": {"workers": 2, "optimizer": "muon"},
    "a long gradient": {"workers": 2, "clip": 0.01},
}


@pytest.mark.parametrize("which", SETTINGS)
def test_they_train_what_one_process_trains(which, tmp_path):
    """Which shares the same rows, with the same dropout, among threads."""
    settings = {"steps": 12, "validate_every": 6, **SETTINGS[which]}
    # A bias of keys changes nothing, so its gradient is rounding alone, which Adam would make as long as any other.
    one, many = (make_run(tmp_path / name, sizes={"attention_bias": False}, **settings) for name in ("one", "many"))
    train(one, engine=OneProcess(one), show_progress=False)
    np.testing.assert_allclose(trained(many), open_run(one.path, "last").params.flat, rtol=0, atol=2e-5)
    a, b = (read_metrics(folder.file("metrics.csv")) for folder in (one, many))
    assert a.keys() == b.keys()
    for name in ("loss", "validation_loss", "validation_accuracy", "gradient_norm", "learning_rate"):
        np.testing.assert_allclose(b[name], a[name], rtol=1e-4)


@pytest.mark.parametrize("objective", ["masked", "next-sentence", "infilling"])
def test_every_kind_of_objective(objective, tmp_path):
    settings = {"steps": 8, "validate_every": 4, "workers": 2, "optimizer": "sgd", "learning_rate": 0.05}
    one, many = (objective_run(tmp_path / name, objective, **settings) for name in ("one", "many"))
    train(one, engine=OneProcess(one), show_progress=False)
    np.testing.assert_allclose(trained(many), open_run(one.path, "last").params.flat, rtol=0, atol=5e-6)
    a, b = (read_metrics(folder.file("metrics.csv")) for folder in (one, many))
    for name in ("validation_loss", "validation_accuracy"):
        np.testing.assert_allclose(b[name], a[name], rtol=1e-4)


@pytest.mark.parametrize("optimizer", ["adamw", pytest.param("muon", marks=thorough)])
def test_stopped_and_resumed_gives_the_same_bits(optimizer, tmp_path):
    whole, parts = (make_run(tmp_path / name, workers=2, optimizer=optimizer, steps=20) for name in ("whole", "parts"))
    expected = trained(whole)

    def stop(params, row):
        if row["step"] == 10:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted):
        train(parts, engine=on_workers(parts), on_validation=stop, show_progress=False)
    assert np.array_equal(trained(open_folder(parts.path)), expected)
    assert not children(os.getpid())


def test_a_run_of_one_process_goes_on_with_workers_and_back(tmp_path):
    settings = {"dropout": 0.0, "schedule": "constant", "sizes": {"attention_bias": False}}
    folder = make_run(tmp_path, steps=10, **settings)
    train(folder, show_progress=False)
    trained(replace(folder, settings=replace(folder.settings, steps=20, workers=2)))
    folder = replace(folder, settings=replace(folder.settings, steps=30))
    train(folder, show_progress=False)
    straight = make_run(tmp_path / "straight", steps=30, **settings)
    train(straight, show_progress=False)
    last = [open_run(one.path, "last").params.flat for one in (folder, straight)]
    np.testing.assert_allclose(*last, rtol=0, atol=1e-4)


def test_slices_of_the_flat_vector_hold_all_of_it_and_cut_no_matrix():
    for count in (1, 2, 3, 7):
        params = Params({f"{name}.weight": (name + 2, 5) for name in range(9)} | {"bias": (6,)})
        cut = workers._slices(params, count)
        assert [one.start for one in cut[1:]] == [one.stop for one in cut[:-1]]
        assert (cut[0].start, cut[-1].stop) == (0, params.flat.size)
        assert {one.start for one in cut} <= {whole.start for whole in params.wholes} | {params.flat.size}


def test_where_there_are_no_processes_one_trains_and_says_so(monkeypatch, tmp_path, capsys):
    def refuse(size):
        raise OSError("no memory to share")

    monkeypatch.setattr(processes.Segment, "make", refuse)
    folder = make_run(tmp_path, steps=4, workers=2)
    train(folder, engine=on_workers(folder))
    assert capsys.readouterr().err.count("no memory to share), so one process trains") == 1
    assert open_run(tmp_path).progress["step"] == 4


def test_a_loss_that_is_no_number_is_said_once(tmp_path, capfd):
    folder = make_run(tmp_path, steps=20, workers=2, optimizer="sgd", learning_rate=1e30, clip=1e30, warmup=0)
    with pytest.raises(UserError, match="training diverged"):
        trained(folder)
    assert capfd.readouterr().err == "" and not children(os.getpid())


def command(tmp_path, *words):
    text = tmp_path / "text.txt"
    text.write_text(TEXT * 4, encoding="utf-8")
    options = ["--tokenizer", "characters", "--context", "16", "--batch", "4", "--workers", "2", "--steps", "100000"]
    line = [sys.executable, "-m", "minigpt", "train", str(text), "--out", str(tmp_path / "run"), *options, *words]
    environment = {**os.environ, "PYTHONPATH": PATHS, "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )


def begun(process, tmp_path):
    until((tmp_path / "run" / "last.safetensors").exists, process)
    return children(process.pid)


@pytest.mark.skipif(os.name == "nt", reason="these signals do not exist on Windows")
@pytest.mark.parametrize(("who", "how", "code", "says"), [
    ("worker", signal.SIGKILL, 2, "was killed by signal 9"),
    ("group", signal.SIGINT, 130, "go on with"),
    pytest.param("first", signal.SIGTERM, 130, "go on with", marks=thorough),
    pytest.param("first", signal.SIGHUP, 130, "go on with", marks=thorough),
    pytest.param("worker", signal.SIGTERM, 130, "go on with", marks=thorough),
])  # fmt: skip
def test_however_a_training_ends_it_says_so_and_goes_on(who, how, code, says, tmp_path):
    with killed_at_the_end(command(tmp_path, "--validate-every", "5", "--json")) as process:
        worker = begun(process, tmp_path)
        assert len(worker) == 1
        if who == "group":
            os.killpg(process.pid, how)
        else:
            os.kill(process.pid if who == "first" else worker[0], how)
        said, errors = process.communicate(timeout=300)
    assert process.returncode == code
    assert says in json.loads(said)["error"] and errors.count("minigpt: ") <= 1 and "Traceback" not in errors
    assert not os.path.exists(f"/proc/{worker[0]}")
    done = open_run(tmp_path / "run", "last").progress["step"]
    assert done >= 5
    folder = open_folder(tmp_path / "run")
    trained(replace(folder, settings=replace(folder.settings, steps=done + 2)))


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL does not exist on Windows")
@pytest.mark.parametrize("pause", [0, 1])
def test_when_the_first_one_is_killed_the_others_go_too(tmp_path, pause):
    with killed_at_the_end(command(tmp_path)) as process:
        until(lambda: [one for one in children(process.pid) if one != process.pid], process)
        (worker,) = children(process.pid)
        time.sleep(pause)  # it is beginning, or it works
        process.send_signal(signal.SIGKILL)
        for _ in range(2400):
            if not os.path.exists(f"/proc/{worker}"):
                return
            time.sleep(0.05)
        pytest.fail("the worker was still there after two minutes")


def test_two_runs_have_the_same_bits(tmp_path):
    for name in ("a", "b"):
        trained(make_run(tmp_path / name, workers=2, steps=8))
    assert parameters(tmp_path / "a") == parameters(tmp_path / "b")


def test_the_first_worker_alone_writes(tmp_path):
    folder = make_run(tmp_path, workers=2, steps=5)
    engine = Workers.start(folder)
    assert engine.speaks and engine.comm.size == 2
    engine.close()
    assert not (tmp_path / "metrics.csv").exists() and not children(os.getpid())
