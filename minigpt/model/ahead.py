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
from minigpt.model.inputs.images import grid_of
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


def areas_forward(config: TransformerConfig, memory: np.ndarray) -> np.ndarray:
    """memory: (B, N, C') of an image's patches. Returns the means of its areas, (B, A * A, C'), row after row.

    Few vectors are compared with a word sooner than many, each of which tells little. Without `encoder_areas` the same
    is returned.
    """
    if config.encoder_areas is None:
        return memory
    areas = memory.reshape(len(memory), *_areas(config), -1)  # (B, A, Y, A, X, C')
    return areas.mean(axis=(2, 4)).reshape(len(memory), config.encoder_areas**2, -1)


def areas_backward(config: TransformerConfig, dmeans: np.ndarray) -> np.ndarray:
    """Gradient of the memory, (B, N, C'): of a mean of n vectors each gets 1 / n. dmeans: (B, A * A, C')."""
    if config.encoder_areas is None:
        return dmeans
    count, rows, _, columns = _areas(config)
    shares = dmeans.reshape(len(dmeans), count, 1, count, 1, -1) / (rows * columns)
    areas = np.broadcast_to(shares, (len(dmeans), count, rows, count, columns, dmeans.shape[-1]))
    return areas.reshape(len(dmeans), -1, dmeans.shape[-1])


def _areas(config: TransformerConfig) -> tuple[int, int, int, int]:
    """A, Y, A, X: areas below each other, rows of patches in each, and the same of columns."""
    rows, columns = grid_of(config.encoder)
    assert config.encoder_areas is not None, "asked before"
    return config.encoder_areas, rows // config.encoder_areas, config.encoder_areas, columns // config.encoder_areas


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
