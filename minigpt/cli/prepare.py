"""From the command line's words to the folder of a run."""

import argparse
import os
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

from minigpt.errors import UserError
from minigpt.machine import threads_for_width
from minigpt.model import TransformerConfig, preset
from minigpt.text import (
    BytePairTokenizer,
    CharacterTokenizer,
    Corpus,
    Tokenizer,
    load_corpus,
    load_tokenizer,
    write_tokens,
)
from minigpt.train import RunFolder, TrainSettings, has_run, open_folder

RUNS = Path("runs")


def new_folder(arguments: argparse.Namespace) -> Path:
    """--out, which must not hold a run yet; or the first free name below runs/."""
    if arguments.out is not None:
        if has_run(arguments.out):
            raise UserError(f"{arguments.out} already holds a run; add --resume to go on, or choose another --out")
        if arguments.out.exists() and not arguments.out.is_dir():
            raise UserError(f"{arguments.out} is a file; choose a folder for --out")
        return arguments.out
    name = f"{Path(arguments.corpus).stem or 'text'}-{arguments.preset}"
    names = (name if number == 1 else f"{name}-{number}" for number in count(1))
    return next(RUNS / name for name in names if not (RUNS / name).exists())


def prepare_run(
    arguments: argparse.Namespace, path: Path, check: Callable[[RunFolder], None] = lambda draft: None
) -> RunFolder:
    """Check everything, read the corpus, make the tokenizer, write the tokens and, last, run.json.

    check: what else to look at before anything is read or written; it gets the run as it would be.
    """
    changes = {"dropout": arguments.dropout, **({"context": arguments.context} if arguments.context else {})}
    draft = preset(arguments.preset, **changes)  # with GPT-2's vocabulary: finds mistakes before the corpus is read
    settings = _settings(arguments, draft)
    check(RunFolder(path, draft, settings, {}))
    corpus = load_corpus(arguments.corpus)
    tokenizer = _tokenizer(arguments, corpus)
    config = preset(arguments.preset, vocabulary_size=tokenizer.vocabulary_size, **changes)

    counts = {}
    for part in ("training", "validation"):
        counts[part] = write_tokens(path / f"{part}.npy", tokenizer, getattr(corpus, part), progress=True)
    for part, tokens in counts.items():
        if tokens < config.context + 1:
            raise UserError(
                f"the {part} part of {corpus.name} has {tokens} tokens, but the context of {config.context} needs "
                f"at least {config.context + 1}; choose a larger corpus or a smaller --context"
            )
    tokenizer.save(path / "tokenizer.json")
    description = {
        "name": corpus.name,
        "sha256": corpus.sha256,
        "training_tokens": counts["training"],
        "validation_tokens": counts["validation"],
        "validation_bytes": sum(len(text.encode("utf-8")) for text in corpus.validation),
    }
    folder = RunFolder(path, config, settings, description)
    folder.save()
    return folder


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


def _settings(arguments: argparse.Namespace, config: TransformerConfig) -> TrainSettings:
    steps = arguments.steps or 3000
    threads = arguments.threads or (min(2, os.cpu_count() or 1) if threads_for_width(config.width) == 1 else 1)
    return TrainSettings(
        steps=steps,
        batch=arguments.batch,
        accumulate=arguments.accumulate,
        optimizer=arguments.optimizer,
        learning_rate=arguments.learning_rate,
        weight_decay=arguments.weight_decay,
        warmup=min(100, steps),
        seed=arguments.seed,
        threads=min(threads, arguments.batch),
        validate_every=arguments.validate_every or max(1, steps // 12),
    )


def _tokenizer(arguments: argparse.Namespace, corpus: Corpus) -> Tokenizer:
    if arguments.tokenizer == "characters":
        return CharacterTokenizer.train(corpus.documents)  # held-out text may hold a character that training lacks
    if arguments.tokenizer == "bpe":
        return BytePairTokenizer.train(corpus.training, arguments.vocabulary, progress=True)
    if not Path(arguments.tokenizer).exists():
        raise UserError(f"--tokenizer {arguments.tokenizer} is neither bpe, characters nor a file; choose one of these")
    return load_tokenizer(arguments.tokenizer)
