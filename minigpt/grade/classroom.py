"""Grading a class: who is a student, which files are their work, and what counts."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from minigpt.errors import UserError, visible_line
from minigpt.grade.exercise import Exercise
from minigpt.grade.exercises import EXERCISES
from minigpt.grade.grader import Exam, Result, best, grade_work, missing
from minigpt.grade.work import Work, is_work, read_work

NO_WORK = ("venv", "env", "site-packages", "node_modules", "__pycache__", "__MACOSX")  # folders, beside hidden ones
REPORTS = (".csv", ".json", ".html")  # what grading itself writes
MOST_FILES = 200  # of one student
Judge = Callable[[Work, Sequence[Exercise], Exam], list[Result]]


@dataclass(frozen=True)
class Student:
    """What one handed in, read before anything runs.

    problems: what could not be read, as sentences. beside: the names of files that are no work.
    """

    name: str
    works: tuple[Work, ...]
    problems: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()


def grade_folder(folder: str | Path, **options: Any) -> Iterator[tuple[str, list[Result]]]:
    """Grade a class: (student, results) for every folder below `folder` and every file in it, in order.

    Options are those of `grade_file`. Each exercise of the class counts once for each student, by the best attempt.
    """
    students = read_class(folder)
    return grade_class(students, Exam.of(**options))


def read_class(folder: str | Path) -> list[Student]:
    """Read all that was handed in. A student is a folder, or a file without its ending; `UserError` if there is none.

    A folder in which every file is called as a lesson's exercises are is the work of one.

    Links that lead out of a student's work, hidden folders, and those of environments and caches are not work.
    """
    folder = Path(folder)
    found: dict[str, list[Path]] = {}
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise UserError(f"{folder} could not be read ({error.strerror}); check the path") from None
    for entry in entries:
        if _hidden(entry) or entry.suffix.lower() in REPORTS or (entry.is_dir() and entry.name in NO_WORK):
            continue
        name = entry.stem if is_work(entry) and not entry.is_dir() else entry.name
        found.setdefault(name, []).append(entry)
    if not found:
        raise UserError(f"{folder} holds no folders and no files; put each student's work into a folder of its own")
    places = [place for several in found.values() for place in several]
    if {exercise.lesson for exercise in EXERCISES.values()}.issuperset(found) and not any(map(Path.is_dir, places)):
        return [_read_student(folder.resolve().name, places, folder)]
    return [_read_student(name, places, folder) for name, places in found.items()]


def work_of(path: Path) -> Student:
    """What lies in one folder, or in a file, as one student's; `UserError` if there is nothing to run."""
    if not path.exists():
        raise UserError(f"there is no file or folder {path}; check the path")
    student = _read_student(path.name, [path], path if path.is_dir() else path.parent)
    if not student.works:
        raise UserError(f"{path} holds no .py file and no notebook that can be read; name the folder of your exercises")
    return student


def _read_student(name: str, places: list[Path], folder: Path) -> Student:
    works: list[Work] = []
    problems: list[str] = []
    paths = [path for place in places for path in _work_files(place, folder)]
    if len(paths) > MOST_FILES:
        problems.append(f"{len(paths)} files were handed in, and the first {MOST_FILES} are graded")
    for path in paths[:MOST_FILES]:
        try:
            works.append(read_work(path))
        except UserError as error:
            problems.append(str(error))
    beside = [path.name for place in places for path in _other_files(place)]
    return Student(name, tuple(works), tuple(problems), tuple(beside))


def _other_files(place: Path) -> list[Path]:
    """What is handed in beside work, or instead of it: not looked for in folders of folders, nor behind links."""
    if place.is_symlink():
        return []
    inside = [Path(name) for _, _, names in islice(os.walk(place), 1) for name in sorted(names)]
    return [path for path in (inside if place.is_dir() else [place]) if not is_work(path) and not _hidden(path)]


def _work_files(place: Path, folder: Path) -> Iterator[Path]:
    """The files of one entry of the class's folder, in order."""
    if place.is_symlink() and not _inside(place, folder):
        return
    if not place.is_dir():
        if is_work(place):
            yield place
        return
    for where, folders, files in os.walk(place):
        folders[:] = sorted(name for name in folders if not _hidden(Path(name)) and name not in NO_WORK)
        for path in sorted(Path(where, name) for name in files):
            if is_work(path) and not _hidden(path) and (not path.is_symlink() or _inside(path, place)):
                yield path


def _hidden(path: Path) -> bool:
    return path.name.startswith(".")


def _inside(path: Path, folder: Path) -> bool:
    """Whether a link leads to somewhere in the folder."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # a link to itself
        return False


def grade_class(
    students: Sequence[Student], exam: Exam, judge: Judge = grade_work
) -> Iterator[tuple[str, list[Result]]]:
    """(student, results), one for each exercise of the class, and one for each file that could not be read.

    The exercises of the class are those asked for by name, or else those that anybody attempts. judge: who judges a
    file (tests put a quick one in its place).
    """
    attempted = [[(work, exam.attempted(work)) for work in student.works] for student in students]
    anybody = {e.name for works in attempted for _, exercises in works for e in exercises}
    asked = [exercise for exercise in exam.exercises if exam.named or exercise.name in anybody]
    for student, works in zip(students, attempted, strict=True):
        tried: dict[str, list[Result]] = {}
        for work, exercises in works:
            for result in judge(work, exercises, exam) if exercises else ():
                tried.setdefault(result.exercise, []).append(result)
        problems = [Result("", "", "", False, 0, 0, visible_line(text), attempts=0) for text in student.problems]
        if not tried and not student.problems:
            problems.append(Result("", "", "", False, 0, 0, visible_line(_nothing(student, exam)), attempts=0))
        results = [best(tried[e.name]) if e.name in tried else missing(e) for e in asked]
        yield visible_line(student.name), problems + results


def _nothing(student: Student, exam: Exam) -> str:
    """Why there is nothing to grade, and what there is."""
    if student.works:
        which = "no exercise that was asked for" if exam.named else "no exercise"
        return f"nothing to grade: {_few([work.path for work in student.works])} attempts {which}"
    there = f", only {_few(student.beside)}" if student.beside else ""
    return f"nothing to grade: no .py file and no notebook{there}"


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
