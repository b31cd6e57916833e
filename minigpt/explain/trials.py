"""Tests of explanations: does a method find a cause that is known, and does what it says hold?

Four questions to every method, since a picture that convinces is not an explanation that holds:

found: where the cause is planted (`minigpt.explain.planted`), how often is the position with the highest score the
cause?
deletion, insertion: does the number fall at once when positions are taken away, the highest scored first, and come back
at once when they return (Petsiuk, Das & Saenko 2018, arXiv:1806.07421)?
randomized: do the scores change when the model's weights are random ones? A method that says the same of a model that
knows nothing does not speak of the model (Adebayo et al. 2018, arXiv:1810.03292). Only the highest score is compared,
and the position that asks has one too: rollout's rule of halves puts it first whatever the weights. What rollout says
of the others does change.
seeds: do two models that learned the same rule from other seeds get like scores?
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from minigpt.errors import UserError
from minigpt.explain.attention import attention_maps, flow, rollout
from minigpt.explain.attribution import (
    gradient,
    gradient_times_input,
    occlusion,
    pieces_of,
    smooth_gradient,
    values_where,
)
from minigpt.explain.integrated import AHEAD, FEW, integrated_gradients
from minigpt.explain.planted import Needle
from minigpt.explain.question import EMBEDDING, Question, ask
from minigpt.explain.shapley import shapley
from minigpt.model import Params, Transformer

Explainer = Callable[[Question, np.random.Generator], np.ndarray]  # -> (T,) scores, the higher the more it counts


def _weights(question: Question) -> np.ndarray:
    return attention_maps(question.model, question.params, question.batch).attention


def last_head(head: int) -> Explainer:
    """The weights of one head of the last layer, from the last position."""
    return lambda question, _rng: _weights(question)[-1, head, -1]


EXPLAINERS: dict[str, Explainer] = {
    "chance": lambda question, rng: rng.random(question.lengths()[EMBEDDING]),
    "last layer's attention": lambda question, _rng: _weights(question)[-1].mean(axis=0)[-1],
    "attention rollout": lambda question, _rng: rollout(_weights(question))[-1, -1],
    "attention flow": lambda question, _rng: flow(_weights(question)),
    "gradient": lambda question, _rng: gradient(question).flat(),
    "smooth gradient": lambda question, rng: smooth_gradient(question, rng, samples=16).flat(),
    "gradient x input": lambda question, _rng: np.abs(gradient_times_input(question).flat()),
    "integrated gradients": lambda question, _rng: np.abs(integrated_gradients(question, most_steps=FEW).flat()),
    "occlusion": lambda question, _rng: np.abs(occlusion(question).flat()),
    "Shapley values": lambda question, rng: np.abs(shapley(question, rng, permutations=8).flat()),
}
VARIANTS: dict[str, Explainer] = {  # tried likewise, where a page may show them in place of a method
    AHEAD: lambda question, _rng: np.abs(integrated_gradients(question, most_steps=FEW, first_ahead=True).flat()),
}


def questions_of(model: Transformer, params: Params, needles: Needle) -> list[Question]:
    """Of each text: why is its needle said at the end?"""
    pairs = zip(needles.tokens, needles.values, strict=True)
    return [ask(model, params, tokens[None], int(value)) for tokens, value in pairs]


def explained(explainer: Explainer, questions: Sequence[Question], seed: int) -> np.ndarray:
    """The scores of every text: (N, T). Where a method refuses, all are zero: it finds nothing."""
    rng, rows = np.random.default_rng(seed), []
    for question in questions:
        try:
            rows.append(explainer(question, rng))
        except UserError:
            rows.append(np.zeros(question.lengths()[EMBEDDING]))
    return np.stack(rows)


def found(scores: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(N,) booleans: whether the highest score of a text, (N, T), is at the cause. A tie of all finds nothing."""
    best = scores == scores.max(axis=1, keepdims=True)
    return best[np.arange(len(scores)), places] & (best.sum(axis=1) == 1)


def curves(question: Question, scores: np.ndarray) -> dict[str, np.ndarray]:
    """The number as positions go, and as they come back, the highest scored first: (T + 1,) each.

    In shares: 0 is the number of the baseline, 1 that of the input. A good order falls at once (a small area), and
    rises at once (a large one).
    """
    own, absent = question.vectors(), question.blank()
    parts = pieces_of(own, None)
    order = np.argsort(-scores, kind="stable")
    ranks = np.empty(len(order), int)
    ranks[order] = np.arange(len(order))
    inserted = ranks[None] < np.arange(len(order) + 1)[:, None]  # (T + 1, T)
    values = values_where(question, own, absent, parts, np.concatenate([~inserted, inserted]))
    nothing, whole = values[len(order)], values[0]
    shares = (values - nothing) / (whole - nothing)
    return {"deletion": shares[: len(order) + 1], "insertion": shares[len(order) + 1 :]}


def rank_correlation(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Spearman's, of each row of (N, T): (N,). Ties share a rank; a row that is all alike has none, 0."""
    ranks = [_ranks(scores) for scores in (one, other)]
    a, b = (each - each.mean(axis=1, keepdims=True) for each in ranks)
    length = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    return np.where(length > 0, (a * b).sum(axis=1) / np.maximum(length, 1e-12), 0.0)


def same_top(one: np.ndarray, other: np.ndarray) -> float:
    """How often the highest score of a row is at the same position in both, (N, T) each. A tie is nowhere."""
    return float(found(one, other.argmax(axis=1)).mean())


def agreement(scores: Mapping[str, np.ndarray]) -> np.ndarray:
    """The mean rank correlation of every two methods' scores, (N, T) each: (M, M), in their order."""
    names = list(scores)
    return np.array([[rank_correlation(scores[a], scores[b]).mean() for b in names] for a in names])


def randomized(model: Transformer, seed: int) -> Params:
    """Fresh weights for the sanity check: a model that knows nothing."""
    return model.init(np.random.default_rng(seed))


def _ranks(scores: np.ndarray) -> np.ndarray:
    """(N, T) from 0; equal scores share the mean of their ranks."""
    less = (scores[:, None, :] < scores[:, :, None]).sum(axis=-1)
    equal = (scores[:, None, :] == scores[:, :, None]).sum(axis=-1)
    return less + (equal - 1) / 2
