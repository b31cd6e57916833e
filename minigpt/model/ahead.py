"""What an encoder made, ahead of a decoder's tokens: a prefix of vectors that all of them see, as if it were read.

Tsimpoukelli et al. (2021), "Multimodal Few-Shot Learning with Frozen Language Models", arXiv:2106.13884; one
linear layer, the projector, takes the encoder's width to the decoder's (Liu et al. 2023, "Visual Instruction Tuning",
arXiv:2304.08485). As every vector of an image may see every other, they are a prefix in the sense of `Batch.prefix`.
"""

from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.model.arrays import Arrays, linear_arrays
from minigpt.model.call import Batch, Call
from minigpt.model.config import TransformerConfig
from minigpt.model.params import Gradients, Weights
from minigpt.model.parts import apply_linear, back_linear

PROJECTOR = "projector"


def ahead_arrays(config: TransformerConfig) -> Arrays:
    """The projector's arrays, from the encoder's width to the decoder's."""
    return linear_arrays(PROJECTOR, config.encoder.width, config.width, bias=True, std=config.init_std)


def ahead_forward(params: Weights, memory: np.ndarray, call: Call) -> tuple[np.ndarray, Any]:
    """memory: (B, M, C'), what the encoder made. Returns what stands before the tokens, (B, M, C), and the cache."""
    return apply_linear(params, PROJECTOR, memory, call)


def ahead_backward(grads: Gradients, dahead: np.ndarray, cache: Any) -> np.ndarray:
    """Write the projector's gradients; return that of the memory: (B, M, C')."""
    return back_linear(grads, PROJECTOR, dahead, cache)


def counted_ahead(batch: Batch, memory: np.ndarray) -> Batch:
    """What the batch says of positions, said of those with `memory`, (B, M, C), before its tokens."""
    rows, count = memory.shape[:2]
    before = np.zeros(rows, np.int64) if batch.prefix is None else batch.prefix
    if np.shape(before) != (rows,):
        raise UserError(f"prefix has shape {np.shape(before)}, not ({rows},); one length a row")
    present = None
    if batch.present is not None or batch.source_present is not None:
        seen = np.ones((rows, count), bool) if batch.source_present is None else batch.source_present
        tokens = np.ones(batch.tokens.shape, bool) if batch.present is None else batch.present
        present = np.concatenate([seen, tokens], axis=1)
    return batch._replace(prefix=before + count, present=present, source=None, source_present=None)
