"""Ranks that are processes, under mpiexec: the same results as threads, and no fault that ends in waiting for ever."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import optional, require
from tiny_run import make_run

from minigpt.cli import main
from minigpt.parallel import run as run_threads
from minigpt.parallel.grid import make_grid
from minigpt.parallel.ranks import Ranks
from minigpt.train import open_run, read_metrics, train

HERE, ROOT = Path(__file__).parent, Path(__file__).parent.parent.parent
SIZES = {"width": 16, "heads": 4, "layers": 3, "attention_bias": False}
PATHS = os.pathsep.join(map(str, (ROOT, HERE, ROOT / "tests", ROOT / "tests" / "train")))


def start(ranks, *command, **options):
    """mpiexec with that many ranks; its output is one text. Skips where there is no MPI."""
    optional("mpi4py")
    beside = Path(sys.executable).parent / "mpiexec"
    launcher = str(beside) if beside.exists() else shutil.which("mpiexec")
    require(launcher is not None, "there is no mpiexec (pip install 'minigpt[mpi-laptop]')")
    environment = {**os.environ, "PYTHONPATH": PATHS, "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen(
        [launcher, "-n", str(ranks), sys.executable, "-m", "mpi4py", *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        **options,
    )


def finish(process, seconds=90):
    """Its exit code and what it said. A job that does not end in time is killed, and the test fails."""
    try:
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        time.sleep(2)
        process.kill()
        pytest.fail(f"the ranks were still there after {seconds} s:\n{process.communicate()[0][-2000:]}")
    return process.returncode, said


def mpi(ranks, *command, seconds=90):
    return finish(start(ranks, *command), seconds)


@pytest.mark.parametrize("ranks", [2, 4, 8])
def test_every_scheme_trains_what_one_process_trains(ranks):
    code, said = mpi(ranks, HERE / "mpi_schemes.py", seconds=240)
    assert code == 0 and f"alike on {ranks}" in said, said[-2000:]


@pytest.mark.parametrize("grid", [(2, 1, 1, 1), (2, 1, 1, 3), (1, 1, 2, 0), (1, 2, 1, 0)], ids=str)
def test_processes_and_threads_write_the_same_bits(grid, tmp_path):
    """On two ranks a sum has one order, so there is no excuse for a difference."""
    settings = {"steps": 12, "validate_every": 6, "warmup": 2}
    folders = [make_run(tmp_path / name, dropout=0.0, sizes=SIZES, **settings) for name in ("mpi", "threads")]
    code, said = mpi(2, HERE / "mpi_run.py", folders[0].path, *grid)
    assert code == 0, said[-2000:]

    def rank(comm):
        data, tensor, pipeline, zero = grid
        engine = Ranks(folders[1], make_grid(comm, data=data, tensor=tensor, pipeline=pipeline), zero=zero)
        train(folders[1], engine=engine, show_progress=False)

    run_threads(rank, 2)
    ours, theirs = (open_run(folder.path, "last").params.flat for folder in folders)
    assert np.array_equal(ours, theirs)


def test_the_command_trains_reports_and_resumes_on_fewer(tmp_path, capsys):
    text = tmp_path / "text.txt"
    text.write_text("the cat sat on the mat and the dog sat on the log. " * 200, encoding="utf-8")
    options = ["--tokenizer", "characters", "--context", "16", "--batch", "4", "--validate-every", "4"]
    options += ["--out", str(tmp_path / "run")]
    words = ["-m", "minigpt", "train", str(text), *options]
    code, said = mpi(4, *words, "--steps", "4", "--data-parallel", "2", "--tensor-parallel", "2", "--zero", "1")
    assert code == 0 and "on 4 ranks" in said and "this model" in said, said[-2000:]
    more = ["--resume", "--out", str(tmp_path / "run"), "--steps"]
    code, said = mpi(2, "-m", "minigpt", "train", *more, "8", "--pipeline-parallel", "2")
    assert code == 0, said[-2000:]
    assert main(["train", *more, "12"]) == 0
    assert open_run(tmp_path / "run", "last").progress["step"] == 12
    assert [step for step, _ in read_metrics(tmp_path / "run" / "metrics.csv")["validation_loss"]] == [4, 8, 12]


@pytest.mark.parametrize(("ranks", "options", "message"), [
    (2, ["--data-parallel", "4"], "4 x 1 x 1 ranks .* but 2 are here; start as many, with the mpiexec"),
    (2, ["--tensor-parallel", "2", "--batch", "3", "--dropout", "0.1"], "without dropout"),
    (2, ["--data-parallel", "2", "--batch", "3"], "a batch of 3 cannot be shared among 2 replicas"),
    (2, ["--data-parallel", "2", "--optimizer", "muon"], "muon works on whole matrices"),
    (5, ["--pipeline-parallel", "5"], "5 pipeline stages are more than the 4 layers"),
    (3, ["--tensor-parallel", "3"], "3 tensor-parallel ranks do not divide 4 heads"),
    (2, [], "mpiexec started 2 processes, but one was asked for; add --data-parallel 2"),
])  # fmt: skip
def test_what_does_not_fit_ends_every_rank_with_a_sentence(ranks, options, message, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("the cat sat on the mat. " * 400, encoding="utf-8")
    words = ["-m", "minigpt", "train", str(text), "--tokenizer", "characters", "--out", str(tmp_path / "run")]
    code, said = mpi(ranks, *words, *options)
    assert code != 0 and re.search(message, said), said[-2000:]
    assert "Traceback" not in said


def test_a_launcher_of_another_kind_is_noticed(tmp_path):
    """It starts each process as the only one: here one process is started without a launcher at all."""
    process = subprocess.run(
        [sys.executable, "-m", "minigpt", "train", "--data-parallel", "2", "--out", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": PATHS},
    )
    optional("mpi4py")
    assert process.returncode == 2
    assert "but 1 are here" in process.stderr and not (tmp_path / "run").exists()


def test_without_mpi4py_the_command_says_how_to_install_it(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    assert main(["train", "--data-parallel", "2"]) == 2
    assert "pip install 'minigpt[mpi-laptop]'" in capsys.readouterr().err


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_an_exception_on_one_rank_ends_all(rank, tmp_path):
    folder = make_run(tmp_path, dropout=0.0, sizes=SIZES, steps=1000)
    began = time.monotonic()
    code, said = mpi(3, HERE / "mpi_run.py", folder.path, 1, 1, 3, 0, f"raise:{rank}:7", seconds=60)
    assert code != 0 and "this rank was told to fail" in said
    assert time.monotonic() - began < 50


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL does not exist on Windows")
def test_six_kills_in_a_thousand_steps_change_no_bit(tmp_path):
    settings = {"steps": 1000, "validate_every": 50, "validation_windows": 8, "log_every": 100}
    whole, killed = (make_run(tmp_path / name, dropout=0.1, **settings) for name in ("whole", "killed"))
    code, said = mpi(2, HERE / "mpi_run.py", whole.path, 2, 1, 1, 1)
    assert code == 0, said[-2000:]
    chance, reached = random.Random(3), 0
    for number in range(6):
        step = reached + chance.randrange(20, 150)
        code, said = mpi(2, HERE / "mpi_run.py", killed.path, 2, 1, 1, 1, f"kill:{number % 2}:{step}")
        assert code != 0
        assert f"begins at {reached}" in said
        reached = step // 50 * 50  # at most one interval is lost
    code, said = mpi(2, HERE / "mpi_run.py", killed.path, 2, 1, 1, 1)
    assert code == 0 and f"begins at {reached}" in said, said[-2000:]
    ours, theirs = (open_run(folder.path, "last").params.flat for folder in (killed, whole))
    assert np.array_equal(ours, theirs)


@pytest.mark.skipif(os.name == "nt", reason="SIGTERM cannot be caught on Windows")
def test_a_request_to_terminate_one_rank_saves_on_all(tmp_path):
    folder = make_run(tmp_path, dropout=0.0, steps=1_000_000, validate_every=20, log_every=1000)
    process = start(2, HERE / "mpi_run.py", folder.path, 2, 1, 1, 1)
    while not (tmp_path / "last.json").exists() and process.poll() is None:
        time.sleep(0.05)
    (rank, *_) = children(process.pid)
    os.kill(rank, signal.SIGTERM)
    code, said = finish(process, 60)
    assert code != 0 and "stopped at" in said, said[-2000:]
    stopped = int(said.split("stopped at ")[1].split()[0])
    assert open_run(tmp_path, "last").progress["step"] == stopped


def children(pid):
    """The Python processes below a process (Linux)."""
    require(Path("/proc").exists(), "there is no /proc to find the ranks in")
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
        except (OSError, ValueError):
            continue
        if lines.get("PPid") == str(pid):
            below = children(int(status.parent.name))
            found += below or ([int(status.parent.name)] if "python" in lines["Name"] else [])
    return found
