"""Models of images on the command line: from images to a model that names them, and what it says to others."""

import argparse
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from minigpt.cli.asking_report import asking_report, evaluate_asking, kinds_lines, of_run
from minigpt.cli.image_prepare import fresh_images
from minigpt.cli.images import OF_IMAGES
from minigpt.cli.options import flag_of, print_json, quoted
from minigpt.cli.resume import STOPPED, change_settings, is_finished, report_stopped
from minigpt.errors import UserError
from minigpt.finetune.report import lines_of, report_lines
from minigpt.machine import blas_threads, threads_for_width
from minigpt.measure.classes import beside, class_report
from minigpt.measure.image_rivals import image_rivals
from minigpt.model.params import sha256_of
from minigpt.pretrained.vit_folder import PublishedImages, is_published
from minigpt.progress import say
from minigpt.train import Interrupted, read_metrics
from minigpt.vision import ImageFolder, Seen, open_image_folder, train_images
from minigpt.vision.seen import answers, images_of, images_sha256

OF_TEXTS: tuple[str, ...] = ("objective", "architecture", "start", "preset", "tokenizer", "vocabulary", "context")
OF_TEXTS += ("window", "sinks", "rotary_scaling")
RANKS = ("data_parallel", "tensor_parallel", "pipeline_parallel")


def train_on_images(arguments: argparse.Namespace) -> int:
    """Prepare or reopen, train, and show what came of it."""
    for name in (*OF_TEXTS, *RANKS):
        if getattr(arguments, name) not in (None, 1):
            raise UserError(f"{flag_of(name)} is about texts; leave it out where images are trained on")
    if arguments.zero:
        raise UserError(f"--zero {arguments.zero} is for several ranks, and one trains on images; leave it out")
    run = _resumed(arguments) if arguments.resume else fresh_images(arguments)
    if not is_finished(run):
        say(f"training {quoted(run.path)}: Ctrl-C stops and saves")
        try:
            train_images(run, on_validation=_shown(sys.stderr if arguments.json else sys.stdout))
        except Interrupted as stopped:
            report_stopped(stopped.step, "train", run.path, as_json=arguments.json)
            return STOPPED
    say("asking the test, beside simple rivals ...")
    result = final_report(run) if run.task == "classify" else asking_report(run)
    print_json(result) if arguments.json else print("\n".join(_lines(result)))
    return 0


def _resumed(arguments: argparse.Namespace) -> ImageFolder:
    if arguments.out is None:
        raise UserError("--resume of images needs the folder to go on with; name it with --out")
    for name in ("corpus", *OF_IMAGES[1:], "batch", "accumulate", "optimizer", "weight_decay", "dropout", "seed"):
        if getattr(arguments, name) is not None:
            flag = "DATA" if name == "corpus" else flag_of(name)
            raise UserError(f"{flag} cannot change, for a run goes on as it began; leave it out")
    run = open_image_folder(arguments.out)
    if arguments.task not in (None, run.task):
        raise UserError(
            f"--task {arguments.task} is not what {run.path} has ({run.task}), and cannot change; leave it out"
        )
    return change_settings(run, arguments)


def _shown(file: Any) -> Callable[[Mapping[str, float]], None]:
    def show(row: Mapping[str, float]) -> None:
        accuracy = row["validation_accuracy"]
        say(f"step {row['step']:5}  validation {row['validation_loss']:.3f} nats, accuracy {accuracy:.3f}", file)

    return show


def final_report(run: ImageFolder) -> dict[str, Any]:
    """What the best checkpoint reaches on the test, beside its rivals; draws loss.png."""
    from minigpt.plot import loss_curve

    seen, pixels, targets = Seen(run.path), np.asarray(run.pixels("test")), run.targets("test")
    with blas_threads(threads_for_width(run.config.width)):
        measured, rivals = measure(seen, pixels, targets)
    curves = read_metrics(run.file("metrics.csv"))
    lines = {name: rivals[name]["accuracy"]["value"] for name in rivals}
    loss_curve(curves, {}, run.file("loss.png"), accuracy=("accuracy of images", lines))
    return {
        **of_run(run, seen, curves),
        "test": measured,
        "rivals": rivals,
        "hashes": _hashes(seen, pixels, targets),
    }


def _hashes(model: Seen | PublishedImages, pixels: np.ndarray, targets: np.ndarray) -> dict[str, str]:
    """What two results must have in common to be compared: the model, and the images with their classes."""
    classes = [model.labels[target] for target in targets.tolist()]
    return {"model": sha256_of(model.params), "data": images_sha256(pixels, classes)}


def measure(seen: Seen, pixels: np.ndarray, targets: np.ndarray) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the model reaches on these images, and what its rivals do, which have seen the same training images."""
    run = seen.folder
    shares = seen.probabilities(pixels)
    said = image_rivals(np.asarray(run.pixels("training")), run.targets("training"), pixels, len(run.labels))
    right = shares.argmax(axis=1) == targets
    return class_report(shares, targets, run.labels), beside(right, {n: one == targets for n, one in said.items()})


def evaluate_images(arguments: argparse.Namespace) -> int:
    """`minigpt evaluate RUN IMAGES`: what the model reaches on them, beside its rivals."""
    if open_image_folder(arguments.model).task == "ask":
        return evaluate_asking(arguments)
    seen, images = Seen(arguments.model, arguments.checkpoint), images_of(arguments.file)
    targets = images.targets(seen.labels)
    with blas_threads(threads_for_width(seen.folder.config.width)):
        measured, rivals = measure(seen, images.pixels, targets)
    result = {"folder": str(seen.folder.path), "task": "classify", "test": measured, "rivals": rivals}
    result["hashes"] = _hashes(seen, images.pixels, targets)
    print_json(result) if arguments.json else print("\n".join(report_lines(result)))
    return 0


def predict_images(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """What `minigpt predict RUN IMAGES` says to each."""
    model, images = _model_of(arguments), images_of(arguments.data, arguments.label)
    with blas_threads(threads_for_width(model.model.config.width)):
        return answers(model.labels, images, model.probabilities(images.pixels))


def measure_predictions(arguments: argparse.Namespace) -> int:
    """`minigpt predict RUN IMAGES --measure`."""
    model, images = _model_of(arguments), images_of(arguments.data, arguments.label)
    with blas_threads(threads_for_width(model.model.config.width)):
        targets = images.targets(model.labels)
        measured = class_report(model.probabilities(images.pixels), targets, model.labels)
    measured["hashes"] = _hashes(model, images.pixels, targets)
    print_json(measured) if arguments.json else print("\n".join(lines_of(measured)))
    return 0


def _model_of(arguments: argparse.Namespace) -> Seen | PublishedImages:
    if is_published(arguments.model):
        return PublishedImages(arguments.model)
    return Seen(arguments.model, arguments.checkpoint)


def _lines(result: dict[str, Any]) -> list[str]:
    data = result["data"]
    what = "images" if result["task"] == "classify" else "questions"
    counts = f"{data['training']:,} {what} to learn from, {data['validation']:,} to validate, {data['test']:,} asked"
    best = f"{result['steps']:,} of {result['of_steps']:,} steps, the best by validation"
    model = f"{result['parameters']:,} parameters, {best}; {result['seconds']:.0f} s of training"
    return [f"\n{data['name']}: {counts}", model, *kinds_lines(result), *report_lines(result)]
