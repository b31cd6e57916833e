"""Run under mpiexec: train a tiny run on these ranks. Arguments: FOLDER, data, tensor, pipeline, zero, what goes wrong.

What goes wrong: nothing, `raise:RANK:STEP` (an exception there), `kill:RANK:STEP` (SIGKILL to itself there). The file
`wrong` in the folder is written just before, so that a test can see how long the others went on.
"""

import os
import signal
import sys

from mpi4py import MPI

from minigpt.parallel.grid import make_grid
from minigpt.parallel.ranks import Ranks
from minigpt.train import Interrupted, open_folder, train


class Faulty(Ranks):
    """A rank that fails as it was told to."""

    fault = ("", -1, -1)

    def gradient(self, batches, step):
        kind, rank, when = self.fault
        if rank == self.grid.world.rank and when == step:
            self.folder.file("wrong").touch()
            if kind == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise RuntimeError("this rank was told to fail")
        return super().gradient(batches, step)


if __name__ == "__main__":
    path, data, tensor, pipeline, zero = sys.argv[1], *map(int, sys.argv[2:6])
    folder = open_folder(path)
    engine = Faulty(folder, make_grid(MPI.COMM_WORLD, data=data, tensor=tensor, pipeline=pipeline), zero=zero)
    if len(sys.argv) > 6:
        kind, rank, step = sys.argv[6].split(":")
        engine.fault = (kind, int(rank), int(step))
    if engine.speaks:
        print("begins at", engine.progress.step, flush=True)
    try:
        train(folder, engine=engine, show_progress=False)
    except Interrupted as stopped:
        print("stopped at", stopped.step, flush=True)
        MPI.COMM_WORLD.Barrier()
        sys.exit(130)
