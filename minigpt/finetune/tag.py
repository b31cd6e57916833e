"""Tagging: a class for every word, such as B-PER and I-PER for the words of a person's name."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.finetune.classify import check_apart
from minigpt.finetune.examples import Example, with_targets
from minigpt.finetune.frames import check_length, pieces_of_words
from minigpt.finetune.tasks import Setup, Task
from minigpt.measure.spans import tag_report
from minigpt.model import Batch, TransformerConfig
from minigpt.ops import IGNORED
from minigpt.text.frame import frame_of
from minigpt.text.records import Record
from minigpt.values import TEXT, list_of, shown

OUTSIDE = "O"  # the tag of a word that belongs to nothing


def labels_of(records: Sequence[Record], setup: Setup) -> tuple[str, ...]:
    """The tags of the records, in the order of the alphabet. `UserError` for fewer than two, or for two alike."""
    found = sorted({tag for record in records for tag in _tags(record, setup)})
    if len(found) < 2:
        raise UserError(f"all words have the tag {shown(found[0])}; there must be two at least")
    check_apart(found)
    return tuple(found)


def example_of(record: Record, setup: Setup) -> Example:
    """The words as one row; the first token of each has its tag as target, all others have none."""
    words = record.value(setup.column("words"), list_of(TEXT))
    pieces, frame = pieces_of_words(setup.tokenizer, words), frame_of(setup.tokenizer)
    if not len(pieces.ids):
        raise UserError(f"{record.place}: none of its {len(words)} words has a token; leave the line out")
    room = setup.context - frame.marks
    ids = frame.row(pieces.ids[:room] if setup.cut else pieces.ids)[0]
    check_length(ids, setup.context, record.place)
    places = np.full(len(words), -1)  # of each word its first token; -1 where it has none, or is cut off
    found, firsts = np.unique(pieces.words, return_index=True)
    kept = firsts < len(ids) - frame.marks
    places[found[kept]] = firsts[kept] + len(frame.begin)
    target = np.full(len(ids), IGNORED, np.int64)
    if setup.column("tags") in record.values:
        for tag, place in zip(_tags(record, setup), places, strict=True):
            if place >= 0:
                target[place] = _number(tag, record, setup)
    return Example(ids, target, record=Tagged(record, places))


class Tagged(NamedTuple):
    """What the answers need to know of an example."""

    record: Record
    places: np.ndarray  # (words,) of each word its first token; -1: none


def _tags(record: Record, setup: Setup) -> list[str]:
    """A tag for each word. `UserError` for more or fewer tags than words."""
    tags = record.value(setup.column("tags"), list_of(TEXT))
    words = record.value(setup.column("words"), list_of(TEXT))
    if len(tags) != len(words) or not words:
        raise UserError(f"{record.place}: it has {len(words)} words and {len(tags)} tags; each word needs one")
    return tags


def _number(tag: str, record: Record, setup: Setup) -> int:
    if tag not in setup.labels:
        raise UserError(f"{record.place}: the tag {shown(tag)} is none of those that were trained")
    return setup.labels.index(tag)


def model_of(_config: TransformerConfig, labels: tuple[str, ...]) -> dict[str, Any]:
    """A token head."""
    return {"head": "token", "labels": len(labels), "head_bias": True}


def answers_of(logits: np.ndarray, _batch: Batch, examples: Sequence[Example], setup: Setup) -> list[dict[str, Any]]:
    """Of each example a tag for every word; `OUTSIDE`, or else the first tag, where the word has no token."""
    none = OUTSIDE if OUTSIDE in setup.labels else setup.labels[0]
    best = logits.argmax(axis=-1)  # (B, T)
    return [
        {"tags": [setup.labels[best[row, place]] if place >= 0 else none for place in example.record.places]}
        for row, example in enumerate(examples)
    ]


def measured(answers: Sequence[dict[str, Any]], examples: Sequence[Example], setup: Setup) -> dict[str, Any]:
    """Accuracy of words, and precision, recall and F1 of whole spans."""
    true = [_tags(example.record.record, setup) for example in examples]
    return tag_report([answer["tags"] for answer in answers], true)


TAG = Task(
    name="tag",
    summary="a tag for each word (JSON Lines with lists words and tags; B-X and I-X are spans of X)",
    columns=("words", "tags"),
    answered=("tags",),
    labels=labels_of,
    example=example_of,
    batch=with_targets,
    model=model_of,
    answers=answers_of,
    measure=measured,
    counted="tags",
)
