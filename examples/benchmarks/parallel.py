"""Data parallel training on two ranks, as worker processes that share memory, as MPI processes and as threads, beside
one process on the same two cores.

A step is forward, backward, clipping and AdamW, on the same batches everywhere. Every contestant runs in processes of
its own, warmed up, one contestant after another and all of them again, so that whatever slows the machine down slows
all. `ratio`, the median over rounds, is to one process with two BLAS threads: above 1, faster than that;
`ratio_to_best_alone` is to the faster of the two ways to use one process. `communication` is the share of the step
inside the communicator, waiting for the other rank included; worker processes, with which `minigpt train` trains, read
each other's memory, so theirs is nearly all waiting. `megabytes`: what all ranks together took beyond their imports, at
their peaks. Run: python examples/benchmarks/parallel.py [--quick] [--json]
"""

import argparse
import importlib.util
import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from common import arguments_for, free_environment, peak_memory, report

from minigpt import Transformer, objectives, parallel, preset
from minigpt.machine import blas_threads, keep_freed_memory
from minigpt.parallel import Counted
from minigpt.parallel.grid import make_grid
from minigpt.parallel.processes import processes
from minigpt.parallel.ranks import Ranks
from minigpt.parallel.workers import Share, shared_arrays
from minigpt.train import OneProcess, RunFolder, TrainSettings

# name: (preset, vocabulary, batch, context, timed steps in a round, rounds)
SIZES = {
    "0.8M": ("tiny", 65, 12, 64, 50, 5),
    "10.8M": ("small", 65, 8, 256, 4, 5),
    "124M": ("gpt2", 50257, 4, 64, 3, 3),
}
BASELINE = "1 process, 2 BLAS threads"
# name: (where the ranks live, stage of ZeRO, Python threads in one process)
CONTESTANTS = {
    BASELINE: ("alone", 0, 1),
    "1 process, 2 Python threads": ("alone", 0, 2),
    "2 worker processes": ("processes", 1, 1),
    "2 thread ranks, ZeRO 0": ("threads", 0, 1),
    "2 thread ranks, ZeRO 1": ("threads", 1, 1),
    "2 MPI ranks, ZeRO 0": ("mpi", 0, 1),
    "2 MPI ranks, ZeRO 1": ("mpi", 1, 1),
}
WARM_UP = 2  # steps


def timed(name):
    """The method of `Counted` called `name`, which adds the time it takes to `self.clock`."""

    def method(self, *arguments, **options):
        start = time.perf_counter()
        try:
            return getattr(Counted, name)(self, *arguments, **options)
        finally:
            self.clock[0] += time.perf_counter() - start

    return method


class Timed(Counted):
    """A communicator that adds up the seconds spent inside it, and inside its parts."""

    def __init__(self, comm, messages=None, sent=None, clock=None):
        super().__init__(comm, messages, sent)
        self.clock = [0.0] if clock is None else clock

    Barrier, Bcast, Reduce, Allreduce, Allgather, Send, Isend, Recv = map(
        timed, ("Barrier", "Bcast", "Reduce", "Allreduce", "Allgather", "Send", "Isend", "Recv")
    )

    def shared(self, shape, dtype):
        return self.comm.shared(shape, dtype)

    def Split(self, color=0, key=0):
        return Timed(self.comm.Split(color, key), self.messages, self.sent, self.clock)


def run_of(size, threads):
    """The description of a run that nothing has been written of."""
    name, vocabulary, batch, context, *_ = SIZES[size]
    config = preset(name, vocabulary_size=vocabulary)
    batches = np.random.default_rng(1).integers(0, vocabulary, (batch, context + 1))
    return RunFolder(Path("none"), config, TrainSettings(batch=batch, workers=threads), {}), batches


def measure(engine, windows, steps, clock):
    """Seconds of each step, and the share of them that `clock` counted."""
    batch, seconds = objectives.causal_lm(windows), []
    for step in range(WARM_UP + steps):
        if step == WARM_UP:
            clock[0] = 0.0
        start = time.perf_counter()
        engine.gradient([batch], step)
        engine.update(1e-4)
        seconds.append(time.perf_counter() - start)
    timed_seconds = seconds[WARM_UP:]
    return timed_seconds, clock[0] / sum(timed_seconds)


def rank(world, size, zero, steps):
    """What one rank measures."""
    comm = Timed(world)
    folder, windows = run_of(size, 1)
    engine = Ranks(folder, make_grid(comm, data=comm.size), zero=zero)
    return measure(engine, windows, steps, comm.clock)


def workers(size, steps, before):
    """What two worker processes measure, and the memory that they held. before: this process's, without its work."""
    folder, _ = run_of(size, 2)
    arrays = shared_arrays(Transformer(folder.config), folder.settings)
    with processes("parallel:worker", 2, {"size": size, "steps": steps}, arrays) as comm:
        return worker(comm, size, steps, before)


def worker(comm, size, steps, before=None):
    """The same, asked of every worker."""
    keep_freed_memory()
    before = (peak_memory() or 0.0) if before is None else before
    timed_comm = Timed(comm)
    folder, windows = run_of(size, comm.size)
    model = Transformer(folder.config)
    share = Share(model, folder.settings, timed_comm)
    if comm.rank == 0:
        share.params.flat[...] = model.init(np.random.default_rng(0)).flat
    comm.Barrier()
    with blas_threads(1):
        seconds, communication = measure(share, windows, steps, timed_comm.clock)
    sums = np.array([communication, before])
    comm.Allreduce(sums.copy(), sums)
    taken = (peak_memory() or 0.0) - sums[1]  # the first worker's peak is of all
    comm.Barrier()  # so none ends before that was read
    return [(seconds, float(sums[0]) / comm.size)], taken


def contestant(where, size, zero, threads, steps):
    """Run one contestant in this process, or in this MPI rank; print what it measured, as JSON."""
    keep_freed_memory()
    before, taken = peak_memory() or 0.0, None
    with blas_threads(2 if (where, threads) == ("alone", 1) else 1):
        if where == "alone":
            folder, windows = run_of(size, threads)
            found = [measure(OneProcess(folder), windows, steps, [0.0])]
        elif where == "processes":
            found, taken = workers(size, steps, before)
        elif where == "threads":
            found = parallel.launch(lambda counted: rank(counted.comm, size, zero, steps), 2)
        else:
            from mpi4py import MPI

            found = MPI.COMM_WORLD.gather(rank(MPI.COMM_WORLD, size, zero, steps))
    taken = (peak_memory() or 0.0) - before if taken is None else taken
    if where == "mpi":
        taken = MPI.COMM_WORLD.reduce(taken)
        if MPI.COMM_WORLD.rank:
            return
    shares = [share for _, share in found]
    print(json.dumps({"seconds": found[0][0], "communication": statistics.mean(shares), "bytes": taken}))


def start(size, name, steps):
    """Run a contestant in processes of its own. Returns what it measured."""
    where, zero, threads = CONTESTANTS[name]
    words = [__file__, "--contestant", where, "--zero", zero, "--threads", threads, "--steps", steps, "--sizes", size]
    launcher = [mpiexec(), "-n", "2", sys.executable, "-m", "mpi4py"] if where == "mpi" else [sys.executable]
    done = subprocess.run(
        [*launcher, *map(str, words)], capture_output=True, text=True, check=True, env=free_environment(), timeout=900
    )
    return json.loads(done.stdout.splitlines()[-1])


def mpiexec():
    """The launcher that belongs to mpi4py's MPI, or None."""
    beside = Path(sys.executable).parent / "mpiexec"
    return str(beside) if beside.exists() else shutil.which("mpiexec")


def contest(size, names, quick):
    """Rows of the table for one size."""
    _, _, batch, context, steps, rounds = SIZES[size]
    steps, rounds = (max(2, steps // 5), 1) if quick else (steps, rounds)
    found = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            found[name].append(start(size, name, steps))
    return [row(size, name, found, batch * context) for name in names]


def row(size, name, found, tokens):
    """One row of the table. found: by contestant, what each round measured; tokens: of a step."""
    medians = {name: [statistics.median(result["seconds"]) for result in results] for name, results in found.items()}
    alone = [medians[name] for name in names_of("alone")]
    best = min(alone, key=statistics.median)

    def middle(key):
        return statistics.median(result[key] for result in found[name])

    return {
        "size": size,
        "who": name,
        "seconds_a_step": statistics.median(medians[name]),
        "tokens_a_second": tokens / statistics.median(medians[name]),
        "ratio": ratio(medians[BASELINE], medians[name]),
        "ratio_to_best_alone": ratio(best, medians[name]),
        "communication": None if medians[name] in alone else middle("communication"),
        "megabytes": middle("bytes") / 1e6,
    }


def ratio(theirs, ours):
    """How many times as fast `ours` is, the median over rounds."""
    return statistics.median(their / our for their, our in zip(theirs, ours, strict=True))


def names_of(*places):
    """The contestants whose ranks live there."""
    return [name for name, (where, *_) in CONTESTANTS.items() if where in places]


def main():
    parser = arguments_for(__doc__)
    parser.add_argument("--sizes", nargs="+", choices=tuple(SIZES), default=tuple(SIZES))
    for name, kind in (("zero", int), ("threads", int), ("steps", int)):
        parser.add_argument(f"--{name}", type=kind, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.contestant:
        contestant(arguments.contestant, arguments.sizes[0], arguments.zero, arguments.threads, arguments.steps)
        return
    places = ["alone", "processes", "threads", "mpi"]
    if mpiexec() is None or importlib.util.find_spec("mpi4py") is None:
        print(
            "MPI ranks are left out: mpi4py or mpiexec is missing (pip install 'minigpt[mpi-laptop]')", file=sys.stderr
        )
        places.remove("mpi")
    names = names_of(*places)
    report([row for size in arguments.sizes for row in contest(size, names, arguments.quick)], arguments.json)


if __name__ == "__main__":
    main()
