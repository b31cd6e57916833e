"""Ranks that are processes, under mpiexec: the same results as threads, and the command from start to end."""

import sys

import numpy as np
import pytest
from launch import HERE, mpi
from tiny_run import make_run

from minigpt.cli import main
from minigpt.parallel import launch as launch_threads
from minigpt.parallel.grid import make_grid
from minigpt.parallel.ranks import Ranks
from minigpt.train import open_run, read_metrics, train

SIZES = {"width": 16, "heads": 4, "layers": 3, "attention_bias": False}


@pytest.mark.parametrize("ranks", [2, 4, 8])
def test_every_scheme_trains_what_one_process_trains(ranks):
    code, said = mpi(ranks, HERE / "mpi_schemes.py", seconds=600)
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

    launch_threads(rank, 2)
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


@pytest.mark.parametrize(("objective", "axis"), [
    ("masked", "--data-parallel"), ("infilling", "--data-parallel"), ("masked", "--pipeline-parallel"),
])  # fmt: skip
def test_the_command_trains_objectives_on_ranks_as_in_one_process(objective, axis, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("the cat sat on the mat and the dog sat on the log. " * 200, encoding="utf-8")
    words = ["train", str(text), "--objective", objective, "--tokenizer", "characters", "--context", "16"]
    words += ["--batch", "4", "--steps", "4", "--validate-every", "2", "--dropout", "0"]
    assert main([*words, "--out", str(tmp_path / "one")]) == 0
    code, said = mpi(2, "-m", "minigpt", *words, "--out", tmp_path / "two", axis, "2")
    assert code == 0 and "on 2 ranks" in said, said[-2000:]
    one, two = (read_metrics(tmp_path / name / "metrics.csv") for name in ("one", "two"))
    for name in ("loss", "validation_loss", "validation_accuracy", "gradient_norm"):
        assert len(one[name]) > 0
        np.testing.assert_allclose(two[name], one[name], rtol=1e-4, err_msg=name)


def test_without_mpi4py_the_command_says_how_to_install_it(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    assert main(["train", "--data-parallel", "2"]) == 2
    assert "pip install 'minigpt[mpi-laptop]'" in capsys.readouterr().err
