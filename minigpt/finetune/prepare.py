"""From a model and files of examples to a fine-tuning that can begin, or go on."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.adapt.learns import REMEDY
from minigpt.errors import UserError
from minigpt.files import checksum
from minigpt.finetune.ask import answers, data_of, examples_of, measure, setup_of
from minigpt.finetune.chat import packed
from minigpt.finetune.data import ExampleData
from minigpt.finetune.examples import Example, is_answered
from minigpt.finetune.named import named_records, package_of
from minigpt.finetune.registry import task_of
from minigpt.finetune.rivals import beside_rivals
from minigpt.finetune.tasks import Setup, Task
from minigpt.finetune.wishes import OF_DATA, Wishes
from minigpt.model import Overlay, Params
from minigpt.pretrained.opened import OpenedModel
from minigpt.pretrained.tuned import TunedFolder, has_tuned, part_of, said_of, tokenizer_of
from minigpt.text.records import Record, read_records
from minigpt.train.folder import first_files
from minigpt.train.lock import locked
from minigpt.train.provenance import provenance
from minigpt.values import ANYTHING, TABLE, TEXT, about, read

HELD_OUT = 0.1  # of the examples, where no others are named for validation
SPLIT = 11  # the seed of which they are, whatever the run's own


class Tuning:
    """A fine-tuning that can begin or go on: the folder, what examples are made with, the batches.

    examples, validation, test: to train on, to validate with, and to measure the best model on, once, at the end.
    """

    def __init__(
        self,
        folder: TunedFolder,
        tokenizer: Any,
        records: Sequence[Record],
        held_out: Sequence[Record],
        test: Sequence[Record] = (),
    ):
        self.folder, self.task = folder, task_of(folder.task)
        self.setup = setup_of(folder, tokenizer)
        examples, self.validation = (
            examples_of(self.task, some, self.setup, answered=True) for some in (records, held_out)
        )
        for what, some in (("learn from", examples), ("validate with", self.validation)):
            if not any(map(is_answered, some)):
                raise UserError(
                    f"no example to {what} has its answer in {self.setup.context} tokens; give more (--tokens)"
                )
        examples = list(filter(is_answered, examples))
        if folder.corpus["balanced"]:
            examples = balanced(examples)
        self.examples = packed(examples, self.setup.context) if folder.corpus["packed"] else examples
        self.test = examples_of(self.task, test, self.setup, answered=True)

    def data(self) -> ExampleData:
        """What `minigpt.train.train` is given."""
        return data_of(self.folder, self.setup, self.examples, self.validation)

    def measure(self, params: Params | Overlay) -> dict[str, Any]:
        """What the task measures on the examples to validate with, and on those of the test, if there are any."""
        found = {"validation": measure(self.folder, params, self.setup, self.validation)}
        return found | self._tested(params) if self.test else found

    def _tested(self, params: Params | Overlay) -> dict[str, Any]:
        """The same on the test; and beside a classifier what its rivals reach there."""
        if self.task.measure is None:
            return {"test": measure(self.folder, params, self.setup, self.test)}
        said = answers(self.folder, params, self.setup, self.test)
        found = {"test": self.task.measure(said, self.test, self.setup)}
        if self.task.name == "classify":
            found["rivals"] = beside_rivals(self.examples, self.test, said, self.setup)
        return found


def prepare(
    path: str | Path,
    below: OpenedModel,
    wishes: Wishes,
    training: str | Path,
    validation: str | Path | None = None,
    test: str | Path | None = None,
    *,
    words: Sequence[str] | None = None,
) -> Tuning:
    """Check everything, read the examples, and write the folder's tokenizer.json and, last, finetune.json.

    validation: examples to validate with; None: a tenth of those to train on, drawn at random, always the same. test:
    examples on which the best model is measured at the end. words: of the command that asks for it, for its provenance.
    `UserError` for all that does not fit, and for a folder that holds a fine-tuned model.
    """
    task, path = task_of(wishes.task), Path(path)
    check_below(below, wishes)
    named = {"training": training, "validation": validation, "test": test}
    files = {name: file_of(file) for name, file in named.items() if file}
    records, held_out = read_both(files, task, wishes.columns)
    columns = columns_of(task, records, wishes.columns)
    setup = Setup(below.tokenizer, wishes.context or below.model.config.context, (), columns, wishes.cut)
    labels = task.labels(records, setup)
    changes = {**task.model(below.model.config, labels), "dropout": wishes.dropout}
    if wishes.pooled is not None:
        changes["pooled"] = wishes.pooled
    folder = TunedFolder(
        path,
        replace(below.model.config, **changes),
        wishes.settings(len(records)),
        {"files": files, **wishes.of_data()},
        task=task.name,
        below=said_of(below.name, below.params),
        learns=wishes.learns,
        labels=labels,
        columns=columns,
        cut=wishes.cut,
        provenance=provenance(words),
    )
    tuning = Tuning(folder, below.tokenizer, records, held_out, test_of(files))
    folder = tuning.folder = replace(folder, settings=wishes.settings(len(tuning.examples)))
    part_of(folder, below.params)  # what the model does not have is said now
    with locked(path, make_folder=True):
        if has_tuned(path) or folder.begun:
            raise UserError(f"{path} holds a fine-tuned model; choose another folder, or remove that one first")
        with first_files(path, ["tokenizer.json"]):
            below.tokenizer.save(path / "tokenizer.json")
            folder.save()
    return tuning


def reopen(folder: TunedFolder, test: str | Path | None = None) -> Tuning:
    """The same of a folder that was prepared, to go on. `UserError` if the examples are not what they were.

    test: other examples to measure the best model on; from now on they are the folder's.
    """
    before = folder
    with about(folder.file("finetune.json"), "fine-tune again"):
        files = read(folder.corpus, "files", TABLE)
        for name, kind in OF_DATA.items():
            read(folder.corpus, name, kind)
        if test is not None:
            files = {**files, "test": file_of(test)}
            folder = replace(folder, corpus={**folder.corpus, "files": files})
        for file in files.values():
            path, known = read(file, "path", TEXT), read(file, "checksum", TEXT)
            if file_of(path)["checksum"] != known:
                raise UserError(f"{path} has changed since then, so training cannot go on with it")
    both = read_both(files, task_of(folder.task), folder.columns)
    tuning = Tuning(folder, tokenizer_of(folder), *both, test_of(files))
    if folder is not before:
        with locked(folder.path):
            folder.save()
    return tuning


def check_below(below: OpenedModel, wishes: Wishes) -> None:
    """`UserError` for a model that cannot be fine-tuned in that way."""
    if below.model.two_stacks:
        raise UserError(f"{below.name} reads one text and writes another; fine-tune an encoder or a decoder")
    if below.tokenizer is None:
        raise UserError(f"{below.name} has no tokenizer, so texts cannot be given to it; choose a model that has one")
    if not isinstance(below.params, Params) and wishes.learns.way in ("all", "last"):
        raise UserError(f"the matrices of {below.name} are left in few bits, so they cannot learn; {REMEDY}")
    seen = below.model.config.context
    if wishes.context is not None and wishes.context > seen:
        raise UserError(f"{below.name} sees {seen} tokens, not {wishes.context}; choose fewer with --tokens")


def file_of(path: str | Path) -> dict[str, str]:
    """Which file it is: its path, its checksum and its SHA-256. `UserError` if it cannot be read."""
    package = package_of(str(path))
    if package is not None:
        return {"path": str(path), "checksum": package.sha256, "sha256": package.sha256}
    try:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"path": str(Path(path).resolve()), "checksum": checksum(path), "sha256": digest}
    except OSError as error:
        raise UserError(f"{path} could not be read ({error.strerror}); check the path") from None


def columns_of(task: Task, records: Sequence[Record], named: Mapping[str, str]) -> dict[str, str]:
    """Role -> column: those that were named, and optional ones that all records have under the role's own name.

    `UserError` if an optional one was named and a record lacks it.
    """
    for record in records:
        for role in task.optional:
            if role in named:
                record.value(named[role], ANYTHING)
    there = [role for role in task.optional if all(role in record.values for record in records)]
    return {role: role for role in there} | dict(named)


def read_both(
    files: dict[str, dict[str, str]], task: Task, columns: Mapping[str, str]
) -> tuple[list[Record], list[Record]]:
    """Records to train on, and to validate with."""
    records = records_of(files["training"]["path"])
    if "validation" in files:
        return records, records_of(files["validation"]["path"])
    group = columns.get("group", "group") if "group" in task.optional else None
    return split(records, group, columns.get("label", "label") if "label" in task.answered else None)


def test_of(files: dict[str, dict[str, str]]) -> list[Record]:
    """Records to measure the best model on; none if none were named."""
    return records_of(files["test"]["path"]) if "test" in files else []


def records_of(source: str | Path) -> list[Record]:
    """The examples of a file, or of a set by its name."""
    return read_records(source) if package_of(str(source)) is None else named_records(str(source))


def split(
    records: Sequence[Record], group: str | None = None, label: str | None = None
) -> tuple[list[Record], list[Record]]:
    """(to train on, to validate with): a tenth, drawn at random, always the same. `UserError` for fewer than two.

    group: a column; where all records have it, a tenth of its values is drawn, and all records that have one of these.
    label: a column (without group); the last example of a class is not drawn, but trained on.
    """
    keys: Sequence[Any] = range(len(records))
    if group is not None and all(group in record.values for record in records):
        keys = [record.text(group) for record in records]
    names = sorted(set(keys))
    if len(names) < 2:
        raise UserError("there is one example alone; at least two are needed, one of them to validate with")
    count = max(1, round(HELD_OUT * len(names)))
    left = Counter(str(record.values.get(label)).strip() for record in records) if label else Counter()
    chosen: set[Any] = set()
    for number in np.random.default_rng(SPLIT).permutation(len(names)):
        name = str(records[number].values.get(label)).strip() if label else ""
        if len(chosen) < count and left[name] != 1:
            chosen.add(names[number])
            left[name] -= 1
    if not chosen:
        raise UserError(
            "each class has one example alone; give more of them, or others to validate with (--validation)"
        )
    kept = [record for key, record in zip(keys, records, strict=True) if key not in chosen]
    return kept, [record for key, record in zip(keys, records, strict=True) if key in chosen]


def balanced(examples: Sequence[Example]) -> list[Example]:
    """The examples, each counting so much that all classes together count alike, and one on average."""
    sizes = Counter(example.target for example in examples)
    return [one._replace(weight=len(examples) / (len(sizes) * sizes[one.target])) for one in examples]
