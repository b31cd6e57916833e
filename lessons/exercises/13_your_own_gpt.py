"""Lesson 13: the three pieces that were missing. `minigpt grade --assemble FOLDER` puts all of yours together."""

import numpy as np


def embedding_forward(tokens, weight):
    """Each token picks its row of the table.

    tokens: (...) integers; weight: (V, C). Returns (y, cache): y is (..., C); cache is what embedding_backward needs.
    """
    raise NotImplementedError("write embedding_forward")


def embedding_backward(dy, cache):
    """Gradient of the table.

    dy: (..., C); cache: from embedding_forward.

    Returns dweight: (V, C). A token that stands in several places gets the sum of their gradients; one that stands
    nowhere gets zeros.
    """
    raise NotImplementedError("write embedding_backward")


def cross_entropy_forward(logits, targets):
    """The loss: the mean of -log softmax(logits)[target] over the places where something is asked, in nats.

    logits: (..., V), as large as they like (do not overflow); targets: (...) integers, -1 where nothing is asked.
    Something is asked somewhere.

    Returns (loss, cache): one number, and what cross_entropy_backward needs.
    """
    raise NotImplementedError("write cross_entropy_forward")


def cross_entropy_backward(dloss, cache):
    """Gradient of the logits.

    dloss: a number, the gradient by the loss (1 if nothing follows it); cache: from cross_entropy_forward.

    Returns dlogits: (..., V): what the model said minus what it should have said, divided by the number of places where
    something is asked; zeros where nothing is.
    """
    raise NotImplementedError("write cross_entropy_backward")


def block_forward(x, norm1, attention, norm2, network):
    """One pre-norm block: x + attention(norm1(x)); then the same again with norm2 and the network.

    x: (B, T, C), the residual stream. The other four are layers: `y, cache = layer.forward(x)` gives (B, T, C) and
    whatever its backward needs.

    Returns (y, cache): y is the stream after the block, (B, T, C).
    """
    raise NotImplementedError("write block_forward")


def block_backward(dy, cache, norm1, attention, norm2, network):
    """Gradient of the block's x.

    dy: (B, T, C); cache: from block_forward. `dx = layer.backward(dy, cache)` is the gradient of a layer's own x; it
    keeps the gradients of its weights by itself, so call it once. Work from the end of the forward to its beginning:
    where x was used twice, the two gradients add up.

    Returns dx: (B, T, C).
    """
    raise NotImplementedError("write block_backward")
