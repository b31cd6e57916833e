"""What a rank of this library holds in memory while it trains, predicted from the configuration alone.

The fullest moment of a step is when the backward begins; gradients are summed over replicas once the activations are
gone. `tests/parallel/test_memory.py` holds the prediction to what ranks really take.

The published formulas in `minigpt.measure.scale` are for mixed precision on GPUs. Ours differ (float32, an attention
that works on 64 queries at a time and skips keys that none of them sees), so these are our own: count what every
operation's cache keeps. Letters: N tokens that a rank works on at once, C width, F hidden width, V vocabulary.
"""

import math
from collections import Counter
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.measure.scale import Layout, micro_batches
from minigpt.model import Transformer, TransformerConfig
from minigpt.model.arrays import Arrays, cut_arrays, part
from minigpt.model.head import HEADS
from minigpt.model.params import Params
from minigpt.ops import ACTIVATIONS
from minigpt.ops.attention import KEPT, QUERIES
from minigpt.parallel.tensor import check_tensor

NUMBER = 4  # bytes, float32
MOMENTS = 2  # numbers that Adam keeps for each parameter


class Held(NamedTuple):
    """Bytes on one rank at the fullest moment of a step, when the backward begins."""

    parameters: int
    gradients: int
    optimizer: int
    activations: int  # what the forwards that wait for their backward have left behind
    logits: int  # probabilities; scores and their gradient too, where they are kept
    working: int  # gradients of activations on their way through one block, and what is being sent

    @property
    def total(self) -> int:
        """All of it."""
        return sum(self)


def predict(config: TransformerConfig, layout: Layout, batch: int, *, stage: int = 0) -> Held:
    """Bytes on a rank of the pipeline stage `stage`, of the tensor-parallel ranks the first.

    batch: sequences in a step, of all replicas and micro-batches. Training with Adam on whole contexts, under 1F1B.
    `UserError` for dropout or experts, which keep more, or if the work cannot be shared out so.
    """
    if config.dropout or config.experts:
        raise UserError("the ledger of a training step is for models without dropout and experts; set both to none")
    micros = micro_batches(layout, batch)
    check_tensor(config, layout.tensor)
    shard = _shard(config, layout.tensor)
    here = Transformer(config, stage=stage, stages=layout.pipeline)
    tokens = layout.micro_batch * config.context
    waiting = min(layout.pipeline - stage, micros)
    activations = waiting * stage_numbers(config, shard, here, tokens, recompute=layout.recompute)
    if layout.recompute:
        activations += tokens * block_numbers(config, shard)
    classes = shard.vocabulary_size if here.last and HEADS[config.head].scores_tokens else 0
    # A pipeline stage lets go of scores and of their gradient; without a pipeline (ZeRO 2 and 3) they stay to the end.
    logits = tokens * classes * (3 if layout.zero >= 2 else 1)
    states = _states(cut_arrays(here.arrays(), 0, layout.tensor), layout, micros)
    block = (3 if config.gated else 2) * shard.feed_forward_width + 5 * config.width
    working = tokens * max(block, classes + config.width)  # in the backward of a block, or of the head
    working += 0 if here.last else waiting * tokens * config.width  # on their way to the next stage
    return Held(*(NUMBER * int(count) for count in (*states, activations, logits, working)))


def block_numbers(config: TransformerConfig, shard: TransformerConfig) -> float:
    """What one block keeps for each token: two norms with their answers, 4 C; queries, keys, values and what the heads
    answered; the weights of the keys that are seen; the hidden units, several times over.

    shard: the configuration of this tensor-parallel rank, which has some of the heads and hidden units.
    """
    queries, keys = shard.heads * shard.head_width, shard.key_value_heads * shard.head_width
    activation = ACTIVATIONS[config.activation]
    hidden = activation.kept
    if config.gated:  # up and the product; and gate, which lies beside up
        hidden += 2 if activation.keeps_input else 3
    kept = shard.heads * config.context**2 <= KEPT  # more of them are computed again, in tiles
    weights = shard.heads * mean_seen(config.context) if kept else queries + shard.heads  # the answers, log-sum-exp
    return 4 * config.width + 2 + 2 * queries + 2 * keys + weights + hidden * shard.feed_forward_width


def stage_numbers(
    config: TransformerConfig, shard: TransformerConfig, stage: Transformer, tokens: int, *, recompute: bool
) -> float:
    """What the forward of one micro-batch leaves behind on a pipeline stage."""
    block = config.width if recompute else block_numbers(config, shard)
    return tokens * (len(stage.layers) * block + (2 * config.width if stage.last else 0))


def mean_seen(context: int) -> float:
    """How many keys a query's weights are kept for, on average: those before it, rounded up to a piece of queries."""
    return float(np.mean(np.minimum(context, (np.arange(context) // QUERIES + 1) * QUERIES)))


def held(*things: Any) -> int:
    """Bytes of all arrays inside nested tuples, lists, dictionaries and `Params`; what is in two places counts once."""
    found: dict[int, int] = {}
    waiting = list(things)
    while waiting:
        thing = waiting.pop()
        if isinstance(thing, Params):
            waiting.append(thing.flat)
        elif isinstance(thing, np.ndarray):
            while isinstance(thing.base, np.ndarray):
                thing = thing.base
            found[id(thing)] = thing.nbytes
        elif isinstance(thing, (tuple, list)):
            waiting += thing
        elif isinstance(thing, dict):
            waiting += thing.values()
    return sum(found.values())


def _shard(config: TransformerConfig, ranks: int) -> TransformerConfig:
    """The sizes of the first of the tensor-parallel ranks' parts."""
    return replace(
        config,
        heads=config.heads // ranks,
        key_value_heads=config.key_value_heads // ranks,
        feed_forward_width=len(part(config.feed_forward_width, 0, ranks)),
        vocabulary_size=len(part(config.vocabulary_size, 0, ranks)),
        padding=None,
    )


def _states(arrays: Arrays, layout: Layout, micros: int) -> tuple[int, int, int]:
    """Numbers of parameters, gradients and optimizer states. A slice is a replica's share; what is gathered or summed
    at the moment, the rest and one block, comes on top."""
    sizes: Counter[str] = Counter()
    for record in arrays.values():
        sizes[record.block] += math.prod(record.shape)
    total = sizes.total()
    share = -(-total // layout.data)
    open_ = sizes.pop("", 0) + max(sizes.values())
    parameters = share + open_ if layout.zero == 3 else total
    gradients = share + open_ if layout.zero >= 2 else total * min(2, micros)  # a micro-batch's, and the sum of all
    return parameters, gradients, MOMENTS * (share if layout.zero else total)
