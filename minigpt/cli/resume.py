"""Going on with a run: what may be changed is changed, whatever else was asked for must be what the run has."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from minigpt.cli.options import flag_of, quoted
from minigpt.cli.output import report_failure
from minigpt.errors import UserError
from minigpt.model import PRESETS, preset
from minigpt.text import Tokenizer, load_tokenizer
from minigpt.train import RunFolder, has_run, open_folder, steps_done
from minigpt.train.lock import locked

RUNS = Path("runs")
Folder = TypeVar("Folder", bound=RunFolder)
STOPPED = 130  # the exit code of a training that was interrupted
CHANGED = ("steps", "learning_rate", "validate_every", "workers")  # fields of TrainSettings


def resume_run(arguments: argparse.Namespace, *, student: bool = False) -> RunFolder:
    """The run in --out, or the latest below runs/, with what may be changed written into its run.json.

    student: whether it is one that has a teacher. `UserError` for the other kind; it also names the first option that
    is not as in the run, or a number of steps that is below what is done; then run.json is as it was.
    """
    folder = open_folder(arguments.out or latest_run())
    if not student:
        folder.check_alone()
    elif folder.teacher is None:
        raise UserError(f"{folder.path} has no teacher; go on with `minigpt train --resume`")
    _refuse_others(folder, arguments, OF_STUDENT if student else FIXED)
    return change_settings(folder, arguments)


def change_settings(folder: Folder, arguments: argparse.Namespace) -> Folder:
    """The folder with those settings that may change as the words ask for, written into its description.

    `UserError` for a number of steps that is below what is done; then the description is as it was.
    """
    changes = {name: value for name in CHANGED if (value := getattr(arguments, name, None)) is not None}
    if "workers" in changes:
        changes["workers"] = min(changes["workers"], folder.settings.batch)
    settings = replace(folder.settings, **changes)
    if settings == folder.settings:
        return folder
    with locked(folder.path):
        done = steps_done(folder)
        if settings.steps < done:
            raise UserError(f"--steps is {settings.steps}, but {folder.path} has done {done} steps; ask for more")
        folder = replace(folder, settings=settings)
        folder.save()
    return folder


def latest_run() -> Path:
    """The run below runs/ that was begun or changed last."""
    runs = [folder for folder in RUNS.glob("*") if has_run(folder)]
    if not runs:
        raise UserError(f"there is no run below {RUNS} to resume; name one with --out")
    return max(runs, key=lambda folder: (folder / "run.json").stat().st_mtime)


def is_finished(folder: RunFolder, *, speaks: bool = True) -> bool:
    """Whether all steps are done, which is then said."""
    finished = steps_done(folder) >= folder.settings.steps
    if finished and speaks:
        say = f"{folder.path} is finished: all {folder.settings.steps} steps are done; --steps asks for more"
        print(say, file=sys.stderr, flush=True)
    return finished


def report_stopped(step: int, command: str, path: Path, *, as_json: bool) -> None:
    """Say where a training stopped, and how it goes on."""
    again = f"minigpt {command} --resume --out {quoted(path)}"
    report_failure(f"saved at step {step:,}; go on with\n  {again}", as_json=as_json)


Fixed = dict[str, Callable[[RunFolder, Any], Any]]  # option -> what the run has, told in the option's words


def _refuse_others(folder: RunFolder, arguments: argparse.Namespace, fixed: Fixed) -> None:
    """`UserError` for an option that names something else than the run has."""
    for name, of_run in fixed.items():
        asked = getattr(arguments, name)
        if asked is None:
            continue
        has = of_run(folder, asked)
        if has != asked:
            flag = name if name == "corpus" else flag_of(name)
            raise UserError(
                f"{flag} {quoted(str(asked))} is not what {folder.path} has ({has}), and a run goes on as it began; "
                "leave it out, or train anew without --resume"
            )


def _setting(name: str) -> Callable[[RunFolder, Any], Any]:
    return lambda folder, asked: getattr(folder.settings, name)


def _field(name: str) -> Callable[[RunFolder, Any], Any]:
    return lambda folder, asked: getattr(folder.config, name)


def _named(asked: str, name: str) -> str:
    """What was asked for if it is the same path, or name; else the name that the run has."""
    return asked if Path(asked).resolve() == Path(name).resolve() else name


def _preset(folder: RunFolder, asked: str) -> str:
    """The preset that the run's model is; several may differ in nothing but context, which is compared apart."""
    if folder.start is not None:
        return f"the model of {folder.start['name']}"

    def is_it(name: str) -> bool:
        config, model = folder.config, preset(name, vocabulary_size=folder.config.vocabulary_size)
        return all(getattr(config, field) == getattr(model, field) for field in PRESETS[name] if field != "context")

    return asked if is_it(asked) else next(filter(is_it, PRESETS), "a model of its own")


def _tokenizer(folder: RunFolder, asked: str) -> str:
    """What was asked for if that is the run's kind of tokenizer, or a file with the same one."""
    ours = folder.tokenizer()
    if asked in ("bpe", "characters"):
        return {"byte_pair": "bpe"}.get(ours.kind, ours.kind)
    return asked if _same(load_tokenizer(asked), ours) else f"another {ours.kind} tokenizer"


def _same(one: Tokenizer, other: Tokenizer) -> bool:
    """Whether both are of one kind, with the same tokens of the same ids."""
    if (one.kind, one.vocabulary_size) != (other.kind, other.vocabulary_size):
        return False
    return all(one.decode_bytes([id_]) == other.decode_bytes([id_]) for id_ in range(one.vocabulary_size))


def _scaling(folder: RunFolder, _asked: str) -> str:
    """The run's kind of rotary scaling and its factor."""
    scaling = folder.config.rotary_scaling
    return "none" if scaling is None else f"{scaling.kind}:{scaling.factor:g}"


def _corpus(folder: RunFolder, asked: str) -> str:
    return _named(asked, str(folder.corpus.get("name", "another")))


def _heard(name: str) -> Callable[[RunFolder, Any], Any]:
    return lambda folder, asked: (folder.teacher or {}).get(name)


OF_STUDENT: Fixed = {  # the teacher may have moved: its values say whether it is the same
    "corpus": _corpus,
    **{name: _field(name) for name in ("layers", "width", "heads", "context")},
    **{name: _heard(name) for name in ("soft", "temperature", "hidden")},
    **{name: _setting(name) for name in ("batch", "seed")},
}
FIXED: Fixed = {
    "corpus": _corpus,
    "objective": lambda folder, asked: folder.objective,
    "start": lambda folder, asked: "a fresh model" if folder.start is None else _named(asked, folder.start["name"]),
    "preset": _preset,
    "tokenizer": _tokenizer,
    "vocabulary": _field("vocabulary_size"),
    **{name: _field(name) for name in ("architecture", "context", "dropout", "position", "window", "sinks")},
    "rotary_scaling": _scaling,
    **{name: _setting(name) for name in ("batch", "accumulate", "optimizer", "weight_decay", "seed")},
}
