"""The exercises of lesson 13, your own GPT."""

import inspect

import numpy as np

from minigpt.grade.assembled import ask_block
from minigpt.grade.assembled.ask_block import StandIn
from minigpt.grade.assembled.pieces import block_backward, block_forward
from minigpt.grade.exercise import Exercise, Question, larger


def draw_block(rng: np.random.Generator) -> Question:
    width = int(rng.integers(3, 6))
    x, dy = rng.standard_normal((2, 2, larger(rng, 3), width))
    return [x, dy, *rng.standard_normal((4, width, width))], {}


def block(x, dy, norm1, attention, norm2, network):
    """norm1 to network are matrices: your functions got layers y = tanh(x @ matrix); result 1 is y, result 2 its dx"""
    layers = [StandIn(matrix) for matrix in (norm1, attention, norm2, network)]
    y, cache = block_forward(x, *layers)
    return y, block_backward(dy, cache, *layers)


def _sublayer(x, norm, layer, *, stream=True):
    """x + layer(norm(x)), or without the x, and the function that takes dy to the gradient of x."""
    (n, norm_cache), straight = StandIn(norm).forward(x), int(stream)
    y, cache = StandIn(layer).forward(n)

    def back(dy):
        return straight * dy + StandIn(norm).backward(StandIn(layer).backward(dy, cache), norm_cache)

    return straight * x + y, back


def stream_forgotten(x, dy, norm1, attention, norm2, network):
    """You left the residual stream out: each sublayer's result is *added* to x."""
    y, back1 = _sublayer(x, norm1, attention, stream=False)
    y, back2 = _sublayer(y, norm2, network, stream=False)
    return y, back1(back2(dy))


def norm_in_the_stream(x, dy, norm1, attention, norm2, network):
    """You add the result to the normed x: the stream itself goes past the norm, x + f(norm(x))."""
    caches = []
    for norm, layer in ((norm1, attention), (norm2, network)):
        n, norm_cache = StandIn(norm).forward(x)
        y, cache = StandIn(layer).forward(n)
        x = n + y
        caches.append((StandIn(norm), norm_cache, StandIn(layer), cache))
    for norm, norm_cache, layer, cache in reversed(caches):
        dy = norm.backward(dy + layer.backward(dy, cache), norm_cache)
    return x, dy


def norm_after_the_sum(x, dy, norm1, attention, norm2, network):
    """Yours is post-norm, norm(x + f(x)), as in 2017; this block is pre-norm, x + f(norm(x))."""
    caches = []
    for norm, layer in ((norm1, attention), (norm2, network)):
        y, cache = StandIn(layer).forward(x)
        x, norm_cache = StandIn(norm).forward(x + y)
        caches.append((StandIn(norm), norm_cache, StandIn(layer), cache))
    for norm, norm_cache, layer, cache in reversed(caches):
        dy = norm.backward(dy, norm_cache)
        dy = dy + layer.backward(dy, cache)
    return x, dy


def network_beside_attention(x, dy, norm1, attention, norm2, network):
    """Your network reads the x from before attention: it reads x + attention, what attention wrote included."""
    y1, back1 = _sublayer(x, norm1, attention, stream=False)
    y2, back2 = _sublayer(x, norm2, network, stream=False)
    return x + y1 + y2, dy + back1(dy) + back2(dy)


def straight_path_forgotten(x, dy, norm1, attention, norm2, network):
    """Your backward goes through the layers alone: the gradient also flows straight down the stream, dy + ..."""
    y, back1 = _sublayer(x, norm1, attention)
    y, back2 = _sublayer(y, norm2, network)
    through = back2(dy) - dy
    return y, back1(through) - through


def attention_misses_the_network(x, dy, norm1, attention, norm2, network):
    """Your attention gets the upstream dy; what comes back through the network must be added to it before."""
    y, back1 = _sublayer(x, norm1, attention)
    y, back2 = _sublayer(y, norm2, network)
    return y, back1(dy) + back2(dy) - dy


def network_leaves_the_straight_path(x, dy, norm1, attention, norm2, network):
    """Your last sum adds the upstream dy again: it needs the dx that attention got, the network's part included."""
    y, back1 = _sublayer(x, norm1, attention)
    y, back2 = _sublayer(y, norm2, network)
    through = back2(dy)
    return y, dy + back1(through) - through


EXERCISES = (
    Exercise("embedding", 3, needs=("embedding_forward", "embedding_backward"), like=lambda tokens, weight: None),
    Exercise(
        "cross_entropy",
        4,
        needs=("cross_entropy_forward", "cross_entropy_backward"),
        like=lambda logits, targets: None,
    ),
    Exercise(
        "block",
        5,
        draw=draw_block,
        right=block,
        mistakes=(
            stream_forgotten,
            norm_in_the_stream,
            norm_after_the_sum,
            network_beside_attention,
            straight_path_forgotten,
            attention_misses_the_network,
            network_leaves_the_straight_path,
        ),
        functions=("block_forward", "block_backward"),
        needs=("block_forward", "block_backward"),
        harness=inspect.getsource(ask_block),
    ),
)
