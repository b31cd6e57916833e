"""Routing: each token is sent to a few of many experts, and a second loss keeps the experts evenly busy.

Shazeer et al. (2017), "Outrageously Large Neural Networks", arXiv:1701.06538; Fedus et al. (2021), "Switch
Transformers", arXiv:2101.03961, section 2.2; Jiang et al. (2024), "Mixtral of Experts", arXiv:2401.04088, section 2.1.
"""

from typing import NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.ops.softmax import SoftmaxCache, softmax_backward, softmax_forward


class LoadBalancingCache(NamedTuple):
    softmax: SoftmaxCache
    share: np.ndarray  # (E,)  f_e, of the choices that went to each expert


def router_forward(x: np.ndarray, *, top: int) -> tuple[np.ndarray, SoftmaxCache]:
    """Softmax over the `top` largest scores of each row, and exactly 0 for the others.

    x: (..., E), the score of each expert; of equal scores the first ones are taken. Returns y: (..., E), the weights
    with which the experts' answers are added up, and the cache for `router_backward`.
    `UserError` unless 1 <= top <= E.
    """
    _check_top(x, top)
    y, cache = softmax_forward(np.where(_chosen(x, top), x, -np.inf))
    return y, cache


def router_backward(dy: np.ndarray, cache: SoftmaxCache) -> np.ndarray:
    """Gradient of x: (..., E). The softmax's own; whoever was not chosen has weight 0, and so no gradient."""
    return softmax_backward(dy, cache)


def load_balancing_forward(x: np.ndarray, *, top: int) -> tuple[np.floating, LoadBalancingCache]:
    """How unevenly the experts are used: E sum_e f_e P_e, which is 1 when all are used alike and E at worst.

    f_e: the share of all choices that went to expert e; P_e: the mean over tokens of softmax(x)_e. Only P has a
    gradient: the choice itself is a step. Fedus et al. (2021), equations 4 to 6 (there with top = 1).
    x: (..., E). Returns y: a scalar, and the cache for `load_balancing_backward`. `UserError` unless 1 <= top <= E.
    """
    _check_top(x, top)
    experts = x.shape[-1]
    p, cache = softmax_forward(x)
    rows = p.reshape(-1, experts)  # (N, E)
    share = _chosen(x, top).reshape(-1, experts).mean(axis=0, dtype=x.dtype) / top  # (E,)
    return experts * np.vdot(share, rows.mean(axis=0)), LoadBalancingCache(cache, share)


def load_balancing_backward(dy: float | np.floating, cache: LoadBalancingCache) -> np.ndarray:
    """Gradient of x: (..., E).  d/dp_ne = E f_e / N, and then through the softmax."""
    p, share = cache.softmax.y, cache.share
    tokens = p.size // share.size
    dp = np.broadcast_to(dy * share.size * share / tokens, p.shape).astype(p.dtype)
    return softmax_backward(dp, cache.softmax)


def _chosen(x: np.ndarray, top: int) -> np.ndarray:
    """Booleans (..., E): the `top` largest of each row."""
    order = np.argsort(-x, axis=-1, kind="stable")[..., :top]
    chosen = np.zeros(x.shape, bool)
    np.put_along_axis(chosen, order, True, axis=-1)
    return chosen


def _check_top(x: np.ndarray, top: int) -> None:
    if not 1 <= top <= x.shape[-1]:
        raise UserError(f"{top} experts for each token do not fit {x.shape[-1]} experts; choose 1 to {x.shape[-1]}")
