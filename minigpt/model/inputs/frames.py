"""Frames: a spectrogram, (B, F, M) with M mel bands in each frame, through two convolutions; the second halves F.

Radford et al. (2022), "Robust Speech Recognition via Large-Scale Weak Supervision" (Whisper), arXiv:2212.04356,
section 2.2.
"""

from typing import Any, NamedTuple

from minigpt.errors import UserError
from minigpt.model.arrays import BIAS, MATRIX, ArrayRecord, Arrays
from minigpt.model.inputs.patches import numbers
from minigpt.ops import convolution_1d_backward, convolution_1d_forward, gelu_backward, gelu_forward

KERNEL = 3
STRIDES = {"convolution_1": 1, "convolution_2": 2}


class FramesCache(NamedTuple):
    layers: list[tuple[str, Any, Any]]  # name, cache of the convolution, of the activation


def arrays(prefix: str, config) -> Arrays:
    """Two kernels, (C, M, 3) and (C, C, 3), and their biases."""
    found, channels = {}, config.input_width
    for layer in STRIDES:
        shape = (config.width, channels, KERNEL)
        found[f"{prefix}{layer}.weight"] = ArrayRecord(shape, MATRIX, std=config.init_std)
        found[f"{prefix}{layer}.bias"] = ArrayRecord((config.width,), BIAS)
        channels = config.width
    return found


def forward(params, prefix: str, config, frames, _call):
    """frames: (B, F, M) numbers. Returns (B, ceil(F / 2), C) and the cache."""
    weight = params[f"{prefix}{next(iter(STRIDES))}.weight"]
    x, layers = numbers("frames", frames, config, weight.dtype).swapaxes(1, 2), []  # (B, M, F)
    if x.shape[2] == 0:
        raise UserError("there are no frames to listen to; give at least one")
    for layer, stride in STRIDES.items():
        name = f"{prefix}{layer}"
        x, cache = convolution_1d_forward(x, params[f"{name}.weight"], params[f"{name}.bias"], stride=stride, padding=1)
        x, activation_cache = gelu_forward(x)
        layers.append((name, cache, activation_cache))
    return x.swapaxes(1, 2), FramesCache(layers)


def backward(grads, _prefix: str, _config, dx, cache: FramesCache) -> None:
    """Write the gradients of both convolutions."""
    dx = dx.swapaxes(1, 2)
    for name, convolution_cache, activation_cache in reversed(cache.layers):
        dx, dweight, dbias = convolution_1d_backward(gelu_backward(dx, activation_cache), convolution_cache)
        for array, gradient in ((f"{name}.weight", dweight), (f"{name}.bias", dbias)):
            if array in grads:
                grads[array] = gradient


def length(_config, frames) -> int:
    """A vector for every two frames."""
    return -(-frames.shape[1] // STRIDES["convolution_2"])
