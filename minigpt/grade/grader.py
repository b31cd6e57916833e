"""Grading a file, a folder of a whole class, or a function in a notebook."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from minigpt.errors import UserError
from minigpt.grade.exercise import Exercise, Wrong
from minigpt.grade.exercises import EXERCISES, find_exercise
from minigpt.grade.operation import judge_operation
from minigpt.grade.plain import judge_plain
from minigpt.grade.sandbox import MEGABYTES, SECONDS, Caller, Failed, Submission
from minigpt.grade.source import defined_names, gather_source


@dataclass(frozen=True)
class Result:
    """What came of one exercise."""

    file: str
    exercise: str
    lesson: str
    passed: bool
    points: int
    out_of: int
    message: str
    likely: str | None = None  # the explanation of a known mistake that gives the same numbers
    printed: str = ""  # the last lines that the student's code printed

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    def __repr__(self) -> str:
        lines = [
            f"{'passed' if self.passed else 'FAILED'}  {self.exercise} ({self.points}/{self.out_of})  {self.message}"
        ]
        if self.likely:
            lines.append(f"        likely: {self.likely}")
        if self.printed and not self.passed:
            lines += ["        your code printed:", *(f"        | {line}" for line in self.printed.splitlines())]
        return "\n".join(lines)


def grade_file(
    path: str | Path, exercise: str | None = None, *, seconds: float = SECONDS, megabytes: int = MEGABYTES
) -> list[Result]:
    """Grade every exercise that the file attempts, or the one called `exercise`.

    The file runs in a process of its own.

    Parameters
    ----------
    path : str or Path
        A Python file that defines the functions of one exercise or more.
    exercise : str, optional
        The name of one; None: all that it attempts.
    seconds : float
        The longest that one call may take.
    megabytes : int
        Of memory, beyond that of an empty process.

    Returns
    -------
    list of Result
        `passed`, `message`, and in `likely` the known mistake that gives the same numbers.

    Raises
    ------
    UserError
        If there is no such file or exercise, or no exercise in the file.

    Examples
    --------
    >>> minigpt.grade_file("lessons/exercises/missing.py")
    Traceback (most recent call last):
        ...
    minigpt.errors.UserError: there is no file lessons/exercises/missing.py; check the path
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"there is no file {path}; check the path")
    wanted = _wanted(exercise)
    defined = defined_names(path)
    candidates = EXERCISES.values() if wanted is None else [wanted]
    chosen = [e for e in candidates if defined.intersection(e.functions)]
    if not chosen and wanted:
        raise UserError(f"{path} does not define {' or '.join(wanted.functions)}; write it, or name another exercise")
    if not chosen:
        raise UserError(
            f"{path} attempts no exercise; it must define a function such as {', '.join(list(EXERCISES)[:4])}"
        )
    return [_grade(path, e, seconds, megabytes) for e in chosen]


def grade_folder(folder: str | Path, **limits: Any) -> Iterator[tuple[str, list[Result]]]:
    """Grade a class: (student, results) for every folder below `folder`, or every file in it, in order."""
    folder = Path(folder)
    entries = sorted(path for path in folder.iterdir() if path.is_dir() or path.suffix == ".py")
    if not entries:
        raise UserError(f"{folder} holds no folders and no .py files; put each student's work into a folder of its own")
    for entry in entries:
        results: list[Result] = []
        for path in sorted(entry.rglob("*.py")) if entry.is_dir() else [entry]:
            try:
                results += grade_file(path, **limits)
            except UserError as error:
                results.append(Result(str(path), "", "", False, 0, 0, str(error)))
        yield entry.stem, results


def check(function: Callable[..., Any], *, seconds: float = SECONDS, megabytes: int = MEGABYTES) -> Result:
    """Grade a function of a notebook: its source, and that of the functions it calls, run in a process of their own.

    `UserError` if it is no exercise, or if its source cannot be found.
    """
    name = getattr(function, "__name__", "")
    exercise = find_exercise(name)
    if exercise is None:
        raise UserError(f"{name or function!r} is not the name of an exercise; they are {', '.join(EXERCISES)}")
    partners = {other: function.__globals__[other] for other in exercise.functions if other in function.__globals__}
    source = gather_source([function, *(other for other in partners.values() if other is not function)])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.py"
        path.write_text(source, encoding="utf-8")
        return _grade(path, exercise, seconds, megabytes, shown=f"{name} of this session")


def _judge(exercise: Exercise, caller: Caller) -> str:
    """What was found right; raises `Wrong` or `Failed`."""
    return judge_plain(exercise, caller) if exercise.right else judge_operation(exercise.name, caller)


def _grade(path: Path, exercise: Exercise, seconds: float, megabytes: int, shown: str | None = None) -> Result:
    printed, likely, passed = "", None, False
    try:
        with Submission(path, seconds=seconds, megabytes=megabytes) as submission:
            try:
                message = _judge(exercise, submission)
                passed = True
            finally:
                printed = submission.printed()
    except Wrong as wrong:
        message, likely = str(wrong), wrong.likely
    except Failed as failed:
        message = str(failed)
    points = exercise.points if passed else 0
    name = exercise.name
    return Result(shown or str(path), name, exercise.lesson, passed, points, exercise.points, message, likely, printed)


def _wanted(name: str | None) -> Exercise | None:
    if name is None:
        return None
    exercise = find_exercise(name)
    if exercise is None:
        raise UserError(f"there is no exercise {name!r}; choose one of {', '.join(EXERCISES)}")
    return exercise
