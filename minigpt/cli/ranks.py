"""Who trains: one process, or many ranks, started with `mpiexec -n N python -m mpi4py -m minigpt train ...`."""

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.cli.options import positive, quoted
from minigpt.cli.output import ONE_SENTENCE, report_failure, sentence
from minigpt.errors import UserError
from minigpt.parallel.grid import Part, make_grid
from minigpt.parallel.ranks import STAGES, Ranks, check_sharing, path_from_first
from minigpt.parallel.workers import on_workers
from minigpt.train import Engine, RunFolder, open_folder

LAUNCHED = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "PMIX_SIZE")  # how mpiexec tells a process that it has siblings
FIRST_WORD = 3.0  # seconds for the first rank to say what happened to all, and to end them, on a busy machine too
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


class Alone:
    """The process that was started, and its workers: it prepares, trains, speaks and reports."""

    speaks = whole = True  # whole: it has all parameters, so it can show what they say

    def prepare(self, prepare: Callable[[Callable[[RunFolder], None]], RunFolder]) -> RunFolder:
        """The run that prepare(check) makes; check(draft) says whether a run can be shared out."""
        return prepare(lambda draft: None)

    def engine(self, folder: RunFolder) -> Engine:
        """Who does the work."""
        return on_workers(folder)

    def advice(self, folder: RunFolder) -> list[str]:
        """What to say before training."""
        return [f"training {quoted(folder.path)}: Ctrl-C stops and saves"]

    def ending_together(self) -> AbstractContextManager:
        """Around the whole work: what ends one rank ends all."""
        return nullcontext()

    def finish(self) -> None:
        """Wait for the others."""


class Team:
    """One rank of many: the first one prepares, speaks and reports, all train."""

    whole = False

    def __init__(self, world: Any, arguments: argparse.Namespace):
        self.world, self.zero, self.stages = world, arguments.zero, arguments.pipeline_parallel
        self.speaks = world.rank == 0
        self.as_json, self.words = arguments.json, arguments.command_line
        sizes = {"data": arguments.data_parallel, "tensor": arguments.tensor_parallel, "pipeline": self.stages}
        self.grid = self._together(lambda: make_grid(world, **sizes))

    def prepare(self, prepare: Callable[[Callable[[RunFolder], None]], RunFolder]) -> RunFolder:
        """See `Alone`. The first rank prepares; all open what it made."""

        def check(draft: RunFolder) -> None:
            check_sharing(draft, self.grid, self.zero)
            Part(draft.config, self.grid)

        path: Path | None = self._together(lambda: prepare(check).path if self.speaks else None)
        path = path_from_first(self.world, path)
        return self._together(lambda: open_folder(path))

    def engine(self, folder: RunFolder) -> Engine:
        """See `Alone`."""
        return self._together(lambda: Ranks(folder, self.grid, zero=self.zero))

    def advice(self, folder: RunFolder) -> list[str]:
        """How to go on after a crash is said now: when a rank is killed, nobody but mpiexec can say anything."""
        resume = f"minigpt train --resume --out {quoted(folder.path)}"
        lines = [f"training on {self.world.size} ranks; to go on after Ctrl-C or a crash: {resume}"]
        if self.stages > 1 and folder.settings.accumulate == 1:
            lines.append(
                f"with --accumulate 1 the {self.stages} stages of the pipeline stand idle {self.stages - 1}/"
                f"{self.stages} of the time; with 8 it would be {self.stages - 1}/{self.stages + 7}"
            )
        return lines

    @contextmanager
    def ending_together(self) -> Iterator[None]:
        """See `Alone`. Whoever fails says why and ends all: the others would wait for it for ever.

        If it happened to all, as a loss that is no number does, only the first one says so. `-m mpi4py` would end them
        too, but not everybody starts it so.
        """
        try:
            yield
        except (UserError, *ONE_SENTENCE) as error:
            time.sleep(0 if self.speaks else FIRST_WORD)
            report_failure(sentence(error, self.words), as_json=self.as_json)
            self._abort(2)
        except Exception:
            traceback.print_exc()
            self._abort(1)

    def _abort(self, code: int) -> None:
        """End all ranks, once mpiexec has had the time to pass on what was said."""
        sys.stdout.flush()
        sys.stderr.flush()
        time.sleep(0.5)
        self.world.Abort(code)

    def finish(self) -> None:
        """See `Alone`."""
        self.world.Barrier()

    def _together(self, work: Callable[[], Any]) -> Any:
        """work() on every rank. A `UserError` on any is printed, once, and ends all of them with exit code 2."""
        result, error = None, None
        try:
            result = work()
        except UserError as found:
            error = found
        failed = np.zeros(self.world.size, np.int64)
        self.world.Allgather(np.array([error is not None], np.int64), failed)
        if not failed.any():
            return result
        if self.world.rank == failed.argmax():
            report_failure(str(error), as_json=self.as_json)
        self.world.Barrier()
        raise SystemExit(2)


def crew_for(arguments: argparse.Namespace) -> Alone | Team:
    """One process, or this rank of many. `UserError` if what was asked for and what was started do not fit."""
    ranks = arguments.data_parallel * arguments.tensor_parallel * arguments.pipeline_parallel
    if ranks == 1:
        started = max(int(os.environ.get(name, "1")) for name in LAUNCHED)
        if started > 1:
            raise UserError(
                f"mpiexec started {started} processes, but one was asked for; add --data-parallel {started}"
            )
        if arguments.zero:
            raise UserError(
                f"--zero {arguments.zero} is for several ranks, but one was asked for; leave it out, or add "
                "--data-parallel"
            )
        return Alone()
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # RuntimeError: mpi4py without an MPI
        raise UserError(f"{ranks} ranks need MPI ({error}); {INSTALL}") from None
    return Team(MPI.COMM_WORLD, arguments)
