"""Learning-rate schedules: functions from the step to the rate."""

import math
from collections.abc import Callable

from minigpt.errors import UserError

Schedule = Callable[[int], float]


def constant(peak: float, *, warmup: int = 0) -> Schedule:
    """step -> learning rate: `peak`, after rising to it in a line over `warmup` steps; step 0 gives peak / warmup."""
    return _schedule(peak, warmup, warmup, lambda _share: 1.0)


def warmup_cosine(peak: float, *, warmup: int, total: int, final: float = 0.1) -> Schedule:
    """Warm-up as in `constant`, then half a cosine down to final * peak at step `total`, and so on for ever.

    Loshchilov & Hutter (2017), "SGDR", arXiv:1608.03983, eq. 5, without restarts.

    Parameters
    ----------
    peak : float
        The highest learning rate.
    warmup, total : int
        Steps of warm-up, and of both together.
    final : float
        The last rate, as a share of the peak.

    Returns
    -------
    Schedule
        step -> learning rate.

    Raises
    ------
    UserError
        Unless peak >= 0 and 0 <= warmup <= total.

    Examples
    --------
    >>> rate = minigpt.warmup_cosine(0.01, warmup=2, total=12)
    >>> [round(rate(step), 4) for step in (0, 1, 2, 7, 12, 99)]
    [0.005, 0.01, 0.01, 0.0055, 0.001, 0.001]
    """
    return _schedule(peak, warmup, total, lambda share: final + (1 - final) * (1 + math.cos(math.pi * share)) / 2)


def warmup_linear(peak: float, *, warmup: int, total: int, final: float = 0.0) -> Schedule:
    """Warm-up as in `constant`, then a line down to final * peak at step `total`, and so on for ever."""
    return _schedule(peak, warmup, total, lambda share: 1 - (1 - final) * share)


def _schedule(peak: float, warmup: int, total: int, shape: Callable[[float], float]) -> Schedule:
    """shape: share of the way from `warmup` to `total`, 0 to 1 -> factor of peak."""
    if peak < 0 or not 0 <= warmup <= total:
        raise UserError(
            f"a schedule needs a rate of at least 0 and 0 <= warmup <= total, not {peak}, {warmup}, {total}"
        )

    def rate(step: int) -> float:
        if step < warmup:
            return peak * ((step + 1) / warmup)
        return peak * shape(min(1.0, (step - warmup) / max(1, total - warmup)))

    return rate
