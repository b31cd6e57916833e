"""Every exercise by name: those of the lessons, in the order of the course, then the operations that none asks for."""

from dataclasses import replace
from importlib import import_module
from pkgutil import iter_modules

from minigpt.check import OPERATIONS
from minigpt.grade import lessons
from minigpt.grade.exercise import Exercise

POINTS = 3  # of an operation that no lesson asks for


def _gather() -> dict[str, Exercise]:
    """name -> exercise, of every file in `minigpt/grade/lessons`."""
    found: dict[str, Exercise] = {}
    for name in sorted(module.name for module in iter_modules(lessons.__path__)):
        for exercise in import_module(f"{lessons.__name__}.{name}").EXERCISES:
            if exercise.name in found:
                raise ValueError(f"two lessons ask for {exercise.name}; give each exercise its own name")
            if not exercise.right and exercise.operation not in OPERATIONS:
                raise ValueError(f"{exercise.name} is no operation of minigpt.check; name one, or use Exercise.of")
            found[exercise.name] = replace(exercise, lesson=name.removeprefix("l"))
    return found | {name: Exercise(name, POINTS) for name in OPERATIONS if name not in found}


EXERCISES = _gather()


def find_exercise(name: str) -> Exercise | None:
    """The exercise called so, or the one that a function of that name belongs to."""
    return EXERCISES.get(name) or next((e for e in EXERCISES.values() if name in e.functions), None)
