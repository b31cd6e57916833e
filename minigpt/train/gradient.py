"""The gradient of a batch, its rows shared among threads."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import numpy as np

from minigpt.model import Batch, Call, Params, Transformer
from minigpt.objectives import Counts, loss, loss_and_gradient, scored


class BatchGradient:
    """Computes losses and gradients with `threads` Python threads, each taking its share of the rows.

    NumPy lets go of Python's lock while it computes, so threads run side by side. Each writes into its own gradient;
    these are summed in a fixed order, so the same threads give the same bits. The arrays are made once and used again.
    Enter `minigpt.machine.blas_threads(1)` around it when there is more than one thread.
    """

    def __init__(self, model: Transformer, params: Params, *, threads: int = 1, seed: int = 0):
        """params: for the layout. seed: of the dropout masks, functions of (seed, step, micro-batch, thread)."""
        self.model, self.threads, self.seed = model, threads, seed
        self.pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self._parts = [params.zeros_like() for _ in range(threads)]
        self._sum: Params | None = None  # made when micro-batches have to be added up

    def __call__(self, params: Params, batches: Sequence[Batch], *, step: int) -> tuple[float, Params]:
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

    def loss(self, params: Params, batch: Batch) -> float:
        """Mean loss over the scored targets, without gradient or dropout."""
        counts = scored(batch)
        return sum(
            self._map(lambda part, _: loss(self.model, params, part, counts=counts), split_rows(batch, self.threads))
        )

    def close(self) -> None:
        """End the threads."""
        if self.pool is not None:
            self.pool.shutdown()

    def _one(self, params, batch, counts, step, micro):
        def work(part, thread):
            call = Call(rng=np.random.default_rng([self.seed, step, micro, thread]))
            return loss_and_gradient(self.model, params, part, call, counts=counts, grads=self._parts[thread])

        losses_and_grads = list(self._map(work, split_rows(batch, self.threads)))
        first = losses_and_grads[0][1]
        for _, grads in losses_and_grads[1:]:
            first.flat += grads.flat
        return sum(part for part, _ in losses_and_grads), first

    def _map(self, work, parts):
        """work(part, thread) for every part, in order."""
        if self.pool is None:
            return [work(part, thread) for thread, part in enumerate(parts)]
        # A new thread starts with NumPy's default error handling; running in a copy of this context keeps ours.
        futures = [self.pool.submit(copy_context().run, work, part, thread) for thread, part in enumerate(parts)]
        return [future.result() for future in futures]


def split_rows(batch: Batch, parts: int) -> list[Batch]:
    """The batch as up to `parts` batches of about equally many rows, none empty."""
    parts = min(parts, len(batch.tokens))
    arrays = batch._asdict()
    objective = arrays.pop("objective")
    cut = {name: np.array_split(array, parts) for name, array in arrays.items() if array is not None}
    return [Batch(**{name: rows[part] for name, rows in cut.items()}, objective=objective) for part in range(parts)]
