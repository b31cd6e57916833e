"""Training a prepared fine-tuning, and measuring what came of it."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from minigpt.adapt import Part
from minigpt.errors import UserError
from minigpt.finetune.ask import answers, examples_of, measure, setup_of
from minigpt.finetune.domain import DomainTuning
from minigpt.finetune.examples import Example
from minigpt.finetune.prepare import Tuning, reopen
from minigpt.finetune.registry import task_of
from minigpt.model import Params
from minigpt.parallel.processes import ProcessCommunicator, Unshared
from minigpt.parallel.workers import Workers
from minigpt.pretrained.opened import begin_tuned, open_tuned
from minigpt.pretrained.tuned import TunedFolder, open_tuned_folder, trained_params
from minigpt.text.records import Record
from minigpt.train import Engine, Interrupted, OneProcess, TrainSettings, train
from minigpt.train.metrics import read_metrics


class NoBetter(Exception):
    """The validation loss has not fallen for as long as was wished."""


def go_on(folder: TunedFolder, test: str | Path | None = None) -> Tuning | DomainTuning:
    """A fine-tuning that was prepared, or stopped. `UserError` if its data is not what it was.

    test: as in `reopen`; of a domain there is none.
    """
    if folder.task != "domain":
        return reopen(folder, test)
    if test is not None:
        raise UserError(f"{folder.path} learns a domain, which is measured on its held-out part; leave --test out")
    return DomainTuning(folder)


def engine_of(folder: TunedFolder, part: Part) -> Engine:
    """Who does the work: as many processes as the settings have workers, or one, which says why."""
    alone = partial(OneProcess, folder, part)
    if folder.settings.workers == 1:
        return alone()
    try:
        return Workers.start(folder, part, f"{__name__}:work")
    except Unshared as error:
        engine = alone()
        engine.notice = f"{error}, so one process trains"
        return engine


def work(comm: ProcessCommunicator, path: str, settings: dict[str, Any]) -> None:
    """What every worker but the first does: the same as it, silently."""
    folder = replace(open_tuned_folder(path), settings=TrainSettings(**settings))
    tuning = go_on(folder)
    with suppress(Interrupted):
        engine = Workers(folder, comm, begin_tuned(folder))
        train(folder, tuning.data(), engine=engine, show_progress=False)


def tune(
    tuning: Tuning | DomainTuning,
    *,
    on_validation: Callable[[dict[str, float]], None] = lambda row: None,
    show_progress: bool = True,
) -> TunedFolder:
    """Train to the last step, or until it gets no better; then measure the best parameters.

    They are measured on the examples to validate with, and on those of the test, if there is one. Returns
    the folder as it then is: its finetune.json says what was measured. Raises as `minigpt.train.train`.
    """
    folder, patience = tuning.folder, tuning.folder.corpus["patience"]
    part = begin_tuned(folder)
    engine = engine_of(folder, part)
    best, worse = engine.progress.best_loss, validations_since_best(folder, engine.progress.step)

    def note(_params: Params, row: dict[str, float]) -> None:
        nonlocal best, worse
        worse = 0 if row["validation_loss"] < best else worse + 1
        best = min(best, row["validation_loss"])
        on_validation(row)
        if patience is not None and worse >= patience:
            raise NoBetter

    if patience is not None and worse >= patience:  # it had ended
        engine.close()
    else:
        with suppress(NoBetter):
            train(folder, tuning.data(), engine=engine, on_validation=note, show_progress=show_progress)
    measured = tuning.measure(trained_params(folder, part, "best"))
    folder = replace(folder, measured={**measured, "steps": engine.progress.step})
    folder.save()
    return folder


def validations_since_best(folder: TunedFolder, step: int) -> int:
    """How many validations up to this step came after the best one; 0 if it has not begun."""
    if not step:
        return 0
    losses = [loss for at, loss in read_metrics(folder.file("metrics.csv"))["validation_loss"] if at <= step]
    return len(losses) - 1 - losses.index(min(losses)) if losses else 0


class Tuned:
    """A fine-tuned model, ready to be asked."""

    def __init__(self, path: str | Path, checkpoint: str = "best"):
        """`UserError` if the folder holds none, one that continues texts, or the model below is not what it was."""
        self.folder = open_tuned_folder(path)
        if task_of(self.folder.task).answers is None:
            raise UserError(f"{path} was trained for {self.folder.task}, so it continues texts; use generate or chat")
        self.params, tokenizer = open_tuned(self.folder, checkpoint)
        self.setup = setup_of(self.folder, tokenizer)

    def examples(self, records: Sequence[Record]) -> list[Example]:
        """The records as rows of tokens."""
        return examples_of(task_of(self.folder.task), records, self.setup)

    def predict(self, records: Sequence[Record]) -> list[dict[str, Any]]:
        """What it says to each record; the true answers, where the records hold them, are not read."""
        hidden = {self.setup.column(role) for role in task_of(self.folder.task).answered}
        asked = [
            record._replace(values={name: value for name, value in record.values.items() if name not in hidden})
            for record in records
        ]
        return self.answers(self.examples(asked))

    def answers(self, examples: Sequence[Example]) -> list[dict[str, Any]]:
        """What it says to each example, whose true answer is not looked at."""
        return answers(self.folder, self.params, self.setup, examples)

    def evaluate(self, records: Sequence[Record]) -> dict[str, Any]:
        """What the task measures on records that hold the true answers."""
        examples = examples_of(task_of(self.folder.task), records, self.setup, answered=True)
        return measure(self.folder, self.params, self.setup, examples)
