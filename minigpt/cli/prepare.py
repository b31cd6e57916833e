"""From the command line's words to the folder of a run."""

import argparse
import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from minigpt.cli.resume import RUNS
from minigpt.errors import UserError
from minigpt.infer.generate import check_tokenizer
from minigpt.machine import available_memory, cores
from minigpt.measure.ledger import predict
from minigpt.measure.scale import Layout
from minigpt.model import Transformer
from minigpt.model.scaling import fields_of
from minigpt.pretrained import OpenedModel, open_model
from minigpt.train import RunFolder, TrainSettings, has_run, prepare_run
from minigpt.train.lock import locked
from minigpt.train.prepare import PRESET, VOCABULARY

CORPUS, OBJECTIVE = "pydocs", "causal"
FRESH_RATE, START_RATE = 3e-3, 1e-4  # a model that has learned is easily spoiled by steps as large as a fresh one's
CONTEXT = 256  # tokens at most, of a model that is trained on, where no --context says otherwise
SELDOM = 20  # steps between validations at least: more of them would take longer than the steps


def new_run(arguments: argparse.Namespace, check: Callable[[RunFolder], None] = lambda draft: None) -> RunFolder:
    """What the words ask for, prepared. A folder that is made for it is gone again if that fails."""
    if arguments.vocabulary is not None and arguments.tokenizer not in (None, "bpe"):
        raise UserError(f"--vocabulary is for bpe; {arguments.tokenizer} has its own, so leave --vocabulary out")
    start = _opened(arguments)
    context = arguments.context
    if start is not None and context is None:
        context = min(CONTEXT, start.model.config.context)
    changes = {"dropout": arguments.dropout, "context": context, "position": arguments.position}
    changes |= {"window": arguments.window, "sinks": arguments.sinks, "rotary_scaling": _scaling(arguments, start)}

    def check_all(draft: RunFolder) -> None:
        check(draft)
        _check_memory(draft, arguments)

    with reserved_folder(arguments) as folder:
        return prepare_run(
            folder,
            CORPUS if arguments.corpus is None else arguments.corpus,
            objective=arguments.objective or OBJECTIVE,
            architecture=arguments.architecture,
            model=arguments.preset,
            changes={name: value for name, value in changes.items() if value is not None},
            tokenizer=arguments.tokenizer,
            vocabulary=arguments.vocabulary,
            settings=_settings(arguments),
            start=start,
            check=check_all,
            held=True,
            words=arguments.command_line,
        )


def _scaling(arguments: argparse.Namespace, start: OpenedModel | None) -> dict[str, Any] | None:
    """The fields that --rotary-scaling asks for; the original context is that of the model which is trained on."""
    if arguments.rotary_scaling is None:
        return None
    kind, _, factor = arguments.rotary_scaling.partition(":")
    fields: dict[str, Any] = {"kind": kind, "factor": float(factor)}
    if start is not None and "original_context" in fields_of(kind):
        fields["original_context"] = start.model.config.context
    return fields


def _check_memory(draft: RunFolder, arguments: argparse.Namespace) -> None:
    """`UserError` before anything large is made, if a step clearly needs more memory than there is."""
    ranks = arguments.data_parallel * arguments.tensor_parallel * arguments.pipeline_parallel
    free = available_memory()
    if ranks > 1 or free is None:
        return
    vocabulary = draft.config.vocabulary_size if arguments.start else arguments.vocabulary or VOCABULARY
    encoder = draft.config.encoder and replace(draft.config.encoder, vocabulary_size=vocabulary)
    config = replace(draft.config, vocabulary_size=vocabulary, encoder=encoder, dropout=0.0)
    parameters = sum(math.prod(record.shape) for record in Transformer(config).arrays().values())
    needed = 16 * parameters  # float32: weights, gradients and Adam's two moments
    with suppress(UserError):  # a kind of model that the ledger does not know: its states alone, then
        rows = draft.settings.batch
        needed = predict(config, Layout(micro_batch=rows, recompute=False), rows).total
    needed += 4 * parameters * (draft.settings.workers - 1)  # each further worker has a gradient of its own
    if needed > free:
        raise UserError(
            f"a step of {parameters:,} parameters with --batch {draft.settings.batch} and --context {config.context} "
            f"takes about {needed / 1e9:,.1f} GB, but {free / 1e9:,.1f} GB of memory are free; choose a smaller "
            "--preset, --batch or --context, or fewer --workers"
        )


def _opened(arguments: argparse.Namespace) -> OpenedModel | None:
    """The model of --start. `UserError` beside options that it leaves nothing to say."""
    if arguments.start is None:
        return None
    for name in ("preset", "tokenizer", "vocabulary", "position"):
        if getattr(arguments, name) is not None:
            raise UserError(
                f"--start brings its own configuration and tokenizer, so --{name} has no effect; leave it out"
            )
    opened = open_model(arguments.start)
    check_tokenizer(opened.model, opened.tokenizer)
    return opened


@contextmanager
def reserved_folder(
    arguments: argparse.Namespace, name: str | None = None, holds_run: Callable[[Path], bool] = has_run
) -> Iterator[Path]:
    """--out, which must not hold a run yet, or the first free name below runs/; while inside, it is nobody else's.

    name: of the folder below runs/; None: of the text and the model. If the block fails, what was made is removed.
    """
    path, missing = _chosen_folder(arguments, name or _name_of(arguments))
    with locked(path, make_folder=True):
        if holds_run(path):
            raise UserError(f"{path} already holds a run; add --resume to go on, or choose another --out")
        try:
            yield path
        except BaseException:
            if missing:
                shutil.rmtree(path, ignore_errors=True)
            for parent in missing[1:]:
                with suppress(OSError):
                    parent.rmdir()
            raise


def _name_of(arguments: argparse.Namespace) -> str:
    model = arguments.preset or PRESET if arguments.start is None else Path(arguments.start).stem
    name = f"{Path(arguments.corpus or CORPUS).stem or 'text'}-{model}"
    return name + ("" if arguments.objective in (None, OBJECTIVE) else f"-{arguments.objective}")


def _chosen_folder(arguments: argparse.Namespace, name: str) -> tuple[Path, list[Path]]:
    """The folder; and it and its parents, as far as they are made for this run."""
    if arguments.out is not None:
        if arguments.out.exists() and not arguments.out.is_dir():
            raise UserError(f"{arguments.out} is a file; choose a folder for --out")
        return arguments.out, [path for path in (arguments.out, *arguments.out.parents) if not path.exists()]
    parents = [path for path in (RUNS, *RUNS.parents) if not path.exists()]
    for number in count(1):
        path = RUNS / (name if number == 1 else f"{name}-{number}")
        with suppress(FileExistsError):
            path.mkdir(parents=True)  # it is taken from now on, also from a process that looks at the same moment
            break
    return path, [path, *parents]


def _settings(arguments: argparse.Namespace) -> TrainSettings:
    names = ("steps", "batch", "accumulate", "optimizer", "weight_decay", "seed")
    given: dict[str, Any] = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    settings = TrainSettings(**given)
    rate = arguments.learning_rate
    if rate is None:
        rate = FRESH_RATE if arguments.start is None else START_RATE
    return replace(
        settings,
        learning_rate=rate,
        warmup=min(100, settings.steps),
        workers=min(arguments.workers or cores(), settings.batch),
        validate_every=arguments.validate_every or max(settings.steps // 12, min(settings.steps, SELDOM)),
    )
