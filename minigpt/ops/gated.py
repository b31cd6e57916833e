"""Gated activation: one projection decides, through an activation, how much of another passes.

Dauphin et al. (2016), arXiv:1612.08083; Shazeer (2020), "GLU Variants Improve Transformer", arXiv:2002.05202:
ReGLU, GEGLU and SwiGLU are this with ReLU, GELU and SiLU.
"""

from typing import Any, NamedTuple

import numpy as np

from minigpt.ops.activations import activation


class GatedCache(NamedTuple):
    up: np.ndarray  # (..., F)
    activated: np.ndarray  # (..., F)  activation(gate)
    activation_cache: Any
    name: str


def gated_forward(gate: np.ndarray, up: np.ndarray, *, name: str = "silu") -> tuple[np.ndarray, GatedCache]:
    """y = activation(gate) * up.

    gate, up: (..., F); name: of one of `ACTIVATIONS`.
    Returns y: (..., F) and the cache for `gated_backward`.
    """
    forward, _ = activation(name)
    activated, cache = forward(gate)
    return activated * up, GatedCache(up, activated, cache, name)


def gated_backward(dy: np.ndarray, cache: GatedCache) -> tuple[np.ndarray, np.ndarray]:
    """Gradients of gate and up: (..., F), (..., F). The product rule: each factor's gradient is dy times the other."""
    up, activated, activation_cache, name = cache
    _, backward = activation(name)
    return backward(dy * up, activation_cache), dy * activated
