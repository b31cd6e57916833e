"""Asks a student's `sharded_loss`: runs in the sandbox, with that in `PIECES`.

The shards that it hands out belong to ranks that do not show each other their scores: NumPy's functions work on them as
on any array, but give nothing that holds as many numbers as all shards together.
"""

import numpy as np

PIECES: dict = {}


class Shard(np.ndarray):
    """One rank's scores. whole: how many numbers all ranks have."""

    whole = 0

    def __array_finalize__(self, other):
        self.whole = getattr(other, "whole", 0)

    def __array_function__(self, function, types, arguments, options):
        answer = super().__array_function__(function, types, arguments, options)
        if isinstance(answer, np.ndarray) and self.whole and answer.size >= self.whole:
            raise ValueError(
                "the shards may not be put together again: a rank gives three numbers for a row, its largest score, "
                "its sum of exponentials, and the target's score if it is there"
            )
        return answer


def sharded_loss(shards, targets):
    """What the student's function says. shards: (N, V_r) each; targets: (N,)."""
    handed = []
    for shard in shards:
        one = shard.view(Shard)
        one.whole = sum(map(np.size, shards))
        handed.append(one)
    answer = PIECES["sharded_loss"](handed, targets)
    return np.asarray(answer) if isinstance(answer, np.ndarray) else answer
