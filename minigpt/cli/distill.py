"""`minigpt distill`: a small model learns from a large one."""

import argparse
import sys
from dataclasses import fields, replace
from typing import Any

from minigpt.cli.options import MODEL, add_command, folder, positive, print_json
from minigpt.cli.prepare import FRESH_RATE, SELDOM, reserved_folder
from minigpt.cli.reports import Samples, final_report
from minigpt.cli.resume import STOPPED, is_finished, report_stopped, resume_run
from minigpt.errors import UserError
from minigpt.infer.generate import check_tokenizer
from minigpt.pretrained import OpenedModel, open_model
from minigpt.train import (
    Distillation,
    Distiller,
    Interrupted,
    RunFolder,
    TextData,
    TrainSettings,
    prepare_student,
    train,
)
from minigpt.train.student import half_of
from minigpt.values import TEXT, about, read

SIZES = ("layers", "width", "heads", "context")
LISTENS = ("soft", "temperature", "hidden")  # fields of `Distillation`


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "distill",
        execute,
        "  minigpt distill runs/pydocs-tiny                 half the layers and half the width, the same text\n"
        "  minigpt distill runs/pydocs-tiny --layers 1 --width 128 --heads 4 --hidden 1 --out runs/small\n"
        "  minigpt distill --resume --out runs/small        go on after Ctrl-C",
    )
    how = Distillation()
    # Options have no defaults here, so that going on with a run knows what was asked for.
    parser.add_argument(
        "teacher", nargs="?", metavar="TEACHER", help=f"what it learns from (not needed to resume): {MODEL}"
    )
    parser.add_argument("corpus", nargs="?", help="the text (default: that of the teacher, if it is a run)")
    for name in SIZES:
        default = "as the teacher" if name == "context" else "half of the teacher's"
        parser.add_argument(f"--{name}", type=positive, help=f"of the student (default: {default})")
    parser.add_argument("--soft", type=float, help=f"share of the teacher's word in the loss (default {how.soft})")
    parser.add_argument("--temperature", type=float, help=f"of the teacher (default {how.temperature})")
    parser.add_argument("--hidden", type=float, help=f"weight of the hidden states (default {how.hidden:g}: none)")
    parser.add_argument("--steps", type=positive, help="updates of the parameters (default 1800)")
    parser.add_argument("--batch", type=positive, help="windows of text to a step (default 12)")
    parser.add_argument("--learning-rate", type=float, help=f"the highest (default {FRESH_RATE:g})")
    parser.add_argument("--seed", type=int, help="the same seed gives the same model (default 0)")
    parser.add_argument("--out", type=folder, help="the run's folder (default: a new one below runs/)")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with the student in --out (default: the latest run); --steps and --learning-rate may be changed",
    )
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def execute(arguments: argparse.Namespace) -> int:
    """Prepare or reopen the student, teach it, and show what came of it."""
    run, teacher = _resumed(arguments) if arguments.resume else _fresh(arguments)
    data = TextData(run)
    if not is_finished(run):
        samples = Samples(run, data, sys.stderr if arguments.json else sys.stdout)
        try:
            train(run, data, engine=Distiller(run, teacher), on_validation=samples)
        except Interrupted as stopped:
            report_stopped(stopped.step, "distill", run.path, as_json=arguments.json)
            return STOPPED
    result = final_report(run, data)
    print_json(result.to_dict()) if arguments.json else print(result.text(), flush=True)
    return 0


def _resumed(arguments: argparse.Namespace) -> tuple[RunFolder, OpenedModel]:
    """The student in --out, and its teacher, from TEACHER if that is given."""
    run = resume_run(arguments, student=True)
    assert run.teacher is not None
    with about(run.file("run.json"), "distil again into another folder"):
        name = arguments.teacher or read(run.teacher, "name", TEXT)
    return run, open_model(name)


def _fresh(arguments: argparse.Namespace) -> tuple[RunFolder, OpenedModel]:
    """A new student, and its teacher."""
    if arguments.teacher is None:
        raise UserError("TEACHER is missing; say what the student learns from, or go on with one (--resume)")
    teacher = open_model(arguments.teacher)
    check_tokenizer(teacher.model, teacher.tokenizer)
    given = {name: value for name in LISTENS if (value := getattr(arguments, name)) is not None}
    return _prepare(arguments, teacher, Distillation(**given)), teacher


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
            words=arguments.command_line,
        )


def _settings(arguments: argparse.Namespace) -> TrainSettings:
    names = {field.name for field in fields(TrainSettings)} & set(vars(arguments))
    given = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    settings = TrainSettings(**{"learning_rate": FRESH_RATE, **given})
    steps = settings.steps
    return replace(settings, warmup=min(100, steps), validate_every=max(steps // 12, min(steps, SELDOM)))
