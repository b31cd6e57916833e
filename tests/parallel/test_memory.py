"""Memory on every rank of every scheme: what the ledger predicts is what the rank takes, within 5%."""

import re
from pathlib import Path

import pytest
from launch import mpi
from mpi_memory import CONFIGS, peak_and_prediction

from minigpt.parallel import launch


@pytest.mark.parametrize("micros", [1, 4])
@pytest.mark.parametrize("kind", CONFIGS)
def test_one_rank_takes_what_is_predicted(kind, micros):
    ((taken, predicted),) = launch(lambda comm: peak_and_prediction(comm, 1, 1, 1, 0, micros, kind), 1)
    assert predicted == pytest.approx(taken, rel=0.05)


@pytest.mark.parametrize("grid", [
    (2, 1, 1, 0, 1), (2, 1, 1, 1, 2), (2, 1, 1, 2, 1), (2, 1, 1, 3, 1),
    (1, 2, 1, 0, 1), (1, 1, 4, 0, 8), (2, 1, 2, 1, 4), (2, 2, 2, 0, 2),
], ids=str)  # fmt: skip
@pytest.mark.parametrize("kind", CONFIGS)
def test_every_rank_takes_what_is_predicted(grid, kind):
    ranks = grid[0] * grid[1] * grid[2]
    code, said = mpi(ranks, Path(__file__).parent / "mpi_memory.py", *grid, kind)
    assert code == 0, said[-2000:]
    found = re.findall(r"held (\d+) predicted (\d+)", said)
    assert len(found) == ranks
    for taken, predicted in found:
        assert int(predicted) == pytest.approx(int(taken), rel=0.05), said
