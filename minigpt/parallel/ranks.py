"""Training on many ranks: the engine that takes the place of one process in `minigpt.train.train`."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Batch, Call, Params, Transformer
from minigpt.model.arrays import part
from minigpt.model.inputs import TOKENS
from minigpt.objectives import Counts, HeldOut, Judged, judge, scored
from minigpt.parallel.grid import Grid, Part
from minigpt.parallel.pipeline import pipeline_judge
from minigpt.parallel.tensor import shard_call
from minigpt.parallel.zero import SlicedOptimizer, SlicedParams, overlaps
from minigpt.train import Progress, RunFolder, starting_point
from minigpt.train.engine import weight
from minigpt.train.shards import MODEL, Piece, point, write_shard

STAGES = (0, 1, 2, 3)  # of ZeRO


class Ranks:
    """One rank of a grid. The methods are those of `minigpt.train.Engine`, and all ranks call them together.

    zero: what a rank keeps only a slice of among the replicas: 1 the optimizer's states, 2 the gradients too, 3 the
    parameters too. `UserError` if the model, the batch or the optimizer cannot be shared out so.
    """

    blas_threads = 1  # a rank for each core

    def __init__(self, folder: RunFolder, grid: Grid, *, zero: int = 0):
        check_sharing(folder, grid, zero)
        self.folder, self.grid, self.zero = folder, grid, zero
        self.speaks = grid.world.rank == 0
        self.part = Part(folder.config, grid)
        self.params, state, self.progress, self.notice = self._begin()
        own = grid.data if zero else grid.data.Split(grid.data.rank)  # without ZeRO: every replica has all states
        self.optimizer = SlicedOptimizer(folder.settings.elementwise_optimizer, self.params, own)
        mine = self.params.flat[self.optimizer.mine]
        self._sliced = None
        if zero == 3:
            fresh = not folder.begun
            mine = self.part.init_slice(self._rng(), self.params, self.optimizer.mine) if fresh else mine.copy()
            self._sliced = SlicedParams(self.params, grid.data, mine)
            self.params = self.part.layout()
        self.optimizer.start(mine)
        arrays = Transformer(folder.config).arrays()
        for name, value in state.items():
            if isinstance(value, np.ndarray):
                here = self.part.params(Params(arrays, flat=value))
                self.optimizer.state[name][...] = here.flat[self.optimizer.mine]
            else:
                self.optimizer.state[name] = value
        self.model = self.part.stage
        self._grads: Any = None

    def gradient(self, batches: Sequence[Batch], step: int) -> tuple[float, float]:
        """See `minigpt.train.Engine`. The micro-batches are those of all replicas together."""
        counts = sum((scored(batch) for batch in batches), Counts(0, 0))
        rng = np.random.default_rng([self.folder.settings.seed, step, self.grid.data.rank, self.grid.pipeline.rank])
        mine = [self.part.rows(batch) for batch in batches]
        clip = self.folder.settings.clip
        if self.zero < 2:
            slices, own = self.optimizer.slices if self.zero else None, self.optimizer.mine
            value, self._grads, _ = self.part.gradient(
                self.params, mine, counts=counts, call=Call(rng=rng), grads=self._grads, slices=slices
            )
            if not self.zero:
                return value, self.part.clip(self._grads, clip)
            return value, self.part.clip_slice(self.params, self._grads.flat[own], own, clip)
        self._grads = None  # the last step's slice goes before this one's is made
        params: Any = self._sliced or self.params
        call = Call(rng=rng, recompute=self.zero == 3)
        value, self._grads = self.part.sliced_gradient(params, self.params, mine, counts=counts, call=call)
        norm = self.part.clip_slice(self.params, self._grads.mine, self.optimizer.mine, clip)
        return value, norm

    def update(self, learning_rate: float) -> None:
        """See `minigpt.train.Engine`."""
        mine = self.optimizer.mine
        gradient = self._grads.mine if self.zero >= 2 else self._grads.flat[mine]
        parameters = self._sliced.mine if self._sliced else self.params.flat[mine]
        self.optimizer.update(parameters, gradient, learning_rate=learning_rate)
        if self._sliced:
            self._sliced.forget()
        elif self.zero:
            self.optimizer.share(self.params.flat)

    def judge(self, held_out: Sequence[HeldOut]) -> tuple[float, float]:
        """See `minigpt.train.Engine`. Replicas share the batches, unless they need each other's parameters."""
        data = self.grid.data
        sums = np.zeros(4)  # nats, their weight, right answers, all answers
        for one in held_out if self._sliced else held_out[data.rank :: data.size]:
            judged, size = self._judge(one), weight(one.batch)
            sums += np.array([judged.loss * size, size, judged.right, judged.counted], float)
        if not self._sliced:
            data.Allreduce(sums.copy(), sums)
        self.grid.world.Bcast(sums, root=0)  # the same bits everywhere: it decides what is saved
        return float(sums[0] / sums[1]), float(sums[2] / max(1, sums[3]))

    def _judge(self, held_out: HeldOut) -> Judged:
        call = shard_call(self.folder.config, self.grid.tensor)
        if self.grid.pipeline.size > 1:
            return pipeline_judge(self.part.stage, self.params, held_out, self.grid.pipeline, call)
        params: Any = self._sliced or self.params
        return judge(self.model, params, held_out, call, counts=scored(held_out.batch))

    def save(self, names: Sequence[str]) -> None:
        """See `minigpt.train.Engine`. Every rank writes its part; then the first one points to them."""
        name = f"step-{self.progress.step:08}"
        numbers = {key: value for key, value in self.optimizer.state.items() if not isinstance(value, np.ndarray)}
        folder, world = self.folder, self.grid.world
        write_shard(folder.path / name, world.rank, self._pieces(), folder.config, numbers, asdict(self.progress))
        world.Barrier()
        if world.rank == 0:
            for which in names:
                point(folder.path, which, name, world.size, self.progress.step)
        world.Barrier()

    def _pieces(self) -> list[Piece]:
        """This replica's share of this part of the model, cut where arrays end."""
        data, tensor = self.grid.data, self.grid.tensor
        own = self.optimizer.mine if self.zero else part(self.params.flat.size, data.rank, data.size)
        own = slice(own.start, own.stop)
        numbers = {MODEL: self._sliced.mine if self._sliced else self.params.flat[own]}
        for kind, value in self.optimizer.state.items():
            if isinstance(value, np.ndarray):
                numbers[kind] = value if self.zero else value[own]
        stage, pieces, arrays = self.part.stage, [], self.part.stage.arrays()
        for whole in self.params.wholes:
            for name, columns in whole.columns.items():
                record = arrays[name]
                cut = record.cut if tensor.size > 1 else None
                if (cut is None and tensor.rank > 0) or (name == TOKENS and stage.last and not stage.first):
                    continue  # another rank writes it
                shape = self.params.arrays[name].shape
                axis = 0 if cut is None else cut % len(shape)
                offset = 0 if cut is None else part(record.shape[axis], tensor.rank, tensor.size).start
                for _, inside, mine in overlaps(whole.place, [own]):
                    begin, chosen = _of_columns(inside, whole.record.shape[-1], columns)
                    here = {kind: array[mine][chosen] for kind, array in numbers.items()}
                    pieces.append(Piece(name, here, shape, begin, axis, offset))
        return pieces

    def _begin(self) -> tuple[Params, dict[str, Any], Progress, str]:
        """Parameters, the optimizer's state, the progress and a notice: from the newest checkpoint, or fresh.

        With ZeRO stage 3 fresh parameters are names and places only: of the numbers each rank makes its slice.
        """
        if not self.folder.begun:
            return self.part.layout() if self.zero == 3 else self.part.init(self._rng()), {}, Progress(), ""
        whole, _, state, progress, notice = starting_point(self.folder)
        return self.part.params(whole), state, progress, notice

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng(self.folder.settings.seed)

    def anyone(self, flag: bool) -> bool:
        """See `minigpt.train.Engine`."""
        flags = np.array([float(flag)])
        self.grid.world.Allreduce(flags.copy(), flags)
        return bool(flags[0])

    def close(self) -> None:
        """See `minigpt.train.Engine`."""


def _of_columns(run: slice, width: int, columns: slice) -> tuple[int, np.ndarray]:
    """A run of numbers of a matrix, row by row, as one of its columns: where it begins there, and which numbers it has.

    width: of the matrix. The numbers of some columns keep their order, so they are a run of those columns' own numbers.
    """
    row, column = divmod(run.start, width)
    own = columns.stop - columns.start
    place = np.arange(run.start, run.stop) % width
    return row * own + min(max(0, column - columns.start), own), (place >= columns.start) & (place < columns.stop)


def check_sharing(folder: RunFolder, grid: Grid, zero: int) -> None:
    """`UserError`, before any work, if a run cannot be trained on this grid."""
    rows, replicas = folder.settings.batch, grid.data.size
    if zero not in STAGES:
        raise UserError(f"there is no ZeRO stage {zero}; choose 0, 1, 2 or 3")
    if zero >= 2 and grid.pipeline.size > 1:
        raise UserError(f"ZeRO stage {zero} does not go with a pipeline, whose micro-batches add up; use stage 0 or 1")
    if rows % replicas:
        raise UserError(f"a batch of {rows} cannot be shared among {replicas} replicas; use a multiple of {replicas}")
    folder.settings.elementwise_optimizer(0)


def broadcast_text(comm: Any, text: str | None) -> str:
    """Rank 0's text, on every rank."""
    data = np.frombuffer((text or "").encode(), np.uint8)
    size = np.array([data.size], np.int64)
    comm.Bcast(size, root=0)
    buffer = data.copy() if comm.rank == 0 else np.zeros(int(size[0]), np.uint8)
    comm.Bcast(buffer, root=0)
    return buffer.tobytes().decode()


def path_from_first(comm: Any, path: Path | None) -> Path:
    """Rank 0's path, on every rank."""
    return Path(broadcast_text(comm, None if path is None else str(path)))
