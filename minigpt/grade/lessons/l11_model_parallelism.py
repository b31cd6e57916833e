"""The exercises of lesson 11, model parallelism."""

import inspect

import numpy as np

from minigpt.grade.assembled import ask_shards
from minigpt.grade.exercise import Exercise, Question, larger
from minigpt.parallel.schedule import gpipe, one_forward_one_backward


def draw_feed_forward(rng: np.random.Generator) -> Question:
    size, count, width = int(rng.integers(2, 5)), larger(rng, rng.integers(2, 4)), 5
    hidden = size * count
    arrays = [rng.standard_normal(shape) for shape in ((width, hidden), (hidden,), (hidden, width))]
    return [*arrays, int(rng.integers(size)), size], {}


def shard_feed_forward(up, bias, down, rank, size):
    count = up.shape[1] // size
    mine = slice(rank * count, (rank + 1) * count)
    return up[:, mine], bias[mine], down[mine]


def every_size_th(up, bias, down, rank, size):
    """You dealt the hidden units out one by one; each rank takes a contiguous run of them."""
    return up[:, rank::size], bias[rank::size], down[rank::size]


def bias_whole(up, bias, down, rank, size):
    """You left the bias whole; it belongs to the hidden units, and is cut as the columns are."""
    mine_up, _, mine_down = shard_feed_forward(up, bias, down, rank, size)
    return mine_up, bias, mine_down


def columns_of_both(up, bias, down, rank, size):
    """You cut both matrices into columns; the second has a *row* for each hidden unit."""
    count = -(-down.shape[1] // size)
    mine_up, mine_bias, _ = shard_feed_forward(up, bias, down, rank, size)
    return mine_up, mine_bias, down[:, rank * count : (rank + 1) * count]


def rows_then_columns(up, bias, down, rank, size):
    """You cut the first matrix into rows: the activation would then act on parts of a sum, and be wrong."""
    count = -(-up.shape[0] // size)
    mine = slice(rank * count, (rank + 1) * count)
    return up[mine], bias, down[:, mine]


def draw_shards(rng: np.random.Generator) -> Question:
    widths = rng.integers(2, 6, 3)
    rows, level = larger(rng, 6), float(rng.choice([0.0, 1500.0, -1500.0]))  # exp of which no float can hold
    shards = [level + 20 * float(rng.integers(0, 2)) + 3 * rng.standard_normal((rows, width)) for width in widths]
    return [shards, rng.integers(0, widths.sum(), rows)], {}


def sharded_loss(shards, targets):
    largest = _largest(shards)
    total = sum(np.exp(shard - largest[:, None]).sum(axis=1) for shard in shards)
    return float(np.mean(np.log(total) + largest - _wanted(shards, targets)))


def _largest(shards):
    """Of a row, over all shards, (N,)."""
    return np.max([shard.max(axis=1) for shard in shards], axis=0)


def _wanted(shards, targets):
    """The target's score, from the shard that has it, (N,)."""
    wanted, first = np.zeros(len(targets)), 0
    for shard in shards:
        rows = np.flatnonzero((targets >= first) & (targets < first + shard.shape[1]))
        wanted[rows] = shard[rows, targets[rows] - first]
        first += shard.shape[1]
    return wanted


def no_largest(shards, targets):
    """Your exp overflows, or is 0 for every token: subtract the largest score of the row, of all shards, first."""
    with np.errstate(all="ignore"):
        total = sum(np.exp(shard).sum(axis=1) for shard in shards)
        return float(np.mean(np.log(total) - _wanted(shards, targets)))


def own_largest(shards, targets):
    """Each shard subtracted its own largest score, so their sums cannot be added; all must subtract the same number."""
    total = sum(np.exp(shard - shard.max(axis=1, keepdims=True)).sum(axis=1) for shard in shards)
    return float(np.mean(np.log(total) + _largest(shards) - _wanted(shards, targets)))


def largest_forgotten(shards, targets):
    """You left the largest score out at the end: what was subtracted before exp is added after log."""
    return sharded_loss(shards, targets) - float(_largest(shards).mean())


def loss_of_the_sum(shards, targets):
    """You summed over the rows; the loss is their mean."""
    return sharded_loss(shards, targets) * len(targets)


def local_targets(shards, targets):
    """You looked targets up in every shard as if each began at token 0; subtract where the shard begins."""
    found = np.zeros(len(targets))
    for shard in shards:
        rows = np.flatnonzero(targets < shard.shape[1])
        found[rows] = shard[rows, targets[rows]]
    return sharded_loss(shards, targets) + float(np.mean(_wanted(shards, targets) - found))


def draw_stage(rng: np.random.Generator) -> Question:
    stages = larger(rng, rng.integers(1, 6))
    return [int(rng.integers(stages)), stages, int(rng.integers(1, 9))], {}


def all_forwards_first(stage, stages, micros):
    """That is GPipe: all forwards, then all backwards. 1F1B begins the backwards as soon as it can."""
    return gpipe(stage, stages, micros)


def one_too_many_ahead(stage, stages, micros):
    """You begin with one forward too many: as many as there are stages *after* this one."""
    return one_forward_one_backward(stage - 1, stages, micros)


def counted_from_the_front(stage, stages, micros):
    """You begin with as many forwards as there are stages *before* this one; it is those after it that count."""
    return one_forward_one_backward(stages - stage - 1, stages, micros)


def last_in_first_out(stage, stages, micros):
    """Your backwards take the latest micro-batch first; they come in the order of the forwards."""
    actions, waiting = [], []
    for action, micro in one_forward_one_backward(stage, stages, micros):
        waiting += [micro] if action == "forward" else []
        actions.append((action, micro if action == "forward" else waiting.pop()))
    return actions


def rest_forgotten(stage, stages, micros):
    """You stop when the last forward is done; the backwards of the first ones that were ahead still have to come."""
    actions = one_forward_one_backward(stage, stages, micros)
    return actions[: len(actions) - min(stages - stage - 1, micros)]


def draw_pipeline(rng: np.random.Generator) -> Question:
    return [int(rng.integers(1, 9)), int(rng.integers(1, 65))], {}


def idle_share(stages, micros):
    return (stages - 1) / (micros + stages - 1)


def of_working_time(stages, micros):
    """That is idle time as a share of *working* time; of all time it is smaller."""
    return (stages - 1) / micros


def all_stages_idle(stages, micros):
    """A stage waits for the *others*: `stages` - 1, not `stages`."""
    return stages / (micros + stages)


EXERCISES = (
    Exercise.of(
        shard_feed_forward,
        points=3,
        draw=draw_feed_forward,
        mistakes=(every_size_th, bias_whole, columns_of_both, rows_then_columns),
    ),
    Exercise.of(
        sharded_loss,
        points=4,
        draw=draw_shards,
        mistakes=(own_largest, largest_forgotten, loss_of_the_sum, local_targets, no_largest),
        harness=inspect.getsource(ask_shards),
    ),
    Exercise.of(
        one_forward_one_backward,
        points=4,
        draw=draw_stage,
        mistakes=(all_forwards_first, one_too_many_ahead, counted_from_the_front, last_in_first_out, rest_forgotten),
    ),
    Exercise.of(idle_share, points=1, draw=draw_pipeline, mistakes=(of_working_time, all_stages_idle)),
)
