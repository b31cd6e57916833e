"""Batches of examples: every epoch in an order of its own, rows of like length together."""

from collections.abc import Sequence

import numpy as np

from minigpt.finetune.examples import Example, is_answered
from minigpt.finetune.tasks import Task
from minigpt.model import Batch
from minigpt.objectives import HeldOut

POOL = 16  # batches whose rows are sorted by length together, so that little is padded


class ExampleData:
    """What `minigpt.train.train` asks for, of examples."""

    bits_per_nat = None

    def __init__(
        self,
        task: Task,
        training: Sequence[Example],
        validation: Sequence[Example],
        *,
        batch: int,
        accumulate: int = 1,
        seed: int = 0,
        padding: int = 0,
        segments: bool = True,
    ):
        """padding: the id that fills rows. segments: whether the model is told which text a token belongs to."""
        self.task, self.counted = task, task.counted
        self._examples, self._batch, self._accumulate, self._seed = list(training), batch, accumulate, seed
        self._padding, self._segments = padding, segments
        self._epoch = -1
        self._order: list[np.ndarray] = []
        self._held_out = [HeldOut(one) for one in self.in_batches(list(filter(is_answered, validation)))]

    @property
    def steps_per_epoch(self) -> int:
        """Updates in which every example is seen once."""
        return -(-len(self._examples) // (self._batch * self._accumulate))

    def batches(self, step: int) -> list[Batch]:
        """See `minigpt.train.TrainingData`. The last batches of an epoch may have fewer rows."""
        epoch, within = divmod(step, self.steps_per_epoch)
        order = self._order_of(epoch)
        some = order[within * self._accumulate : (within + 1) * self._accumulate]
        return [self.make([self._examples[row] for row in rows]) for rows in some]

    def held_out(self) -> list[HeldOut]:
        """See `minigpt.train.TrainingData`."""
        return self._held_out

    def make(self, examples: Sequence[Example]) -> Batch:
        """A batch of these examples."""
        batch = self.task.batch(examples, self._padding)
        return batch if self._segments else batch._replace(segments=None)

    def in_batches(self, examples: Sequence[Example]) -> list[Batch]:
        """All of these examples, in their order."""
        size = 4 * self._batch
        return [self.make(examples[first : first + size]) for first in range(0, len(examples), size)]

    def _order_of(self, epoch: int) -> list[np.ndarray]:
        """Which rows each batch of the epoch has: a function of the seed and the epoch alone."""
        if epoch != self._epoch:
            rng = np.random.default_rng([self._seed, epoch])
            drawn = rng.permutation(len(self._examples))
            lengths = np.array([len(example.ids) for example in self._examples])
            batches = []
            for first in range(0, len(drawn), POOL * self._batch):
                pool = drawn[first : first + POOL * self._batch]
                pool = pool[np.argsort(lengths[pool], kind="stable")]
                batches += [pool[start : start + self._batch] for start in range(0, len(pool), self._batch)]
            self._epoch, self._order = epoch, [batches[place] for place in rng.permutation(len(batches))]
        return self._order
