"""Run under mpiexec: train one step on these ranks, and compare what each really held with what the ledger predicts.

Arguments: data, tensor, pipeline, zero, micro-batches, kind of model. Prints one line for each rank.
"""

import sys
import tracemalloc
from pathlib import Path

import numpy as np

from minigpt.measure.ledger import predict
from minigpt.measure.scale import Layout
from minigpt.model import TransformerConfig
from minigpt.objectives import causal_lm
from minigpt.parallel.grid import make_grid
from minigpt.parallel.ranks import Ranks
from minigpt.train import RunFolder, TrainSettings

SIZES = {"vocabulary_size": 512, "context": 128, "width": 192, "layers": 4, "heads": 4}
MODERN = {"norm": "rms", "activation": "silu", "gated": True, "position": "rotary", "bias": False, "tied": False}
CONFIGS = {"gpt2": TransformerConfig(**SIZES), "modern": TransformerConfig(**SIZES, **MODERN)}
BATCH = 16


def peak_and_prediction(world, data, tensor, pipeline, zero, micros, kind):
    """Bytes that this rank held at the fullest moment of its second step, and the ledger's for its stage."""
    config, rows = CONFIGS[kind], BATCH // micros
    folder = RunFolder(Path("nowhere"), config, TrainSettings(batch=rows, accumulate=micros), {})
    grid = make_grid(world, data=data, tensor=tensor, pipeline=pipeline)
    batches = [causal_lm(np.random.default_rng(i).integers(0, 512, (rows, 129))) for i in range(micros)]
    tracemalloc.start()
    engine = Ranks(folder, grid, zero=zero)
    engine.gradient(batches, 0)
    engine.update(1e-3)
    tracemalloc.reset_peak()
    engine.gradient(batches, 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    layout = Layout(
        data=data, tensor=tensor, pipeline=pipeline, micro_batch=rows // data, zero=zero, recompute=zero == 3
    )
    return peak, predict(config, layout, BATCH, stage=grid.pipeline.rank).total


if __name__ == "__main__":
    from mpi4py import MPI

    *numbers, kind = sys.argv[1:]
    peak, predicted = peak_and_prediction(MPI.COMM_WORLD, *map(int, numbers), kind)
    found = np.empty((MPI.COMM_WORLD.size, 2))
    MPI.COMM_WORLD.Allgather(np.array([peak, predicted], float), found)
    if MPI.COMM_WORLD.rank == 0:
        print(*(f"held {row[0]:.0f} predicted {row[1]:.0f}" for row in found), sep="\n")
