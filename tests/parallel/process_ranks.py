"""What the other processes do in test_processes.py."""

import mmap
import os
import signal
import time
from types import SimpleNamespace

import numpy as np


def collectives(comm, seed, count):
    """Every method with this rank's random numbers: name -> what it received."""
    rng = np.random.default_rng([seed, comm.rank])
    mine = rng.normal(size=count)
    found = {name: np.zeros(count) for name in ("Bcast", "Allreduce", "Reduce")}
    found["Bcast"][...] = mine
    comm.Bcast(found["Bcast"], root=comm.size - 1)
    comm.Allreduce(mine, found["Allreduce"])
    comm.Reduce(mine, found["Reduce"] if comm.rank == 1 else None, root=1)
    counts = [count - 2 * (comm.size - 1)] + [2] * (comm.size - 1)
    found["Reduce_scatter"] = np.zeros(counts[comm.rank])
    comm.Reduce_scatter(mine, found["Reduce_scatter"], counts)
    found["Allgather"] = np.zeros((comm.size, count))
    comm.Allgather(mine, found["Allgather"])
    return found


def write_collectives(comm, seed, count, path):
    np.savez(f"{path}/{comm.rank}.npz", **collectives(comm, seed, count))
    comm.Barrier()


def one_row_each(comm, count):
    """Write this rank's row of a shared table, again and again, and see that the others did."""
    table = comm.shared((comm.size, count), np.int64)
    for turn in range(1, 200):
        table[comm.rank] = turn
        comm.Barrier()
        assert (table == turn).all()
        comm.Barrier()


def end(comm, how):
    """Meet once, then end otherwise than one should; meet again if `how` is no way of that."""
    comm.Barrier()
    if comm.rank == comm.size - 1:
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "raise":
            raise ValueError("something is wrong here")
        if how == "slowly":
            for pipe in comm._pipes:
                pipe.close()
            time.sleep(2.5)
        if how in ("slowly", "exit"):
            os._exit(3)
    comm.Barrier()


def name_memory(module, folder):
    """Let a module find memory by its name, as on Windows: here a name is a file in `folder`."""

    def named(descriptor, size, tagname):
        assert descriptor == -1
        with open(f"{folder}/{tagname}", "a+b") as file:
            os.ftruncate(file.fileno(), size)
            return mmap.mmap(file.fileno(), size)

    module.mmap = SimpleNamespace(mmap=named)


def stand_still(comm):
    comm.Barrier()
    time.sleep(600)


def split(comm):
    assert comm.Split(0, comm.rank) is comm
    assert comm.Split(comm.rank).size == 1
