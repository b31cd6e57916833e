"""Operations tied to parameters by name: read arrays from `params`, write their gradients into `grads`.

An array that is absent from `grads` is frozen: no gradient is made for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.model.arrays import BIAS, ArrayRecord, Arrays, gain_array, side_by_side
from minigpt.model.call import Call
from minigpt.model.params import Gradients, Weights
from minigpt.ops import (
    draw_dropout_mask,
    dropout_backward,
    dropout_forward,
    layer_norm_backward,
    layer_norm_forward,
    linear_backward,
    linear_forward,
    low_rank_backward,
    low_rank_forward,
    rms_norm_backward,
    rms_norm_forward,
    weight_gradient,
)

if TYPE_CHECKING:
    from minigpt.model.config import TransformerConfig


class AdapterCache(NamedTuple):
    dropout: Any
    product: Any


class AdaptedCache(NamedTuple):
    """Of a linear layer with a low-rank adapter beside it."""

    linear: Any
    adapter: AdapterCache


class TogetherCache(NamedTuple):
    """Of linear layers whose matrices lie side by side: one product."""

    linear: Any
    columns: list[slice]  # which outputs are whose
    biased: list[bool]  # which have a bias
    adapters: list[AdapterCache | None]  # of each

    def apart(self) -> list[Any]:
        """The cache of each layer, as if it had made a product of its own."""
        x, weight, _ = self.linear
        alone = zip(self.columns, self.biased, strict=True)
        linears = [type(self.linear)(x, weight[:, columns], biased) for columns, biased in alone]
        pairs = zip(linears, self.adapters, strict=True)
        return [linear if adapter is None else AdaptedCache(linear, adapter) for linear, adapter in pairs]


def apply_linear(params: Weights, name: str, x: np.ndarray, call: Call) -> tuple[np.ndarray, Any]:
    """The linear layer called `name` on x: (..., C). Returns y: (..., F) and its cache.

    An adapter, where there is one, adds x @ down @ up (Hu et al. 2021, arXiv:2106.09685, eq. 3; their factor alpha / r
    is part of `up` here). While training, dropout may lie on the adapter's x alone (see `Overlay`).
    """
    y, cache = linear_forward(x, params[f"{name}.weight"], params.get(f"{name}.bias"))
    if f"{name}.adapter.down" not in params:
        return y, cache
    y, adapter_cache = _adapt(params, name, x, y, call)
    return y, AdaptedCache(cache, adapter_cache)


def back_linear(grads: Gradients, name: str, dy: np.ndarray, cache: Any) -> np.ndarray:
    """Gradient of x; those of the weight and bias go into `grads`."""
    if isinstance(cache, AdaptedCache):
        return back_linear(grads, name, dy, cache.linear) + _back_adapter(grads, name, dy, cache.adapter)
    out = grads.get(f"{name}.weight"), grads.get(f"{name}.bias")
    return linear_backward(dy, cache, out=out, trained=(out[0] is not None, out[1] is not None))[0]


def apply_linears(
    params: Weights, name: str, layers: tuple[str, ...], x: np.ndarray, call: Call
) -> tuple[list[np.ndarray], Any]:
    """Linear layers of one input x: (..., C), called NAME.LAYER. Returns a list of their y: (..., F), and the cache.

    Where their matrices lie side by side one product serves them all; where only some have a bias, each adds its own.
    """
    beside = side_by_side(name, layers)
    weights, biases = params.together(f"{beside}.weight"), params.together(f"{beside}.bias")
    if weights is None:
        apart = [apply_linear(params, f"{name}.{layer}", x, call) for layer in layers]
        return [y for y, _ in apart], [cache for _, cache in apart]
    y, linear_cache = linear_forward(x, weights.matrix, None if biases is None else biases.matrix)
    answers = [y[..., columns] for columns in weights.columns]
    biased = [f"{name}.{layer}.bias" in params for layer in layers]
    for answer, layer, has_bias in zip(answers, layers, biased, strict=True):
        if has_bias and biases is None:
            answer += params[f"{name}.{layer}.bias"]
    adapters: list[AdapterCache | None] = [None] * len(layers)
    for number, layer in enumerate(layers):
        if f"{name}.{layer}.adapter.down" in params:
            answers[number], adapters[number] = _adapt(params, f"{name}.{layer}", x, answers[number], call)
    return answers, TogetherCache(linear_cache, weights.columns, biased, adapters)


def back_linears(
    grads: Gradients, name: str, layers: tuple[str, ...], dys: list[np.ndarray] | np.ndarray, cache: Any
) -> np.ndarray:
    """Gradient of x.

    dys: a list of the gradients of each layer's y, which need a product each; or one array in which they lie side by
    side, (..., sum of F), which needs one. To put a list together costs more memory and time than it saves.
    """
    if isinstance(dys, list) or not isinstance(cache, TogetherCache):
        return _back_apart(grads, name, layers, dys, cache if isinstance(cache, list) else cache.apart())
    beside = side_by_side(name, layers)
    weights, biases = grads.together(f"{beside}.weight"), grads.together(f"{beside}.bias")
    out = weights and weights.matrix, biases and biases.matrix
    dx = linear_backward(dys, cache.linear, out=out, trained=(weights is not None, biases is not None))[0]
    pieces = zip(layers, cache.columns, cache.biased, cache.adapters, strict=True)
    for layer, columns, has_bias, adapter in pieces:
        if weights is None and f"{name}.{layer}.weight" in grads:  # some of them learn, some are frozen
            weight_gradient(cache.linear.x, dys[..., columns], out=grads[f"{name}.{layer}.weight"])
        if biases is None and has_bias and f"{name}.{layer}.bias" in grads:
            mine = dys[..., columns]
            grads[f"{name}.{layer}.bias"] = mine.reshape(-1, mine.shape[-1]).sum(axis=0)
        if adapter is not None:
            dx += _back_adapter(grads, f"{name}.{layer}", dys[..., columns], adapter)
    return dx


def apply_row_linear(params: Weights, name: str, x: np.ndarray, call: Call) -> tuple[np.ndarray, Any]:
    """`apply_linear` where tensor-parallel ranks hold some rows each: their sum is y, and the bias is added once."""
    if call.comm is None:
        return apply_linear(params, name, x, call)
    y, cache = linear_forward(x, params[f"{name}.weight"])
    adapter_cache, bias = None, params.get(f"{name}.bias")
    if f"{name}.adapter.down" in params:
        y, adapter_cache = _adapt(params, name, x, y, call)
    y = sum_over_ranks(y, call)
    if bias is not None:
        y += bias
        cache = cache._replace(has_bias=True)
    return y, cache if adapter_cache is None else AdaptedCache(cache, adapter_cache)


def sum_over_ranks(x: np.ndarray, call: Call) -> np.ndarray:
    """The sum of the tensor-parallel ranks' x; x itself when there is only one.

    Shoeybi et al. (2019), arXiv:1909.08053, section 3, call it g in the forward (its backward is the identity) and,
    where it closes the backward of a column-parallel layer, f.
    """
    if call.comm is None:
        return x
    total = np.empty(x.shape, x.dtype)
    call.comm.Allreduce(np.ascontiguousarray(x), total)
    return total


def norm_arrays(name: str, config: TransformerConfig) -> Arrays:
    """The arrays of a normalization."""
    arrays = {f"{name}.gain": gain_array(config.width)}
    if config.norm == "layer" and config.bias:
        arrays[f"{name}.bias"] = ArrayRecord((config.width,), BIAS)
    return arrays


def apply_norm(params: Weights, name: str, config: TransformerConfig, x: np.ndarray) -> tuple[np.ndarray, Any]:
    """The normalization called `name` on x: (..., C). Returns y: (..., C) and its cache."""
    if config.norm == "rms":
        return rms_norm_forward(x, params[f"{name}.gain"], epsilon=config.norm_epsilon)
    return layer_norm_forward(x, params[f"{name}.gain"], params.get(f"{name}.bias"), epsilon=config.norm_epsilon)


def back_norm(grads: Gradients, name: str, config: TransformerConfig, dy: np.ndarray, cache: Any) -> np.ndarray:
    """Gradient of x; those of the gain and bias go into `grads`."""
    dx, dgain, *dbias = (rms_norm_backward if config.norm == "rms" else layer_norm_backward)(dy, cache)
    if f"{name}.gain" in grads:
        grads[f"{name}.gain"] = dgain
    if dbias and f"{name}.bias" in grads:
        grads[f"{name}.bias"] = dbias[0]
    return dx


def apply_dropout(config: TransformerConfig, x: np.ndarray, call: Call) -> tuple[np.ndarray, Any]:
    """Dropout at the configuration's rate when `call` has a generator; otherwise x itself."""
    mask = None if call.rng is None else draw_dropout_mask(call.rng, x.shape, config.dropout)
    return dropout_forward(x, mask=mask, rate=config.dropout)


def _back_apart(
    grads: Gradients, name: str, layers: tuple[str, ...], dys: list[np.ndarray] | np.ndarray, caches: list[Any]
) -> np.ndarray:
    """`back_linears` with a product for each layer."""
    if not isinstance(dys, list):
        widths = [_linear_of(cache).weight.shape[1] for cache in caches]
        dys = np.split(dys, np.cumsum(widths)[:-1], axis=-1)
    dx = back_linear(grads, f"{name}.{layers[0]}", dys[0], caches[0])
    for layer, dy, cache in zip(layers[1:], dys[1:], caches[1:], strict=True):
        dx += back_linear(grads, f"{name}.{layer}", dy, cache)
    return dx


def _adapt(params: Weights, name: str, x: np.ndarray, y: np.ndarray, call: Call) -> tuple[np.ndarray, AdapterCache]:
    """y, to which the layer's adapter has added its part, and the adapter's cache."""
    rate = getattr(params, "adapter_dropout", 0.0)  # an `Overlay` has one
    mask = draw_dropout_mask(call.rng, x.shape, rate)
    if mask is not None and call.comm is not None:
        raise UserError("tensor-parallel ranks would draw different masks; train adapters there without dropout")
    x, dropout_cache = dropout_forward(x, mask=mask, rate=rate)
    part, product_cache = low_rank_forward(x, params[f"{name}.adapter.down"], params[f"{name}.adapter.up"], scale=1.0)
    y += part
    return y, AdapterCache(dropout_cache, product_cache)


def _back_adapter(grads: Gradients, name: str, dy: np.ndarray, cache: AdapterCache) -> np.ndarray:
    dx, ddown, dup = low_rank_backward(dy, cache.product)
    dx = dropout_backward(dx, cache.dropout)
    for last, gradient in (("down", ddown), ("up", dup)):
        if f"{name}.adapter.{last}" in grads:
            grads[f"{name}.adapter.{last}"] = gradient
    return dx


def _linear_of(cache: Any) -> Any:
    return cache.linear if isinstance(cache, AdaptedCache) else cache
