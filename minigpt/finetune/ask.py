"""Asking a fine-tuned model, and measuring its answers."""

from collections.abc import Sequence
from typing import Any

from minigpt.finetune.data import ExampleData
from minigpt.finetune.examples import Example
from minigpt.finetune.frames import padding_of
from minigpt.finetune.registry import task_of
from minigpt.finetune.tasks import Setup, Task
from minigpt.model import Call, Overlay, Params, Transformer
from minigpt.pretrained.tuned import TunedFolder
from minigpt.text.records import Record
from minigpt.train.engine import judge_all
from minigpt.values import ANYTHING, about

ROWS = 64  # of a batch that is judged


def examples_of(task: Task, records: Sequence[Record], setup: Setup, *, answered: bool = False) -> list[Example]:
    """The records as rows of tokens. answered: the true answer must be there. `UserError` names file and line."""
    needed = [setup.column(role) for role in task.answered if role not in task.optional] if answered else []
    found = []
    for record in records:
        if not task.instead or any(name not in record.values for name in task.instead):
            for column in needed:
                record.value(column, ANYTHING)
        with about(record.place):
            found.append(task.example(record, setup))
    return found


def measure(folder: TunedFolder, params: Params | Overlay, setup: Setup, examples: Sequence[Example]) -> dict[str, Any]:
    """What the task measures on these examples; where the model writes, the loss in nats per token."""
    task = task_of(folder.task)
    if task.measure is None:
        held_out = data_of(folder, setup, [], examples).held_out()
        loss, accuracy = judge_all(Transformer(folder.config), params, held_out)
        return {"examples": len(examples), "loss": loss, "accuracy": accuracy}
    return task.measure(answers(folder, params, setup, examples), examples, setup)


def answers(
    folder: TunedFolder, params: Params | Overlay, setup: Setup, examples: Sequence[Example]
) -> list[dict[str, Any]]:
    """What the model says to each of the examples, in their order. Rows of like length are asked together."""
    task, model, data = task_of(folder.task), Transformer(folder.config), data_of(folder, setup, [], [])
    assert task.answers is not None
    order = sorted(range(len(examples)), key=lambda row: len(examples[row].ids))
    said: dict[int, dict[str, Any]] = {}
    for first in range(0, len(order), ROWS):
        rows = order[first : first + ROWS]
        some = [examples[row] for row in rows]
        batch = data.make(some)
        output, _ = model.forward(params, batch, Call().forward_only())
        said |= dict(zip(rows, task.answers(output, batch, some, setup), strict=True))
    return [said[row] for row in range(len(examples))]


def setup_of(folder: TunedFolder, tokenizer: Any) -> Setup:
    """What examples are made with."""
    context = folder.corpus["context"] or folder.config.context
    return Setup(tokenizer, context, folder.labels, folder.columns, folder.cut)


def data_of(
    folder: TunedFolder, setup: Setup, training: Sequence[Example], validation: Sequence[Example]
) -> ExampleData:
    """The batches."""
    settings = folder.settings
    return ExampleData(
        task_of(folder.task),
        training,
        validation,
        batch=settings.batch,
        accumulate=settings.accumulate,
        seed=settings.seed,
        padding=padding_of(setup.tokenizer),
        segments=folder.config.segments > 1,
    )
