"""Judging a plain function: what it returns, against the reference, on drawn questions."""

import inspect
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigpt.grade.exercise import Exercise, Question, Wrong
from minigpt.grade.sandbox import Caller, Failed, Unknown, parameters
from minigpt.grade.work import Work

QUESTIONS = 40
LIKELY_SECONDS = 3.0  # for asking on after a wrong answer, to find the known mistake
RELATIVE, ABSOLUTE = 1e-6, 1e-9  # tolerances


def judge_plain(exercise: Exercise, caller: Caller, seed: int = 11) -> str:
    """Ask; returns what was found right, raises `Wrong` or `Failed`. seed: of the questions."""
    assert exercise.right is not None
    alone = exercise.name in caller.functions and exercise.name not in exercise.functions
    called = _load_harness(exercise, caller) if exercise.harness and not alone else exercise.name
    asked = _questions(exercise, seed)
    given: list[Any] = []
    names = _names(exercise, caller, called)
    for arguments, options in asked:
        try:
            given.append(caller.call(called, arguments, options))
        except Failed as problem:
            if not problem.raised:
                raise
            raise Failed(f"{problem}; asked with {show_arguments(arguments, options, names)}") from None
        if difference(given[-1], exercise.right(*arguments, **options)):
            given += _answers(called, asked[len(given) :], caller)
            raise Wrong(_shortest(exercise, asked, given, names), _likely(exercise, asked, given))
    return f"{exercise.name} is right on {len(asked)} questions"


def _load_harness(exercise: Exercise, caller: Caller) -> str:
    """Run the harness beside the student's functions. Returns what to call."""
    absent = " and ".join(name for name in exercise.functions if name not in caller.functions)
    if absent:
        raise Failed(f"{absent} is not there; define it under this name")
    source = Work("the grader", ((f"the grader's {exercise.name}.py", exercise.harness.encode()),))
    caller.load(
        source, (exercise.name,), prefix="asking ", given={name: name for name in exercise.functions}, own=False
    )
    return f"asking {exercise.name}"


def _questions(exercise: Exercise, seed: int) -> list[Question]:
    """So many that every known mistake shows on one of them."""
    draw, right = exercise.draw, exercise.right
    assert draw is not None and right is not None
    rng = np.random.default_rng(seed)
    asked = [draw(rng) for _ in range(QUESTIONS)]
    for mistake in exercise.mistakes:
        shown = any(difference(mistake(*given, **options), right(*given, **options)) for given, options in asked)
        while not shown and len(asked) < 20 * QUESTIONS:
            given, options = draw(rng)
            asked.append((given, options))
            shown = bool(difference(mistake(*given, **options), right(*given, **options)))
    return asked


def _answers(name: str, asked: list[Question], caller: Caller) -> list[Any]:
    """To the questions, until one cannot be answered or the time is over."""
    given: list[Any] = []
    deadline = time.monotonic() + LIKELY_SECONDS
    for arguments, options in asked:
        if time.monotonic() > deadline:
            break
        try:
            given.append(caller.call(name, arguments, options))
        except Failed:
            break
    return given


def difference(yours: Any, right: Any) -> str | None:
    """In what they differ, without telling what is right; None if they are the same, numbers to rounding."""
    if isinstance(right, tuple):
        if not isinstance(yours, (tuple, list)) or len(yours) != len(right):
            return f"yours is {_short(yours)}, but {len(right)} results are wanted"
        found = ((i, difference(a, b)) for i, (a, b) in enumerate(zip(yours, right, strict=True)))
        return next((f"result {i + 1}: {text}" for i, text in found if text), None)
    if isinstance(right, np.ndarray):
        return _array_difference(yours, right)
    if isinstance(right, float):
        same = _close(yours, right)
    elif isinstance(right, (list, dict, set)):
        same = _equal(yours, right)
    else:
        same = type(yours) is type(right) and yours == right
    if same:
        return None
    wanted = "" if isinstance(yours, type(right)) else f", but a {_kind(right)} is wanted"
    return f"yours is {_short(yours)}{wanted or ', which is wrong'}"


def _kind(right: Any) -> str:
    return {"int": "whole number", "float": "number", "bool": "True or False"}.get(type(right).__name__) or type(
        right
    ).__name__


def _close(yours: Any, right: float) -> bool:
    if not isinstance(yours, (int, float, np.ndarray)) or np.shape(yours) != ():
        return False
    try:
        return bool(np.isclose(float(yours), right, rtol=RELATIVE, atol=ABSOLUTE, equal_nan=True))
    except OverflowError:  # an integer that no float can hold
        return False


def _equal(yours: Any, right: Any) -> bool:
    """Equality of values within values; an array is as good as a list, and never a truth value."""
    if isinstance(right, (list, tuple)):
        yours = yours.tolist() if isinstance(yours, np.ndarray) else yours
        return isinstance(yours, (list, tuple)) and len(yours) == len(right) and all(map(_equal, yours, right))
    if isinstance(right, dict):
        return (
            isinstance(yours, dict) and yours.keys() == right.keys() and all(_equal(yours[k], right[k]) for k in right)
        )
    if isinstance(yours, np.ndarray):
        return yours.shape == () and bool(yours == right)
    return bool(yours == right)


def _array_difference(yours: Any, right: np.ndarray) -> str | None:
    if not isinstance(yours, np.ndarray):
        return f"yours is {_short(yours)}, but a NumPy array is wanted"
    if yours.shape != right.shape:
        return f"yours has shape {yours.shape}, it must be {right.shape}"
    if (yours.dtype.kind == "b") != (right.dtype.kind == "b"):
        return f"yours holds {yours.dtype} values, it must hold {right.dtype}"
    wrong = ~np.isclose(yours, right, rtol=RELATIVE, atol=ABSOLUTE, equal_nan=True)
    if not wrong.any():
        return None
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    return f"first wrong at {list(index)}: yours {yours[index]}"


def _likely(exercise: Exercise, asked: list[Question], given: list[Any]) -> str | None:
    """The explanation of the mistake that gives the same wrong answers to every question."""
    for mistake in exercise.mistakes:
        answers = [mistake(*arguments, **options) for arguments, options in asked[: len(given)]]
        if not any(difference(yours, wrong) for yours, wrong in zip(given, answers, strict=True)):
            return " ".join(str(mistake.__doc__).split())
    return None


def _shortest(exercise: Exercise, asked: list[Question], given: list[Any], names: Sequence[str]) -> str:
    """Of the questions with a wrong answer the one that is soonest read, and what is wrong about the answer."""
    assert exercise.right is not None
    wrong = []
    for (arguments, options), answer in zip(asked, given, strict=False):
        if problem := difference(answer, exercise.right(*arguments, **options)):
            wrong.append((_size(arguments), f"{exercise.name}({show_arguments(arguments, options, names)}): {problem}"))
    how = exercise.harness and inspect.getdoc(exercise.right)  # how it was asked, where that is not the question itself
    return min(wrong, key=lambda one: one[0])[1] + (f" ({how})" if how else "")


def _names(exercise: Exercise, caller: Caller, called: str) -> list[str]:
    """What the student's function calls its arguments or, if it takes any, what the reference does."""
    assert exercise.right is not None
    own, ours = caller.functions.get(called, {}).get("positional", []), parameters(exercise.right)["positional"]
    return own if len(own) == len(ours) else ours


def _size(value: Any) -> int:
    """How many numbers or texts are in it."""
    return sum(map(_size, value)) if isinstance(value, (list, tuple, set)) else int(np.size(value))


def show_arguments(arguments: Sequence[Any], options: dict[str, Any], names: Sequence[str]) -> str:
    """Arguments by their names and options as they would be written, shortened."""
    parts = [*zip(names, arguments, strict=False), *options.items()]
    return ", ".join(f"{name}={_short(value)}" for name, value in parts)


def _short(value: Any) -> str:
    if isinstance(value, Unknown):
        return f"a {value.kind}"
    if isinstance(value, np.ndarray):
        rounded = np.round(value, 4) if value.dtype.kind == "f" else value
        value = rounded.tolist() if value.size <= 24 else f"an array of shape {value.shape}"
    if isinstance(value, (list, tuple)) and any(isinstance(item, np.ndarray) for item in value):
        value = [np.round(item, 4).tolist() if isinstance(item, np.ndarray) else item for item in value]
    try:
        text = repr(value) if not isinstance(value, str) or value[:2] != "an" else value
    except ValueError:  # an integer of many thousand digits
        text = f"a {type(value).__name__} that is too long to show"
    return text if len(text) <= 200 else text[:197] + "..."
