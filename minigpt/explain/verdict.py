"""How far a method passed its tests, in words that stand beside what it says."""

from collections.abc import Mapping, Sequence

import numpy as np

from minigpt.explain.table import Trials

HELD, KEPT = 0.9, 0.25  # a share that counts as found; a share that may stay without the weights


def verdict_of(method: str, trials: Trials) -> str:
    """A sentence: how often this method's highest score was at a cause that was planted, and without the weights."""
    told = {**trials.measures, **trials.variants}.get(method)
    if told is None:
        return "This method was not tried on planted causes."
    shares = [float(np.mean(told[arm])) for arm in trials.accuracy]
    stays = [float(np.mean(told[f"randomized, {arm}"])) for arm in trials.accuracy]
    passed = min(shares) >= HELD and max(stays) <= KEPT
    word = "Passed" if passed else "Passed in part" if max(shares) >= HELD else "Did not pass"
    arms = "; ".join(
        f"{arm}: {percent(told[arm])}, chance {100 * trials.mean('chance', arm):.0f} %" for arm in trials.accuracy
    )
    return (
        f"{word}. On {trials.seeds} models with a planted cause, {trials.texts} texts of each kind, its highest score "
        f"was at the cause so often (lowest and highest model): {arms}. With random weights it stayed where it was in "
        f"{100 * max(stays):.0f} % at most.{_also(told, trials)} That is about those small models, not about this one."
    )


def _also(told: Mapping[str, Sequence[float]], trials: Trials) -> str:
    """The other tests, as far as they were made: taking tokens away in its order, and models of other seeds."""
    arms, said = trials.accuracy, ""
    areas = [
        [float(np.mean(told.get(f"{what}, {arm}", [np.nan]))) for arm in arms] for what in ("deletion", "insertion")
    ]
    if np.isfinite(areas).all():
        away, back = (f"{100 * np.mean(area):.0f} %" for area in areas)
        said = (
            f" While tokens were taken away, its highest first, on average {away} of the score was left; while they "
            f"came back, {back} was there."
        )
    if "seeds" in told:
        said += f" Between models of other seeds the ranks of its scores correlate by {np.mean(told['seeds']):.2f}."
    return said


def percent(values: Sequence[float]) -> str:
    """The mean of shares, lowest and highest in brackets."""
    return f"{100 * np.mean(values):.0f} % ({100 * min(values):.0f} to {100 * max(values):.0f})"
