"""Extractive question answering: where in a context the answer begins, and where it ends.

Devlin et al. (2018), arXiv:1810.04805, section 4.2; the measures are those of SQuAD, Rajpurkar et al. (2016),
arXiv:1606.05250, section 6.1.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.finetune.examples import Example, with_labels
from minigpt.finetune.frames import Pieces, check_length, pieces_of
from minigpt.finetune.tasks import Setup, Task
from minigpt.measure.spans import answer_report, stereotype_report
from minigpt.model import Batch, TransformerConfig
from minigpt.ops import IGNORED, softmax_forward
from minigpt.text.frame import frame_of
from minigpt.text.records import Record
from minigpt.values import shown, whole

LONGEST_ANSWER = 30  # tokens, as in the original code of BERT
PEOPLE = ("stereotyped", "other")  # columns of bbq: whom a stereotype would name, and whom it would not


class Asked(NamedTuple):
    """What the answers need to know of an example."""

    record: Record
    context: str
    pieces: Pieces  # of the context
    first: int  # the place of the context's first token in the row


def example_of(record: Record, setup: Setup) -> Example:
    """Question and context as one row; the target is the first and the last token of the answer."""
    frame = frame_of(setup.tokenizer, pair=True)
    question = setup.tokenizer.encode(record.text(setup.column("question")))
    context = record.text(setup.column("context"))
    pieces = pieces_of(setup.tokenizer, context)
    first = len(frame.begin) + len(question) + len(frame.between)
    kept = pieces.ids
    if setup.cut:
        kept = kept[: max(0, setup.context - first - len(frame.end))]
    if not len(kept):
        raise UserError(
            f"{record.place}: {setup.context} tokens have no room for the context behind its question; give more with "
            "--tokens, or shorten the question"
        )
    ids, segments = frame.row(question, kept)
    check_length(ids, setup.context, record.place)
    target = np.array([IGNORED, IGNORED])
    if setup.column("answer") in record.values:
        tokens = _tokens_of(record, context, pieces, setup)
        if tokens[1] < len(kept):  # else it is in what was cut off, and nothing can be learnt from it
            target = np.array(tokens) + first
    return Example(ids, target, segments, record=Asked(record, context, pieces, first))


def _tokens_of(record: Record, context: str, pieces: Pieces, setup: Setup) -> tuple[int, int]:
    """The first and the last token of the answer. `UserError` if it does not stand in the context."""
    answer = record.text(setup.column("answer"))
    start = context.find(answer)
    if setup.column("start") in record.values:
        start = _start(record, setup)
        if context[start : start + len(answer)] != answer:
            start = -1
    if start < 0:
        raise UserError(f"{record.place}: the answer {shown(answer)} does not stand in the context where it should")
    end = start + len(answer)
    inside = [word for word, (first, last) in enumerate(pieces.spans) if first < end and last > start]
    tokens = np.flatnonzero(np.isin(pieces.words, inside))
    if not len(tokens):
        raise UserError(f"{record.place}: the answer {shown(answer)} has no token; choose another")
    return int(tokens[0]), int(tokens[-1])


def _start(record: Record, setup: Setup) -> int:
    """The place of the answer's first character; in a CSV file it is written as text."""
    value = record.values.get(setup.column("start"))
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    return record.value(setup.column("start"), whole(0))


def model_of(_config: TransformerConfig, _labels: tuple[str, ...]) -> dict[str, Any]:
    """A span head."""
    return {"head": "span", "head_bias": True}


def answers_of(logits: np.ndarray, _batch: Batch, examples: Sequence[Example], setup: Setup) -> list[dict[str, Any]]:
    """Of each example the likeliest span of the context, as text, and its probability. logits: (B, T, 2)."""
    return [_likeliest(logits[row], example) for row, example in enumerate(examples)]


def _likeliest(logits: np.ndarray, example: Example) -> dict[str, Any]:
    asked: Asked = example.record
    own = slice(asked.first, asked.first + min(len(asked.pieces.ids), len(example.ids) - asked.first))
    begin, end = softmax_forward(logits[own].T.astype(np.float64))[0]  # (n,) each
    far = np.subtract.outer(np.arange(len(begin)), np.arange(len(begin))).T  # of the end from the beginning
    joint = np.outer(begin, end) * ((far >= 0) & (far < LONGEST_ANSWER))
    first, last = np.unravel_index(joint.argmax(), joint.shape)
    spans, words = asked.pieces.spans, asked.pieces.words
    text = asked.context[spans[words[first]][0] : spans[words[last]][1]]
    return {"answer": text, "start": spans[words[first]][0], "probability": float(joint[first, last])}


def measured(answers: Sequence[dict[str, Any]], examples: Sequence[Example], setup: Setup) -> dict[str, Any]:
    """Exact match and token F1; where the records say so, how many answers follow a stereotype."""
    said, records = [answer["answer"] for answer in answers], [example.record.record for example in examples]
    groups = _column(records, setup.column("group"))
    two_people = [_column(records, name) for name in PEOPLE]
    found: dict[str, Any] = {}
    if two_people[0] is not None and two_people[1] is not None:
        found = stereotype_report(said, two_people[0].tolist(), two_people[1].tolist(), groups)
        if setup.column("answer") not in records[0].values:  # the context settles nothing, so none is true
            return found
    return found | answer_report(said, [record.text(setup.column("answer")) for record in records], groups)


def _column(records: Sequence[Record], name: str) -> np.ndarray | None:
    """The texts of a column, (N,), if all records have it."""
    return np.array([record.text(name) for record in records]) if all(name in one.values for one in records) else None


ANSWER = Task(
    name="answer",
    summary="the answer to a question where it stands in a context (columns question, context, answer; of questions "
    "that are alike also group: whole groups are held out, and intervals are over groups)",
    columns=("question", "context", "answer"),
    answered=("answer", "start"),
    optional=("start", "group"),
    instead=PEOPLE,
    example=example_of,
    batch=with_labels,
    model=model_of,
    answers=answers_of,
    measure=measured,
    counted="ends of answers",
)
