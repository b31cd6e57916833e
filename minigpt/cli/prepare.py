"""From the command line's words to the folder of a run."""

import argparse
import os
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from minigpt.errors import UserError
from minigpt.infer.generate import check_tokenizer
from minigpt.machine import threads_for_width
from minigpt.model import PRESETS
from minigpt.pretrained import OpenedModel, open_model
from minigpt.train import RunFolder, TrainSettings, has_run, open_folder, prepare_run
from minigpt.train.prepare import PRESET

RUNS = Path("runs")
FRESH_RATE, START_RATE = 3e-3, 1e-4  # a model that has learned is easily spoiled by steps as large as a fresh one's
CONTEXT = 256  # tokens at most, of a model that is trained on, where no --context says otherwise


def new_run(arguments: argparse.Namespace, check: Callable[[RunFolder], None] = lambda draft: None) -> RunFolder:
    """What the words ask for, prepared."""
    folder, start = new_folder(arguments), _opened(arguments)
    context = arguments.context
    if start is not None and context is None:
        context = min(CONTEXT, start.model.config.context)
    changes = {"dropout": arguments.dropout, "context": context}
    width = start.model.config.width if start is not None else PRESETS[arguments.preset or PRESET]["width"]
    return prepare_run(
        folder,
        arguments.corpus,
        objective=arguments.objective,
        architecture=arguments.architecture,
        model=arguments.preset,
        changes={name: value for name, value in changes.items() if value is not None},
        tokenizer=arguments.tokenizer,
        vocabulary=arguments.vocabulary,
        settings=_settings(arguments, width),
        start=start,
        check=check,
    )


def _opened(arguments: argparse.Namespace) -> OpenedModel | None:
    """The model of --start. `UserError` beside options that it leaves nothing to say."""
    if arguments.start is None:
        return None
    for name in ("preset", "tokenizer", "vocabulary"):
        if getattr(arguments, name) is not None:
            raise UserError(
                f"--start brings its own configuration and tokenizer, so --{name} has no effect; leave it out"
            )
    opened = open_model(arguments.start)
    check_tokenizer(opened.model, opened.tokenizer)
    return opened


def new_folder(arguments: argparse.Namespace) -> Path:
    """--out, which must not hold a run yet; or the first free name below runs/."""
    if arguments.out is not None:
        if has_run(arguments.out):
            raise UserError(f"{arguments.out} already holds a run; add --resume to go on, or choose another --out")
        if arguments.out.exists() and not arguments.out.is_dir():
            raise UserError(f"{arguments.out} is a file; choose a folder for --out")
        return arguments.out
    model = arguments.preset or PRESET if arguments.start is None else Path(arguments.start).stem
    name = f"{Path(arguments.corpus).stem or 'text'}-{model}"
    name += "" if arguments.objective == "causal" else f"-{arguments.objective}"
    names = (name if number == 1 else f"{name}-{number}" for number in count(1))
    return next(RUNS / name for name in names if not (RUNS / name).exists())


def resume_run(path: Path | None, steps: int | None) -> RunFolder:
    """The run in `path`, or the latest below runs/; --steps may ask for more steps than it was started with."""
    if path is None:
        runs = [folder for folder in RUNS.glob("*") if has_run(folder)]
        if not runs:
            raise UserError(f"there is no run below {RUNS} to resume; name one with --out")
        path = max(runs, key=lambda folder: (folder / "run.json").stat().st_mtime)
    folder = open_folder(path)
    if steps is not None and steps != folder.settings.steps:
        folder = replace(folder, settings=replace(folder.settings, steps=steps))
        folder.save()
    return folder


def _settings(arguments: argparse.Namespace, width: int) -> TrainSettings:
    """width: of the model."""
    steps, rate = arguments.steps or 3000, arguments.learning_rate
    if rate is None:
        rate = FRESH_RATE if arguments.start is None else START_RATE
    threads = arguments.threads or (min(2, os.cpu_count() or 1) if threads_for_width(width) == 1 else 1)
    given: dict[str, Any] = {
        name: getattr(arguments, name) for name in ("batch", "accumulate", "optimizer", "weight_decay", "seed")
    }
    return TrainSettings(
        steps=steps,
        learning_rate=rate,
        warmup=min(100, steps),
        threads=min(threads, arguments.batch),
        validate_every=arguments.validate_every or max(1, steps // 12),
        **given,
    )
