"""Planted bugs: plausible mistakes, each of which the checks must refuse, with the sentence that explains it."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigpt import optim
from minigpt.check.contract import as_list
from minigpt.check.model import random_batch, random_params
from minigpt.check.planted import (
    activations,
    attention,
    attention_forward,
    blockwise,
    contrastive,
    convolutions,
    distillation,
    experts,
    inputs,
    linear,
    low_rank,
    models,
    norms,
    optimizers,
    probabilities,
    rotary,
    sight,
)
from minigpt.check.planted.bug import PlantedBug
from minigpt.model import Call, Transformer
from minigpt.ops import OPERATIONS

PLANTED: tuple[PlantedBug, ...] = (
    *linear.BUGS,
    *low_rank.BUGS,
    *convolutions.BUGS,
    *norms.BUGS,
    *activations.BUGS,
    *probabilities.BUGS,
    *distillation.BUGS,
    *contrastive.BUGS,
    *attention.BUGS,
    *attention_forward.BUGS,
    *blockwise.BUGS,
    *rotary.BUGS,
    *experts.BUGS,
    *models.BUGS,
    *sight.BUGS,
    *inputs.BUGS,
    *optimizers.BUGS,
)

# What a mistake raises where it cannot be made: without the square, the bias or the dropout mask that it needs.
IMPOSSIBLE = (ValueError, TypeError, AttributeError, IndexError, ZeroDivisionError)
RIGHT: dict[str, Callable[..., Any]] = {
    "sgd": optim.sgd,
    "adam": optim.adam,
    "adamw": optim.adamw,
    "clip": optim.clip_by_global_norm,
}


def diagnose(
    operation: str,
    arrays: tuple[np.ndarray, ...],
    options: dict[str, Any],
    dy: np.ndarray,
    gradients: list[np.ndarray],
) -> list[PlantedBug]:
    """Which planted bugs reproduce these gradients of an operation; none if they are right or the mistake is unknown.

    arrays, options: what the forward was given; dy: the upstream gradient; gradients: what the backward returned.
    Bugs that explain every wrong gradient come alone; otherwise those that explain some of them.
    """
    forward, backward = OPERATIONS[operation]
    right = as_list(backward(dy, forward(*arrays, **options)[1]))
    wrong_here = _different(gradients, right)
    explained = {}
    for bug in _possible("backward", operation):
        try:
            wrong = bug.gradients(arrays, options, dy)
        except IMPOSSIBLE:
            continue
        differs = _different(wrong, right)
        if differs and not set(differs) & set(_different(wrong, gradients)):
            explained[bug] = differs
    complete = [bug for bug, differs in explained.items() if differs == wrong_here]
    return complete or list(explained)


def diagnose_forward(
    operation: str, arrays: tuple[np.ndarray, ...], options: dict[str, Any], y: np.ndarray
) -> list[PlantedBug]:
    """Which planted bugs reproduce this y of an operation; none if it is right or the mistake is unknown."""
    found: list[PlantedBug] = []
    if _equal(y, OPERATIONS[operation].forward(*arrays, **options)[0]):
        return found
    for bug in _possible("forward", operation):
        try:
            wrong = bug.wrong(*arrays, **options)[0]
        except IMPOSSIBLE:
            continue
        if _equal(wrong, y):
            found.append(bug)
    return found


def diagnose_model(model: Transformer) -> list[PlantedBug]:
    """Which planted bugs give the same gradients as this model on a random batch; none if they are right."""
    config, rng = model.config, np.random.default_rng(0)
    params, batch = random_params(model, rng), random_batch(config, rng)

    def gradients(of: Transformer) -> list[np.ndarray]:
        upstream, call = np.random.default_rng(1), Call(rng=np.random.default_rng(2))
        output, cache = of.forward(params, batch, call)
        if isinstance(output, tuple):
            return [of.backward(params, cache, tuple(upstream.standard_normal(y.shape) for y in output)).flat]
        return [of.backward(params, cache, upstream.standard_normal(output.shape)).flat]

    yours, found = gradients(model), []
    if not _different(yours, gradients(Transformer(config))):
        return []
    for bug in _possible("model", "transformer"):
        try:
            if not _different(yours, gradients(bug.wrong(config))):
                found.append(bug)
        except (*IMPOSSIBLE, KeyError):
            continue
    return found


def diagnose_optimizer(make: Callable[..., Any], operation: str, **settings: Any) -> list[PlantedBug]:
    """Which planted optimizers (or, for "clip", clippings) do what this one does, for a few steps.

    make: of an `Optimizer`, called with the settings and decayed=5; or clip(gradient, maximum).
    """

    def path(of: Callable[..., Any]) -> list[np.ndarray]:
        rng = np.random.default_rng(0)
        parameters = rng.standard_normal(8)
        if operation == "clip":
            gradients = [rng.standard_normal(8) * scale for scale in (0.01, 5.0)]
            return [np.append(gradient, of(gradient, 1.0)) for gradient in gradients]
        optimizer = of(**settings, decayed=5)
        state, places = optimizer.init(parameters), []
        for _ in range(4):
            optimizer.update(parameters, rng.standard_normal(8), state, learning_rate=0.05)
            places.append(parameters.copy())
        return places

    if not _different(path(make), path(RIGHT[operation])):
        return []
    return [bug for bug in _possible("optimizer", operation) if not _different(path(make), path(bug.wrong))]


def _possible(kind: str, operation: str) -> list[PlantedBug]:
    return [bug for bug in PLANTED if (bug.kind, bug.operation) == (kind, operation)]


def _different(some: Sequence[Any], others: Sequence[Any]) -> list[int]:
    return [i for i, (a, b) in enumerate(zip(some, others, strict=True)) if not _equal(a, b)]


def _equal(a: Any, b: Any) -> bool:
    """The same shape, and the same numbers to rounding, also those that are none."""
    if np.shape(a) != np.shape(b) or not np.array_equal(np.isnan(a), np.isnan(b)):
        return False
    numbers = ~np.isnan(a)
    size = max(np.max(np.abs(x), initial=0, where=numbers) for x in (a, b))
    return bool(np.max(np.abs(np.subtract(a, b)), initial=0, where=numbers) <= 1e-6 * size)


__all__ = ["PLANTED", "PlantedBug", "diagnose", "diagnose_forward", "diagnose_model", "diagnose_optimizer"]
