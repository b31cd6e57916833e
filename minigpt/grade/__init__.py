"""The grader of the course's exercises: `minigpt grade FILE`, or `grade.check(function)` in a notebook.

It judges the student's function and nothing else: the file runs in a process of its own, in which minigpt cannot be
imported, with limits on time and memory. Forward values are compared with the reference, gradients with numerical
derivatives; a wrong answer is compared with those of known mistakes, and the likely one is named.
"""

from minigpt.grade.exercise import Exercise
from minigpt.grade.exercises import EXERCISES
from minigpt.grade.grader import Result, check, grade_file, grade_folder

__all__ = ["EXERCISES", "Exercise", "Result", "check", "grade_file", "grade_folder"]
