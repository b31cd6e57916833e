"""Results as text for a reader, and as a table for a spreadsheet."""

import csv
from collections.abc import Iterable
from typing import TextIO

from minigpt.grade.grader import Result

COLUMNS = ("student", "file", "exercise", "passed", "points", "out of", "message")


def as_text(student: str, results: list[Result]) -> str:
    """What one student's work came to, file by file, and the sum. `student` may be empty."""
    lines = []
    for file in dict.fromkeys(result.file for result in results):
        lines.append(f"{student + ': ' if student else ''}grading {file}")
        lines += [repr(result) for result in results if result.file == file]
    points, out_of = _sum(results)
    return "\n".join([*lines, f"{points} of {out_of} points\n"])


def write_csv(graded: Iterable[tuple[str, list[Result]]], file: TextIO) -> bool:
    """A row for each exercise and a total for each student, written as they come. Returns whether all passed."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    passed = True
    for student, results in graded:
        for r in results:
            message = f"{r.message} Likely: {r.likely}" if r.likely else r.message
            writer.writerow([student, r.file, r.exercise, "yes" if r.passed else "no", r.points, r.out_of, message])
            passed = passed and r.passed
        writer.writerow([student, "", "total", "", *_sum(results), ""])
        file.flush()
    return passed


def _sum(results: list[Result]) -> tuple[int, int]:
    """Points reached, and points there were."""
    return sum(result.points for result in results), sum(result.out_of for result in results)
