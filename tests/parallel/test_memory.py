"""Memory on every rank of every scheme: what the ledger predicts is what the rank takes, within 5%."""

import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from conftest import thorough
from launch import mpi
from mpi_memory import CONFIGS, peak_and_prediction

from minigpt import Transformer, TransformerConfig
from minigpt.parallel import launch
from minigpt.parallel.grid import Part, make_grid
from minigpt.parallel.zero import slices


@pytest.mark.parametrize("micros", [4])
@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=thorough if number else ()) for number, kind in enumerate(CONFIGS)]
)
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


MANY = TransformerConfig(
    vocabulary_size=301, context=16, width=128, layers=8, heads=8, key_value_heads=4, tied=False, position="rotary"
)


@pytest.mark.parametrize("grid", [{"tensor": 4}, {"pipeline": 4}, {"tensor": 2, "pipeline": 2}, {"data": 4}], ids=str)
def test_a_rank_makes_its_own_part_of_the_parameters_and_never_holds_the_whole(grid):
    """With data parallelism: the slice of ZeRO stage 3. The ranks begin one after another, or they would be measured
    together."""
    model = Transformer(MANY)
    whole = model.init(np.random.default_rng(3))

    def rank(comm):
        part, peak = Part(MANY, make_grid(comm, **grid)), 0
        own = slices(whole.flat.size, comm.size)[comm.rank]
        for turn in range(comm.size):
            comm.Barrier()
            if turn == comm.rank:
                tracemalloc.start()
                rng = np.random.default_rng(3)
                found = part.init_slice(rng, part.layout(), own) if "data" in grid else part.init(rng).flat
                peak = tracemalloc.get_traced_memory()[1]
                tracemalloc.stop()
        comm.Barrier()
        expected = part.params(whole).flat
        assert np.array_equal(found, expected[own] if "data" in grid else expected)
        return peak

    assert max(launch(rank, 4)) < 0.5 * whole.flat.nbytes
