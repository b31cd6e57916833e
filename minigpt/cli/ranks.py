"""`minigpt train` on many ranks, started with `mpiexec -n N python -m mpi4py -m minigpt train ...`."""

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from minigpt.cli.options import positive, print_json
from minigpt.cli.prepare import new_folder, prepare_run, resume_run
from minigpt.cli.reports import disk_trouble, final_report
from minigpt.errors import UserError
from minigpt.parallel.grid import Grid, Part, make_grid
from minigpt.parallel.ranks import STAGES, Ranks, check_sharing, path_from_first
from minigpt.train import Interrupted, open_folder, train

LAUNCHED = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "PMIX_SIZE")  # how mpiexec tells a process that it has siblings
INSTALL = "install it with: pip install 'minigpt[mpi-laptop]', or on a cluster that has MPI: pip install mpi4py"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that say how ranks share the work."""
    group = parser.add_argument_group("many ranks, started with: mpiexec -n N python -m mpi4py -m minigpt train ...")
    group.add_argument("--data-parallel", type=positive, default=1, metavar="D", help="replicas that share each batch")
    group.add_argument("--tensor-parallel", type=positive, default=1, metavar="T", help="ranks that share each matrix")
    group.add_argument("--pipeline-parallel", type=positive, default=1, metavar="P", help="ranks that share the layers")
    group.add_argument(
        "--zero",
        type=int,
        choices=STAGES,
        default=0,
        help="keep a slice on each replica of the optimizer's states (1), the gradients (2), the parameters (3)",
    )


def world_for(arguments: argparse.Namespace) -> Any:
    """MPI's communicator of all ranks; None if one process was asked for. `UserError` if the two do not fit."""
    ranks = arguments.data_parallel * arguments.tensor_parallel * arguments.pipeline_parallel
    if ranks == 1:
        started = max(int(os.environ.get(name, "1")) for name in LAUNCHED)
        if started > 1:
            raise UserError(
                f"mpiexec started {started} processes, but one was asked for; add --data-parallel {started}"
            )
        return None
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # RuntimeError: mpi4py without an MPI
        raise UserError(f"{ranks} ranks need MPI ({error}); {INSTALL}") from None
    return MPI.COMM_WORLD


def train_on_ranks(arguments: argparse.Namespace, world: Any) -> int:
    """What every rank does; the first one prepares, speaks and reports."""
    sizes = {"data": arguments.data_parallel, "tensor": arguments.tensor_parallel}
    grid = together(world, lambda: make_grid(world, **sizes, pipeline=arguments.pipeline_parallel))
    path = path_from_first(world, together(world, lambda: _prepare(arguments, grid) if world.rank == 0 else None))
    folder = together(world, lambda: open_folder(path))
    engine = together(world, lambda: Ranks(folder, grid, zero=arguments.zero))
    if engine.speaks:
        _announce(folder, world.size, arguments.pipeline_parallel)
    try:
        _train(folder, engine)
    except Interrupted as stopped:
        if engine.speaks:
            print(
                f"\nsaved at step {stopped.step} of {folder.settings.steps}; go on with\n"
                f"  minigpt train --resume --out {path}",
                file=sys.stderr,
                flush=True,
            )
        world.Barrier()
        return 130
    if engine.speaks:
        result = final_report(folder)
        print_json(result.to_dict()) if arguments.json else print(result.text(), flush=True)
    world.Barrier()
    return 0


def together(world: Any, work: Callable[[], Any]) -> Any:
    """work() on every rank. A `UserError` on any is printed, once, and ends all of them with exit code 2."""
    result, error = None, None
    try:
        result = work()
    except UserError as found:
        error = found
    failed = np.zeros(world.size, np.int64)
    world.Allgather(np.array([error is not None], np.int64), failed)
    if not failed.any():
        return result
    if world.rank == failed.argmax():
        print(f"minigpt: {error}", file=sys.stderr, flush=True)
    world.Barrier()
    raise SystemExit(2)


def _announce(folder, ranks, stages):
    """How to go on after a crash is said now: when a rank is killed, nobody but mpiexec can say anything."""
    lines = [f"training on {ranks} ranks; to go on after Ctrl-C or a crash: minigpt train --resume --out {folder.path}"]
    if stages > 1 and folder.settings.accumulate == 1:
        lines.append(
            f"with --accumulate 1 the {stages} stages of the pipeline stand idle {stages - 1}/{stages} of the time; "
            f"with 8 it would be {stages - 1}/{stages + 7}"
        )
    print("\n".join(lines), file=sys.stderr, flush=True)


def _train(folder, engine):
    try:
        train(folder, engine=engine, on_validation=lambda _, row: _say(row) if engine.speaks else None)
    except (UserError, OSError) as error:
        # Whoever leaves first ends all. If this happened to all, as a loss that is no number does, only one says so.
        time.sleep(0 if engine.speaks else 1)
        if isinstance(error, OSError):
            raise disk_trouble(error) from error
        raise


def _prepare(arguments: argparse.Namespace, grid: Grid) -> Path:
    def check(draft):
        check_sharing(draft, grid, arguments.zero)
        Part(draft.config, grid)

    if arguments.resume:
        return resume_run(arguments.out, arguments.steps).path
    return prepare_run(arguments, new_folder(arguments), check).path


def _say(row: dict[str, float]) -> None:
    tqdm.write(
        f"step {row['step']:5}  validation {row['validation_loss']:.3f} nats per token, "
        f"{row['validation_bits_per_byte']:.3f} bits per byte",
        file=sys.stderr,
    )
