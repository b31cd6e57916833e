"""One table of all trials: which method finds the cause, and does what it says hold? Run once, kept as data."""

from collections.abc import Sequence
from importlib import resources
from typing import Any, NamedTuple

import numpy as np

from minigpt.explain.planted import DIRECT, TWO_HOPS, accuracy, draw_needles, train_needles
from minigpt.explain.trials import (
    EXPLAINERS,
    VARIANTS,
    Explainer,
    agreement,
    curves,
    explained,
    found,
    last_head,
    questions_of,
    randomized,
    rank_correlation,
    same_top,
)
from minigpt.files import read_json
from minigpt.values import list_of, number, read, table_of, whole

KEPT = "trials.json"
ARMS = {"direct": DIRECT, "two hops": TWO_HOPS}
CURVES = 20  # texts, of each arm, of which deletion and insertion are walked
BEST_HEAD = "best single head"  # of the last layer, chosen on other texts than those it is tried on


class Trials(NamedTuple):
    """What was found. Every measure has one number for each seed."""

    seeds: int
    texts: int  # of each arm
    accuracy: dict[str, list[float]]  # arm -> of the models
    measures: dict[str, dict[str, list[float]]]  # method -> measure -> (seeds,)
    agreement: dict[str, list[float]]  # method -> mean rank correlation with each method, in their order
    variants: dict[str, dict[str, list[float]]]  # the same measures of `VARIANTS`

    def mean(self, method: str, measure: str) -> float:
        """Over seeds."""
        return float(np.mean(self.measures[method][measure]))


class Tried(NamedTuple):
    """The trials of one seed's model."""

    accuracy: dict[str, float]  # arm -> of the model
    measures: dict[str, dict[str, float]]  # method -> measure
    scores: dict[str, np.ndarray]  # method -> (N, T), of the texts of all arms


def run_trials(seeds: int, texts: int) -> Trials:
    """Train a model for each seed and try every method on it. texts: of each arm; the same for all seeds."""
    return together([try_seed(seed, texts) for seed in range(seeds)], texts)


def try_seed(seed: int, texts: int) -> Tried:
    """Train one model and try every method on it.

    Measures: "direct" and "two hops", the share of texts whose highest score is at the cause; and for each arm
    "deletion" and "insertion", mean areas; "randomized", the share whose highest score stays where it was when the
    weights are random; "randomized ranks", the mean rank correlation with the scores of those.
    """
    model, params = train_needles(seed)
    nothing, methods = randomized(model, 1000 + seed), {**EXPLAINERS, BEST_HEAD: _best_head(model, params), **VARIANTS}
    right: dict[str, float] = {}
    measures: dict[str, dict[str, float]] = {name: {} for name in methods}
    scores: dict[str, list[np.ndarray]] = {name: [] for name in methods}
    for arm, span in ARMS.items():
        some = draw_needles(np.random.default_rng(100), texts, span)
        right[arm] = accuracy(model, params, some)
        asked, blind = questions_of(model, params, some), questions_of(model, nothing, some)
        for name, method in methods.items():
            own, other = explained(method, asked, seed), explained(method, blind, seed + 500)
            scores[name].append(own)
            pairs = [curves(question, row) for question, row in zip(asked[:CURVES], own, strict=False)]
            measures[name] |= {
                arm: float(found(own, some.places).mean()),
                f"deletion, {arm}": float(np.mean([pair["deletion"] for pair in pairs])),
                f"insertion, {arm}": float(np.mean([pair["insertion"] for pair in pairs])),
                f"randomized, {arm}": same_top(own, other),
                f"randomized ranks, {arm}": float(rank_correlation(own, other).mean()),
            }
    return Tried(right, measures, {name: np.concatenate(parts) for name, parts in scores.items()})


def together(tried: Sequence[Tried], texts: int) -> Trials:
    """The trials of several seeds, with one more measure, "seeds": the mean rank correlation of a method's scores with
    those that it gives of the next seed's model."""
    first = tried[0]
    measures = {
        name: {measure: [one.measures[name][measure] for one in tried] for measure in told}
        for name, told in first.measures.items()
    }
    for name, told in measures.items():
        following = [*tried[1:], first]
        told["seeds"] = [
            float(rank_correlation(one.scores[name], other.scores[name]).mean())
            for one, other in zip(tried, following, strict=True)
        ]
    variants = {name: measures.pop(name) for name in VARIANTS if name in measures}
    matrix = np.mean([agreement({name: one.scores[name] for name in measures}) for one in tried], axis=0)
    return Trials(
        len(tried),
        texts,
        {arm: [one.accuracy[arm] for one in tried] for arm in first.accuracy},
        measures,
        dict(zip(measures, matrix.tolist(), strict=True)),
        variants,
    )


def kept_trials() -> Trials:
    """The table that is kept with the library: five seeds."""
    with resources.as_file(resources.files("minigpt.explain") / KEPT) as path:
        return trials_of(read_json(path))


def trials_of(value: dict[str, Any]) -> Trials:
    """Trials from their JSON. `UserError` for anything else."""
    lists = table_of(list_of(number()))
    return Trials(
        read(value, "seeds", whole(1)),
        read(value, "texts", whole(1)),
        read(value, "accuracy", lists),
        read(value, "measures", table_of(lists)),
        read(value, "agreement", lists),
        read(value, "variants", table_of(lists)),
    )


def _best_head(model: Any, params: Any) -> Explainer:
    """That of the last layer which most often looks most at the cause, on other texts of both arms."""
    rng = np.random.default_rng(7)
    shares = []
    for head in range(model.config.heads):
        explainer, right = last_head(head), []
        for span in ARMS.values():
            some = draw_needles(rng, 50, span)
            right.append(found(explained(explainer, questions_of(model, params, some), 0), some.places).mean())
        shares.append(np.mean(right))
    return last_head(int(np.argmax(shares)))
