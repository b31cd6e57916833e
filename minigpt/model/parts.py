"""Operations tied to parameters by name: read arrays from `params`, write their gradients into `grads`."""

from typing import Any

import numpy as np

from minigpt.ops import (
    draw_dropout_mask,
    dropout_forward,
    layer_norm_backward,
    layer_norm_forward,
    linear_backward,
    linear_forward,
    rms_norm_backward,
    rms_norm_forward,
)

Shapes = dict[str, tuple[int, ...]]


def linear_shapes(name: str, inputs: int, outputs: int, bias: bool) -> Shapes:
    """The arrays of a linear layer."""
    shapes: Shapes = {f"{name}.weight": (inputs, outputs)}
    return {**shapes, f"{name}.bias": (outputs,)} if bias else shapes


def apply_linear(params, name: str, x):
    """The linear layer called `name` on x: (..., C). Returns y: (..., F) and its cache."""
    return linear_forward(x, params[f"{name}.weight"], params.get(f"{name}.bias"))


def back_linear(grads, name: str, dy, cache):
    """Gradient of x; those of the weight and bias go into `grads`."""
    return linear_backward(dy, cache, out=(grads[f"{name}.weight"], grads.get(f"{name}.bias")))[0]


def apply_row_linear(params, name: str, x, call):
    """`apply_linear` where tensor-parallel ranks hold some rows each: their sum is y, and the bias is added once."""
    if call.comm is None:
        return apply_linear(params, name, x)
    y, cache = linear_forward(x, params[f"{name}.weight"])
    y, bias = sum_over_ranks(y, call), params.get(f"{name}.bias")
    if bias is not None:
        y += bias
    return y, cache._replace(has_bias=bias is not None)


def sum_over_ranks(x: np.ndarray, call) -> np.ndarray:
    """The sum of the tensor-parallel ranks' x; x itself when there is only one.

    Shoeybi et al. (2019), arXiv:1909.08053, section 3, call it g in the forward (its backward is the identity) and,
    where it closes the backward of a column-parallel layer, f.
    """
    if call.comm is None:
        return x
    total = np.empty(x.shape, x.dtype)
    call.comm.Allreduce(np.ascontiguousarray(x), total)
    return total


def norm_shapes(name: str, config) -> Shapes:
    """The arrays of a normalization."""
    shapes: Shapes = {f"{name}.gain": (config.width,)}
    return {**shapes, f"{name}.bias": (config.width,)} if config.norm == "layer" and config.bias else shapes


def apply_norm(params, name: str, config, x):
    """The normalization called `name` on x: (..., C). Returns y: (..., C) and its cache."""
    if config.norm == "rms":
        return rms_norm_forward(x, params[f"{name}.gain"], epsilon=config.norm_epsilon)
    return layer_norm_forward(x, params[f"{name}.gain"], params.get(f"{name}.bias"), epsilon=config.norm_epsilon)


def back_norm(grads, name: str, config, dy, cache):
    """Gradient of x; those of the gain and bias go into `grads`."""
    if config.norm == "rms":
        dx, grads[f"{name}.gain"] = rms_norm_backward(dy, cache)
        return dx
    dx, grads[f"{name}.gain"], *dbias = layer_norm_backward(dy, cache)
    if dbias:
        grads[f"{name}.bias"] = dbias[0]
    return dx


def apply_dropout(config, x, call) -> tuple[np.ndarray, Any]:
    """Dropout at the configuration's rate when `call` has a generator; otherwise x itself."""
    return dropout_forward(x, mask=draw_dropout_mask(call.rng, x.shape, config.dropout), rate=config.dropout)
