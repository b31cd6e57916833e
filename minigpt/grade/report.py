"""Results as text for a reader, and as a table for a spreadsheet."""

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TextIO

from minigpt.grade.grader import Exam, Result

Graded = Sequence[tuple[str, Sequence[Result]]]  # (student, results)
COLUMNS = ("student", "file", "exercise", "passed", "points", "out of", "attempts", "likely", "message", "seed")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet runs a cell that begins so


def as_text(student: str, results: Sequence[Result]) -> str:
    """What one student's work came to, file by file, and the sum. `student` may be empty."""
    lines = []
    for file in dict.fromkeys(result.file for result in results):
        lines.append(f"{student + ': ' if student else ''}{'grading ' + file if file else 'without a file'}")
        lines += [repr(result) if result.exercise else result.message for result in results if result.file == file]
    points, out_of = total(results)
    return "\n".join([*lines, f"{points} of {out_of} points\n"])


def counted(exam: Exam, graded: Graded) -> str:
    """What "out of" counts, and how to ask the same again."""
    names = dict.fromkeys(result.exercise for _, results in graded for result in results if result.exercise)
    what = "1 exercise" if len(names) == 1 else f"{len(names)} exercises"
    whose = "that anybody attempted" if len(graded) > 1 else "attempted"
    why = "as was asked" if exam.named else f"those {whose} (--lesson or --exercise says which count)"
    return f"Points are out of {what}, {why}. The questions are those of --seed {exam.seed}."


def common_mistakes(graded: Graded) -> list[tuple[str, str, int]]:
    """(exercise, the likely mistake or what was said, students), the most common first."""
    counts = Counter((r.exercise, r.likely) for _, results in graded for r in results if not r.passed and r.likely)
    return [(exercise, str(likely), count) for (exercise, likely), count in counts.most_common()]


def write_csv(graded: Iterable[tuple[str, Sequence[Result]]], file: TextIO, seed: int) -> bool:
    """A row for each exercise and a total for each student, written as they come. Returns whether all passed."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    passed = True
    for student, results in graded:
        for r in results:
            yes = ("yes" if r.passed else "no") if r.exercise else ""
            row = (student, r.file, r.exercise, yes, r.points, r.out_of, r.attempts, r.likely or "", r.message, seed)
            writer.writerow(map(_harmless, row))
            passed = passed and r.passed
        writer.writerow([_harmless(student), "", "total", "", *total(results), "", "", "", seed])
        file.flush()
    return passed


def _harmless(cell: object) -> object:
    """A text that a spreadsheet would take for a formula gets an apostrophe in front."""
    return "'" + cell if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def total(results: Sequence[Result]) -> tuple[int, int]:
    """Points reached, and points there were."""
    return sum(result.points for result in results), sum(result.out_of for result in results)
