"""From the words of `minigpt train` to the folder of a run on images that can begin."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.cli.options import flag_of
from minigpt.cli.prepare import reserved_folder
from minigpt.errors import UserError
from minigpt.machine import available_memory, cores
from minigpt.model import Transformer, TransformerConfig
from minigpt.progress import say
from minigpt.train import TrainSettings
from minigpt.vision import Augmentation, ImageFolder, has_images, prepare_images
from minigpt.vision.asking import asking_config, prepare_asking
from minigpt.vision.named import NAMES, TEST, named_set
from minigpt.vision.prepare import MODERN, config_of, left_out
from minigpt.vision.questions import NAMED_QUESTIONS, OTHERS, read_questions
from minigpt.vision.seen import images_of

ASKED_TOGETHER = 32  # questions in a step
EPOCHS, BATCH, RATE, DECAY, VALIDATIONS = 60, 64, 2e-3, 0.05, 10


def fresh_images(arguments: argparse.Namespace) -> ImageFolder:
    """The folder of a run that can begin, of the task that is asked for."""
    return _fresh_asking(arguments) if arguments.task == "ask" else _fresh(arguments)


def _fresh(arguments: argparse.Namespace) -> ImageFolder:
    if arguments.corpus is None:
        raise UserError("--task classify needs images; name a folder, a file or one of " + ", ".join(NAMES))
    named = named_set(arguments.corpus)
    augment = Augmentation.from_text(arguments.augment) if arguments.augment else Augmentation()
    if named is not None and arguments.augment is None:
        augment = named.augment
    for name in ("first", "areas", "word_dropout"):
        if getattr(arguments, name) is not None:
            raise UserError(f"{flag_of(name)} goes with --task ask; leave it out")
    images = images_of(arguments.corpus, arguments.label)
    test = arguments.test
    if test is None and named is not None and not arguments.corpus.endswith(TEST):
        test = arguments.corpus + TEST
    changes = {name: value for name in ("dropout", "position") if (value := getattr(arguments, name)) is not None}
    settings = _settings(arguments, len(images.pixels))
    recipe = arguments.recipe or MODERN
    config = config_of(images.size, 2, arguments.patch, recipe, changes)
    _check_memory(config, settings)
    _say_left_out(config)
    with reserved_folder(arguments, f"{Path(arguments.corpus).stem}-vit", has_images) as path:
        return prepare_images(
            path,
            images,
            None if test is None else images_of(test, None if named_set(test) else arguments.label),
            name=arguments.corpus,
            patch=arguments.patch,
            recipe=recipe,
            augment=augment,
            changes=changes,
            settings=settings,
            held=True,
            words=arguments.command_line,
        )


def _fresh_asking(arguments: argparse.Namespace) -> ImageFolder:
    for name in ("label", "position", "dropout", "recipe"):
        if getattr(arguments, name) is not None:
            raise UserError(f"--{name} goes with --task classify; leave it out")
    test = arguments.test
    if test is None and arguments.corpus not in NAMED_QUESTIONS:
        raise UserError("--task ask is measured on other questions; name them with --test")
    usual = NAMED_QUESTIONS.get(arguments.corpus, OTHERS)
    augment = Augmentation.from_text(arguments.augment) if arguments.augment else usual.augment
    first = usual.first if arguments.first is None else arguments.first
    word_dropout = usual.word_dropout if arguments.word_dropout is None else arguments.word_dropout
    areas = usual.areas if arguments.areas is None and arguments.patch is None else arguments.areas
    found, asked = read_questions(arguments.corpus), read_questions(test or arguments.corpus + TEST)
    settings = _settings(arguments, len(found.questions), usual.times, ASKED_TOGETHER, usual.weight_decay)
    config = asking_config(found.pixels.shape[1:], 512, 32, arguments.patch, areas)
    _check_memory(config, settings)
    _say_left_out(config)
    with reserved_folder(arguments, f"{Path(arguments.corpus).stem}-ask", has_images) as path:
        return prepare_asking(
            path,
            found,
            asked,
            name=arguments.corpus,
            patch=arguments.patch,
            areas=areas,
            augment=augment,
            first=None if first == "none" else first,
            word_dropout=word_dropout,
            settings=settings,
            held=True,
            words=arguments.command_line,
        )


def _settings(
    arguments: argparse.Namespace, images: int, epochs: int = EPOCHS, most: int = BATCH, decay: float = DECAY
) -> TrainSettings:
    batch = arguments.batch or min(most, images)
    steps = arguments.steps or max(100, epochs * images // (batch * (arguments.accumulate or 1)))
    given = {name: value for name in ("optimizer", "accumulate", "seed") if (value := getattr(arguments, name))}
    return TrainSettings(
        steps=steps,
        batch=batch,
        learning_rate=RATE if arguments.learning_rate is None else arguments.learning_rate,
        weight_decay=decay if arguments.weight_decay is None else arguments.weight_decay,
        warmup=min(100, steps),
        final_rate=0.0,
        workers=min(arguments.workers or cores(), batch),
        validate_every=arguments.validate_every or max(1, steps // VALIDATIONS),
        **given,
    )


def _say_left_out(config: TransformerConfig) -> None:
    """What of the pictures no patch reaches, as a convolution with a stride leaves it."""
    rows, columns = left_out(config)
    if rows or columns:
        _, height, width = (config.encoder or config).image
        (patch, _) = (config.encoder or config).patch
        say(
            f"minigpt: patches of {patch} do not fill {height} x {width} pixels: {rows} at the bottom and {columns} on "
            "the right are not seen; --patch changes that"
        )


def _check_memory(config: Any, settings: TrainSettings) -> None:
    """`UserError` before anything large is made, if a step clearly needs more memory than there is."""
    parameters = sum(int(np.prod(shape)) for shape in Transformer(config).shapes().values())
    positions = config.context + (config.encoder.context if config.encoder else 0)
    per_position = config.layers * (14 * config.width + 2 * config.feed_forward_width + config.heads * config.context)
    needed = 4 * (parameters * (4 + settings.workers) + settings.batch * positions * per_position)
    free = available_memory()
    if free is not None and needed > free:
        raise UserError(
            f"a step with --batch {settings.batch} and {positions} positions takes about {needed / 1e9:,.1f} GB, "
            f"but {free / 1e9:,.1f} GB of memory are free; choose a smaller --batch or a larger --patch"
        )
