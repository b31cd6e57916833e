"""What a model can be fine-tuned for. A task is a record: what it reads, what it asks of the head, how it is measured.

To add one: its record in a file, a line in `TASKS`, its test.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from minigpt.finetune.examples import Example
from minigpt.model import Batch, TransformerConfig
from minigpt.text.records import Record


class Setup(NamedTuple):
    """What a task needs to know of the model and of the user's wishes to make examples."""

    tokenizer: Any
    context: int  # tokens that the model sees at most
    labels: tuple[str, ...]  # of the classes, in order
    columns: Mapping[str, str]  # role -> the name of its column
    cut: bool = False  # whether a text that is too long is cut, or refused

    def column(self, role: str) -> str:
        """The name of a column."""
        return self.columns.get(role, role)


@dataclass(frozen=True, kw_only=True)
class Task:
    """One task.

    labels(records, setup): the names of its classes, as the training records have them. example(record, setup): the
    row of tokens and its target; `UserError` names file and line. batch(examples, padding): a batch of them.
    model(config, labels): fields of the configuration that the head needs. answers(output, batch, examples, setup): of
    each example what the model says, plain values for JSON. measure(answers, examples, setup): name -> number. Both are
    None where the model writes, and the loss is what is measured.
    """

    name: str
    summary: str  # for --help
    columns: tuple[str, ...]  # roles of what it reads
    answered: tuple[str, ...]  # those of them that hold the true answer
    example: Callable[[Record, Setup], Example]
    batch: Callable[[Sequence[Example], int], Batch]
    model: Callable[[TransformerConfig, tuple[str, ...]], dict[str, Any]]
    answers: Callable[[np.ndarray, Batch, Sequence[Example], Setup], list[dict[str, Any]]] | None = None
    measure: Callable[[Sequence[dict[str, Any]], Sequence[Example], Setup], dict[str, Any]] | None = None
    labels: Callable[[Sequence[Record], Setup], tuple[str, ...]] = lambda records, setup: ()
    counted: str = "answers"  # of what the metric of a validation is the accuracy
    optional: tuple[str, ...] = field(default=())  # roles of columns that may be missing
    instead: tuple[str, ...] = field(default=())  # columns by which examples without a true answer are measured
