"""Data parallelism, and ZeRO: what every replica keeps, and what it keeps only a slice of.

Stage 0 is plain data parallelism: every rank has all parameters, gradients and optimizer states, so more ranks make
training faster and no model larger. Stage 1 slices the optimizer states, stage 2 the gradients too, stage 3 the
parameters too. A slice is a slice of the flat vector. Rajbhandari et al. (2020), arXiv:1910.02054, section 5.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Params
from minigpt.model.parts import Shapes
from minigpt.optim import Optimizer
from minigpt.parallel.tensor import part

BUCKET = 1 << 22  # numbers that are summed at a time: a message large enough to be fast, small enough to fit anywhere


def sum_gradients(comm: Any, grads: Params) -> None:
    """The sum of all replicas' gradients, in place, in buckets. When the losses were divided by the count of targets of
    all replicas, the sum is the gradient of the whole batch."""
    for start in range(0, grads.flat.size, BUCKET):
        bucket = grads.flat[start : start + BUCKET]
        comm.Allreduce(bucket.copy(), bucket)


def sum_slices(comm: Any, grads: Params, owners: Sequence[slice]) -> None:
    """The sum of all replicas' gradients where each owns it, in place: half of what `sum_gradients` has to carry.

    owners: the slice of the flat vector that each rank needs (ZeRO stage 1, whose parameters then go round anyway).
    """
    counts = [where.stop - where.start for where in owners]
    mine = np.empty(counts[comm.rank], grads.flat.dtype)
    comm.Reduce_scatter(grads.flat, mine, counts)
    grads.flat[owners[comm.rank]] = mine


class SlicedOptimizer:
    """An optimizer of which every rank keeps the states of one slice of the flat vector (ZeRO stages 1 to 3)."""

    def __init__(self, make: Callable[[int], Optimizer], layout: Params, comm: Any):
        """make(decayed) -> optimizer whose decay takes the first `decayed` entries. layout: of all parameters."""
        self.comm, self.slices = comm, slices(layout.flat.size, comm.size)
        mine = self.mine = self.slices[comm.rank]
        self.optimizer = make(min(max(0, layout.matrix_size - mine.start), mine.stop - mine.start))
        self.state: dict[str, Any] = {}

    def start(self, parameters: np.ndarray) -> None:
        """Make the states of this rank's slice of the parameters, (mine,)."""
        self.state = self.optimizer.init(parameters)

    def update(self, parameters: np.ndarray, gradient: np.ndarray, *, learning_rate: float) -> None:
        """One step of this rank's slice, (mine,) each, in place."""
        self.optimizer.update(parameters, gradient, self.state, learning_rate=learning_rate)

    def share(self, flat: np.ndarray) -> None:
        """Every rank sends its slice of `flat`, (P,), to all others (stages 1 and 2)."""
        for owner, where in enumerate(self.slices):
            self.comm.Bcast(flat[where], root=owner)


class SlicedGradients:
    """Gradients of which every rank keeps one slice (ZeRO stage 2): a block's are summed and dropped once it is done.

    It takes the place of `Params` in a model's backward: `grads[name]` is an array to write into. Only the arrays of
    one block, and those outside of the blocks, exist at a time; asking for those of another block sends the last away.
    Call `finish` at the end. `mine`: (n,), this rank's slice of the sum over ranks.
    """

    def __init__(self, layout: Params, comm: Any):
        self.comm, self.shapes = comm, layout.shapes
        self.slices = slices(layout.flat.size, comm.size)
        own = self.slices[comm.rank]
        self.mine = np.zeros(own.stop - own.start, layout.flat.dtype)
        self._places = places(layout.shapes)
        self._open: dict[str, dict[str, np.ndarray]] = {}  # group -> name -> array

    def __getitem__(self, name: str) -> np.ndarray:
        group = group_of(name)
        if group not in self._open:
            self._close([other for other in self._open if other != REST])
            dtype = self.mine.dtype
            self._open[group] = {
                other: np.empty(shape, dtype) for other, shape in self.shapes.items() if group_of(other) == group
            }
        return self._open[group][name]

    def __setitem__(self, name: str, value: np.ndarray) -> None:
        self[name][...] = value

    def __contains__(self, name: object) -> bool:
        return name in self.shapes

    def get(self, name: str) -> np.ndarray | None:
        """The array called `name`, or None."""
        return self[name] if name in self.shapes else None

    def finish(self) -> None:
        """Send away what is still here."""
        self._close(list(self._open))

    def _close(self, groups):
        for group in groups:
            for name, array in self._open.pop(group).items():
                for owner, inside, theirs in overlaps(self._places[name], self.slices):
                    piece = array.reshape(-1)[inside]
                    total = np.empty_like(piece) if owner == self.comm.rank else None
                    self.comm.Reduce(piece, total, root=owner)
                    if total is not None:
                        self.mine[theirs] += total


class SlicedParams:
    """Parameters of which every rank keeps one slice (ZeRO stage 3): a block's are gathered while it works.

    It takes the place of `Params` in a model. Use it with `Call(recompute=True)`: what a block leaves behind for its
    backward would otherwise keep its matrices here. `mine`: (n,), this rank's slice.
    """

    def __init__(self, layout: Params, comm: Any, mine: np.ndarray):
        self.comm, self.shapes, self.mine = comm, layout.shapes, mine
        self.slices = slices(layout.flat.size, comm.size)
        self._places = places(layout.shapes)
        self._here: dict[str, dict[str, np.ndarray]] = {}

    def __getitem__(self, name: str) -> np.ndarray:
        group = group_of(name)
        if group not in self._here:
            for other in [other for other in self._here if other != REST]:
                del self._here[other]
            names = [other for other in self.shapes if group_of(other) == group]
            self._here[group] = {other: self._gather(other) for other in names}
        return self._here[group][name]

    def __contains__(self, name: object) -> bool:
        return name in self.shapes

    def get(self, name: str) -> np.ndarray | None:
        """The array called `name`, or None."""
        return self[name] if name in self.shapes else None

    def forget(self) -> None:
        """Drop everything but the slice, as after an update, when the rest is out of date."""
        self._here.clear()

    def _gather(self, name):
        array = np.empty(self.shapes[name], self.mine.dtype)
        for owner, inside, theirs in overlaps(self._places[name], self.slices):
            piece = array.reshape(-1)[inside]
            if owner == self.comm.rank:
                piece[...] = self.mine[theirs]
            self.comm.Bcast(piece, root=owner)
        return array


REST = "rest"  # the group of what belongs to no block: embeddings, the last norm, the head


def group_of(name: str) -> str:
    """What is here at the same time: `encoder.blocks.3` for the arrays of that block, else `rest`."""
    before, found, after = name.partition("blocks.")
    return f"{before}{found}{after.split('.')[0]}" if found else REST


def places(shapes: Shapes) -> dict[str, range]:
    """Where each array lies in the flat vector. shapes: in the vector's order."""
    found, start = {}, 0
    for name, shape in shapes.items():
        found[name] = range(start, start + math.prod(shape))
        start = found[name].stop
    return found


def slices(total: int, size: int) -> list[slice]:
    """The slice of the flat vector that each rank keeps."""
    if total < size:
        raise UserError(f"{size} ranks are more than there are parameters, {total}; use fewer")
    return [slice(r.start, r.stop) for r in (part(total, rank, size) for rank in range(size))]


def overlaps(place: range, owners: list[slice]) -> Iterator[tuple[int, slice, slice]]:
    """Who keeps which part of an array: (owner, where in the array, where in the owner's slice)."""
    for owner, own in enumerate(owners):
        start, stop = max(place.start, own.start), min(place.stop, own.stop)
        if start < stop:
            yield owner, slice(start - place.start, stop - place.start), slice(start - own.start, stop - own.start)
