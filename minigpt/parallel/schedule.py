"""Pipeline schedules: in which order a stage works on micro-batches, and how long it stands idle."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from minigpt.errors import UserError

Actions = list[tuple[str, int]]  # ("forward" | "backward", number of the micro-batch)


class Event(NamedTuple):
    """What a stage did, and when."""

    stage: int
    action: str
    micro: int
    start: float
    end: float


def gpipe(stage: int, stages: int, micros: int) -> Actions:
    """All forwards, then all backwards: every micro-batch's activations wait at once (Huang et al. 2019, GPipe)."""
    return [("forward", micro) for micro in range(micros)] + [("backward", micro) for micro in range(micros)]


def one_forward_one_backward(stage: int, stages: int, micros: int) -> Actions:
    """1F1B: as soon as a stage can, it alternates, so that at most stages - stage micro-batches wait in it.

    Narayanan et al. (2019), PipeDream, SOSP; as "PipeDream-Flush" in Narayanan et al. (2021), arXiv:2006.09503.
    """
    ahead = min(stages - stage - 1, micros)
    actions: Actions = [("forward", micro) for micro in range(ahead)]
    for micro in range(micros - ahead):
        actions += [("forward", ahead + micro), ("backward", micro)]
    return actions + [("backward", micro) for micro in range(micros - ahead, micros)]


SCHEDULES = {"gpipe": gpipe, "1f1b": one_forward_one_backward}


def schedule(name: str, stage: int, stages: int, micros: int) -> Actions:
    """The actions of one stage. `UserError` for an unknown schedule or no micro-batches."""
    if name not in SCHEDULES:
        raise UserError(f"there is no schedule {name!r}; choose one of {', '.join(SCHEDULES)}")
    if micros < 1:
        raise UserError(f"{micros} micro-batches are nothing to work on; use at least 1")
    return SCHEDULES[name](stage, stages, micros)


def timeline(orders: Sequence[Actions], *, forward: float = 1.0, backward: float = 2.0) -> list[Event]:
    """When everything happens if a forward and a backward of a stage take this long and messages take no time.

    orders: what each stage does, in its order (planned, or as it was executed). A forward needs that of the stage
    before, a backward that of the stage after. `UserError` if the stages wait for each other in a circle.
    """
    done: dict[tuple[int, str, int], float] = {}
    position, free = [0] * len(orders), [0.0] * len(orders)
    events: list[Event] = []
    while any(position[stage] < len(order) for stage, order in enumerate(orders)):
        before = len(events)
        for stage, order in enumerate(orders):
            if position[stage] == len(order):
                continue
            action, micro = order[position[stage]]
            ready = _ready(done, stage, len(orders), action, micro)
            if ready is None:
                continue
            start = max(ready, free[stage])
            free[stage] = done[stage, action, micro] = start + (forward if action == "forward" else backward)
            position[stage] += 1
            events.append(Event(stage, action, micro, start, free[stage]))
        if len(events) == before:
            raise UserError("the stages of this schedule wait for each other for ever; every one must come in order")
    return events


def bubble(events: Sequence[Event]) -> float:
    """The share of their working time that the stages stand idle, in addition: (p - 1) / m for both schedules here.

    As a share of all time it is (p - 1) / (m + p - 1): see `idle_share`.
    """
    idle = idle_share(events)
    return idle / (1 - idle)


def idle_share(events: Sequence[Event]) -> float:
    """The share of all time that the stages stand idle."""
    stages = 1 + max(event.stage for event in events)
    total = max(event.end for event in events) - min(event.start for event in events)
    busy = sum(event.end - event.start for event in events)
    return 1 - busy / (stages * total)


def _ready(
    done: Mapping[tuple[int, str, int], float], stage: int, stages: int, action: str, micro: int
) -> float | None:
    """When what this action needs is there; None if it is not yet."""
    if action == "forward":
        return done.get((stage - 1, action, micro)) if stage else 0.0
    own = done.get((stage, "forward", micro))
    following = done.get((stage + 1, action, micro)) if stage < stages - 1 else own
    return None if own is None or following is None else max(own, following)
