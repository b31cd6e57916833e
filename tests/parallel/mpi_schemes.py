"""Run under mpiexec: every scheme on these ranks trains what one process trains, in float64 and in float32."""

from itertools import product

from layouts import drawn
from mpi4py import MPI
from schemes import BOUNDS, check_gradients, check_layout, check_training, check_zero

from minigpt.parallel.schedule import SCHEDULES

# For each number of ranks: the models, and the grids (data, tensor, pipeline) that train them. Eight stages need more
# layers, and the grouped queries of "modern" cannot be cut in eight.
KINDS = {2: ["GPT-2", "modern", "post-norm"], 4: ["GPT-2", "modern"], 8: ["GPT-2"]}
PRODUCTS = {
    2: [(1, 2, 1), (1, 1, 2), (2, 1, 1)],
    4: [(1, 4, 1), (1, 1, 4), (2, 2, 1), (1, 2, 2), (2, 1, 2)],
    8: [(1, 8, 1), (2, 2, 2), (4, 2, 1), (2, 1, 4)],
}


def check_all(world):
    deep = "deep" if world.size == 8 else "GPT-2"
    for dtype in BOUNDS:
        for kind, (data, tensor, pipeline) in product(KINDS[world.size], PRODUCTS[world.size]):
            check_training(world, kind, dtype, data=data, tensor=tensor, pipeline=pipeline)
        for kind, stage in product(KINDS[world.size], range(4)):
            check_zero(world, kind, dtype, stage)
        for order, recompute in product(SCHEDULES, (False, True)):
            check_gradients(world, deep, dtype, pipeline=world.size, order=order, recompute=recompute)
            check_training(world, deep, dtype, pipeline=world.size, order=order, recompute=recompute)
        if world.size == 8:
            check_training(world, "modern", dtype, data=2, tensor=2, pipeline=2)
    for kind, layout in drawn(world.size, 1, sizes=(world.size,)):
        check_layout(world, kind, "float64", layout)


if __name__ == "__main__":
    check_all(MPI.COMM_WORLD)
    MPI.COMM_WORLD.Barrier()
    if MPI.COMM_WORLD.rank == 0:
        print("alike on", MPI.COMM_WORLD.size)
