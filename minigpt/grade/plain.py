"""Judging a plain function: what it returns, against the reference, on drawn questions."""

from typing import Any

import numpy as np

from minigpt.grade.exercise import Exercise, Question, Wrong
from minigpt.grade.sandbox import Caller, Unknown

QUESTIONS = 40


def judge_plain(exercise: Exercise, caller: Caller) -> str:
    """Ask; returns what was found right, raises `Wrong` or `Failed`."""
    assert exercise.draw is not None and exercise.right is not None
    rng = np.random.default_rng(11)
    asked = [exercise.draw(rng) for _ in range(QUESTIONS)]
    given: list[Any] = []
    for arguments, options in asked:
        given.append(caller.call(exercise.name, arguments, options))
        right = exercise.right(*arguments, **options)
        if problem := _difference(given[-1], right):
            given += [caller.call(exercise.name, *question) for question in asked[len(given) :]]
            raise Wrong(f"{exercise.name}({_show(arguments, options)}): {problem}", _likely(exercise, asked, given))
    return f"{exercise.name} is right on {QUESTIONS} questions"


def _difference(yours: Any, right: Any) -> str | None:
    """In what they differ; None if they are the same, numbers to rounding."""
    if isinstance(right, tuple):
        if not isinstance(yours, (tuple, list)) or len(yours) != len(right):
            return f"yours is {_short(yours)}, but {len(right)} results are wanted"
        found = ((i, _difference(a, b)) for i, (a, b) in enumerate(zip(yours, right, strict=True)))
        return next((f"result {i + 1}: {text}" for i, text in found if text), None)
    if isinstance(right, np.ndarray):
        return _array_difference(yours, right)
    if isinstance(right, float):
        same = isinstance(yours, (int, float, np.ndarray)) and np.shape(yours) == ()
        same = same and bool(np.isclose(float(yours), right, rtol=1e-6, atol=1e-9))
    elif isinstance(right, list):
        yours = yours.tolist() if isinstance(yours, np.ndarray) else yours
        same = isinstance(yours, (list, tuple)) and list(yours) == right
    else:
        same = type(yours) is type(right) and yours == right
    return None if same else f"yours is {_short(yours)}, it must be {_short(right)}"


def _array_difference(yours: Any, right: np.ndarray) -> str | None:
    if not isinstance(yours, np.ndarray):
        return f"yours is {_short(yours)}, but a NumPy array is wanted"
    if yours.shape != right.shape:
        return f"yours has shape {yours.shape}, it must be {right.shape}"
    if (yours.dtype.kind == "b") != (right.dtype.kind == "b"):
        return f"yours holds {yours.dtype} values, it must hold {right.dtype}"
    wrong = ~np.isclose(yours, right, rtol=1e-6, atol=1e-9)
    if not wrong.any():
        return None
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    return f"first wrong at {list(index)}: yours {yours[index]}, it must be {right[index]}"


def _likely(exercise: Exercise, asked: list[Question], given: list[Any]) -> str | None:
    """The explanation of the mistake that gives the same wrong answers to every question."""
    for mistake in exercise.mistakes:
        answers = [mistake(*arguments, **options) for arguments, options in asked]
        if not any(_difference(yours, wrong) for yours, wrong in zip(given, answers, strict=True)):
            return " ".join(str(mistake.__doc__).split())
    return None


def _show(arguments: list[Any], options: dict[str, Any]) -> str:
    """The arguments as they would be written, shortened."""
    parts = [_short(value) for value in arguments] + [f"{name}={_short(value)}" for name, value in options.items()]
    return ", ".join(parts)


def _short(value: Any) -> str:
    if isinstance(value, Unknown):
        return f"a {value.kind}"
    if isinstance(value, np.ndarray):
        rounded = np.round(value, 4) if value.dtype.kind == "f" else value
        value = rounded.tolist() if value.size <= 16 else f"an array of shape {value.shape}"
    text = repr(value) if not isinstance(value, str) or value[:2] != "an" else value
    return text if len(text) <= 120 else text[:117] + "..."
