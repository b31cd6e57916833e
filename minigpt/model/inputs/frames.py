"""Frames: a spectrogram, (B, F, M) with M mel bands in each frame, through two convolutions; the second halves F.

Radford et al. (2022), "Robust Speech Recognition via Large-Scale Weak Supervision" (Whisper), arXiv:2212.04356,
section 2.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.model.arrays import BIAS, MATRIX, ArrayRecord, Arrays
from minigpt.model.call import Call
from minigpt.model.inputs.patches import numbers
from minigpt.model.params import Gradients, Weights
from minigpt.ops import convolution_1d_backward, convolution_1d_forward, gelu_backward, gelu_forward

KERNEL = 3
STRIDES = {"convolution_1": 1, "convolution_2": 2}

if TYPE_CHECKING:
    from minigpt.model.config import TransformerConfig


class FramesCache(NamedTuple):
    layers: list[tuple[str, Any, Any]]  # name, cache of the convolution, of the activation


def arrays(prefix: str, config: TransformerConfig) -> Arrays:
    """Two kernels, (C, M, 3) and (C, C, 3), and their biases."""
    assert config.input_width is not None, "a configuration that reads frames has it"
    found, channels = {}, config.input_width
    for layer in STRIDES:
        shape = (config.width, channels, KERNEL)
        found[f"{prefix}{layer}.weight"] = ArrayRecord(shape, MATRIX, std=config.init_std)
        found[f"{prefix}{layer}.bias"] = ArrayRecord((config.width,), BIAS)
        channels = config.width
    return found


def forward(
    params: Weights, prefix: str, config: TransformerConfig, frames: np.ndarray, _call: Call
) -> tuple[np.ndarray, FramesCache]:
    """frames: (B, F, M) numbers. Returns (B, ceil(F / 2), C) and the cache."""
    weight = params[f"{prefix}{next(iter(STRIDES))}.weight"]
    x, layers = numbers("frames", frames, config, weight.dtype), []  # (B, F, M)
    if x.shape[1] == 0:
        raise UserError("there are no frames to listen to; give at least one")
    for layer, stride in STRIDES.items():
        name = f"{prefix}{layer}"
        kernel, bias = params[f"{name}.weight"], params[f"{name}.bias"]
        y, cache = convolution_1d_forward(x.swapaxes(1, 2), kernel, bias, stride=stride, padding=1)  # (B, C, F)
        x, activation_cache = gelu_forward(y.swapaxes(1, 2))  # as it lies in memory
        layers.append((name, cache, activation_cache))
    return x, FramesCache(layers)


def backward(grads: Gradients, _prefix: str, _config: TransformerConfig, dx: np.ndarray, cache: FramesCache) -> None:
    """Write the gradients of both convolutions."""
    for name, convolution_cache, activation_cache in reversed(cache.layers):
        dy = gelu_backward(dx, activation_cache).swapaxes(1, 2)  # (B, C, F)
        dx, dweight, dbias = convolution_1d_backward(dy, convolution_cache)
        dx = dx.swapaxes(1, 2)
        for array, gradient in ((f"{name}.weight", dweight), (f"{name}.bias", dbias)):
            if array in grads:
                grads[array] = gradient


def length(_config: TransformerConfig, frames: np.ndarray) -> int:
    """A vector for every two frames."""
    return -(-frames.shape[1] // STRIDES["convolution_2"])
