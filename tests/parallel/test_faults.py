"""Whatever goes wrong on a rank ends the whole job soon, says why and how to go on, and loses no checkpoint."""

import os
import random
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import optional
from launch import HERE, PATHS, children, finish, mpi, start, until
from tiny_run import make_run

from minigpt.cli import main
from minigpt.train import open_run, starting_point

SIZES = {"width": 16, "heads": 4, "layers": 3, "attention_bias": False}


def train_command(tmp_path, *options):
    text = tmp_path / "text.txt"
    text.write_text("the cat sat on the mat. " * 400, encoding="utf-8")
    words = ["-m", "minigpt", "train", text, "--tokenizer", "characters", "--out", tmp_path / "run"]
    return [*words, "--context", "16", "--batch", "4", *options]


def when_saved(process, path):
    """Wait for the first checkpoint."""
    until((path / "last.json").exists, process)


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
    code, said = mpi(ranks, *train_command(tmp_path, *options))
    assert code != 0 and re.search(message, said), said[-2000:]
    assert "Traceback" not in said
    assert 1 <= said.count("minigpt: ") <= (1 if options else ranks)  # those who know nothing of each other all speak
    assert not (tmp_path / "run").exists()  # or the same command, put right, would find a run there


def test_a_launcher_of_another_kind_is_noticed(tmp_path):
    """It starts each process as the only one: here one process is started without a launcher at all."""
    process = subprocess.run(
        [sys.executable, "-m", "minigpt", "train", "--data-parallel", "2", "--out", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "PYTHONPATH": PATHS},
    )
    optional("mpi4py")
    assert process.returncode == 2
    assert "but 1 are here" in process.stderr and not (tmp_path / "run").exists()


GRIDS = [(2, 1, 1, 1), (1, 2, 1, 0), (1, 1, 3, 0), (2, 1, 2, 1)]  # data, tensor, pipeline, zero
SECONDS = 100  # within which all ranks have to be gone, on a busy machine too; it takes 0.05


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL does not exist on Windows")
@pytest.mark.parametrize("kind", ["kill", "raise"])
@pytest.mark.parametrize(
    ("grid", "rank"), [(grid, rank) for grid in GRIDS for rank in range(grid[0] * grid[1] * grid[2])], ids=str
)
def test_a_rank_that_dies_ends_all(kind, grid, rank, tmp_path):
    folder = make_run(tmp_path, dropout=0.0, sizes=SIZES, steps=1000)
    step = random.Random(f"{kind} {grid} {rank}").randrange(10, 40)
    code, said = mpi(grid[0] * grid[1] * grid[2], HERE / "mpi_run.py", folder.path, *grid, f"{kind}:{rank}:{step}")
    assert time.time() - folder.file("wrong").stat().st_mtime < SECONDS
    assert code != 0 and (kind == "kill" or "this rank was told to fail" in said), said[-2000:]
    assert starting_point(folder)[3].step == step // 10 * 10  # what was saved can be opened, in one process too


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL does not exist on Windows")
def test_who_reads_what_a_killed_job_printed_can_go_on(tmp_path):
    """When a rank is killed only mpiexec has a word, so the first lines say it already."""
    command = train_command(tmp_path, "--pipeline-parallel", "2", "--steps", "1000000", "--validate-every", "5")
    process = start(2, *command)
    when_saved(process, tmp_path / "run")
    os.kill(children(process.pid)[0], signal.SIGKILL)
    began = time.monotonic()
    code, said = finish(process)
    assert code != 0 and time.monotonic() - began < SECONDS
    assert "with --accumulate 1 the 2 stages of the pipeline stand idle 1/2 of the time" in said
    _, *words = re.search(f"go on after Ctrl-C or a crash: (minigpt train --resume --out {tmp_path}/run)", said)[
        1
    ].split()
    steps = open_run(tmp_path / "run", "last").progress["step"] + 2
    assert main([*words, "--steps", str(steps)]) == 0
    assert open_run(tmp_path / "run", "last").progress["step"] == steps


def test_what_happens_to_all_ranks_is_said_once(tmp_path):
    options = ["--data-parallel", "2", "--optimizer", "sgd", "--learning-rate", "1e30", "--steps", "20"]
    code, said = mpi(2, *train_command(tmp_path, *options))
    assert code == 2 and said.count("training diverged; start again with a lower --learning-rate") == 1, said[-2000:]
    assert "Traceback" not in said


@pytest.mark.parametrize("error", ["UserError('no more')", "MemoryError()", "KeyError('a mistake of ours')"])
def test_one_rank_that_fails_ends_all_also_without_the_launcher_of_mpi4py(error, tmp_path):
    """Without `-m mpi4py` nobody else would end the ranks that wait."""
    program = tmp_path / "fails.py"
    program.write_text(
        "import sys\n"
        "from minigpt import UserError\n"
        "from minigpt.cli import main\n"
        "from minigpt.parallel.ranks import Ranks\n"
        "update = Ranks.update\n"
        "def fails(self, rate):\n"
        "    if self.grid.world.rank == 1 and self.progress.step == 3:\n"
        f"        raise {error}\n"
        "    update(self, rate)\n"
        "Ranks.update = fails\n"
        "sys.exit(main(sys.argv[1:]))\n",
        encoding="utf-8",
    )
    words = [str(word) for word in train_command(tmp_path, "--data-parallel", "2", "--steps", "1000")[2:]]
    code, said = finish(start(2, program, *words, module=()))
    assert code not in (0, None)
    assert {"U": "minigpt: no more", "M": "not enough memory for --", "K": "KeyError: 'a mistake"}[error[0]] in said
    assert said.count("Traceback") == (error[0] == "K")


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
    when_saved(process, tmp_path)
    (rank, *_) = children(process.pid)
    os.kill(rank, signal.SIGTERM)
    code, said = finish(process)
    assert code != 0 and "stopped at" in said, said[-2000:]
    stopped = int(said.split("stopped at ")[1].split()[0])
    assert open_run(tmp_path, "last").progress["step"] == stopped
