"""The gradient of a batch, its rows shared among threads."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import numpy as np

from minigpt.model import Batch, Call, Overlay, Params, Transformer
from minigpt.objectives import Counts, HeldOut, Judged, judge, loss_and_gradient, scored


class BatchGradient:
    """Computes losses and gradients with `threads` Python threads, each taking its share of the rows.

    NumPy lets go of Python's lock while it computes, so threads run side by side. Each writes into its own gradient;
    these are summed in a fixed order, so the same threads give the same bits. The arrays are made once and used again.
    Enter `minigpt.machine.blas_threads(1)` around it when there is more than one thread. `minigpt train` uses processes
    in their place (`minigpt.parallel.workers`), which do not hand Python's lock to and fro.
    """

    def __init__(self, model: Transformer, params: Params, *, threads: int = 1, seed: int = 0):
        """params: for the layout. seed: of the dropout masks, functions of (seed, step, micro-batch, thread)."""
        self.model, self.threads, self.seed = model, threads, seed
        self.pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self._parts = [params.zeros_like() for _ in range(threads)]
        self._sum: Params | None = None  # made when micro-batches have to be added up

    def __call__(self, params: Params | Overlay, batches: Sequence[Batch], *, step: int) -> tuple[float, Params]:
        """Mean loss over all scored targets of the micro-batches together, and its gradient.

        Equal, but for rounding, to the loss and gradient of one large batch. The next call overwrites the gradient.
        """
        counts = sum((scored(batch) for batch in batches), Counts(0, 0))
        total = 0.0
        for micro, batch in enumerate(batches):
            part, grads = self._one(params, batch, counts, step, micro)
            total += part
            if len(batches) > 1:
                self._sum = params.zeros_like() if self._sum is None else self._sum
                if micro == 0:
                    self._sum.flat[...] = 0
                self._sum.flat += grads.flat
                grads = self._sum
        return total, grads

    def loss(self, params: Params | Overlay, batch: Batch) -> float:
        """Mean loss over the scored targets, without gradient or dropout."""
        return self.judge(params, HeldOut(batch)).loss

    def judge(self, params: Params | Overlay, held_out: HeldOut) -> Judged:
        """Mean loss over the scored targets, without gradient or dropout, and how many answers are right."""
        counts, threads = scored(held_out.batch), self.threads
        batches = split_rows(held_out.batch, threads)
        counted = [None] * len(batches) if held_out.counted is None else np.array_split(held_out.counted, len(batches))
        parts = [HeldOut(*pair) for pair in zip(batches, counted, strict=True)]
        judged = self._map(lambda part, _: judge(self.model, params, part, counts=counts), parts)
        return Judged(*map(sum, zip(*judged, strict=True)))

    def close(self) -> None:
        """End the threads."""
        if self.pool is not None:
            self.pool.shutdown()

    def _one(
        self, params: Params | Overlay, batch: Batch, counts: Counts, step: int, micro: int
    ) -> tuple[float, Params]:
        def work(part: Batch, thread: int) -> tuple[float, Params]:
            call = Call(rng=np.random.default_rng([self.seed, step, micro, thread]))
            return loss_and_gradient(self.model, params, part, call, counts=counts, grads=self._parts[thread])

        losses_and_grads = self._map(work, split_rows(batch, self.threads))
        first = losses_and_grads[0][1]
        for _, grads in losses_and_grads[1:]:
            first.flat += grads.flat
        return sum(part for part, _ in losses_and_grads), first

    def _map(self, work: Callable[[Any, int], Any], parts: Sequence[Any]) -> list[Any]:
        """work(part, thread) for every part, in order."""
        if self.pool is None:
            return [work(part, thread) for thread, part in enumerate(parts)]
        # A new thread starts with NumPy's default error handling; running in a copy of this context keeps ours.
        futures = [self.pool.submit(copy_context().run, work, part, thread) for thread, part in enumerate(parts)]
        return [future.result() for future in futures]


def split_rows(batch: Batch, parts: int) -> list[Batch]:
    """The batch as up to `parts` batches of about equally many rows, none empty."""
    rows = np.array_split(np.arange(len(batch.tokens)), min(parts, len(batch.tokens)))
    return [take_rows(batch, slice(some[0], some[-1] + 1)) for some in rows]


def take_rows(batch: Batch, rows: slice) -> Batch:
    """Some of the texts of a batch, with all that belongs to them."""
    arrays: list[Any] = [value[rows] if isinstance(value, np.ndarray) else value for value in batch]
    return Batch(*arrays)
