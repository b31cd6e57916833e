"""DP-SGD: every example moves the parameters by a bounded step, and noise hides which were there.

Abadi et al. (2016), "Deep Learning with Differential Privacy", arXiv:1607.00133, algorithm 1. With an optimizer of
moments in place of SGD the guarantee is the same: what is computed from a private gradient is private.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Batch, Call, Overlay, Params, Transformer
from minigpt.objectives import loss_and_gradient
from minigpt.train.gradient import take_rows


class PrivateGradient:
    """The gradient of a batch in which each example counts for at most `longest`, and noise is added: for `fit`.

    An example is a row of the batch: a window of text, or a text with its label. Whoever wrote several rows is
    protected for each of them, not for all together. Each row's gradient is made alone and cut to the length `longest`;
    the cut ones are summed, noise of `noise` * `longest` is added to every element, and the sum is divided by the
    *expected* size of a batch, since the real one would tell who was drawn.

    Parameters
    ----------
    longest : float
        The longest gradient of an example (C in the paper).
    noise : float
        The noise's standard deviation over `longest` (sigma there); `spent` says what epsilon it gives.
    expected : float
        Rows that a batch has on average.
    rng : numpy.random.Generator
        For the noise.

    Examples
    --------
    >>> model = minigpt.Transformer(minigpt.preset("tiny", vocabulary_size=9, layers=1))
    >>> params, rng = model.init(np.random.default_rng(0)), np.random.default_rng(1)
    >>> private = minigpt.privacy.PrivateGradient(longest=1.0, noise=1.1, expected=4, rng=rng)
    >>> drawn = minigpt.privacy.poisson_rows(np.arange(90).reshape(10, 9) % 9, 0.4, 5, rng)
    >>> batches = [minigpt.causal_lm(rows) for rows in drawn]
    >>> losses = minigpt.fit(model, params, batches, lambda step: 1e-3, clip=np.inf, score=private)
    """

    def __init__(self, *, longest: float, noise: float, expected: float, rng: np.random.Generator):
        """`UserError` for a length or size that is not above 0, and for noise below 0."""
        for name, value in (("longest", longest), ("expected", expected)):
            if not (value > 0 and np.isfinite(value)):
                raise UserError(f"{name} is {value}, but it must be above 0")
        if not (noise >= 0 and np.isfinite(noise)):
            raise UserError(f"the noise is {noise}, but it must be 0 or more")
        self.longest, self.noise, self.expected, self.rng = longest, noise, expected, rng

    def __call__(
        self, model: Transformer, params: Params | Overlay, batch: Batch, call: Call = Call()
    ) -> tuple[float, Params]:
        """The mean loss of the rows (0 where none was drawn), which is not private, and the private gradient."""
        losses, total = [], params.zeros_like()
        for loss, gradient in example_gradients(model, params, batch, call):
            losses.append(loss)
            length = float(np.linalg.norm(gradient.flat))
            total.flat += gradient.flat * min(1.0, self.longest / max(length, 1e-30))
        noise = self.rng.standard_normal(total.flat.shape, dtype=np.float64)
        total.flat += (self.noise * self.longest * noise).astype(total.flat.dtype)
        total.flat /= self.expected
        return float(np.mean(losses)) if losses else 0.0, total


def example_gradients(
    model: Transformer, params: Params | Overlay, batch: Batch, call: Call = Call()
) -> Iterator[tuple[float, Params]]:
    """The loss of each row and its gradient, made alone. The next one overwrites the gradient.

    Alone, and not all at once: a gradient for each of B rows needs B times the memory of the parameters.
    """
    grads: Any = params.zeros_like()
    for row in range(len(batch.tokens)):
        yield loss_and_gradient(model, params, take_rows(batch, slice(row, row + 1)), call, grads=grads)


def poisson_rows(rows: np.ndarray, rate: float, steps: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """For each step some of the rows, each drawn with probability `rate` by itself, as the accountant assumes.

    rows: (N, ...). A batch has no fixed size, and may be empty: then the step is noise alone.
    """
    if not 0 < rate <= 1:
        raise UserError(f"the rate is {rate}, but it is the probability to be drawn, above 0 and at most 1")
    for _ in range(steps):
        yield rows[rng.random(len(rows)) < rate]
