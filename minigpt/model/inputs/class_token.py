"""The class token: a learnt vector before the patches of every image, in which the model gathers what it will answer.

Dosovitskiy et al. (2021), arXiv:2010.11929, section 3.1, after BERT's first token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from minigpt.model.arrays import Arrays, embedding_array
from minigpt.model.params import Gradients, Weights

if TYPE_CHECKING:
    from minigpt.model.config import TransformerConfig


def class_token_arrays(prefix: str, config: TransformerConfig) -> Arrays:
    """The vector, (1, C), if there is one."""
    return {f"{prefix}class_token": embedding_array(1, config.width, std=config.init_std)} if config.class_token else {}


def put_class_token(params: Weights, prefix: str, config: TransformerConfig, x: np.ndarray) -> np.ndarray:
    """x: (B, N, C). Returns (B, N + 1, C), the class token first; x itself if there is none."""
    if not config.class_token:
        return x
    token = np.broadcast_to(params[f"{prefix}class_token"], (len(x), 1, config.width))
    return np.concatenate([token, x], axis=1)


def back_class_token(grads: Gradients, prefix: str, config: TransformerConfig, dx: np.ndarray) -> np.ndarray:
    """Write the class token's gradient, which every image used; return that of the patches: (B, N, C)."""
    if not config.class_token:
        return dx
    if f"{prefix}class_token" in grads:
        grads[f"{prefix}class_token"] = dx[:, :1].sum(axis=0)
    return dx[:, 1:]
