"""Tasks that are scored by likelihood: multiple choice, and texts with a gap. JSON Lines, an object for each question.

    {"prompt": "The capital of France is", "choices": [" Rome", " Paris"], "answer": 1}
    {"prompt": "The ", "choices": ["cat", "dog"], "after": " barked at the door.", "answer": 1}
    {"prompt": "The capital of France is", "answer": " Paris"}

The first is a multiple choice: which of the choices is likeliest after the prompt? In the second, a cloze, the choice
fills a gap, and what comes *after* counts too (Trinh & Le 2018, arXiv:1806.02847). The third has no choices: it is
right if every token of the answer is the likeliest one there. `group`, a string, may name questions that are alike,
such as those of one story; they are then drawn together for the interval. A choice is put behind the prompt as it
stands, so it begins with a blank where a word begins.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.measure.calibration import reliability
from minigpt.measure.choices import continuations
from minigpt.measure.intervals import bootstrapped_mean, paired_difference, smallest_difference, smallest_gain
from minigpt.measure.permutations import flipped_signs, sign_test
from minigpt.model import Transformer
from minigpt.ops import softmax_forward
from minigpt.text.records import Record, read_records
from minigpt.values import TEXT, about, list_of, read, shown, whole

FIELDS = ("prompt", "choices", "after", "answer", "group")
MOST_CHOICES = 1000


@dataclass(frozen=True)
class Question:
    """One line of a task."""

    prompt: str
    choices: tuple[str, ...]  # without choices, the answer alone
    answer: int  # which choice is right
    after: str = ""
    group: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is nothing to choose among."""
        return len(self.choices) == 1

    def asked(self) -> list[tuple[str, str]]:
        """What is scored: a prompt and a continuation for each choice."""
        return [(self.prompt, choice + self.after) for choice in self.choices]


@dataclass(frozen=True)
class Answers:
    """What a model said to N questions."""

    right: np.ndarray  # (N,) booleans: the likeliest choice is the right one
    right_by_byte: np.ndarray  # (N,) the same where each choice's nats are shared out among its bytes
    right_by_character: np.ndarray  # (N,) among its characters, without a blank before them: acc_norm of the harness
    nats: np.ndarray  # (N,) of the right answer, with what comes after it
    confidence: np.ndarray  # (N,) the probability of the likeliest choice among the choices; 1 of an open question


def read_task(path: str | Path) -> list[Question]:
    """The questions in a .jsonl file, in their order. `UserError` names the file, the line and what does not fit."""
    return [_question(record) for record in read_records(path)]


def _question(record: Record) -> Question:
    with about(record.place):
        values = record.values
        unknown = [name for name in values if name not in FIELDS]
        if unknown:
            raise UserError(f"there is {shown(unknown[0])}, but a question has {', '.join(FIELDS)}; take it out")
        prompt, after = read(values, "prompt", TEXT), read(values, "after", TEXT, "")
        group = read(values, "group", TEXT.or_none(), None)
        if "choices" not in values:
            return Question(prompt, (_not_empty("answer", read(values, "answer", TEXT)),), 0, after, group)
        choices = read(values, "choices", list_of(TEXT))
        if not 2 <= len(choices) <= MOST_CHOICES:
            raise UserError(f"there are {len(choices)} choices, but a question has 2 to {MOST_CHOICES:,}")
        for choice in choices:
            _not_empty("a choice", choice)
        if len(set(choices)) < len(choices):
            raise UserError(f"a choice is there twice in {shown(choices)}; leave one of the two out")
        return Question(prompt, tuple(choices), read(values, "answer", whole(0, len(choices) - 1)), after, group)


def _not_empty(name: str, text: str) -> str:
    if not text:
        raise UserError(f"{name} is empty; write what may come after the prompt")
    return text


def answer_task(
    model: Transformer, params: Any, tokenizer: Any, questions: Sequence[Question], *, progress: bool = False
) -> Answers:
    """Ask a decoder. progress: draw a bar.

    `UserError` for a question that does not fit into its context, and for a damaged model.
    """
    asked = [pair for question in questions for pair in question.asked()]
    found = continuations(model, params, tokenizer, asked, progress=progress)
    rows, place = [], 0
    for question in questions:
        some = found[place : place + len(question.choices)]
        place += len(some)
        nats = -some[question.answer].log_probability
        if question.is_open:
            rows.append((*[some[0].likeliest] * 3, nats, 1.0))
            continue
        logs = np.array([one.log_probability for one in some])
        counts = (
            [1 for _ in question.choices],
            [len(choice.encode("utf-8")) for choice in question.choices],
            [max(1, len(choice.removeprefix(" "))) for choice in question.choices],
        )
        right = [bool((logs / np.array(count)).argmax() == question.answer) for count in counts]
        rows.append((*right, nats, float(softmax_forward(logs)[0].max())))
    return Answers(*map(np.array, zip(*rows, strict=True)))


def task_report(questions: Sequence[Question], answers: Answers) -> dict[str, Any]:
    """Accuracy with its interval and chance, log loss, calibration among the choices, and what the task could show."""
    groups = _groups(questions)
    chosen = np.array([not question.is_open for question in questions])
    report = {
        "questions": len(questions),
        "accuracy": bootstrapped_mean(answers.right, groups)._asdict(),
        "accuracy_by_byte": bootstrapped_mean(answers.right_by_byte, groups)._asdict(),
        "chance": float(np.mean([0.0 if one.is_open else 1 / len(one.choices) for one in questions])),
        "nats_of_the_answer": bootstrapped_mean(answers.nats, groups)._asdict(),
        "smallest_gain": smallest_gain(float(answers.right.mean()), len(questions)),
        "hashes": {"prompts": prompts_hash(questions)},
    }
    if chosen.any():
        report["calibration"] = reliability(answers.confidence[chosen], answers.right[chosen])
    return report


def compare_answers(questions: Sequence[Question], first: np.ndarray, second: np.ndarray) -> dict[str, Any]:
    """Two models' answers to the same questions, (N,) booleans each: accuracies, their difference, what could be seen.

    `only_first`, `only_second`: of how many questions one alone is right, on which the difference rests. p: how often
    it is as large if it is arbitrary which of the models is called the first, in each question (then it is exact, the
    test of McNemar 1947) or, where questions belong together, in each group.
    """
    groups = _groups(questions)
    difference = first.astype(float) - second.astype(float)
    decided = first != second
    return {
        "first": bootstrapped_mean(first, groups)._asdict(),
        "second": bootstrapped_mean(second, groups)._asdict(),
        "difference": paired_difference(first, second, groups)._asdict(),
        "only_first": int((first & ~second).sum()),
        "only_second": int((second & ~first).sum()),
        "p": sign_test(int(first[decided].sum()), int(decided.sum()))
        if groups is None
        else flipped_signs(difference, groups),
        "smallest_difference": smallest_difference(difference, groups),
    }


def prompts_hash(questions: Iterable[Question]) -> str:
    """SHA-256 of all that is asked and of the answers: two results with the same one are of the same task."""
    digest = hashlib.sha256()
    for one in questions:
        digest.update(json.dumps([one.prompt, one.choices, one.after, one.answer], ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()


def _groups(questions: Sequence[Question]) -> np.ndarray | None:
    """To which group each belongs, where any is named; those without a name stand alone."""
    if all(question.group is None for question in questions):
        return None
    return np.array([f"line {n}" if one.group is None else f"group {one.group}" for n, one in enumerate(questions)])
