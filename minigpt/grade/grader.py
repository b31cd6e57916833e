"""Grading what a file, or a function of a notebook, attempts."""

import secrets
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.errors import UserError, visible, visible_line
from minigpt.grade.exercise import Exercise, Wrong
from minigpt.grade.exercises import EXERCISES, find_exercise
from minigpt.grade.operation import judge_operation
from minigpt.grade.plain import judge_plain
from minigpt.grade.sandbox import MEGABYTES, SECONDS, Caller, Failed, Limits, Submission
from minigpt.grade.source import gather_source
from minigpt.grade.work import Work, read_work


@dataclass(frozen=True)
class Result:
    """What came of one exercise: a student's best attempt at it."""

    file: str
    exercise: str
    lesson: str
    passed: bool
    points: int
    out_of: int
    message: str
    likely: str | None = None  # the explanation of a known mistake that gives the same numbers
    printed: str = ""  # the last lines that the student's code printed
    others: tuple["Result", ...] = ()  # the student's other attempts, which do not count
    attempts: int = 1

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
        if self.others:
            lines.append(f"        does not count: {', '.join(other.file for other in self.others)}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Exam:
    """What is asked, and how: the same questions for everybody who is graded with it.

    exercises: those that count. named: whether they were asked for by name. seed: of the questions.
    """

    exercises: tuple[Exercise, ...]
    named: bool
    seed: int
    limits: Limits = field(default_factory=Limits)

    @classmethod
    def of(
        cls,
        exercise: str | None = None,
        lesson: str | None = None,
        *,
        seed: int | None = None,
        seconds: float = SECONDS,
        megabytes: int = MEGABYTES,
    ) -> "Exam":
        """Of the exercise or the lesson with this name, or of all; seed: None draws one."""
        chosen = tuple(EXERCISES.values())
        if lesson is not None:
            chosen = tuple(e for e in chosen if e.lesson and lesson in (e.lesson, e.lesson.partition("_")[0]))
            if not chosen:
                names = ", ".join(dict.fromkeys(e.lesson for e in EXERCISES.values() if e.lesson))
                raise UserError(f"there is no lesson {lesson!r}; choose one of {names}")
        if exercise is not None:
            found = _found(exercise)
            if found not in chosen:
                raise UserError(f"lesson {lesson} has no exercise {found.name}; leave one of the two out")
            chosen = (found if exercise == found.name else replace(found, needs=(exercise,)),)
        if seed is not None and seed < 0:
            raise UserError(f"the seed is {seed}, but it must be 0 or more")
        seed = secrets.randbelow(10**9) if seed is None else seed
        return cls(chosen, exercise is not None or lesson is not None, seed, Limits(seconds, megabytes))

    def attempted(self, work: Work) -> list[Exercise]:
        """The exercises that a file attempts.

        Of two lessons on one operation the later one gives what the earlier one asks for, so only the later one counts,
        unless what counts was asked for by name.
        """
        found = [exercise for exercise in self.exercises if work.attempts(exercise.functions)]
        return found if self.named else list({exercise.operation: exercise for exercise in found}.values())

    def seed_of(self, exercise: Exercise) -> int:
        """Of the questions of one exercise."""
        return (self.seed << 32) + zlib.crc32(exercise.name.encode())


def grade_file(
    path: str | Path,
    exercise: str | None = None,
    *,
    lesson: str | None = None,
    seed: int | None = None,
    seconds: float = SECONDS,
    megabytes: int = MEGABYTES,
) -> list[Result]:
    """Grade every exercise that the file attempts, or the one called `exercise`.

    The file runs in a process of its own, and is asked questions that differ from run to run.

    Parameters
    ----------
    path : str or Path
        A Python file, or a notebook, that defines the functions of one exercise or more.
    exercise : str, optional
        The name of one; None: all that it attempts.
    lesson : str, optional
        Those of one lesson only, and all of them: `05_backprop` or `05`.
    seed : int, optional
        The same seed asks the same questions; None draws one.
    seconds : float
        The longest that one call may take; the file may take 12 times as long.
    megabytes : int
        Of memory, beyond that of an empty process.

    Returns
    -------
    list of Result
        `passed`, `message`, and in `likely` the known mistake that gives the same numbers.

    Raises
    ------
    UserError
        If there is no such file, lesson or exercise, or no exercise in the file.

    Examples
    --------
    >>> minigpt.grade_file("lessons/exercises/missing.py")
    Traceback (most recent call last):
        ...
    minigpt.errors.UserError: there is no file lessons/exercises/missing.py; check the path
    """
    return grade_path(path, Exam.of(exercise, lesson, seed=seed, seconds=seconds, megabytes=megabytes))


def grade_path(path: str | Path, exam: Exam) -> list[Result]:
    """`grade_file`, with an exam."""
    if not Path(path).is_file():
        raise UserError(f"there is no file {path}; check the path")
    work = read_work(Path(path))
    chosen = exam.attempted(work)
    if not chosen and exam.named:
        wanted = " or ".join(name for exercise in exam.exercises for name in exercise.functions)
        raise UserError(f"{path} does not define {wanted}; write it, or name another exercise")
    if not chosen:
        raise UserError(
            f"{path} attempts no exercise; it must define a function such as {', '.join(list(EXERCISES)[:4])}"
        )
    judged = {result.exercise: result for result in grade_work(work, chosen, exam)}
    asked = exam.exercises if exam.named else chosen
    return [judged.get(exercise.name) or missing(exercise, judged[chosen[0].name].file) for exercise in asked]


def check(
    function: Callable[..., Any], *, seed: int | None = None, seconds: float = SECONDS, megabytes: int = MEGABYTES
) -> Result:
    """Grade a function of a notebook: its source, and what it uses, run in a process of their own.

    `UserError` if it is no exercise, if its source cannot be found, or if it uses a value that cannot be taken along.
    """
    name = getattr(function, "__name__", "")
    exercise = find_exercise(name)
    if exercise is None:
        raise UserError(f"{name or function!r} is not the name of an exercise; they are {', '.join(EXERCISES)}")
    partners = {other: function.__globals__[other] for other in exercise.pair if other in function.__globals__}
    source = gather_source([function, *(other for other in partners.values() if other is not function)])
    work = Work(f"{name} of this session", ((f"{name}.py", source.encode()),))
    exam = Exam.of(name, seed=seed, seconds=seconds, megabytes=megabytes)
    (result,) = grade_work(work, exam.exercises, exam)
    return result


def grade_work(work: Work, exercises: Sequence[Exercise], exam: Exam) -> list[Result]:
    """One process for the file; another one if it ended before every exercise was judged."""
    results: list[Result] = []
    wanted = [name for exercise in exercises for name in exercise.pair]
    deadline = exam.limits.deadline()
    submission: Submission | None = None
    unloaded: Exception | None = None  # why the file cannot be loaded: once is enough
    try:
        for exercise in exercises:
            if unloaded is None and (submission is None or submission.ended):
                try:
                    submission = Submission(work, wanted, exam.limits, deadline)
                    deadline = submission.deadline
                except Exception as error:
                    unloaded = error
            results.append(_graded(work, exercise, exam, submission, unloaded))
    finally:
        if submission is not None:
            submission.close()
    return results


def _graded(
    work: Work, exercise: Exercise, exam: Exam, submission: Submission | None, unloaded: Exception | None
) -> Result:
    """The one guard round judging: whatever goes wrong is this exercise's failure."""
    passed, likely, printed = False, None, ""
    try:
        if unloaded is not None or submission is None:
            raise unloaded or Failed("the file could not be run")
        with np.errstate(all="ignore"):
            message = judge(exercise, submission, exam.seed_of(exercise))
        passed = True
    except Wrong as wrong:
        message, likely = str(wrong), wrong.likely
    except Failed as failed:
        message = str(failed)
    except Exception as error:
        message = f"what it returns could not be judged ({type(error).__name__}); return what the stub describes"
    if not passed and submission is not None:
        printed = submission.printed()
    return Result(
        file=visible_line(work.path),
        exercise=exercise.name,
        lesson=exercise.lesson,
        passed=passed,
        points=exercise.points if passed else 0,
        out_of=exercise.points,
        message=visible_line(message),
        likely=likely,
        printed=visible(printed),
    )


def judge(exercise: Exercise, caller: Caller, seed: int) -> str:
    """What was found right; raises `Wrong` or `Failed`."""
    if exercise.right:
        return judge_plain(exercise, caller, seed)
    forward_alone = exercise.functions == exercise.pair[:1]
    found = judge_operation(exercise.operation, caller, seed, forward_alone=forward_alone, like=exercise.like)
    absent = " and ".join(name for name in exercise.needs if name not in caller.functions)
    if absent:
        raise Failed(f"{found}, but {absent} is not there; define it under this name")
    return found


def best(results: Sequence[Result]) -> Result:
    """Of one student's attempts at one exercise: the first that passed, or else the first."""
    chosen = next((result for result in results if result.passed), results[0])
    others = tuple(result for result in results if result is not chosen)
    return replace(chosen, others=others, attempts=len(results))


def missing(exercise: Exercise, file: str = "") -> Result:
    """The result of an exercise that was asked for, and is not in the file, or in any."""
    return Result(file, exercise.name, exercise.lesson, False, 0, exercise.points, "not attempted", attempts=0)


def _found(name: str) -> Exercise:
    exercise = find_exercise(name)
    if exercise is None:
        raise UserError(f"there is no exercise {name!r}; choose one of {', '.join(EXERCISES)}")
    return exercise
