"""What EleutherAI's lm-evaluation-harness writes, beside which our answers can be laid.

`results_*.json`: for each task its measures, `"acc,none": 0.55` with `"acc_stderr,none": 0.01`. With `--log_samples`
also `samples_TASK_*.jsonl`: for each question the requests (prompt and continuation of each choice), which one is right
and whether the model was, so that another model can be asked the same, and compared question by question.
"""

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.files import read_json
from minigpt.measure.tasks import Question
from minigpt.text.records import Record, read_records
from minigpt.values import LIST, TABLE, TEXT, about, is_finite, read, shown, whole

SCORES = ("acc", "acc_norm")  # of a question: 0 or 1
UNKNOWN = "N/A"  # how a standard error is written that was not computed


class Score(NamedTuple):
    """A published measure of one task."""

    task: str
    measure: str
    value: float
    error: float | None  # its standard error
    questions: int | None  # how many there were


class Samples(NamedTuple):
    """Questions that another program asked another model, and whether that was right."""

    questions: list[Question]
    right: dict[str, np.ndarray]  # measure -> (N,) booleans


def is_samples(path: str | Path) -> bool:
    """Whether a file of JSON Lines is the harness's: its first line has the requests of one question."""
    return Path(path).suffix.lower() == ".jsonl" and "arguments" in read_records(path)[0].values


def read_results(path: str | Path) -> list[Score]:
    """The accuracies in a results_*.json. `UserError` if it has none."""
    with about(path, "it is not what lm-evaluation-harness writes as results_*.json"):
        value = read_json(path)
        counted = read(value, "n-samples", TABLE, {})
        scores = []
        for task, measures in read(value, "results", TABLE).items():
            if not isinstance(measures, dict):
                raise UserError(f"results[{shown(task)}] is {shown(measures)}, but it must be a table")
            questions = read(read(counted, task, TABLE, {}), "effective", whole(1), None)
            for name, found in measures.items():
                measure, _, filter_ = name.partition(",")
                if measure not in SCORES:
                    continue
                if not is_finite(found) or not 0 <= found <= 1:
                    raise UserError(f"{shown(name)} of {shown(task)} is {shown(found)}, but it must be from 0 to 1")
                error = measures.get(f"{measure}_stderr,{filter_}" if filter_ else f"{measure}_stderr")
                if error not in (None, UNKNOWN) and not (is_finite(error) and error >= 0):
                    raise UserError(f"the standard error of {shown(task)} is {shown(error)}, but it must be 0 or more")
                scores.append(Score(task, measure, found, None if error == UNKNOWN else error, questions))
        if not scores:
            raise UserError(f"it holds no {' or '.join(SCORES)}")
        return scores


def read_samples(path: str | Path) -> Samples:
    """The questions of a samples_*.jsonl, and which were answered right. `UserError` for tasks of free writing."""
    questions, right = [], dict[str, list[bool]]()
    for record in read_records(path):
        with about(record.place):
            questions.append(_question(record))
            for name in SCORES:
                if name in record.values:
                    right.setdefault(name, []).append(_zero_or_one(name, record.values[name]))
    for name, found in right.items():
        if len(found) < len(questions):
            raise UserError(
                f"{path}: {len(found):,} of {len(questions):,} questions have {name}; the others need it too, or none"
            )
    return Samples(questions, {name: np.array(found) for name, found in right.items()})


def _question(record: Record) -> Question:
    """The requests of one line as a question of ours."""
    asked = [_request(one) for one in _requests(record.values)]
    ends = tuple(end for _, end in asked)
    if len({prompt for prompt, _ in asked}) > 1:
        raise UserError(
            "its choices stand in the prompt, as in winogrande; questions with one prompt can be asked here"
        )
    if not all(ends):
        raise UserError("a choice is empty; such a question cannot be asked")
    if len(set(ends)) < len(ends):
        raise UserError(
            f"a choice is there twice in {shown(list(ends))}, so neither can be the likeliest; leave it out"
        )
    return Question(asked[0][0], ends, _target(record, len(asked)) if len(asked) > 1 else 0)


def _requests(values: dict[str, Any]) -> list[Any]:
    """A list of requests; newer files have a table of them, gen_args_0, gen_args_1, ..."""
    found = values.get("arguments")
    if isinstance(found, dict):
        found = [found[name] for name in sorted(found, key=lambda name: (len(name), name))]
    if not isinstance(found, list) or not found:
        raise UserError("arguments must hold the requests of the question, but it does not")
    return found


def _request(value: Any) -> tuple[str, str]:
    """(prompt, continuation). Newer files have a table, arg_0 and arg_1."""
    if isinstance(value, dict):
        value = [value.get("arg_0"), value.get("arg_1")]
    if not LIST.fits(value) or len(value) != 2 or not all(map(TEXT.fits, value)):
        raise UserError(
            f"the request {shown(value)} is no pair of a prompt and a continuation; tasks in which a model writes "
            "freely are not scored by likelihood"
        )
    return value[0], value[1]


def _target(record: Record, choices: int) -> int:
    """Which choice is right: its number, which some tasks write as a string."""
    target = record.values.get("target")
    if isinstance(target, str) and re.fullmatch(r"\s*[0-9]{1,4}\s*", target):
        target = int(target)
    if type(target) is not int or not 0 <= target < choices:
        raise UserError(f"target is {shown(target)}, but it must be a number from 0 to {choices - 1}, of the choices")
    return target


def _zero_or_one(name: str, value: Any) -> bool:
    if value not in (0, 1):
        raise UserError(f"{name} is {shown(value)}, but of one question it must be 0 or 1")
    return bool(value)
