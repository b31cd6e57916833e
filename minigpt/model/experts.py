"""A mixture of experts: many feed-forward networks, of which each token uses a few.

The parameters grow with the number of experts, the work for a token only with how many of them it uses: so "a trillion
parameters" may mean all, or the active ones. References in `minigpt.ops.experts`.
"""

from typing import Any, NamedTuple

import numpy as np

from minigpt.model.arrays import Arrays, linear_arrays
from minigpt.model.call import Call
from minigpt.model.config import TransformerConfig
from minigpt.model.feed_forward import feed_forward_arrays, feed_forward_backward, feed_forward_forward
from minigpt.model.params import Gradients, Weights
from minigpt.model.parts import apply_linear, back_linear
from minigpt.ops import load_balancing_backward, load_balancing_forward, router_backward, router_forward


class Visit(NamedTuple):
    """What one expert did."""

    rows: np.ndarray  # (n,)  which tokens came
    weight: np.ndarray  # (n, 1)  how much its answer counts
    answer: np.ndarray  # (n, C)
    cache: Any


class ExpertsCache(NamedTuple):
    router: Any
    routing: Any
    balancing: Any
    uneven: float  # the loss of `load_balancing_forward`
    weight: float  # of that loss in the gradient
    visits: list[Visit]


def experts_arrays(name: str, config: TransformerConfig) -> Arrays:
    """The arrays of the router and of every expert."""
    assert config.experts is not None, "a block without experts has a feed-forward network of its own"
    arrays = linear_arrays(f"{name}.router", config.width, config.experts, bias=False, std=config.init_std)
    for expert in range(config.experts):
        arrays |= feed_forward_arrays(f"{name}.experts.{expert}", config)
    return arrays


def experts_forward(
    params: Weights, name: str, config: TransformerConfig, x: np.ndarray, *, call: Call
) -> tuple[np.ndarray, ExpertsCache]:
    """y = sum over the chosen experts e of weight_e * feed_forward_e(x). x, y: (B, T, C). Returns y and the cache."""
    tokens = x.reshape(-1, config.width)  # (N, C)
    scores, router_cache = apply_linear(params, f"{name}.router", tokens, call)  # (N, E)
    weights, routing_cache = router_forward(scores, top=config.experts_per_token)
    weights = call.hook(f"{name}.routing", weights)
    uneven, balancing_cache = load_balancing_forward(scores, top=config.experts_per_token)
    y, visits = np.zeros_like(tokens), []
    for expert in range(weights.shape[1]):
        rows = np.flatnonzero(weights[:, expert])
        weight = weights[rows, expert, None]
        answer, inner = feed_forward_forward(params, f"{name}.experts.{expert}", config, tokens[rows], call=call)
        y[rows] += weight * answer
        visits.append(Visit(rows, weight, answer, inner))
    cache = ExpertsCache(
        router_cache, routing_cache, balancing_cache, float(uneven), call.share * config.load_balancing, visits
    )
    return call.hook(f"{name}.output", y.reshape(x.shape)), cache


def experts_backward(
    grads: Gradients, name: str, config: TransformerConfig, dy: np.ndarray, cache: Any, *, call: Call
) -> np.ndarray:
    """Gradient of x: (B, T, C), of the loss and of `config.load_balancing` times the experts' unevenness."""
    dy = call.hook(f"{name}.doutput", dy)
    rows_of = dy.reshape(-1, config.width)  # (N, C)
    dx, dweights = np.zeros_like(rows_of), np.zeros_like(cache.routing.y)
    for expert, (rows, weight, answer, inner) in enumerate(cache.visits):
        mine = rows_of[rows]  # (n, C)
        dweights[rows, expert] = np.vecdot(mine, answer)
        dx[rows] += feed_forward_backward(grads, f"{name}.experts.{expert}", config, weight * mine, inner, call=call)
    dweights = call.hook(f"{name}.drouting", dweights)
    dscores = router_backward(dweights, cache.routing) + load_balancing_backward(cache.weight, cache.balancing)
    dx += back_linear(grads, f"{name}.router", dscores, cache.router)
    return dx.reshape(dy.shape)
