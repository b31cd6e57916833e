"""The grader of the course's exercises: `minigpt grade FILE`, or `grade.check(function)` in a notebook.

It judges the student's function and nothing else: the file runs in a process of its own, in which minigpt cannot be
imported, with limits on all that it may take, and is asked questions that differ from run to run. Forward values are
compared with the reference, gradients with numerical derivatives; a wrong answer is compared with those of known
mistakes, and the likely one is named.
"""

from minigpt.grade.classroom import grade_class, grade_folder, read_class
from minigpt.grade.exercise import Exercise
from minigpt.grade.exercises import EXERCISES
from minigpt.grade.grader import Exam, Result, check, grade_file

__all__ = [
    "EXERCISES",
    "Exam",
    "Exercise",
    "Result",
    "check",
    "grade_class",
    "grade_file",
    "grade_folder",
    "read_class",
]
