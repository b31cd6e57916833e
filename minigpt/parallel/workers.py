"""Training on the cores of one machine: worker processes that share the rows of a batch, and the memory.

Parameters, every worker's gradient and the optimizer's states lie in memory that all workers see. In a step each
computes the gradient of its rows; then each adds up a slice of the flat vector over all workers, clips it and updates
it. That is ZeRO stage 1 (see `minigpt.parallel.zero`) with nothing sent: the others see the new parameters as they are.
"""

import math
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.adapt import Part
from minigpt.model import Batch, Call, Params, Transformer
from minigpt.objectives import Counts, HeldOut, judge, loss_and_gradient, scored
from minigpt.optim.clipping import shorten, squared_norm
from minigpt.parallel.processes import ProcessCommunicator, Unshared, processes
from minigpt.parallel.zero import without_numbers
from minigpt.train import (
    Engine,
    Interrupted,
    OneProcess,
    Progress,
    RunFolder,
    TrainSettings,
    open_folder,
    starting_point,
    train,
)
from minigpt.train.checkpoint import save_checkpoint
from minigpt.train.engine import weight
from minigpt.train.gradient import split_rows

DTYPE = np.float32


def on_workers(folder: RunFolder) -> Engine:
    """The engine for `folder.settings.workers` processes; where they cannot be had, one process, which says so."""
    if folder.settings.workers == 1:
        return OneProcess(folder)
    try:
        return Workers.start(folder)
    except Unshared as error:
        engine = OneProcess(folder)
        engine.notice = "; ".join(filter(None, [engine.notice, f"{error}, so one process trains"]))
        return engine


def work(comm: ProcessCommunicator, path: str, settings: dict[str, Any]) -> None:
    """What every worker but the first does: the same as it, silently."""
    folder = replace(open_folder(Path(path)), settings=TrainSettings(**settings))
    with suppress(Interrupted):
        train(folder, engine=Workers(folder, comm), show_progress=False)


class Share:
    """A worker's share of every training step. All workers make one, and call its methods together.

    params: all that is trained. moments: name -> (P,), what the optimizer remembers of it. Both are seen, and changed,
    by all workers. state: what it remembers of the slice that this worker updates. whole: what the model computes with.
    """

    def __init__(
        self,
        model: Transformer,
        settings: TrainSettings,
        comm: ProcessCommunicator,
        part: Part | None = None,
    ):
        """comm: with room for `shared_arrays`. part: None trains the whole model."""
        self.model, self.settings, self.comm = model, settings, comm
        layout = without_numbers(model.arrays() if part is None else part.fresh.arrays)
        size = layout.flat.size
        self.params = Params(layout.layout, flat=comm.shared(size, DTYPE))
        self.whole = self.params if part is None else part.under(self.params)
        self._every = [Params(layout.layout, flat=comm.shared(size, DTYPE)) for _ in range(comm.size)]
        self._grads = self._every[comm.rank]  # of this worker's rows
        self._part: Params | None = None  # made when micro-batches have to be added up
        mine = self._mine = _slices(layout, comm.size)[comm.rank]
        self._optimizer = settings.make_optimizer(layout, mine)
        self.moments = {name: comm.shared(size, DTYPE) for name in _moments(settings, layout)}
        self.state: dict[str, Any] = {"step": 0, **{name: array[mine] for name, array in self.moments.items()}}

    def gradient(self, batches: Sequence[Batch], step: int) -> tuple[float, float]:
        """Loss of the micro-batches together, and the norm of the gradient, which is kept, clipped, for `update`."""
        counts = sum((scored(batch) for batch in batches), Counts(0, 0))
        loss = sum(self._add(batch, counts, step, micro) for micro, batch in enumerate(batches))
        self.comm.Barrier()
        mine = self._every[0].flat[self._mine]
        for other in self._every[1:]:
            mine += other.flat[self._mine]
        found = np.array([loss, squared_norm(mine)])
        self.comm.Allreduce(found.copy(), found)
        norm = math.sqrt(found[1])
        shorten(mine, norm, self.settings.clip)
        return float(found[0]), norm

    def update(self, learning_rate: float) -> None:
        """One step of the optimizer."""
        gradient, parameters = self._every[0].flat[self._mine], self.params.flat[self._mine]
        self._optimizer.update(parameters, gradient, self.state, learning_rate=learning_rate)
        self.comm.Barrier()

    def _add(self, batch: Batch, counts: Counts, step: int, micro: int) -> float:
        """Loss of this worker's rows of a micro-batch; their gradient is added to that of the micro-batches before."""
        rank = self.comm.rank
        parts = split_rows(batch, self.comm.size)
        if rank >= len(parts):  # fewer rows than workers
            if micro == 0:
                self._grads.flat[...] = 0
            return 0.0
        into = self._grads
        if micro > 0:
            into = self._part = self._part or self._grads.zeros_like()
        call = Call(rng=np.random.default_rng([self.settings.seed, step, micro, rank]))
        loss, _ = loss_and_gradient(self.model, self.whole, parts[rank], call, counts=counts, grads=into)
        if micro > 0:
            self._grads.flat += into.flat
        return loss


class Workers:
    """One worker of several. The methods are those of `minigpt.train.Engine`, and all workers call them together.

    The same number of workers gives the same bits.
    """

    blas_threads: int | None = 1  # a worker for each core

    def __init__(self, folder: RunFolder, comm: ProcessCommunicator, part: Part | None = None):
        """Called by every worker; the first one is made by `start`. part: None trains the whole model."""
        self.folder, self.comm, self.model = folder, comm, Transformer(folder.config)
        self.speaks, self.notice, self._held = comm.rank == 0, "", ExitStack()
        self._share = Share(self.model, folder.settings, comm, part)
        self.params = self._share.params
        self.progress = self._begin(part)

    @classmethod
    def start(cls, folder: RunFolder, part: Part | None = None, target: str = f"{__name__}:work") -> "Workers":
        """The first worker, which starts the others. `Unshared` where that is impossible.

        target: `module:function` that the others run, with what `work` is given.
        """
        told = {"path": str(folder.path.resolve()), "settings": folder.settings.to_dict()}
        arrays = shared_arrays(Transformer(folder.config), folder.settings, part)
        with ExitStack() as held:
            others = processes(target, folder.settings.workers, told, arrays)
            engine = cls(folder, held.enter_context(others), part)
            engine._held = held.pop_all()
        return engine

    def gradient(self, batches: Sequence[Batch], step: int) -> tuple[float, float]:
        """See `minigpt.train.Engine`."""
        return self._share.gradient(batches, step)

    def update(self, learning_rate: float) -> None:
        """See `minigpt.train.Engine`."""
        self._share.update(learning_rate)

    def judge(self, held_out: Sequence[HeldOut]) -> tuple[float, float]:
        """See `minigpt.train.Engine`. Each worker judges some of the batches."""
        sums = np.zeros(4)  # nats, their weight, right answers, all answers
        for one in held_out[self.comm.rank :: self.comm.size]:
            judged, size = judge(self.model, self._share.whole, one, counts=scored(one.batch)), weight(one.batch)
            sums += [judged.loss * size, size, judged.right, judged.counted]
        self.comm.Allreduce(sums.copy(), sums)
        return float(sums[0] / sums[1]), float(sums[2] / max(1, sums[3]))

    def save(self, names: Sequence[str]) -> None:
        """See `minigpt.train.Engine`. The first worker writes: it sees everything."""
        if self.speaks:
            state = {**self._share.state, **self._share.moments}
            for name in names:
                path = self.folder.checkpoint(name)
                save_checkpoint(path, self.folder.config, self.params, state, asdict(self.progress))
        self.comm.Barrier()

    def anyone(self, flag: bool) -> bool:
        """See `minigpt.train.Engine`."""
        flags = np.array([float(flag)])
        self.comm.Allreduce(flags.copy(), flags)
        return bool(flags[0])

    def close(self) -> None:
        """See `minigpt.train.Engine`."""
        self._held.close()

    def _begin(self, part: Part | None) -> Progress:
        """The first worker reads, or makes, parameters and states; how far training has come, all must know."""
        numbers = np.zeros(4)
        if self.speaks:
            found = starting_point(self.folder, part)
            self.params.flat[...], self.notice = found.params.flat, found.notice
            for name, array in self._share.moments.items():
                array[...] = found.state[name]
            numbers[:] = [*asdict(found.progress).values(), found.state["step"]]
        self.comm.Bcast(numbers)
        self._share.state["step"] = int(numbers[3])
        return Progress(int(numbers[0]), float(numbers[1]), float(numbers[2]))


def shared_arrays(model: Transformer, settings: TrainSettings, part: Part | None = None) -> list[tuple[int, Any]]:
    """What `settings.workers` workers share, (count of numbers, dtype) each: parameters, gradients, moments."""
    layout = without_numbers(model.arrays() if part is None else part.fresh.arrays)
    return [(layout.flat.size, DTYPE)] * (1 + settings.workers + len(_moments(settings, layout)))


def _moments(settings: TrainSettings, layout: Params) -> list[str]:
    """The arrays that the optimizer remembers."""
    state = settings.make_optimizer(layout, slice(0, 0)).init(layout.flat[:0])
    return [name for name, value in state.items() if isinstance(value, np.ndarray)]


def _slices(layout: Params, count: int) -> list[slice]:
    """The slice of the flat vector that each worker updates: about equally long, and cut where matrices end."""
    ends = [0, *(whole.place.stop for whole in layout.wholes)]
    nearest = np.abs(np.subtract.outer(np.linspace(0, layout.flat.size, count + 1), ends)).argmin(axis=1)
    return [slice(ends[first], ends[second]) for first, second in pairwise(nearest)]
