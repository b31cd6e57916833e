"""Tensor parallelism: every matrix is cut, and every rank computes a part of every token.

Attention is cut by heads; the feed-forward network by hidden units: the first matrix by columns, so that the
activation, which acts on each hidden unit alone, can be applied before anything is exchanged, and the second by rows,
so that the parts only have to be summed. One sum in the forward and one in the backward for each. The vocabulary is cut
too. Shoeybi et al. (2019), "Megatron-LM", arXiv:1909.08053, section 3.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Call, Params, Transformer, TransformerConfig

COLUMNS, ROWS = -1, 0  # the axis that is cut, counted so that biases go with the columns
CUT = {  # by the end of a name; everything else is the same on every rank
    **{f"attention.{part}.{kind}": COLUMNS for part in ("query", "key", "value") for kind in ("weight", "bias")},
    **{f"feed_forward.{part}.{kind}": COLUMNS for part in ("gate", "up") for kind in ("weight", "bias")},
    "attention.output.weight": ROWS,
    "feed_forward.down.weight": ROWS,
    "token_embedding.weight": ROWS,
    "head.weight": COLUMNS,
    "head.bias": COLUMNS,
}


def shard_config(config: TransformerConfig, rank: int, size: int) -> TransformerConfig:
    """The configuration of one rank's part. `UserError` if the heads or hidden units cannot be shared out."""
    if config.head != "language" or config.dropout:
        raise UserError("tensor parallelism is for models with a language head and without dropout; change the two")
    if config.experts:
        raise UserError("a mixture of experts is trained in one process; the other schemes do not share it out yet")
    if config.key_value_heads % size or config.heads % size:
        raise UserError(
            f"{size} tensor-parallel ranks do not divide {config.heads} heads "
            f"in {config.key_value_heads} groups; use fewer"
        )
    if config.feed_forward_width < size or config.vocabulary_size < size:
        raise UserError(f"{size} tensor-parallel ranks are more than there are hidden units or tokens; use fewer")
    return replace(
        config,
        heads=config.heads // size,
        key_value_heads=config.key_value_heads // size,
        head_width=config.head_width,
        feed_forward_width=len(part(config.feed_forward_width, rank, size)),
        vocabulary_size=len(part(config.vocabulary_size, rank, size)),
    )


def shard_call(config: TransformerConfig, comm: Any, call: Call = Call()) -> Call:
    """`call` with the communicator of the tensor-parallel ranks and this rank's part of the vocabulary."""
    if comm.size == 1:
        return call
    return replace(call, comm=comm, vocabulary_offset=part(config.vocabulary_size, comm.rank, comm.size).start)


def part(total: int, rank: int, size: int) -> range:
    """Which of `total` things this rank has: as equal as they can be, and all of them once."""
    return range(total * rank // size, total * (rank + 1) // size)


def cut_axis(name: str) -> int | None:
    """Along which axis the array called `name` is cut; None if every rank has all of it."""
    return next((axis for end, axis in CUT.items() if name.endswith(end)), None)


def shard_params(params: Params, config: TransformerConfig, rank: int, size: int) -> Params:
    """This rank's part of all parameters, copied. config: of the whole model."""
    shard = Params(Transformer(shard_config(config, rank, size)).shapes(), dtype=params.flat.dtype)
    for name in shard:
        axis = cut_axis(name)
        shard[name] = (
            params[name] if axis is None else np.take(params[name], _here(params[name], axis, rank, size), axis)
        )
    return shard


def join_params(shards: Sequence[Params], config: TransformerConfig) -> Params:
    """All parameters from the parts of all ranks, in their order."""
    params = Params(Transformer(config).shapes(), dtype=shards[0].flat.dtype)
    for name in params:
        axis = cut_axis(name)
        arrays = [shard[name] for shard in shards]
        params[name] = arrays[0] if axis is None else np.concatenate(arrays, axis)
    return params


def _here(array, axis, rank, size):
    return part(array.shape[axis], rank, size)
