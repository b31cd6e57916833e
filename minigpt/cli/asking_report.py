"""What a model that answers questions about pictures reaches: by kind of question, beside one who sees nothing."""

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np

from minigpt.cli.options import print_json
from minigpt.cli.output import remark
from minigpt.finetune.report import report_lines
from minigpt.machine import blas_threads, threads_for_width
from minigpt.measure.classes import beside
from minigpt.measure.intervals import bootstrapped_mean
from minigpt.model.params import sha256_of
from minigpt.train import read_metrics
from minigpt.train.provenance import arrays_sha256, values_sha256
from minigpt.vision import ImageFolder, Seen
from minigpt.vision.asked import Asked, by_first_word, by_novelty
from minigpt.vision.asking import questions_of
from minigpt.vision.questions import Questions, blind_answers, check_size, read_questions


def of_run(run: ImageFolder, best: Seen | Asked, curves: dict[str, Any]) -> dict[str, Any]:
    """What both kinds of report begin with."""
    return {
        "folder": str(run.path),
        "task": run.task,
        "data": {name: value for name, value in run.corpus.items() if name != "checksums"},
        "parameters": best.params.flat.size,
        "steps": best.progress["step"],
        "of_steps": run.settings.steps,
        "seconds": round(curves["seconds"][-1][1], 1),
    }


def asking_report(run: ImageFolder) -> dict[str, Any]:
    """What the best checkpoint of a run reaches on its test."""
    asked = Asked(run.path)
    return {**of_run(run, asked, read_metrics(run.file("metrics.csv"))), **_measured(asked, questions_of(run, "test"))}


def evaluate_asking(arguments: argparse.Namespace) -> int:
    """`minigpt evaluate RUN QUESTIONS`: what the model answers to them."""
    asked, test = Asked(arguments.model, arguments.checkpoint), read_questions(arguments.file)
    _, height, width = asked.folder.image
    check_size(test, (height, width, asked.folder.image[0]), arguments.file)
    if new := sum(question not in asked.wording.counts for question in test.questions):
        remark(f"{new:,} questions are none of its training's; they are asked as they stand")
    result = {"folder": str(asked.folder.path), "task": "ask", **_measured(asked, test)}
    print_json(result) if arguments.json else print("\n".join([*kinds_lines(result), *report_lines(result)]))
    return 0


def _measured(asked: Asked, test: Questions) -> dict[str, Any]:
    """How often it writes exactly the answer; also by the first word of the question, and by whether that answer was
    ever trained on."""
    run, learnt = asked.folder, questions_of(asked.folder, "training")
    with blas_threads(threads_for_width(run.config.width)):
        right = asked.right(test, progress=True)
    blind = np.array(blind_answers(learnt, test)) == np.array(test.answers)
    prompts = [test.pictures.tolist(), test.questions, test.answers]

    def each(groups: dict[str, np.ndarray]) -> dict[str, Any]:
        return {
            name: {
                "examples": int(rows.sum()),
                "exact_match": bootstrapped_mean(right[rows])._asdict(),
                "blind": float(blind[rows].mean()),
            }
            for name, rows in groups.items()
        }

    return {
        "test": {"examples": len(right), "exact_match": bootstrapped_mean(right)._asdict()},
        "kinds": each(by_first_word(test)),
        "answers": each(by_novelty(learnt, test)),
        "rivals": beside(right, {"the question alone": blind}),
        "hashes": {
            "model": sha256_of(asked.params),
            "data": arrays_sha256(np.asarray(test.pixels)),
            "prompts": values_sha256(prompts),
        },
    }


def kinds_lines(result: dict[str, Any]) -> Iterator[str]:
    """A line for each kind of question, and of answer."""
    named = [(f"{kind} ...?", one) for kind, one in result.get("kinds", {}).items()]
    named += [(f"answers {kind}", one) for kind, one in result.get("answers", {}).items()]
    for name, one in named:
        match = one["exact_match"]
        yield f"  {name:26} {match['value']:.3f}   95% interval {match['low']:.3f} to {match['high']:.3f}   " + (
            f"of {one['examples']:,}; blind {one['blind']:.3f}"
        )
