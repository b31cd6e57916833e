"""`minigpt distill`: a small model learns from a large one."""

import argparse
import sys
from dataclasses import fields
from typing import Any

from minigpt.cli.options import MODEL, add_command, folder, positive, print_json
from minigpt.cli.prepare import FRESH_RATE, SELDOM, reserved_folder
from minigpt.cli.reports import Samples, final_report
from minigpt.errors import UserError
from minigpt.infer.generate import check_tokenizer
from minigpt.pretrained import OpenedModel, open_model
from minigpt.train import Distillation, Distiller, RunFolder, TextData, TrainSettings, prepare_student, train
from minigpt.train.student import half_of

SIZES = ("layers", "width", "heads", "context")


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "distill",
        execute,
        "  minigpt distill runs/pydocs-tiny                 half the layers and half the width, the same text\n"
        "  minigpt distill runs/pydocs-tiny --layers 1 --width 128 --heads 4 --hidden 1 --out runs/small",
    )
    how = Distillation()
    parser.add_argument("teacher", metavar="TEACHER", help=f"what it learns from: {MODEL}")
    parser.add_argument("corpus", nargs="?", help="the text (default: that of the teacher, if it is a run)")
    for name in SIZES:
        default = "as the teacher" if name == "context" else "half of the teacher's"
        parser.add_argument(f"--{name}", type=positive, help=f"of the student (default: {default})")
    parser.add_argument(
        "--soft", type=float, default=how.soft, help=f"share of the teacher's word in the loss (default {how.soft})"
    )
    parser.add_argument(
        "--temperature", type=float, default=how.temperature, help=f"of the teacher (default {how.temperature})"
    )
    parser.add_argument(
        "--hidden", type=float, default=how.hidden, help=f"weight of the hidden states (default {how.hidden:g}: none)"
    )
    parser.add_argument("--steps", type=positive, default=1800, help="updates of the parameters (default 1800)")
    parser.add_argument("--batch", type=positive, default=12, help="windows of text to a step (default 12)")
    parser.add_argument("--learning-rate", type=float, default=FRESH_RATE, help=f"the highest (default {FRESH_RATE:g})")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same model (default 0)")
    parser.add_argument("--out", type=folder, help="the run's folder (default: a new one below runs/)")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def execute(arguments: argparse.Namespace) -> int:
    """Prepare the student, teach it, and show what came of it."""
    teacher = open_model(arguments.teacher)
    check_tokenizer(teacher.model, teacher.tokenizer)
    how = Distillation(arguments.soft, arguments.temperature, arguments.hidden)
    run = _prepare(arguments, teacher, how)
    data = TextData(run)
    samples = Samples(run, data, sys.stderr if arguments.json else sys.stdout)
    train(run, data, engine=Distiller(run, teacher, how), on_validation=samples)
    result = final_report(run, data)
    print_json(result.to_dict()) if arguments.json else print(result.text(), flush=True)
    return 0


def _prepare(arguments: argparse.Namespace, teacher: OpenedModel, how: Distillation) -> RunFolder:
    """The folder of the student. `UserError` without a text."""
    of_run = teacher.run
    corpus = arguments.corpus or (of_run and of_run.corpus.get("name"))
    if not corpus:
        raise UserError(f"{teacher.name} does not say what it was trained on; name a corpus")
    changes = half_of(teacher.model.config) | {name: size for name in SIZES if (size := getattr(arguments, name))}
    if arguments.width or arguments.heads:  # then the sizes that follow from these
        changes |= dict.fromkeys(("head_width", "key_value_heads"))
    if arguments.width:
        changes["feed_forward_width"] = None
    asked: dict[str, Any] = vars(arguments) | {"corpus": corpus, "preset": "student", "start": None, "objective": None}
    with reserved_folder(argparse.Namespace(**asked)) as path:
        return prepare_student(
            path,
            teacher,
            corpus,
            how,
            objective="causal" if of_run is None else of_run.objective,
            changes=changes,
            settings=_settings(arguments),
            held=True,
        )


def _settings(arguments: argparse.Namespace) -> TrainSettings:
    names = {field.name for field in fields(TrainSettings)} & set(vars(arguments))
    steps = arguments.steps
    return TrainSettings(
        **{name: getattr(arguments, name) for name in names},
        warmup=min(100, steps),
        validate_every=max(steps // 12, min(steps, SELDOM)),
    )
