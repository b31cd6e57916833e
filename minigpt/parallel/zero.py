"""Data parallelism, and ZeRO: what every replica keeps, and what it keeps only a slice of.

Stage 0 is plain data parallelism: every rank has all parameters, gradients and optimizer states, so more ranks make
training faster and no model larger. Stage 1 slices the optimizer states, stage 2 the gradients too, stage 3 the
parameters too. A slice is a slice of the flat vector. Rajbhandari et al. (2020), arXiv:1910.02054, section 5.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Params
from minigpt.model.arrays import Arrays, Whole, part
from minigpt.model.params import Together
from minigpt.optim import Optimizer

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


class Slices(ABC):
    """What SlicedGradients and SlicedParams share: where everything lies, and which arrays are here at the moment.

    Only the arrays of one block, and those outside of the blocks, are here at a time.
    """

    def __init__(self, layout: Params, comm: Any):
        """layout: of all parameters."""
        # Not `layout` itself: what is sliced must not be kept whole.
        self.comm, self.arrays, self.wholes, self.blocks = comm, layout.arrays, layout.wholes, layout.blocks
        complete = [whole for whole in layout.wholes if len(whole.columns) == whole.record.siblings > 1]
        self._first = {whole.record.beside: next(iter(whole.columns)) for whole in complete}
        self.slices = slices(layout.flat.size, comm.size)
        self._here: dict[str, list[tuple[range, np.ndarray]]] = {}  # block -> where its arrays lie, and their numbers
        self._views: dict[str, dict[str, Any]] = {}  # block -> name -> array, word of a matrix -> `Together`

    def __getitem__(self, name: str) -> np.ndarray:
        return self._block(name)[name]

    def __contains__(self, name: object) -> bool:
        return name in self.arrays

    def get(self, name: str) -> np.ndarray | None:
        """The array called `name`, or None."""
        return self[name] if name in self.arrays else None

    def together(self, beside: str) -> Together | None:
        """The arrays whose records say `beside`, in the one matrix in which they lie; None unless all of them do."""
        return self._block(self._first[beside])[beside] if beside in self._first else None

    def _block(self, name: str) -> dict[str, Any]:
        """All arrays that are here together with the one called `name`; those of another block go."""
        block = self.arrays[name].block
        if block not in self._here:
            self._leave([other for other in self._here if other])
            self._here[block], self._views[block] = [], {}
            for run in runs([whole for whole in self.wholes if whole.record.block == block]):
                place = range(run[0].place.start, run[-1].place.stop)
                numbers = self._make(place)
                self._here[block].append((place, numbers))
                for whole in run:
                    self._see(block, whole, numbers[whole.place.start - place.start : whole.place.stop - place.start])
        return self._views[block]

    def _see(self, block: str, whole: Whole, numbers: np.ndarray) -> None:
        """Give `numbers` the names of what lies there."""
        self._views[block] |= whole.arrays(numbers)
        if whole.record.beside in self._first:
            matrix = numbers.reshape(whole.record.shape)
            self._views[block][whole.record.beside] = Together(matrix, list(whole.columns.values()))

    @abstractmethod
    def _make(self, place: range) -> np.ndarray:
        """The numbers of a part of the flat vector that is to be here from now on."""

    def _leave(self, blocks: list[str]) -> None:
        for block in blocks:
            del self._here[block], self._views[block]


class SlicedGradients(Slices):
    """Gradients of which every rank keeps one slice (ZeRO stage 2): a block's are summed and dropped once it is done.

    It takes the place of `Params` in a model's backward: `grads[name]` is an array to write into. Asking for those of
    another block sends the last away. Call `finish` at the end. `mine`: (n,), this rank's slice of the sum over ranks.
    """

    def __init__(self, layout: Params, comm: Any):
        super().__init__(layout, comm)
        own = self.slices[comm.rank]
        self.mine = np.zeros(own.stop - own.start, layout.flat.dtype)

    def __setitem__(self, name: str, value: np.ndarray) -> None:
        self[name][...] = value

    def finish(self) -> None:
        """Send away what is still here."""
        self._leave(list(self._here))

    def _make(self, place: range) -> np.ndarray:
        return np.empty(len(place), self.mine.dtype)

    def _leave(self, blocks: list[str]) -> None:
        for place, numbers in (one for block in blocks for one in self._here[block]):
            for owner, inside, theirs in overlaps(place, self.slices):
                piece = numbers[inside]
                total = np.empty_like(piece) if owner == self.comm.rank else None
                self.comm.Reduce(piece, total, root=owner)
                if total is not None:
                    self.mine[theirs] += total
        super()._leave(blocks)


class SlicedParams(Slices):
    """Parameters of which every rank keeps one slice (ZeRO stage 3): a block's are gathered while it works.

    It takes the place of `Params` in a model. Use it with `Call(recompute=True)`: what a block leaves behind for its
    backward would otherwise keep its matrices here. `mine`: (n,), this rank's slice.
    """

    def __init__(self, layout: Params, comm: Any, mine: np.ndarray):
        super().__init__(layout, comm)
        self.mine = mine

    def forget(self) -> None:
        """Drop everything but the slice, as after an update, when the rest is out of date."""
        self._leave(list(self._here))

    def _make(self, place: range) -> np.ndarray:
        numbers = np.empty(len(place), self.mine.dtype)
        for owner, inside, theirs in overlaps(place, self.slices):
            piece = numbers[inside]
            if owner == self.comm.rank:
                piece[...] = self.mine[theirs]
            self.comm.Bcast(piece, root=owner)
        return numbers


def without_numbers(arrays: Arrays) -> Params:
    """The names and places of these arrays: all of their numbers are one zero."""
    size = sum(math.prod(record.shape) for record in arrays.values())
    return Params(arrays, flat=np.broadcast_to(np.float32(0), size))


def slices(total: int, size: int) -> list[slice]:
    """The slice of the flat vector that each rank keeps."""
    if total < size:
        raise UserError(f"{size} ranks are more than there are parameters, {total}; use fewer")
    return [slice(r.start, r.stop) for r in (part(total, rank, size) for rank in range(size))]


def runs(wholes: list[Whole]) -> list[list[Whole]]:
    """What lies in one piece in the flat vector, one after another without a gap, together: it is sent at once."""
    together: list[list[Whole]] = []
    for whole in wholes:
        if together and together[-1][-1].place.stop == whole.place.start:
            together[-1].append(whole)
        else:
            together.append([whole])
    return together


def overlaps(place: range, owners: list[slice]) -> Iterator[tuple[int, slice, slice]]:
    """Who keeps which part of an array: (owner, where in the array, where in the owner's slice)."""
    for owner, own in enumerate(owners):
        start, stop = max(place.start, own.start), min(place.stop, own.stop)
        if start < stop:
            yield owner, slice(start - place.start, stop - place.start), slice(start - own.start, stop - own.start)
