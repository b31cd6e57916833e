"""Mistakes in putting a whole transformer together: every operation is right, and the gradient is not."""

import math

import numpy as np

from minigpt.check.planted.bug import planted
from minigpt.model import Call, Transformer
from minigpt.ops import embedding_backward, linear_backward


class Hooked(Transformer):
    """A transformer whose backward lets `replace(name, gradient)` put another gradient in place of a named one."""

    def backward(self, params, cache, dlogits, call=Call(), *, grads=None):
        self.seen = {}
        return super().backward(params, cache, dlogits, Call(hook=self._hook, rng=call.rng), grads=grads)

    def _hook(self, name, gradient):
        self.seen[name] = gradient = self.replace(name, gradient)
        return gradient

    def replace(self, name, gradient):
        return gradient


class tied_embedding_counted_once(Transformer):
    """This is the gradient you get when the tied table is given only its gradient as an embedding: it was used twice,
    as embedding and as head, so its gradient is the sum of two."""

    def backward(self, params, cache, dlogits, call=Call(), *, grads=None):
        grads = super().backward(params, cache, dlogits, call, grads=grads)
        grads["token_embedding.weight"] -= linear_backward(dlogits, cache.head)[1].T
        return grads


class tied_head_counted_once(Hooked):
    """This is the gradient you get when the tied table is given only its gradient as the head: it was used twice, as
    embedding and as head, so its gradient is the sum of two."""

    def backward(self, params, cache, dlogits, call=Call(), *, grads=None):
        grads = super().backward(params, cache, dlogits, call, grads=grads)
        grads["token_embedding.weight"] -= embedding_backward(self.seen["dembedding"], cache.stack.begin.inputs.rows)
        return grads


class targets_off_by_one(Transformer):
    """This is the gradient you get when the targets are shifted once more on the way back: position t answers for
    target t, not for the one after it."""

    def backward(self, params, cache, dlogits, call=Call(), *, grads=None):
        return super().backward(params, cache, np.roll(dlogits, 1, axis=1), call, grads=grads)


class residual_gradient_dropped(Hooked):
    """This is the gradient you get when the gradient goes back through attention but not past it: x + f(x) has two
    paths, and the straight one passes dy unchanged."""

    def replace(self, name, gradient):
        return gradient - self.seen["blocks.0.dresidual_mid"] if name == "dembedding" else gradient


class inner_gradient_dropped(Hooked):
    """This is the gradient you get when the gradient goes past the first attention but not through it: x + f(x) has
    two paths, and both reach x."""

    def replace(self, name, gradient):
        return self.seen["blocks.0.dresidual_mid"] if name == "dembedding" else gradient


class final_norm_skipped(Hooked):
    """This is the gradient you get when the last normalization is skipped on the way back."""

    def replace(self, name, gradient):
        return self.seen["dfinal"] if name == f"blocks.{self.config.layers - 1}.dresidual_post" else gradient


class positions_of_the_first_sequence(Hooked):
    """This is the gradient you get when the position table takes the gradient of the first sequence: every sequence
    of the batch used the same rows, so they must be summed."""

    def backward(self, params, cache, dlogits, call=Call(), *, grads=None):
        grads = super().backward(params, cache, dlogits, call, grads=grads)
        grads["position_embedding.weight"][cache.stack.begin.positions] = self.seen["dembedding"][0]
        return grads


class positions_averaged(Hooked):
    """This is the gradient you get when the position table takes the mean over the batch: every sequence used the
    same rows, so they must be summed."""

    def backward(self, params, cache, dlogits, call=Call(), *, grads=None):
        grads = super().backward(params, cache, dlogits, call, grads=grads)
        grads["position_embedding.weight"][cache.stack.begin.positions] = self.seen["dembedding"].mean(axis=0)
        return grads


class only_the_last_position(Transformer):
    """This is the gradient you get when only the last position's loss is sent back: every position predicts its next
    token, and all of them teach."""

    def backward(self, params, cache, dlogits, call=Call(), *, grads=None):
        last = np.zeros_like(dlogits)
        last[:, -1] = dlogits[:, -1]
        return super().backward(params, cache, last, call, grads=grads)


class query_never_reached(Transformer):
    """This is the gradient you get when the gradient never reaches the first block's query matrix: it stays zero and
    never learns."""

    def backward(self, params, cache, dlogits, call=Call(), *, grads=None):
        grads = super().backward(params, cache, dlogits, call, grads=grads)
        grads["blocks.0.attention.query.weight"] = np.zeros(params.shapes["blocks.0.attention.query.weight"])
        return grads


class embedding_scale_forgotten(Transformer):
    """This is the gradient you get when the embeddings' factor sqrt(C) is forgotten on the way back."""

    def backward(self, params, cache, dlogits, call=Call(), *, grads=None):
        grads = super().backward(params, cache, dlogits, call, grads=grads)
        grads["token_embedding.weight"] /= math.sqrt(self.config.width)
        return grads


class dropout_drawn_again(Transformer):
    """This is the gradient you get when the backward draws a dropout mask of its own: it must use the forward's."""

    def backward(self, params, cache, dlogits, call=Call(), *, grads=None):
        begun = cache.stack.begin
        dropout = begun.dropout._replace(mask=np.roll(begun.dropout.mask, 1, axis=-1))
        changed = cache._replace(stack=cache.stack._replace(begin=begun._replace(dropout=dropout)))
        return super().backward(params, changed, dlogits, call, grads=grads)


BUGS = (
    *planted("model", "transformer", "GPT-2", tied_embedding_counted_once, tied_head_counted_once),
    *planted("model", "transformer", "GPT-2", targets_off_by_one, residual_gradient_dropped, inner_gradient_dropped),
    *planted("model", "transformer", "GPT-2", final_norm_skipped, positions_of_the_first_sequence),
    *planted("model", "transformer", "GPT-2", positions_averaged, only_the_last_position),
    *planted("model", "transformer", "GPT-2", query_never_reached),
    *planted("model", "transformer", "2017, post-norm", embedding_scale_forgotten),
    *planted("model", "transformer", "GEGLU, dropout", dropout_drawn_again),
)
