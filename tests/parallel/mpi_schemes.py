"""Run under mpiexec: every scheme on these ranks trains what one process trains (each rank checks its own part)."""

from mpi4py import MPI
from test_schemes import CONFIGS, alone, alone_unclipped, close, start, train_product, train_sliced

from minigpt.parallel.communicator import Counted

PRODUCTS = {2: [(2, 1, 1), (1, 2, 1), (1, 1, 2)], 4: [(2, 2, 1), (1, 2, 2), (2, 1, 2)], 8: [(2, 2, 2), (4, 2, 1)]}

if __name__ == "__main__":
    world = MPI.COMM_WORLD
    kinds = list(CONFIGS) if world.size < 8 else ["modern"]
    for kind in kinds:
        model, params = start(kind)
        reference = alone_unclipped(kind)
        for stage in (0, 1, 2, 3):
            trained, sent = train_sliced(Counted(world), model, params.copy(), stage)
            close(trained, reference)
        reference = alone(kind)
        for product in PRODUCTS[world.size]:
            part, mine = train_product(Counted(world), model, params.copy(), *product)
            close(mine, part.params(reference))
    world.Barrier()
    if world.rank == 0:
        print("alike on", world.size)
