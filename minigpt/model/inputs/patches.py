"""Patches: an image cut into squares, each its pixels in a row, (B, N, P), through one linear layer.

Dosovitskiy et al. (2021), "An Image is Worth 16x16 Words", arXiv:2010.11929, eq. 1. The same numbers come from a
convolution whose stride is its kernel, as in `minigpt.model.inputs.images`, which takes images that nobody has cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minigpt.errors import UserError, described
from minigpt.model.arrays import Arrays, linear_arrays
from minigpt.model.call import Call
from minigpt.model.inputs.class_token import back_class_token, class_token_arrays, put_class_token
from minigpt.model.params import Gradients, Weights
from minigpt.model.parts import apply_linear, back_linear

if TYPE_CHECKING:
    from minigpt.model.config import TransformerConfig


class PatchesCache(NamedTuple):
    linear: Any


def arrays(prefix: str, config: TransformerConfig) -> Arrays:
    """The layer from P pixels to C, and the class token, (1, C), if there is one."""
    assert config.input_width is not None, "a configuration that reads patches has it"
    name = f"{prefix}patch_embedding"
    found = linear_arrays(name, config.input_width, config.width, bias=config.bias, std=config.init_std)
    return found | class_token_arrays(prefix, config)


def forward(
    params: Weights, prefix: str, config: TransformerConfig, patches: np.ndarray, call: Call
) -> tuple[np.ndarray, PatchesCache]:
    """patches: (B, N, P) numbers. Returns (B, N, C), or (B, N + 1, C) with the class token first, and the cache."""
    weight = params[f"{prefix}patch_embedding.weight"]
    x = numbers("patches", patches, config, weight.dtype)
    x, cache = apply_linear(params, f"{prefix}patch_embedding", x, call)
    return put_class_token(params, prefix, config, x), PatchesCache(cache)


def backward(grads: Gradients, prefix: str, config: TransformerConfig, dx: np.ndarray, cache: PatchesCache) -> None:
    """Write the gradients of the layer and of the class token, which every image used."""
    dx = back_class_token(grads, prefix, config, dx)
    back_linear(grads, f"{prefix}patch_embedding", dx, cache.linear)


def length(config: TransformerConfig, patches: np.ndarray) -> int:
    """A vector for each patch, and the class token's."""
    return patches.shape[1] + config.class_token


def numbers(what: str, inputs: Any, config: TransformerConfig, dtype: Any) -> np.ndarray:
    """The inputs in the precision of the weights. `UserError` unless they are floating-point numbers, (B, any, P)."""
    width = config.input_width
    if not (isinstance(inputs, np.ndarray) and inputs.dtype.kind == "f" and inputs.shape[2:] == (width,)):
        raise UserError(f"{what} must be floating-point numbers of shape (B, any, {width}), not {described(inputs)}")
    return inputs.astype(dtype, copy=False)
