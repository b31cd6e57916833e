"""Classification: one of several classes for a text, or for a pair of texts."""

import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.finetune.examples import Example, with_labels
from minigpt.finetune.frames import check_length
from minigpt.finetune.tasks import Setup, Task
from minigpt.measure.classes import class_report
from minigpt.model import Batch, TransformerConfig
from minigpt.ops import softmax_forward
from minigpt.text.frame import frame_of
from minigpt.text.records import Record
from minigpt.values import shown

MOST_CLASSES = 10_000  # more than that is no column of classes, but of texts or numbers


def labels_of(records: Sequence[Record], setup: Setup) -> tuple[str, ...]:
    """The classes of the records, in the order of the alphabet. `UserError` for fewer than two, or for two alike."""
    column = setup.column("label")
    found = sorted({class_of(record, column) for record in records})
    if len(found) < 2:
        raise UserError(f"all {len(records):,} examples are of the class {shown(found[0])}; there must be two at least")
    if len(found) > MOST_CLASSES:
        raise UserError(
            f"the column {column} has {len(found):,} different values, but classes are at most {MOST_CLASSES:,}; "
            "name the column of the classes with --label"
        )
    check_apart(found)
    return tuple(found)


def check_apart(names: Sequence[str]) -> None:
    """`UserError` for two names that differ in case, spaces or hidden characters alone, as a mistake does."""
    spelled: dict[str, str] = {}
    for name in names:
        composed = unicodedata.normalize("NFC", name).casefold()
        bare = " ".join("".join(c for c in composed if unicodedata.category(c) != "Cf").split())
        if bare in spelled:
            raise UserError(
                f"the classes {spelled[bare]!a:.50} and {name!a:.50} differ in case, spaces or hidden characters "
                "alone; write them alike, or rename one"
            )
        spelled[bare] = name


def class_of(record: Record, column: str) -> str:
    """The name of a record's class; of a JSON Lines file it may be a whole number or a flag too."""
    value = record.values.get(column)
    return str(value) if type(value) in (int, bool) else record.text(column).strip()


def example_of(record: Record, setup: Setup) -> Example:
    """A text, or two, as one row, and the number of its class; -1 where the record has none (to be predicted)."""
    second_column = setup.columns.get("second")
    frame = frame_of(setup.tokenizer, pair=second_column is not None)
    first = setup.tokenizer.encode(record.text(setup.column("text")))
    second = setup.tokenizer.encode(record.text(second_column)) if second_column else None
    if setup.cut:
        first, second = cut_to(setup.context, frame.row(first, second)[0], first, second)
    if not len(first) or (second is not None and not len(second)):
        raise UserError(f"{record.place}: no token of its text is among the {setup.context} that are kept; give more")
    ids, segments = frame.row(first, second)
    check_length(ids, setup.context, record.place)
    return Example(ids, number_of(record, setup), segments, record=record)


def number_of(record: Record, setup: Setup) -> int:
    """The number of the record's class. `UserError` for a class that training does not have."""
    column = setup.column("label")
    if column not in record.values:
        return -1
    name = class_of(record, column)
    if name not in setup.labels:
        known = ", ".join(setup.labels[:8]) + (", ..." if len(setup.labels) > 8 else "")
        raise UserError(f"{record.place}: the class {shown(name)} is none of those that were trained: {known}")
    return setup.labels.index(name)


def cut_to(
    longest: int, row: np.ndarray, first: np.ndarray, second: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Both texts without so many tokens at the end of the longer one that the row fits."""
    excess = len(row) - longest
    if excess <= 0:
        return first, second
    if second is None:
        return first[: max(0, len(first) - excess)], None
    for _ in range(excess):
        if len(first) > len(second):
            first = first[:-1]
        else:
            second = second[:-1]
    return first, second


def model_of(config: TransformerConfig, labels: tuple[str, ...]) -> dict[str, Any]:
    """A sequence head: of the first token, or of the mean, in an encoder; of the last token in a decoder."""
    pooled = "first" if config.architecture == "encoder" else "last"
    return {"head": "sequence", "labels": len(labels), "pooled": pooled, "pooler": False, "head_bias": True}


def answers_of(logits: np.ndarray, _batch: Batch, examples: Sequence[Example], setup: Setup) -> list[dict[str, Any]]:
    """Of each example the likeliest class, and the probability of every class. logits: (B, labels)."""
    shares, _ = softmax_forward(logits.astype(np.float64))
    return [
        {"label": setup.labels[int(row.argmax())], "probabilities": dict(zip(setup.labels, row.tolist(), strict=True))}
        for row in shares
    ]


def measured(answers: Sequence[dict[str, Any]], examples: Sequence[Example], setup: Setup) -> dict[str, Any]:
    """Accuracy, macro-F1, calibration and the confusion matrix, with intervals."""
    shares = np.array([[answer["probabilities"][name] for name in setup.labels] for answer in answers])
    return class_report(shares, np.array([example.target for example in examples]), setup.labels)


CLASSIFY = Task(
    name="classify",
    summary="a class for each text (columns text, label), or for each pair (also second)",
    columns=("text", "label"),
    answered=("label",),
    optional=("second",),
    labels=labels_of,
    example=example_of,
    batch=with_labels,
    model=model_of,
    answers=answers_of,
    measure=measured,
    counted="classes",
)
