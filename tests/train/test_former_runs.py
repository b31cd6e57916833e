"""Runs that version 0.1 wrote still open, say what they said, and go on.

`tests/data/run-0.1` was written by that version: `one` by one process, `ranks` by two replicas with ZeRO stage 1, both
stopped at step 10 of 20. `expected.json` has what it computed itself: the logits after "a cat sa" and the validation
loss of step 20.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from minigpt import Batch
from minigpt.cli import main
from minigpt.parallel import launch
from minigpt.parallel.grid import make_grid
from minigpt.parallel.ranks import Ranks
from minigpt.train import open_folder, open_run, read_metrics, train

FORMER = Path(__file__).parent.parent / "data" / "run-0.1"
EXPECTED = json.loads((FORMER / "expected.json").read_text(encoding="utf-8"))


@pytest.fixture(params=["one", "ranks"])
def run(request, tmp_path):
    """A copy, and what the former version computed from it."""
    shutil.copytree(FORMER / request.param, tmp_path / "run")
    return tmp_path / "run", EXPECTED[request.param]


def test_it_opens_with_the_same_logits(run):
    path, expected = run
    opened = open_run(path, "last")
    assert opened.progress["step"] == 10
    tokens = opened.tokenizer.encode("a cat sat")[:8][None]
    logits = opened.model.forward(opened.params, Batch(tokens))[0][0, -1]
    np.testing.assert_allclose(logits, expected["logits"], atol=2e-6)


def test_it_writes_and_is_evaluated(run, tmp_path, capsys):
    path, _ = run
    (tmp_path / "cat.txt").write_text("a dog sat on a mat", encoding="utf-8")
    assert main(["generate", str(path), "--checkpoint", "last", "--prompt", "a cat", "--temperature", "0"]) == 0
    assert len(capsys.readouterr().out) > 100
    assert main(["evaluate", str(path), str(tmp_path / "cat.txt"), "--checkpoint", "last"]) == 0
    assert "this model" in capsys.readouterr().out


@pytest.mark.parametrize("ranks", [1, 2])
def test_it_goes_on_where_it_stopped(run, ranks):
    path, expected = run
    folder = open_folder(path)
    if ranks == 1:
        train(folder, show_progress=False)
    else:
        grid = {"data": 2}
        launch(lambda comm: train(folder, engine=Ranks(folder, make_grid(comm, **grid)), show_progress=False), 2)
    metrics = read_metrics(path / "metrics.csv")
    assert [step for step, _ in metrics["validation_loss"]] == [10, 20]
    assert metrics["validation_loss"][-1][1] == pytest.approx(expected["validation_loss"], abs=1e-5)
    assert open_run(path, "last").progress["step"] == 20
