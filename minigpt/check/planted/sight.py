"""Mistakes in windows, ALiBi and rotary scaling: a backward that makes its activations anew, with other settings.

That is how such a setting goes wrong unseen: the forward is right, and whoever computes masks, biases or angles again
on the way back, to save their memory, forgets it there.
"""

from copy import deepcopy
from dataclasses import replace

from minigpt.check.planted.bug import planted
from minigpt.model import Call, Transformer


class Remade(Transformer):
    """A transformer whose backward goes through the activations of `other()`, on the same batch."""

    def forward(self, params, batch, call=Call(), x=None):
        self.asked = batch, deepcopy(call.rng)
        return super().forward(params, batch, call, x)

    def backward(self, params, cache, dlogits, call=Call(), *, grads=None):
        batch, rng = self.asked
        _, cache = self.other().forward(params, batch, Call(rng=deepcopy(rng)))
        return super().backward(params, cache, dlogits, call, grads=grads)

    def other(self):
        return Transformer(self.config)


class window_beside_the_query(Remade):
    """This is the gradient you get when the window holds W positions beside the query on the way back: its own is one
    of the W."""

    def other(self):
        window = self.config.window
        return Transformer(replace(self.config, window=window and window + 1))


class window_forgotten(Remade):
    """This is the gradient you get when every position sees all that stands before it on the way back: beyond the
    window the forward saw nothing, so the gradient there is zero."""

    def other(self):
        return Transformer(replace(self.config, window=None, sinks=0))


class sinks_forgotten(Remade):
    """This is the gradient you get when the window slides over the sinks on the way back: the first positions of a text
    stay in sight of every query."""

    def other(self):
        return Transformer(replace(self.config, sinks=0))


class alibi_forgotten(Remade):
    """This is the gradient you get when the weights are made again without ALiBi's distances: they are part of the
    scores, though nothing is learnt of them."""

    def other(self):
        return Transformer(replace(self.config, position="none"))


class Sloped(Transformer):
    """A transformer whose slopes of ALiBi are changed."""

    slopes = staticmethod(lambda slopes: slopes)

    def sight(self, *arguments, **options):
        sight = super().sight(*arguments, **options)
        return sight._replace(bias=sight.bias._replace(slopes=self.slopes(sight.bias.slopes)))


class alibi_slopes_in_the_opposite_order(Remade):
    """This is the gradient you get when the heads take ALiBi's slopes in the opposite order on the way back: the first
    head has the steepest."""

    def other(self):
        turned = Sloped(self.config)
        turned.slopes = lambda slopes: slopes[::-1]
        return turned


class alibi_with_one_slope(Remade):
    """This is the gradient you get when all heads fall with the distance alike on the way back: each has a slope of its
    own."""

    def other(self):
        alike = Sloped(self.config)
        alike.slopes = lambda slopes: slopes[:1].repeat(len(slopes))
        return alike


class rotary_scaling_forgotten(Remade):
    """This is the gradient you get when queries and keys are turned by plain angles on the way back: the forward turned
    them by the stretched ones."""

    def other(self):
        return Transformer(replace(self.config, rotary_scaling=None))


class every_pair_stretched(Remade):
    """This is the gradient you get when every pair's angle is divided by the factor on the way back: YaRN leaves the
    fast pairs as they are."""

    def other(self):
        return Transformer(replace(self.config, rotary_scaling={"kind": "linear", "factor": self._factor()}))

    def _factor(self):
        scaling = self.config.rotary_scaling
        return 1.0 if scaling is None else scaling.factor


class yarn_temperature_forgotten(Remade):
    """This is the gradient you get when YaRN's factor of cosines and sines is left out on the way back: the scores grew
    by its square."""

    def other(self):
        return Transformer(
            replace(self.config, rotary_scaling=replace(self.config.rotary_scaling, attention_factor=1.0))
        )


WINDOW, SCALED = "ALiBi, window and sinks", "YaRN"
BUGS = (
    *planted("model", "transformer", WINDOW, window_beside_the_query, window_forgotten, sinks_forgotten),
    *planted("model", "transformer", WINDOW, alibi_forgotten, alibi_slopes_in_the_opposite_order, alibi_with_one_slope),
    *planted(
        "model", "transformer", SCALED, rotary_scaling_forgotten, every_pair_stretched, yarn_temperature_forgotten
    ),
)
