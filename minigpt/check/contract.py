"""What every forward and backward must keep to, whatever it computes: `run_once` runs a pair and watches it."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from minigpt.check.report import GradientError


class Once(NamedTuple):
    """A pair that ran once, in one dtype."""

    arrays: list[np.ndarray]
    options: dict[str, Any]
    y: np.ndarray
    dy: np.ndarray
    gradients: list[np.ndarray]


def run_once(
    forward: Callable,
    backward: Callable,
    names: Sequence[str],
    arrays: Sequence[np.ndarray],
    options: dict[str, Any],
    rng: np.random.Generator,
    dtype: type,
) -> Once:
    """Run forward and backward in `dtype` with a random upstream gradient drawn from `rng`.

    `GradientError` if either changes an input, the cache or its answer when it is called again, leaves `dtype`, or if y
    or a gradient has the wrong number, type or shape or is not finite.
    """
    arrays = [as_dtype(array, dtype) for array in arrays]
    options = {name: as_dtype(value, dtype) for name, value in options.items()}
    inputs = {**dict(zip(names, arrays, strict=True)), **options}
    before = _copies(inputs)
    y, cache = _forward(forward, arrays, options, dtype)
    _demand_unchanged("forward", inputs, before)
    again, _ = _forward(forward, arrays, options, dtype)
    if not np.array_equal(y, again):
        raise GradientError("forward gives another result when it is called again with the same arguments")

    dy = upstream(rng, y.shape, dtype)
    inputs |= {"dy": dy, "the cache": cache}
    before = _copies(inputs)
    wanted = [(name, array) for name, array in zip(names, arrays, strict=True) if floating(array)]
    gradients = [gradient.copy() for gradient in _gradients(backward(dy, cache), wanted, dtype)]
    _demand_unchanged("backward", inputs, before)
    for (name, _), first, second in zip(wanted, gradients, as_list(backward(dy, cache)), strict=True):
        if not np.array_equal(first, second):
            raise GradientError(f"backward gives another gradient of {name} when called again with the same cache")
    return Once(arrays, options, y, dy, gradients)


def upstream(rng: np.random.Generator, shape: tuple[int, ...], dtype: type = np.float64) -> np.ndarray:
    """A random upstream gradient: of either sign, between 0.5 and 1.5 in size, so that no entry is near zero."""
    return np.asarray(rng.choice([-1.0, 1.0], shape) * rng.uniform(0.5, 1.5, shape)).astype(dtype)


def floating(value: Any) -> bool:
    """Whether `value` is an array of floating-point numbers."""
    return isinstance(value, np.ndarray) and np.issubdtype(value.dtype, np.floating)


def as_dtype(value: Any, dtype: type) -> Any:
    """A copy of an array, in `dtype` if it is floating; anything else as it is."""
    if floating(value):
        return value.astype(dtype)
    return value.copy() if isinstance(value, np.ndarray) else value


def parameter_names(function: Callable, count: int) -> list[str]:
    """The names of the function's first `count` parameters; "argument 3" where it does not name them."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [p.name for p in inspect.signature(function).parameters.values() if p.kind in kinds][:count]
    return names + [f"argument {i}" for i in range(len(names), count)]


def _forward(
    forward: Callable, arrays: Sequence[np.ndarray], options: dict[str, Any], dtype: type
) -> tuple[np.ndarray, Any]:
    result = forward(*arrays, **options)
    if not (isinstance(result, tuple) and len(result) == 2):
        raise GradientError(f"forward returned a {type(result).__name__}, but it must return y and the cache")
    y, cache = result
    _demand_numbers("y", y, None, dtype)
    return np.array(y), cache  # a copy: y may be x itself


def _gradients(returned: Any, wanted: list[tuple[str, np.ndarray]], dtype: type) -> list[np.ndarray]:
    gradients = as_list(returned)
    if len(gradients) != len(wanted):
        names = ", ".join(name for name, _ in wanted)
        raise GradientError(
            f"backward returned {len(gradients)} gradients, but it must return one for each of: {names}"
        )
    for gradient, (name, array) in zip(gradients, wanted, strict=True):
        _demand_numbers(f"the gradient of {name}", gradient, array.shape, dtype)
    return gradients


def as_list(returned: Any) -> list[Any]:
    """What a backward returned as a list, also if it is one bare array."""
    return list(returned) if isinstance(returned, tuple | list) else [returned]


def _demand_numbers(what: str, value: Any, shape: tuple[int, ...] | None, dtype: type) -> None:
    if not isinstance(value, np.ndarray | np.generic):
        kind = "None" if value is None else f"a {type(value).__name__}"
        raise GradientError(f"{what} is {kind}, but it must be a NumPy array")
    if shape is not None and value.shape != shape:
        raise GradientError(f"{what} has shape {value.shape}, but it must have the argument's own, {shape}")
    if value.dtype != dtype:
        raise GradientError(f"{what} is {value.dtype} when the arguments are {np.dtype(dtype)}; keep their dtype")
    if not np.isfinite(value).all():
        index = [int(i) for i in np.argwhere(~np.isfinite(value))[0]]
        raise GradientError(f"{what} is {np.asarray(value)[tuple(index)]} at {index}; it must be finite")


def _demand_unchanged(who: str, values: dict[str, Any], before: dict[str, list[np.ndarray]]) -> None:
    for name, value in values.items():
        for now, then in zip(_arrays_in(value), before[name], strict=True):
            if not np.array_equal(now, then, equal_nan=floating(now)):
                raise GradientError(f"{who} changed {name} in place; work on a copy")


def _copies(values: dict[str, Any]) -> dict[str, list[np.ndarray]]:
    return {name: [array.copy() for array in _arrays_in(value)] for name, value in values.items()}


def _arrays_in(value: Any) -> Iterator[np.ndarray]:
    """Every array inside nested tuples, lists, dictionaries and objects, in order."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _arrays_in(item)
    elif isinstance(value, dict):
        yield from _arrays_in(tuple(value.values()))
    elif hasattr(value, "__dict__") and not isinstance(value, type):
        yield from _arrays_in(vars(value))
