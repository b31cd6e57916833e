"""What a planted bug is, and the check that must refuse it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigpt.check.cases import find_case
from minigpt.check.contract import as_list
from minigpt.check.forward import check_forward
from minigpt.check.model import CONFIGS, check_model
from minigpt.check.optimizer_check import check_clip, check_optimizer
from minigpt.check.report import GradientError
from minigpt.ops import OPERATIONS

SETTINGS: dict[str, dict[str, Any]] = {  # of the optimizers' cases
    "adamw": {"weight_decay": 0.3, "epsilon": 1e-4},
    "momentum": {"momentum": 0.9, "weight_decay": 0.1},
    "nesterov": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
}


@dataclass(frozen=True)
class PlantedBug:
    """A mistake that people make, as a function that makes it."""

    name: str
    kind: str  # backward | forward | model | optimizer
    operation: str  # of `OPERATIONS`; for the last two kinds "transformer"; adamw, sgd or clip
    explanation: str  # one sentence for the person who made the mistake
    wrong: Callable  # the wrong backward(dy, cache), forward(*arrays, **options), Transformer class, optimizer or clip
    case: str  # the name of the case, of the model's configuration or of the optimizer's settings that show it
    forward: Callable | None = None  # whose cache the wrong backward takes; None: the operation's own

    def gradients(self, arrays: tuple[np.ndarray, ...], options: dict[str, Any], dy: np.ndarray) -> list[np.ndarray]:
        """What the wrong backward gives on these arrays."""
        forward = self.forward or OPERATIONS[self.operation].forward
        return as_list(self.wrong(dy, forward(*arrays, **options)[1]))

    def refusal(self) -> str | None:
        """What the check says against this bug; None if it lets the bug pass."""
        try:
            REFUSALS[self.kind](self)
        except GradientError as error:
            return str(error)
        return None


def planted(
    kind: str, operation: str, case: str, *wrong: Callable, forward: Callable | None = None
) -> tuple[PlantedBug, ...]:
    """A bug for each function (or class) in `wrong`: its name is the bug's, its docstring the explanation."""
    names = [function.__name__.removeprefix("forward_").replace("_", " ") for function in wrong]
    explanations = [" ".join(str(function.__doc__).split()) for function in wrong]
    return tuple(
        PlantedBug(name, kind, operation, explanation, function, case, forward)
        for name, explanation, function in zip(names, explanations, wrong, strict=True)
    )


def _refuse_backward(bug: PlantedBug) -> None:
    find_case(bug.case).check(bug.forward, bug.wrong).raise_if_wrong()


def _refuse_forward(bug: PlantedBug) -> None:
    arrays, options = find_case(bug.case).inputs()
    check_forward(bug.wrong, OPERATIONS[bug.operation].forward, *arrays, **options)


def _refuse_model(bug: PlantedBug) -> None:
    check_model(bug.wrong(CONFIGS[bug.case]), samples=1).raise_if_wrong()


def _refuse_optimizer(bug: PlantedBug) -> None:
    if bug.operation == "clip":
        check_clip(bug.wrong)
    else:
        check_optimizer(bug.wrong, bug.operation, **SETTINGS[bug.case])


REFUSALS: dict[str, Callable[[PlantedBug], None]] = {
    "backward": _refuse_backward,
    "forward": _refuse_forward,
    "model": _refuse_model,
    "optimizer": _refuse_optimizer,
}
