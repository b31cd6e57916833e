"""Mistakes in routing tokens to experts."""

import numpy as np

from minigpt.check.planted.bug import planted
from minigpt.model import Call, Transformer
from minigpt.ops import router_forward, softmax_forward


def chosen_treated_as_independent(dy, cache):
    """This is the gradient you get when each weight depends on its own score alone: y (1 - y); the weights sum to one,
    so raising one score lowers the other weights."""
    return dy * cache.y * (1 - cache.y)


def weights_not_differentiated(dy, cache):
    """This is the gradient you get when dy is passed straight on to the chosen scores, as if weights were scores."""
    return dy * (cache.y > 0)


def forward_not_renormalized(x, *, top):
    """Your weights are those of the softmax over all experts with the others cut off: they sum to less than one; take
    the softmax over the chosen scores."""
    y, cache = router_forward(x, top=top)
    return softmax_forward(x)[0] * (y > 0), cache


def forward_smallest_chosen(x, *, top):
    """You chose the experts with the smallest scores; sort the other way round."""
    keep = np.argsort(np.argsort(x, axis=-1), axis=-1) < top
    return softmax_forward(np.where(keep, x, -np.inf))


def _balance(dy, cache, factor):
    p, share = cache.softmax.y, cache.share
    dp = np.broadcast_to(dy * factor * share, p.shape)
    return p * (dp - (dp * p).sum(axis=-1, keepdims=True))


def mean_over_tokens_forgotten(dy, cache):
    """This is the gradient you get when P is taken to be a sum over tokens: it is a mean, so divide by N."""
    return _balance(dy, cache, cache.share.size)


def number_of_experts_forgotten(dy, cache):
    """This is the gradient you get when the factor E is left out on the way back."""
    return _balance(dy, cache, cache.share.size / cache.softmax.y.size)


def not_through_the_softmax(dy, cache):
    """This is the gradient you get when the softmax is left out on the way back: x are scores, P is about
    probabilities."""
    p, share = cache.softmax.y, cache.share
    return np.broadcast_to(dy * share.size * share * share.size / p.size, p.shape).copy()


def forward_choices_counted_once_per_token(x, *, top):
    """You divided the counts of choices by the tokens alone: each token makes `top` choices, so that the shares sum
    to one."""
    p, _ = softmax_forward(x)
    chosen = router_forward(x, top=top)[0] > 0
    axes = tuple(range(x.ndim - 1))
    return x.shape[-1] * np.vdot(chosen.mean(axis=axes), p.mean(axis=axes)), None


class router_without_gradient(Transformer):
    """This is the gradient you get when the weights of the experts are taken for constants: the router then learns
    nothing, though the weights depend on its scores."""

    def backward(self, params, cache, dlogits, call=Call(), *, grads=None):
        grads = super().backward(params, cache, dlogits, call, grads=grads)
        for name in grads:
            if name.endswith("router.weight"):
                grads[name][...] = 0
        return grads


TWO, BALANCE = "router, two of five", "load_balancing, two of five"
BUGS = (
    *planted("backward", "router", TWO, chosen_treated_as_independent, weights_not_differentiated),
    *planted("forward", "router", TWO, forward_not_renormalized, forward_smallest_chosen),
    *planted("backward", "load_balancing", BALANCE, mean_over_tokens_forgotten, number_of_experts_forgotten),
    *planted("backward", "load_balancing", BALANCE, not_through_the_softmax),
    *planted("forward", "load_balancing", BALANCE, forward_choices_counted_once_per_token),
    *planted("model", "transformer", "experts", router_without_gradient),
)
