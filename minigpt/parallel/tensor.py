"""Tensor parallelism: every matrix is cut, and every rank computes a part of every token.

Attention is cut by heads; the feed-forward network by hidden units: the first matrix by columns, so that the
activation, which acts on each hidden unit alone, can be applied before anything is exchanged, and the second by rows,
so that the parts only have to be summed. One sum in the forward and one in the backward for each. The vocabulary is cut
too. Which array is cut along which axis is said in its record (`minigpt.model.arrays`). Shoeybi et al. (2019),
"Megatron-LM", arXiv:1909.08053, section 3.
"""

from dataclasses import replace
from typing import Any

from minigpt.errors import UserError
from minigpt.model import Call, Params, TransformerConfig
from minigpt.model.arrays import cut_array, cut_arrays, part


def check_tensor(config: TransformerConfig, size: int) -> None:
    """`UserError` if the model's heads, hidden units or tokens cannot be shared among `size` ranks."""
    if size == 1:
        return
    if config.dropout:
        raise UserError("tensor parallelism is for models without dropout, whose ranks would draw different masks")
    for stack in (config, config.encoder) if config.encoder else (config,):
        if stack.experts:
            raise UserError("a mixture of experts is trained in one process; the other schemes do not share it out yet")
        if stack.key_value_heads % size or stack.heads % size:
            raise UserError(
                f"{size} tensor-parallel ranks do not divide {stack.heads} heads "
                f"in {stack.key_value_heads} groups; use fewer"
            )
        if stack.feed_forward_width < size or stack.vocabulary_size < size:
            raise UserError(f"{size} tensor-parallel ranks are more than there are hidden units or tokens; use fewer")


def shard_call(config: TransformerConfig, comm: Any, call: Call = Call()) -> Call:
    """`call` with the communicator of the tensor-parallel ranks and this rank's part of the vocabulary."""
    if comm.size == 1:
        return call
    return replace(call, comm=comm, vocabulary_offset=part(config.vocabulary_size, comm.rank, comm.size).start)


def shard_params(whole: Params, rank: int, size: int) -> Params:
    """This rank's part of all parameters, copied."""
    shard = Params(cut_arrays(whole.arrays, rank, size), dtype=whole.flat.dtype)
    for name, record in whole.arrays.items():
        shard[name] = cut_array(whole[name], record, rank, size)
    return shard
