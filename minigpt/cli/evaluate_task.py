"""`minigpt evaluate MODEL TASK.jsonl`: questions scored by likelihood, and what both kinds of evaluation share."""

import argparse
import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.cli.options import model_asked_for, print_json, read_utf8
from minigpt.corpus.overlap import FEWEST, contamination
from minigpt.errors import UserError
from minigpt.files import read_text
from minigpt.machine import blas_threads, threads_for_width
from minigpt.measure.calibration import lines_of as lines_of_calibration
from minigpt.measure.harness import Samples, Score, is_samples, read_results, read_samples
from minigpt.measure.intervals import spread
from minigpt.measure.permutations import said_p
from minigpt.measure.surprise import check_predicts
from minigpt.measure.tasks import Answers, Question, answer_task, compare_answers, read_task, task_report
from minigpt.model.params import sha256_of
from minigpt.pretrained import OpenedModel, open_model


def evaluate_task(arguments: argparse.Namespace) -> int:
    """Ask, and print what came of it."""
    samples = read_samples(arguments.file) if is_samples(arguments.file) else None
    questions = read_task(arguments.file) if samples is None else samples.questions
    opened = model_asked_for(arguments)
    other = None if arguments.against is None else _other(arguments.against, questions)
    for one in (opened, other):
        if isinstance(one, OpenedModel):
            check_predicts(one.model)
    held = None if arguments.training is None else training_text(arguments.training, opened)
    with blas_threads(threads_for_width(opened.model.config.width)):
        answers = _answers(opened, questions, arguments)
        report = task_report(questions, answers)
        if other is not None:
            report["against"] = _against(other, questions, answers, arguments)
    if held is not None:
        prompts = [f"{one.prompt}{one.choices[one.answer]}{one.after}" for one in questions]
        report["contamination"] = contamination(prompts, held)
    report["hashes"] |= {
        "model": sha256_of(opened.params),
        "data": hashlib.sha256(read_text(arguments.file).encode("utf-8")).hexdigest(),
    }
    print_json(report) if arguments.json else print("\n".join(_lines(report)))
    return 0


def training_text(named: str, opened: OpenedModel) -> str:
    """The text of --training FILE; without FILE a run's own."""
    if named:
        return read_utf8(named)
    tokens = opened.training_tokens()
    if tokens is None:
        raise UserError(f"{opened.name} is no run, so its training text is not here; name it: --training FILE")
    return opened.tokenizer.decode_bytes(np.asarray(tokens)).decode("utf-8", "replace")


def lines_of_contamination(found: dict[str, Any]) -> list[str]:
    """For people."""
    if not found["pieces"]:
        return [f"no piece has {FEWEST} words, so whether any stands in the training text is not known"]
    return [
        f"of {found['pieces']:,} pieces of {FEWEST} words or more {found['sharing']:,} share {found['words']} words in "
        f"a row with the training text; {found['half_in']:,} stand in it by half or more"
    ]


def _answers(opened: OpenedModel, questions: list[Question], arguments: argparse.Namespace) -> Answers:
    return answer_task(opened.model, opened.params, opened.tokenizer, questions, progress=not arguments.json)


def _other(against: str, questions: list[Question]) -> list[Score] | Samples | OpenedModel:
    """What is compared with, read before any work: what was published, with or without its answers, or a model."""
    if Path(against).suffix.lower() == ".json":
        return read_results(against)
    if Path(against).suffix.lower() != ".jsonl":
        return open_model(against)
    theirs = read_samples(against)
    if theirs.questions != questions:
        raise UserError(f"{against} holds other questions than are asked here; compare answers to the same ones")
    if not theirs.right:
        raise UserError(f"{against} says of no question whether it was right (acc, acc_norm); it cannot be compared")
    return theirs


def _against(
    other: list[Score] | Samples | OpenedModel,
    questions: list[Question],
    answers: Answers,
    arguments: argparse.Namespace,
) -> dict[str, Any]:
    """Another model on the same questions; or what was published."""
    if isinstance(other, list):
        return {"published": [one._asdict() for one in other]}
    if isinstance(other, OpenedModel):
        found = compare_answers(questions, answers.right, _answers(other, questions, arguments).right)
        return {"model": other.name, **found, "hashes": {"model": sha256_of(other.params)}}
    ours = {"acc": answers.right, "acc_norm": answers.right_by_character}
    return {"samples": {name: compare_answers(questions, ours[name], right) for name, right in other.right.items()}}


def _lines(report: dict[str, Any]) -> list[str]:
    """The report for people."""
    asked = "question" if report["questions"] == 1 else "questions"
    lines = [f"{report['questions']:,} {asked}{'right (95% interval)':>34}"]
    for name, what in (("accuracy", "likeliest"), ("accuracy_by_byte", "likeliest for each byte")):
        lines.append(f"  {what:26}{_percent(report[name])}")
    lines.append(f"  {'chance':26}{100 * report['chance']:6.1f}%")
    nats = report["nats_of_the_answer"]
    lines.append(f"nats of the right answer: {nats['value']:.3f} ({spread(nats)})")
    if report["smallest_gain"] is not None:
        lines.append(
            f"two models that differ by less than {100 * report['smallest_gain']:.1f} points look alike on so few "
            "questions, unless the same ones are asked of both (--against)"
        )
    if "calibration" in report:
        lines += ["", *lines_of_calibration(report["calibration"], "questions")]
    lines += _lines_against(report.get("against", {}))
    if "contamination" in report:
        lines += ["", *lines_of_contamination(report["contamination"])]
    return lines


def _lines_against(found: dict[str, Any]) -> list[str]:
    """What was compared, for people."""
    lines = []
    for score in found.get("published", []):
        error = "" if score["error"] is None else f" with a standard error of {100 * score['error']:.1f}"
        lines.append(f"published: {score['task']} {score['measure']} {100 * score['value']:.1f}%{error}")
    pairs = dict(found.get("samples", {}))
    if "model" in found:
        pairs[found["model"]] = found
    for name, pair in pairs.items():
        gap, p = pair["difference"], said_p(pair["p"])
        line = (
            f"less {name} ({100 * pair['second']['value']:.1f}%): {100 * gap['value']:+.1f} points (95% interval "
            f"{spread(gap, 1, factor=100, sign='+')}), p {p}; "
            f"{pair['only_first']} questions only here right, {pair['only_second']} only there"
        )
        if pair["smallest_difference"] is not None:
            line += f"; the smallest difference seen 80 times of 100: {100 * pair['smallest_difference']:.1f} points"
        lines.append(line)
    return ["", *lines] if lines else []


def _percent(found: dict[str, float]) -> str:
    return f"{100 * found['value']:6.1f}% ({spread(found, 1, factor=100)})"
