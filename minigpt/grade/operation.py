"""Judging an operation: y against the reference, gradients against numerical derivatives, mistakes by name."""

import inspect
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from minigpt.check import CASES, OPERATIONS, Case, GradientError, check_gradient, diagnose, diagnose_forward
from minigpt.check.cases import Inputs
from minigpt.check.contract import as_dtype, floating, upstream
from minigpt.grade.exercise import Wrong
from minigpt.grade.plain import show_arguments
from minigpt.grade.sandbox import Caller, Failed, demand_array, parameters
from minigpt.ops import ACTIVATIONS

LIKELY_SECONDS = 5.0  # for other cases after a wrong one, to find the known mistake
ROWS = (*ACTIVATIONS, "tanh", "linear", "softmax", "layer_norm", "rms_norm", "router")
JOINED: dict[str, tuple[int, ...]] = {"gated": (0, 1)} | dict.fromkeys(ROWS, (0,))  # which arguments may have more rows
ENTRIES = 48  # of each array are checked one by one, and all of it along a random direction


def judge_operation(
    operation: str,
    caller: Caller,
    seed: int = 0,
    *,
    forward_alone: bool = False,
    like: Callable[..., None] | None = None,
) -> str:
    """Check NAME_forward, NAME_backward or both. Returns what was right; raises `Wrong` or `Failed`.

    seed: of the arrays. A backward without a forward beside it gets the cache of minigpt's own forward, a named tuple.
    forward_alone: leave the backward, if there is one, to another exercise. like: the forward must take at least what
    this function takes.
    """
    forward, backward = f"{operation}_forward", f"{operation}_backward"
    ours = [case for case in CASES if case.operation == operation]
    if operation in JOINED:
        ours.append(_larger(ours[0]))
    cases = [case for case in ours if _accepts(_forward_of(caller, operation), case)]
    if not cases or (like and any(case not in cases for case in ours if _accepts(parameters(like), case))):
        wanted = f"; it is called as {forward}{inspect.signature(like)}" if like else ""
        raise Failed(f"{forward} takes other arguments than {operation} has; keep the stub's signature{wanted}")
    if forward not in caller.functions:
        try:
            _judge_cases(judge_backward, cases, caller, seed)
        except Failed as problem:
            without = f"there is no {forward} beside it, so its cache was minigpt's own; keep the stub's forward"
            raise Failed(f"{problem} ({without})", final=problem.final) from None
        return f"{backward} is right in {_counted(cases)}"
    _judge_cases(judge_forward, cases, caller, seed)
    if backward not in caller.functions or forward_alone:
        return f"{forward} is right in {_counted(cases)}"
    _judge_cases(judge_backward, cases, caller, seed)
    return f"{forward} and {backward} are right in {_counted(cases)}"


def _larger(case: Case) -> Case:
    """The case with several times as many rows, so that no answer is right at the sizes of the others alone."""

    def make(rng: np.random.Generator) -> Inputs:
        drawn = [case.make(rng) for _ in range(rng.integers(5, 9))]
        arrays, options = drawn[0]
        joined = JOINED[case.operation]
        return tuple(
            np.concatenate([parts[i] for parts, _ in drawn]) if i in joined else array for i, array in enumerate(arrays)
        ), options

    return Case(case.operation, "many rows", make, samples=4)


def _counted(cases: list[Case]) -> str:
    return f"{len(cases)} cases" if len(cases) > 1 else "one case"


def _judge_cases(judge: Callable[[Case, Caller, int], None], cases: list[Case], caller: Caller, seed: int) -> None:
    """Raise what the first wrong case says, with the likely mistake, which another case may show more clearly."""
    first: Exception | None = None
    deadline = time.monotonic() + LIKELY_SECONDS
    for case in cases:
        try:
            judge(case, caller, seed)
        except (Wrong, Failed) as problem:
            first = first or _with_inputs(problem, case, caller, seed)
            likely = getattr(problem, "likely", None)
            if likely is not None:
                raise Wrong(str(first), likely) from None
            if isinstance(problem, Failed) and problem.final:
                break
        if first is None:
            deadline = time.monotonic() + LIKELY_SECONDS
        elif time.monotonic() > deadline:
            break
    if first is not None:
        raise first


def _case_inputs(case: Case, caller: Caller, seed: int) -> tuple[tuple[np.ndarray, ...], dict[str, Any]]:
    """The case's inputs, in float64, without options that the student's forward lacks and that are the defaults."""
    arrays, options = case.inputs(seed)
    kept = _asked(_forward_of(caller, case.operation), case, options)
    return tuple(as_dtype(array, np.float64) for array in arrays), {
        name: as_dtype(value, np.float64) for name, value in kept.items()
    }


def _asked(parameters: dict[str, Any], case: Case, options: dict[str, Any]) -> dict[str, Any]:
    """The options that have to be given."""
    defaults = inspect.signature(OPERATIONS[case.operation].forward).parameters
    known = {*parameters["named"], *parameters["positional"]}
    return {
        name: value
        for name, value in options.items()
        if parameters["any"] or name in known or not (isinstance(value, str) and value == defaults[name].default)
    }


def _forward_of(caller: Caller, operation: str) -> dict[str, Any]:
    """How the student's forward is called, or minigpt's if there is none."""
    own = caller.functions.get(f"{operation}_forward")
    return own if own is not None else parameters(OPERATIONS[operation].forward)


def _accepts(parameters: dict[str, Any], case: Case) -> bool:
    """Whether a function with these parameters can be called as the case does."""
    arrays, options = case.inputs()
    options = _asked(parameters, case, options)
    fits = len(parameters["needed"]) <= len(arrays) <= len(parameters["positional"])
    known = {*parameters["named"], *parameters["positional"][len(arrays) :]}
    if case.operation == "attention" and arrays[0].shape[1] != arrays[1].shape[1] and "scale" not in known:
        return False  # shared key-value heads are for those who write all of it
    return fits and set(parameters["needed_by_name"]) <= set(options) and (parameters["any"] or set(options) <= known)


def judge_forward(case: Case, caller: Caller, seed: int = 0) -> None:
    """y of one case."""
    arrays, options = _case_inputs(case, caller, seed)
    name = f"{case.operation}_forward"
    right = np.asarray(OPERATIONS[case.operation].forward(*arrays, **options)[0])
    given = _pair(name, caller.call(name, arrays, options))[0]
    problem = ""
    try:
        yours = demand_array(f"y of {name}", given, right.shape)
    except Failed as failed:
        if not isinstance(given, np.ndarray) or given.shape != right.shape:
            raise
        yours, problem = given, f"{failed}{_case(case)}"
    if not problem and not np.allclose(yours, right, rtol=1e-7, atol=1e-9):
        index = np.unravel_index(np.argmax(np.abs(yours - right)), right.shape)
        problem = f"y of {name} is wrong{_case(case)}, most at {[int(i) for i in index]}: " + (
            f"yours {yours[index]:.6g} is too {'large' if yours[index] > right[index] else 'small'}"
        )
    if problem:
        bugs = diagnose_forward(case.operation, arrays, options, yours)
        asked = _asked_with(case, caller, arrays, options)
        raise Wrong(f"{problem}; {asked}", bugs[0].explanation if bugs else None)


def judge_backward(case: Case, caller: Caller, seed: int = 0) -> None:
    """Gradients of one case, against central differences of the reference's forward."""
    backward = f"{case.operation}_backward"
    arrays, options = _case_inputs(case, caller, seed)
    reference = OPERATIONS[case.operation].forward

    def ours(*values: np.ndarray, **settings: Any) -> tuple[np.ndarray, Any]:
        return reference(*values, **settings)[0], [*map(_copy, values)]

    def theirs(dy: np.ndarray, values: Any) -> tuple[np.ndarray, ...]:
        gradients = _student_gradients(case.operation, caller, values, options, dy)
        return tuple(gradient.astype(dy.dtype) for gradient in gradients)

    names = _forward_of(caller, case.operation)["positional"][: len(arrays)]
    wanted = [(name, array) for name, array in zip(names, arrays, strict=True) if floating(array)]
    dy = upstream(np.random.default_rng(seed + 5), reference(*arrays, **options)[0].shape)
    found = _student_gradients(case.operation, caller, arrays, options, dy)
    if len(found) != len(wanted):
        raise Wrong(f"{backward} returns {len(found)} gradients, but {len(wanted)} arguments have one: {names}")
    try:
        for (name, array), gradient in zip(wanted, found, strict=True):
            demand_array(f"the gradient of {name}", gradient, array.shape)
        check_gradient(
            ours, theirs, *arrays, seed=seed, samples=case.samples or ENTRIES, names=names, **options
        ).raise_if_wrong()
    except (GradientError, Failed) as error:
        bugs = diagnose(case.operation, arrays, options, dy, found)
        asked = _asked_with(case, caller, arrays, options)
        raise Wrong(f"{backward}{_case(case)}: {error}; {asked}", bugs[0].explanation if bugs else None) from None


def _asked_with(case: Case, caller: Caller, arrays: tuple[np.ndarray, ...], options: dict[str, Any]) -> str:
    """The inputs, under the names that the student's forward has for them."""
    names = _forward_of(caller, case.operation)["positional"]
    return f"asked with {show_arguments(arrays, options, names)}"


def _with_inputs(problem: Wrong | Failed, case: Case, caller: Caller, seed: int) -> Wrong | Failed:
    """The problem; of an error that the student's code raised, with the inputs as well."""
    if isinstance(problem, Failed) and problem.raised:
        return Failed(f"{problem}; {_asked_with(case, caller, *_case_inputs(case, caller, seed))}")
    return problem


def _student_gradients(
    operation: str, caller: Caller, arrays: Any, options: dict[str, Any], dy: np.ndarray
) -> list[np.ndarray]:
    """What the student's backward gives, from the cache of the student's forward."""
    forward, backward = f"{operation}_forward", f"{operation}_backward"
    if forward in caller.functions:
        _, cache = _pair(forward, caller.call(forward, arrays, options, keep=True))
    else:
        _, cache = OPERATIONS[operation].forward(*arrays, **options)
    returned = caller.call(backward, [dy, cache])
    gradients = list(returned) if isinstance(returned, (tuple, list)) else [returned]
    for number, gradient in enumerate(gradients):
        if not isinstance(gradient, np.ndarray):
            demand_array(f"gradient {number + 1} of {backward}", gradient, (-1,))
    return gradients


def _pair(name: str, value: Any) -> tuple[Any, Any]:
    if not (isinstance(value, tuple) and len(value) == 2):
        raise Failed(f"{name} must return two things, y and the cache (None will do if there is no backward)")
    return value


def _case(case: Case) -> str:
    return f" ({case.variant})" if case.variant else ""


def _copy(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else value
