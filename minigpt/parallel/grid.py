"""Data, tensor and pipeline parallelism at once: every rank has a place in a grid, and a part of the model there."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Batch, Call, Params, Transformer, TransformerConfig
from minigpt.model.arrays import cut_arrays, part
from minigpt.model.inputs import TOKENS
from minigpt.objectives import Counts, loss_and_gradient
from minigpt.optim import Optimizer, shorten
from minigpt.parallel.pipeline import pipeline_gradient
from minigpt.parallel.schedule import Actions
from minigpt.parallel.tensor import check_tensor, shard_call, shard_params
from minigpt.parallel.zero import SlicedGradients, SlicedOptimizer, overlaps, sum_gradients, sum_slices, without_numbers
from minigpt.train import take_rows


class Grid(NamedTuple):
    """A rank's communicators: with those that have the same part of the model, another part of each matrix, ..."""

    world: Any
    data: Any  # the same part of the model, other texts
    tensor: Any  # the same blocks, other parts of their matrices
    pipeline: Any  # other blocks


def make_grid(world: Any, *, data: int = 1, tensor: int = 1, pipeline: int = 1) -> Grid:
    """Arrange all ranks of `world`, tensor-parallel neighbours side by side, since they say most to each other.

    `UserError` if the product is not the number of ranks (as when an MPI launcher of another kind started each alone).
    """
    if data * tensor * pipeline != world.size:
        raise UserError(
            f"{data} x {tensor} x {pipeline} ranks (data, tensor, pipeline) were asked for, but {world.size} are here; "
            "start as many, with the mpiexec that belongs to mpi4py"
        )
    rest, t = divmod(world.rank, tensor)
    p, d = divmod(rest, data)
    return Grid(
        world,
        world.Split(p * tensor + t, d),
        world.Split(rest, t),
        world.Split(d * tensor + t, p),
    )


class Part:
    """What one rank of a grid holds and does."""

    def __init__(self, config: TransformerConfig, grid: Grid):
        """config: of the whole model. `UserError` if it cannot be cut like this."""
        if config.experts and grid.world.size > 1:
            raise UserError("a mixture of experts is trained in one process; the other schemes do not share it out yet")
        check_tensor(config, grid.tensor.size)
        self.config, self.grid = config, grid
        self.stage = Transformer(config, stage=grid.pipeline.rank, stages=grid.pipeline.size)

    def init(self, rng: np.random.Generator, *, dtype: Any = np.float32) -> Params:
        """This rank's part of fresh parameters, made alone and equal to that of one process's."""
        return self.stage.init(rng, dtype=dtype, rank=self.grid.tensor.rank, ranks=self.grid.tensor.size)

    def layout(self) -> Params:
        """Names and places of this rank's part of the parameters, without numbers: all of them are one zero."""
        tensor = self.grid.tensor
        return without_numbers(cut_arrays(self.stage.arrays(), tensor.rank, tensor.size))

    def init_slice(
        self, rng: np.random.Generator, layout: Params, own: slice, *, dtype: Any = np.float32
    ) -> np.ndarray:
        """The slice `own` of what `init` makes, flat, with never more than one array here beside it (ZeRO stage 3)."""
        make = self.stage.maker(rng, rank=self.grid.tensor.rank, ranks=self.grid.tensor.size)
        mine = np.empty(own.stop - own.start, dtype)
        for whole in layout.wholes:
            for _, inside, place in overlaps(whole.place, [own]):
                numbers = np.empty(len(whole.place), dtype)
                for name, array in whole.arrays(numbers).items():
                    array[...] = make(name)
                mine[place] = numbers[inside]
        return mine

    def params(self, whole: Params) -> Params:
        """This rank's part of all parameters, copied."""
        return shard_params(whole.only(list(self.stage.arrays())), self.grid.tensor.rank, self.grid.tensor.size)

    def rows(self, batch: Batch) -> Batch:
        """The texts of a batch that this replica works on. `UserError` if they cannot be shared out evenly."""
        count, data = len(batch.tokens), self.grid.data
        if count % data.size:
            raise UserError(
                f"a batch of {count} cannot be shared among {data.size} replicas; use a multiple of {data.size}"
            )
        here = part(count, data.rank, data.size)
        return take_rows(batch, slice(here.start, here.stop))

    def gradient(
        self,
        params: Params,
        micros: Sequence[Batch],
        *,
        counts: Counts,
        order: str = "1f1b",
        call: Call = Call(),
        grads: Params | None = None,
        slices: Sequence[slice] | None = None,
    ) -> tuple[float, Params, Actions]:
        """Loss and gradient of the batch of all replicas together, this rank's part of it, and what was done when.

        micros: this replica's micro-batches. counts: the targets of all replicas. grads: where to write; None makes a
        new `Params`. slices: what each replica needs of the gradient, if not all of it; the rest is left unsummed.
        """
        call = shard_call(self.config, self.grid.tensor, call)
        loss, grads, executed = pipeline_gradient(
            self.stage, params, micros, self.grid.pipeline, counts=counts, order=order, call=call, grads=grads
        )
        if slices is None:
            sum_gradients(self.grid.data, grads)
        else:
            sum_slices(self.grid.data, grads, slices)
        return _sum(self.grid.data, loss), grads, executed

    def sliced_gradient(
        self,
        params: Any,
        layout: Params,
        micros: Sequence[Batch],
        *,
        counts: Counts,
        call: Call = Call(),
    ) -> tuple[float, SlicedGradients]:
        """The same with ZeRO stages 2 and 3, without a pipeline: this rank's slice of the gradient is `mine` of it.

        params: `Params`, or `SlicedParams`. layout: of all parameters of this part that are trained.
        """
        call = shard_call(self.config, self.grid.tensor, call)
        grads: Any = SlicedGradients(layout, self.grid.data)
        loss = 0.0
        for batch in micros:
            loss += loss_and_gradient(self.stage, params, batch, call, counts=counts, grads=grads)[0]
            grads.finish()
        return _sum(self.grid.data, loss), grads

    def clip(self, grads: Params, maximum: float) -> float:
        """`clip_by_global_norm` of the whole model's gradient, in place. Every replica has all of this part's."""
        return self.clip_slice(grads, grads.flat, slice(0, grads.flat.size), maximum, copies=self.grid.data.size)

    def clip_slice(self, layout: Params, mine: np.ndarray, where: slice, maximum: float, *, copies: int = 1) -> float:
        """The same when this rank has a slice of the flat gradient, `mine`, from `where`. Returns the norm.

        layout: of this part's parameters. Every array counts once, wherever its copies are. copies: ranks that have the
        same slice.
        """
        squares = 0.0
        for whole in layout.wholes:
            twice = TOKENS in whole.columns and self.stage.last and not self.stage.first  # the first stage counts it
            for _, _, inside in overlaps(whole.place, [where]):
                shared = 1 if whole.record.cut is not None else self.grid.tensor.size
                squares += 0.0 if twice else float(np.vdot(mine[inside], mine[inside])) / shared
        norm = math.sqrt(_sum(self.grid.world, squares / copies))
        shorten(mine, norm, maximum)
        return norm

    def optimizer(self, make: Callable[[int], Optimizer], params: Params) -> SlicedOptimizer:
        """ZeRO stage 1 among the replicas: each keeps the states of a slice of this part's flat vector."""
        sliced = SlicedOptimizer(make, params, self.grid.data)
        sliced.start(params.flat[sliced.mine])
        return sliced


def _sum(comm: Any, value: float) -> float:
    """The sum of the ranks' values."""
    total = np.array([value])
    comm.Allreduce(total.copy(), total)
    return float(total[0])
