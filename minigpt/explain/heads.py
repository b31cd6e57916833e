"""What heads do: three patterns that are told by where a head looks, on texts made for it.

Olsson et al. (2022), "In-context Learning and Induction Heads", arXiv:2209.11895: an induction head looks at what
followed the present token the last time, and so copies; a head of an earlier layer that looks at the previous token
makes that possible. Wang et al. (2022), arXiv:2211.00593, name heads that look at an earlier occurrence of the same
token.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.explain.patching import ablating
from minigpt.measure.long_range import attention_to, repeated_tokens
from minigpt.model import Batch, Call, Transformer, Weights
from minigpt.ops import cross_entropy_forward


class HeadScores(NamedTuple):
    """Mean attention weights, (L, H) each, between 0 and 1, on random tokens that come twice in a row."""

    induction: np.ndarray  # of the second half to the token after the earlier occurrence
    previous: np.ndarray  # of every token to the one before it
    duplicate: np.ndarray  # of the second half to the earlier occurrence

    def best(self, pattern: str, count: int = 1) -> list[tuple[int, int]]:
        """The heads, (layer, head), that score highest for a pattern, the highest first."""
        if pattern not in self._fields:
            raise UserError(f"there is no pattern {pattern!r:.50}; choose one of {', '.join(self._fields)}")
        scores = getattr(self, pattern)
        order = np.argsort(-scores, axis=None, kind="stable")[:count]
        return [(int(place) // scores.shape[1], int(place) % scores.shape[1]) for place in order]


def head_scores(
    model: Transformer, params: Weights, rng: np.random.Generator, *, count: int = 16, length: int = 32
) -> HeadScores:
    """Where every head of a decoder looks, in `count` texts of `length` random tokens twice.

    `UserError` if they do not fit the context.
    """
    tokens = repeated_tokens(model, rng, count, length)
    again, later = np.arange(length, 2 * length), np.arange(1, 2 * length)
    return HeadScores(
        attention_to(model, params, tokens, again, again - length + 1),
        attention_to(model, params, tokens, later, later - 1),
        attention_to(model, params, tokens, again, again - length),
    )


def copying_loss(
    model: Transformer,
    params: Weights,
    rng: np.random.Generator,
    *,
    count: int = 16,
    length: int = 32,
    without: Sequence[tuple[int, int]] = (),
) -> float:
    """Nats per token where random tokens come the second time; without some heads, whose outputs are zero."""
    tokens = repeated_tokens(model, rng, count, length)
    call: Call = ablating(without) if without else Call()
    logits, _ = model.forward(params, Batch(tokens[:, :-1]), call.forward_only())
    loss, _ = cross_entropy_forward(logits[:, length:], tokens[:, length + 1 :])
    return float(loss)
