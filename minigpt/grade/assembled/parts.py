"""The pieces of a GPT, who wrote which, and whether it is right."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from minigpt.grade.assembled import pieces
from minigpt.grade.exercise import Exercise
from minigpt.grade.exercises import EXERCISES
from minigpt.grade.grader import Exam, Result, grade_work
from minigpt.grade.work import Work

NAMES = (  # of exercises, in the order in which a window of text meets them
    "next_token_batch", "embedding", "layer_norm", "linear", "causal_mask", "split_heads", "attention", "gelu_tanh",
    "block", "cross_entropy", "clip_by_global_norm", "warmup_cosine", "adamw_step", "sample_top_k",
)  # fmt: skip
LESSONS = {exercise.operation: exercise.lesson.partition("_")[0] for exercise in EXERCISES.values()}
NOT_WRITTEN = "is not written yet"


@dataclass(frozen=True)
class Piece:
    """One piece, and whose it is.

    functions: their names. work: the file whose functions are taken; None: the library's are. result: what the grader
    said of them; None if no file has all of them.
    """

    name: str
    functions: tuple[str, ...]
    work: Work | None
    result: Result | None

    @property
    def wrong(self) -> bool:
        """Whether it is the student's, and not right."""
        return self.work is not None and self.result is not None and not self.result.passed

    @property
    def origin(self) -> str:
        """Where it comes from, in words."""
        if self.work is not None:
            return Path(self.work.path).name
        what = " and ".join(self.functions)
        return (
            f"the library; {what} of lesson {LESSONS[self.name]} {'is' if len(self.functions) == 1 else 'are'} missing"
        )


def find_pieces(works: Sequence[Work], exam: Exam) -> list[Piece]:
    """Of each piece the first version that is right, or else the first that is written, or else the library's.

    A version is all functions of the piece in one file, since a backward reads what its own forward has kept.
    """
    wanted = [whole(EXERCISES[name]) for name in NAMES]
    tried: dict[str, list[tuple[Work, Result]]] = {name: [] for name in NAMES}
    for work in works:
        here = [e for e in wanted if all(work.attempts((name,)) for name in e.functions)]
        for result in grade_work(work, here, exam) if here else ():
            if NOT_WRITTEN not in result.message:
                tried[result.exercise].append((work, result))
    found = []
    for exercise in wanted:
        versions = sorted(tried[exercise.name], key=lambda version: not version[1].passed)
        found.append(Piece(exercise.name, exercise.functions, *(versions[0] if versions else (None, None))))
    return found


def whole(exercise: Exercise) -> Exercise:
    """The exercise to write all of an operation, where a lesson asks for a half of it and gives the other."""
    return replace(exercise, functions=exercise.pair, needs=exercise.pair)


def library_source(missing: Sequence[Piece]) -> Work:
    """A file with the library's version of these pieces, and nothing of the others."""
    lines = ["import math\n", "import numpy as np\n"]
    for piece in missing:
        for name in piece.functions:
            function = getattr(pieces, name, EXERCISES[piece.name].right)
            assert function is not None
            lines += [inspect.getsource(function), ""]
    return Work("the library", (("the library", "\n".join(lines).encode()),))
