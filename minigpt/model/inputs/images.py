"""Images: pixels, (B, Z, Y, X) with Z channels, through one convolution whose stride is its kernel, the patch.

Dosovitskiy et al. (2021), "An Image is Worth 16x16 Words", arXiv:2010.11929, section 3.1. Every patch becomes a vector,
row after row as one reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minigpt.errors import UserError, described
from minigpt.model.arrays import BIAS, MATRIX, ArrayRecord, Arrays
from minigpt.model.call import Call
from minigpt.model.inputs.class_token import back_class_token, class_token_arrays, put_class_token
from minigpt.model.params import Gradients, Weights
from minigpt.ops import convolution_2d_backward, convolution_2d_forward

if TYPE_CHECKING:
    from minigpt.model.config import TransformerConfig


class ImagesCache(NamedTuple):
    convolution: Any
    grid: tuple[int, int]  # Y', X'  patches below and beside each other


def arrays(prefix: str, config: TransformerConfig) -> Arrays:
    """The kernel, (C, Z, K, L), its bias, and the class token, (1, C), if there is one."""
    shape = (config.width, config.image[0], *config.patch)
    found = {f"{prefix}patch_embedding.weight": ArrayRecord(shape, MATRIX, std=config.init_std)}
    if config.bias:
        found[f"{prefix}patch_embedding.bias"] = ArrayRecord((config.width,), BIAS)
    return found | class_token_arrays(prefix, config)


def forward(
    params: Weights, prefix: str, config: TransformerConfig, images: np.ndarray, _call: Call
) -> tuple[np.ndarray, ImagesCache]:
    """images: (B, Z, Y, X) numbers. Returns (B, N, C), or (B, N + 1, C) with the class token first, and the cache."""
    weight, bias = (params.get(f"{prefix}patch_embedding.{kind}") for kind in ("weight", "bias"))
    x = _pixels(images, config).astype(weight.dtype, copy=False)
    x, cache = convolution_2d_forward(x, weight, bias, stride=config.patch)  # (B, C, Y', X')
    grid = x.shape[2:]
    x = np.moveaxis(x, 1, -1).reshape(len(x), -1, config.width)  # (B, N, C)
    return put_class_token(params, prefix, config, x), ImagesCache(cache, grid)


def backward(grads: Gradients, prefix: str, config: TransformerConfig, dx: np.ndarray, cache: ImagesCache) -> None:
    """Write the gradients of the kernel, its bias and the class token. The pixels learn nothing."""
    dx = back_class_token(grads, prefix, config, dx)
    names = [f"{prefix}patch_embedding.{kind}" for kind in ("weight", "bias")]
    if not any(name in grads for name in names):
        return
    dy = np.moveaxis(dx.reshape(len(dx), *cache.grid, config.width), -1, 1)  # (B, C, Y', X')
    _, *gradients = convolution_2d_backward(dy, cache.convolution, need_dx=False)
    for name, gradient in zip(names, gradients, strict=False):
        if name in grads:
            grads[name] = gradient


def length(config: TransformerConfig, _images: np.ndarray) -> int:
    """A vector for each patch, and the class token's."""
    return patches_of(config) + config.class_token


def patches_of(config: TransformerConfig) -> int:
    """N, how many patches an image is cut into. What is left at its right and lower edge is in none."""
    rows, columns = grid_of(config)
    return rows * columns


def grid_of(config: TransformerConfig) -> tuple[int, int]:
    """Y', X': so many patches below each other, so many in a row."""
    _, height, width = config.image
    return height // config.patch[0], width // config.patch[1]


def check_areas(config: TransformerConfig) -> None:
    """`UserError` if the vectors of an image cannot be averaged in the areas that `encoder_areas` says."""
    areas, eye = config.encoder_areas, config.encoder
    if areas is None:
        return
    if not config.encoder_ahead or eye.input != "images" or eye.class_token:
        raise UserError("encoder_areas is for an image ahead of a text, without a class token; leave it out")
    rows, columns = grid_of(eye)
    if rows % areas or columns % areas:
        raise UserError(f"{rows} x {columns} patches have no {areas} equal areas a side; choose another number")


def check_sizes(config: TransformerConfig) -> None:
    """`UserError` for sizes of images and patches that do not fit each other, the context, or the kind of input."""
    if config.input != "images":
        if (config.image, config.patch) != (None, None):
            raise UserError(f"image and patch are sizes of images, but the model reads {config.input}; leave them out")
        if config.position == "sinusoidal_2d":
            raise UserError(f"sinusoidal_2d positions are places in an image; {config.input} have none")
        return
    if config.image is None or config.patch is None:
        raise UserError(
            f"a model of images needs their size and that of patches, but image is {config.image} and patch "
            f"{config.patch}; give both"
        )
    rows, columns = grid_of(config)
    if not rows * columns:
        raise UserError(f"patches {config.patch} do not fit into an image {config.image[1:]}; choose smaller ones")
    positions = rows * columns + config.class_token
    if config.context != positions:
        raise UserError(
            f"{rows} x {columns} patches{' and a class token' * config.class_token} are {positions} positions, but the "
            f"context is {config.context}; make it {positions}"
        )
    if config.position == "sinusoidal_2d" and config.width % 4:
        raise UserError(f"sinusoidal_2d positions need a width that 4 divides, not {config.width}")


def _pixels(images: Any, config: TransformerConfig) -> np.ndarray:
    """`UserError` unless they are floating-point numbers, (B, Z, Y, X), of the size that the model was made for."""
    if not (isinstance(images, np.ndarray) and images.dtype.kind == "f" and images.shape[1:] == config.image):
        size = ", ".join(map(str, config.image))
        raise UserError(f"images must be floating-point numbers of shape (B, {size}), not {described(images)}")
    return images
