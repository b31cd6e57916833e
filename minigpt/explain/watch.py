"""Looking at activations, and replacing parts of them, through the hook of a call."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Batch, Call, Transformer, Weights
from minigpt.model.transformer import as_batch

Hook = Callable[[str, np.ndarray], np.ndarray]


def activations(
    model: Transformer, params: Weights, batch: Batch | np.ndarray, wanted: Callable[[str], bool]
) -> dict[str, np.ndarray]:
    """What a model makes of a batch on the way: every activation whose name is wanted, as `minigpt.model.call` lists
    them."""
    return watched(model, params, batch, wanted)[1]


def watched(
    model: Transformer, params: Weights, batch: Batch | np.ndarray, wanted: Callable[[str], bool]
) -> tuple[object, dict[str, np.ndarray]]:
    """The model's answer, and the activations."""
    seen: dict[str, np.ndarray] = {}

    def look(name: str, x: np.ndarray) -> np.ndarray:
        if wanted(name):
            seen[name] = x
        return x

    output, _ = model.forward(params, as_batch(batch), Call(hook=look).forward_only())
    return output, seen


def one_after_another(hooks: Iterable[Hook]) -> Hook:
    """A hook that is several, the first first."""
    hooks = list(hooks)

    def hook(name: str, x: np.ndarray) -> np.ndarray:
        for one in hooks:
            x = one(name, x)
        return x

    return hook


def check_names(model: Transformer, names: Iterable[str], seen: Mapping[str, object]) -> None:
    """`UserError` for a name that no activation of this model has."""
    for name in names:
        if name not in seen:
            raise UserError(
                f"no activation of this model is called {name!r}; it has {model.config.layers} blocks, from 0 on, and "
                "minigpt/model/call.py lists the names"
            )


def dtype_of(params: Weights) -> Any:
    """What a model of these weights computes in."""
    return next(array.dtype for _, array in params.items() if isinstance(array, np.ndarray))
