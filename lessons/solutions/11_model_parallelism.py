"""Lesson 11: a model in parts."""

import numpy as np


def shard_feed_forward(
    up: np.ndarray, bias: np.ndarray, down: np.ndarray, rank: int, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One rank's part of activation(x @ up + bias) @ down, so that the sum of all ranks' answers is the whole one.

    up: (C, F); bias: (F,); down: (F, C). size divides F; rank r of `size` takes the r-th of `size` equal, contiguous
    runs of hidden units.

    Returns this rank's up, bias and down.
    """
    # answer
    count = up.shape[1] // size
    mine = slice(rank * count, (rank + 1) * count)
    return up[:, mine], bias[mine], down[mine]
    # end of answer


def sharded_loss(shards: list[np.ndarray], targets: np.ndarray) -> float:
    """Mean cross-entropy, in nats, when every rank has the scores of a part of the vocabulary.

    shards: one array (N, V_r) for each rank, side by side in the order of the vocabulary; targets: (N,) integers of the
    whole vocabulary. From each shard you may use three numbers for a row: its largest score, a sum of exponentials,
    and the target's score if it is there. The grader's shards compute as arrays do, but cannot be joined, nor be made
    into plain arrays or lists, or read entry by entry: that would be the whole vocabulary in one place.

    Returns the mean over rows of log(sum of exp(score)) - score of the target.
    """
    # answer
    largest = np.max([shard.max(axis=1) for shard in shards], axis=0)  # (N,), of all ranks
    total, wanted, first = np.zeros(len(targets)), np.zeros(len(targets)), 0
    for shard in shards:
        total += np.exp(shard - largest[:, None]).sum(axis=1)
        local = targets - first
        rows = np.flatnonzero((local >= 0) & (local < shard.shape[1]))
        wanted[rows] = shard[rows, local[rows]]
        first += shard.shape[1]
    return float(np.mean(np.log(total) + largest - wanted))
    # end of answer


def one_forward_one_backward(stage: int, stages: int, micros: int) -> list[tuple[str, int]]:
    """In which order a pipeline stage works on its micro-batches under 1F1B.

    stage: 0 is the first of `stages`; micros: how many micro-batches, numbered from 0. First the stage does as many
    forwards as there are stages after it (or fewer, if there are fewer micro-batches). Then it alternates, a forward
    and a backward, until no forward is left. Then come the backwards that remain. Micro-batches go in order both ways.

    Returns a list of ("forward", number) and ("backward", number).
    """
    # answer
    ahead = min(stages - stage - 1, micros)
    actions = [("forward", micro) for micro in range(ahead)]
    for micro in range(ahead, micros):
        actions += [("forward", micro), ("backward", micro - ahead)]
    return actions + [("backward", micro) for micro in range(micros - ahead, micros)]
    # end of answer


def idle_share(stages: int, micros: int) -> float:
    """The share of all time that the stages of a pipeline stand idle.

    A stage works on `micros` micro-batches, and waits as long as `stages` - 1 of them take.

    Returns idle time as a share of the whole, working and idle.
    """
    # answer
    return (stages - 1) / (micros + stages - 1)
    # end of answer
