"""The grader of exercises inside of a page: the page's worker takes the place of the process that bounds the work.

The page stops the worker when a file takes longer than it may.
"""

import contextlib
import importlib
import io
import os
from typing import Any

from minigpt.errors import UserError
from minigpt.grade import grader
from minigpt.grade.grader import Exam, grade_work
from minigpt.grade.report import as_text, counted
from minigpt.grade.sandbox.frames import pack, unpack
from minigpt.grade.sandbox.process import Submission
from minigpt.grade.sandbox.worker import _answer, _describe, _loaded
from minigpt.grade.work import Work

HEADER = 8  # bytes before a frame, with its length


class InPage(Submission):
    """A student's file, loaded into this interpreter; questions and answers go through the same frames."""

    asked = staticmethod(
        lambda what: None
    )  # hears what is asked, and "" when the answer is there: the page's clock

    def __init__(
        self,
        work: Work,
        wanted: Any,
        limits: Any,
        deadline: float | None = None,
        *,
        prefix: str = "",
    ):
        self.limits, self.ended = limits, False
        self.deadline = deadline if deadline is not None else limits.deadline()
        self._mine: dict[str, Any] = {}
        self._places: set[str] = set()
        self._kept: dict[int, Any] = {}
        self._said = io.StringIO()
        self.functions: dict[str, dict[str, Any]] = {}
        self.load(work, wanted, prefix=prefix)

    def printed(self) -> str:
        """The last lines that the student's code printed since this was asked before."""
        lines = self._said.getvalue().splitlines()[-5:]
        self._said.seek(0)
        self._said.truncate()
        return "\n".join(line[:500] for line in lines)

    def close(self) -> None:
        """There is no process to end."""
        self.ended = True

    def _ask(self, request: dict[str, Any], what: str, who: str) -> dict[str, Any]:
        type(self).asked(what)
        request = unpack(pack(request, asks=True)[HEADER:], asks=True)
        with contextlib.redirect_stdout(self._said), contextlib.redirect_stderr(self._said):
            try:
                if "blocks" in request:
                    reply = {**_loaded(request, self._mine, self._places), "unset": []}
                else:
                    reply = _answer(request, self._mine, self._kept)
                data = pack(reply)
            except BaseException as error:
                data = pack(_describe(error, self._places))
        type(self).asked("")
        reply = unpack(data[HEADER:])
        if "error" in reply:
            self._raise(reply, who)
        return reply


def install() -> None:
    """From now on the grader asks in this interpreter."""
    grader.Submission = InPage  # type: ignore[misc]
    importlib.import_module("minigpt.grade.assembled.assemble").Submission = InPage  # type: ignore[attr-defined]


def grade(name: str, source: str, lesson: str, seed: int | None, emit: Any) -> tuple[bool, str]:
    """(passed, what `minigpt grade` would print) for the text of a file. emit("asked", what, "") before each call."""
    install()
    InPage.asked = staticmethod(lambda what: emit("asked", what, ""))
    try:
        exam = Exam.of(lesson=lesson, seed=seed)
        work = Work(name, ((os.path.basename(name), source.encode()),))
        chosen = exam.attempted(work)
        if not chosen:
            wanted = " or ".join(one for exercise in exam.exercises for one in exercise.functions)
            raise UserError(f"{name} does not define {wanted}; write it")
        results = grade_work(work, chosen, exam)
        done = {result.exercise: result for result in results}
        results = [done.get(one.name) or grader.missing(one, name) for one in exam.exercises]
    except UserError as error:
        return False, str(error)
    text = as_text("", results) + "\n" + counted(exam, [("", results)])
    return all(result.passed for result in results), text
