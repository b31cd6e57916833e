"""Models of images on the command line: from images to a model that names them, and what it says to others."""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.cli.images import OF_IMAGES
from minigpt.cli.options import print_json, quoted
from minigpt.cli.prepare import reserved_folder
from minigpt.cli.resume import STOPPED, change_settings, is_finished, report_stopped
from minigpt.errors import UserError
from minigpt.finetune.report import lines_of, report_lines
from minigpt.machine import available_memory, blas_threads, cores, threads_for_width
from minigpt.measure.classes import beside, class_report
from minigpt.measure.image_rivals import image_rivals
from minigpt.measure.intervals import bootstrapped_mean
from minigpt.model import Transformer
from minigpt.progress import say
from minigpt.train import Interrupted, TrainSettings, read_metrics
from minigpt.vision import Augmentation, ImageFolder, Seen, has_images, open_image_folder, prepare_images, train_images
from minigpt.vision.asked import Asked, by_first_word
from minigpt.vision.asking import asking_config, prepare_asking, questions_of
from minigpt.vision.named import NAMES, TEST, named_set
from minigpt.vision.prepare import MODERN, config_of
from minigpt.vision.questions import QUESTION_SETS, blind_answers, read_questions
from minigpt.vision.seen import images_of

OF_TEXTS: tuple[str, ...] = ("objective", "architecture", "start", "preset", "tokenizer", "vocabulary", "context")
OF_TEXTS += ("window", "sinks", "rotary_scaling")
RANKS = ("data_parallel", "tensor_parallel", "pipeline_parallel")
ASKED = 4  # times that each question is asked
EPOCHS, BATCH, RATE, DECAY, VALIDATIONS = 60, 64, 2e-3, 0.05, 10


def train_on_images(arguments: argparse.Namespace) -> int:
    """Prepare or reopen, train, and show what came of it."""
    for name in (*OF_TEXTS, *RANKS):
        if getattr(arguments, name) not in (None, 1):
            raise UserError(f"--{name.replace('_', '-')} is about texts; leave it out with --task classify")
    run = _resumed(arguments) if arguments.resume else _fresh(arguments)
    if not is_finished(run):
        say(f"training {quoted(run.path)}: Ctrl-C stops and saves")
        try:
            train_images(run, on_validation=_shown(sys.stderr if arguments.json else sys.stdout))
        except Interrupted as stopped:
            report_stopped(stopped.step, "train", run.path, as_json=arguments.json)
            return STOPPED
    result = final_report(run) if run.task == "classify" else asking_report(run)
    print_json(result) if arguments.json else print("\n".join(_lines(result)))
    return 0


def _fresh(arguments: argparse.Namespace) -> ImageFolder:
    if arguments.corpus is None:
        raise UserError("--task classify needs images; name a folder, a file or one of " + ", ".join(NAMES))
    if arguments.task == "ask":
        return _fresh_asking(arguments)
    named = named_set(arguments.corpus)
    augment = Augmentation.from_text(arguments.augment) if arguments.augment else Augmentation()
    if named is not None and arguments.augment is None:
        augment = named.augment
    images = images_of(arguments.corpus, arguments.label)
    test = arguments.test
    if test is None and named is not None and not arguments.corpus.endswith(TEST):
        test = arguments.corpus + TEST
    changes = {name: value for name in ("dropout", "position") if (value := getattr(arguments, name)) is not None}
    settings = _settings(arguments, len(images.pixels))
    recipe = arguments.recipe or MODERN
    _check_memory(config_of(images.size, 2, arguments.patch, recipe, changes), settings)
    with reserved_folder(arguments, f"{Path(arguments.corpus).stem}-vit", has_images) as path:
        return prepare_images(
            path,
            images,
            None if test is None else images_of(test, arguments.label),
            name=arguments.corpus,
            patch=arguments.patch,
            recipe=recipe,
            augment=augment,
            changes=changes,
            settings=settings,
            held=True,
        )


def _fresh_asking(arguments: argparse.Namespace) -> ImageFolder:
    for name in ("augment", "label", "position", "dropout", "recipe"):
        if getattr(arguments, name) is not None:
            raise UserError(f"--{name} goes with --task classify; leave it out")
    test = arguments.test
    if test is None and arguments.corpus != QUESTION_SETS[0]:
        raise UserError("--task ask is measured on other questions; name them with --test")
    found, asked = read_questions(arguments.corpus), read_questions(test or QUESTION_SETS[1])
    settings = _settings(arguments, len(found.questions), ASKED)
    _check_memory(asking_config(found.pixels.shape[1:], 512, 32, arguments.patch), settings)
    with reserved_folder(arguments, f"{Path(arguments.corpus).stem}-ask", has_images) as path:
        return prepare_asking(
            path, found, asked, name=arguments.corpus, patch=arguments.patch, settings=settings, held=True
        )


def _settings(arguments: argparse.Namespace, images: int, epochs: int = EPOCHS) -> TrainSettings:
    batch = arguments.batch or min(BATCH, images)
    steps = arguments.steps or max(100, epochs * images // (batch * (arguments.accumulate or 1)))
    given = {name: value for name in ("optimizer", "accumulate", "seed") if (value := getattr(arguments, name))}
    return TrainSettings(
        steps=steps,
        batch=batch,
        learning_rate=RATE if arguments.learning_rate is None else arguments.learning_rate,
        weight_decay=DECAY if arguments.weight_decay is None else arguments.weight_decay,
        warmup=min(100, steps),
        final_rate=0.0,
        workers=min(arguments.workers or cores(), batch),
        validate_every=arguments.validate_every or max(1, steps // VALIDATIONS),
        **given,
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


def _resumed(arguments: argparse.Namespace) -> ImageFolder:
    if arguments.out is None:
        raise UserError("--resume of images needs the folder to go on with; name it with --out")
    for name in ("corpus", *OF_IMAGES[1:], "batch", "accumulate", "optimizer", "weight_decay", "dropout", "seed"):
        if getattr(arguments, name) is not None:
            flag = "DATA" if name == "corpus" else f"--{name.replace('_', '-')}"
            raise UserError(f"{flag} cannot change, for a run goes on as it began; leave it out")
    return change_settings(open_image_folder(arguments.out), arguments)


def _shown(file: Any) -> Callable[[Mapping[str, float]], None]:
    def show(row: Mapping[str, float]) -> None:
        accuracy = row["validation_accuracy"]
        say(f"step {row['step']:5}  validation {row['validation_loss']:.3f} nats, accuracy {accuracy:.3f}", file)

    return show


def final_report(run: ImageFolder) -> dict[str, Any]:
    """What the best checkpoint reaches on the test, beside its rivals; draws loss.png."""
    from minigpt.plot import loss_curve

    seen, targets = Seen(run.path), run.targets("test")
    with blas_threads(threads_for_width(run.config.width)):
        measured, rivals = measure(seen, np.asarray(run.pixels("test")), targets)
    curves = read_metrics(run.file("metrics.csv"))
    lines = {name: rivals[name]["accuracy"]["value"] for name in rivals}
    loss_curve(curves, {}, run.file("loss.png"), accuracy=("accuracy of images", lines))
    return {
        **_of_run(run, seen, curves),
        "test": measured,
        "rivals": rivals,
    }


def _of_run(run: ImageFolder, best: Seen | Asked, curves: dict[str, Any]) -> dict[str, Any]:
    """What both kinds of report begin with."""
    return {
        "folder": str(run.path),
        "task": run.task,
        "data": {name: value for name, value in run.corpus.items() if name != "checksums"},
        "parameters": best.params.flat.size,
        "steps": best.progress["step"],
        "seconds": round(curves["seconds"][-1][1], 1),
    }


def asking_report(run: ImageFolder) -> dict[str, Any]:
    """How often the best checkpoint writes exactly the answer, also by the first word of the question."""
    asked, test = Asked(run.path), questions_of(run, "test")
    with blas_threads(threads_for_width(run.config.width)):
        right = asked.right(test)
    blind = np.array(blind_answers(questions_of(run, "training"), test)) == np.array(test.answers)
    kinds = by_first_word(test)
    return {
        **_of_run(run, asked, read_metrics(run.file("metrics.csv"))),
        "test": {"examples": len(right), "exact_match": bootstrapped_mean(right)._asdict()},
        "kinds": {
            kind: {
                "examples": int(rows.sum()),
                "exact_match": float(right[rows].mean()),
                "blind": float(blind[rows].mean()),
            }
            for kind, rows in kinds.items()
        },
        "rivals": beside(right, {"the question alone": blind}),
    }


def measure(seen: Seen, pixels: np.ndarray, targets: np.ndarray) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the model reaches on these images, and what its rivals do, which have seen the same training images."""
    run = seen.folder
    shares = seen.probabilities(pixels)
    said = image_rivals(np.asarray(run.pixels("training")), run.targets("training"), pixels, len(run.labels))
    right = shares.argmax(axis=1) == targets
    return class_report(shares, targets, run.labels), beside(right, {n: one == targets for n, one in said.items()})


def evaluate_images(arguments: argparse.Namespace) -> int:
    """`minigpt evaluate RUN IMAGES`: what the model reaches on them, beside its rivals."""
    seen, images = Seen(arguments.model, arguments.checkpoint), images_of(arguments.file)
    with blas_threads(threads_for_width(seen.folder.config.width)):
        measured, rivals = measure(seen, images.pixels, images.targets(seen.folder.labels))
    result = {"folder": str(seen.folder.path), "task": "classify", "test": measured, "rivals": rivals}
    print_json(result) if arguments.json else print("\n".join(report_lines(result)))
    return 0


def predict_images(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """What `minigpt predict RUN IMAGES` says to each."""
    seen, images = Seen(arguments.model, arguments.checkpoint), images_of(arguments.data)
    with blas_threads(threads_for_width(seen.folder.config.width)):
        return seen.answers(images)


def measure_predictions(arguments: argparse.Namespace) -> int:
    """`minigpt predict RUN IMAGES --measure`."""
    seen, images = Seen(arguments.model, arguments.checkpoint), images_of(arguments.data)
    with blas_threads(threads_for_width(seen.folder.config.width)):
        targets = images.targets(seen.folder.labels)
        measured = class_report(seen.probabilities(images.pixels), targets, seen.folder.labels)
    print_json(measured) if arguments.json else print("\n".join(lines_of(measured)))
    return 0


def _lines(result: dict[str, Any]) -> list[str]:
    data = result["data"]
    what = "images" if result["task"] == "classify" else "questions"
    counts = f"{data['training']:,} {what} to learn from, {data['validation']:,} to validate, {data['test']:,} asked"
    model = f"{result['parameters']:,} parameters, {result['steps']:,} steps, {result['seconds']:.0f} s"
    kinds = [
        f"  {kind + ' ...?':18} {one['exact_match']:.3f}   of {one['examples']:,}; blind {one['blind']:.3f}"
        for kind, one in result.get("kinds", {}).items()
    ]
    return [f"\n{data['name']}: {counts}", model, *kinds, *report_lines(result)]
