"""`minigpt predict`: what a fine-tuned model says to each example of a file."""

import argparse
import csv
import io
import sys
from pathlib import Path
from typing import Any

from minigpt.cli.finetune import DATA
from minigpt.cli.image_runs import measure_predictions, predict_images
from minigpt.cli.options import add_command, checkpoint_option, file, print_json
from minigpt.errors import UserError
from minigpt.files import check_place, write_text
from minigpt.finetune import Tuned
from minigpt.finetune.prepare import records_of
from minigpt.finetune.report import lines_of
from minigpt.machine import blas_threads, threads_for_width
from minigpt.measure.choices import choose, prompt_of
from minigpt.model.params import sha256_of
from minigpt.pretrained import open_model
from minigpt.pretrained.vit_folder import is_published
from minigpt.train.provenance import values_sha256
from minigpt.vision import has_images


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "predict",
        execute,
        "  minigpt predict runs/film-minilm-classify new.csv\n"
        "  minigpt predict runs/film-minilm-classify new.csv --out said.csv\n"
        "  minigpt predict runs/mnist-vit digit.png\n"
        "  minigpt predict smollm2 film-test --prompt 'Review: {text}\\nSentiment:' --choices ' positive, negative'",
    )
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="the folder of a fine-tuned model, or one of images, also a ViT as published; with --prompt any decoder",
    )
    parser.add_argument(
        "data",
        metavar="DATA",
        help=f"examples to be asked: {DATA}; or images; what they have of answers is not read",
    )
    parser.add_argument("--prompt", help="ask a decoder that was not fine-tuned: a text with {text} in it")
    parser.add_argument("--choices", help="with --prompt: the answers among which it chooses, with commas between")
    parser.add_argument("--shots", metavar="DATA", help="with --prompt: examples with their answers before each text")
    parser.add_argument("--text", metavar="COLUMN", help="with --prompt: of the text (default text)")
    parser.add_argument(
        "--label",
        metavar="COLUMN",
        help="with --shots: of its answer; of images in a table: of the class (default label)",
    )
    parser.add_argument("--measure", action="store_true", help="print how good the answers are, in place of them")
    parser.add_argument("--out", type=file, help="write a CSV file in place of printing one")
    parser.add_argument("--json", action="store_true", help="print a JSON list, with the probability of every class")
    checkpoint_option(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Ask, and print or write a row for each example, in their order."""
    if arguments.out is not None:
        check_place(arguments.out)
        if Path(arguments.out).exists():
            raise UserError(f"{arguments.out} is there already; choose another name for --out")
        if arguments.json:
            raise UserError("--out writes a CSV file, --json prints the answers; leave one of the two out")
    if arguments.measure:
        return _measure(arguments)
    said = _tuned(arguments) if arguments.prompt is None else _chosen(arguments)
    if arguments.json:
        print_json(said)
        return 0
    text = _csv(said)
    if arguments.out is None:
        print(text, end="")
    else:
        write_text(arguments.out, text)
        print(f"{len(said):,} answers are in {arguments.out}", file=sys.stderr)
    return 0


def _tuned(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """The answers of a fine-tuned model."""
    images = has_images(arguments.model) or is_published(arguments.model)
    for name in ("choices", "shots", "text", *(() if images else ("label",))):
        if getattr(arguments, name) is not None:
            raise UserError(f"--{name} goes with --prompt; leave it out, or say what to ask")
    if images:
        return predict_images(arguments)
    tuned = Tuned(arguments.model, arguments.checkpoint)
    with blas_threads(threads_for_width(tuned.folder.config.width)):
        return tuned.predict(records_of(arguments.data))


def _measure(arguments: argparse.Namespace) -> int:
    """Print what the task measures on records that hold the true answers."""
    images = has_images(arguments.model) or is_published(arguments.model)
    for name in ("prompt", "choices", "shots", "text", "out", *(() if images else ("label",))):
        if getattr(arguments, name) is not None:
            raise UserError(f"--measure prints what a fine-tuned model reaches; leave --{name} out")
    if images:
        return measure_predictions(arguments)
    tuned = Tuned(arguments.model, arguments.checkpoint)
    records = records_of(arguments.data)
    with blas_threads(threads_for_width(tuned.folder.config.width)):
        measured = tuned.evaluate(records)
    data = values_sha256([record.values for record in records])
    measured["hashes"] = {"model": sha256_of(tuned.params), "data": data}
    print_json(measured) if arguments.json else print("\n".join(lines_of(measured)))
    return 0


def _chosen(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """The choices of a decoder that was not fine-tuned, after a prompt."""
    choices = (arguments.choices or "").split(",")
    if len(choices) < 2:
        raise UserError("--prompt needs --choices, at least two with a comma between, such as ' good, bad'")
    if len({choice.strip() for choice in choices}) < len(choices):
        raise UserError(f"--choices {arguments.choices!r} has an answer twice; leave one of the two out")
    if arguments.label is not None and arguments.shots is None:
        raise UserError("--label is a column of --shots; name these, or leave it out")
    text, label_column = arguments.text or "text", arguments.label or "label"
    shown = [] if arguments.shots is None else records_of(arguments.shots)
    by_name = {choice.strip(): choice for choice in choices}
    shots = []
    for record in shown:
        label = record.text(label_column).strip()
        if label not in by_name:
            raise UserError(f"{record.place}: the answer {label!r:.50} is none of the choices {', '.join(by_name)}")
        shots.append((record.text(text), by_name[label]))
    template = arguments.prompt.replace("\\n", "\n")
    records = records_of(arguments.data)
    prompts = [prompt_of(template, record.text(text), shots) for record in records]
    opened = open_model(arguments.model, checkpoint=arguments.checkpoint)
    with blas_threads(threads_for_width(opened.model.config.width)):
        shares = choose(
            opened.model,
            opened.params,
            opened.tokenizer,
            prompts,
            choices,
            without_content=prompt_of(template, "", shots) or None,
        )
    return [
        {"label": list(by_name)[int(row.argmax())], "probabilities": dict(zip(by_name, row.tolist(), strict=True))}
        for row in shares
    ]


def _csv(said: list[dict[str, Any]]) -> str:
    """A row for each answer; of a classifier with the probability of the class that was said."""
    out = io.StringIO()
    names = [name for name in said[0] if name != "probabilities"]
    likeliest = ["probability"] if "probabilities" in said[0] else []
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names + likeliest)
    for answer in said:
        cells = [" ".join(answer[name]) if isinstance(answer[name], list) else answer[name] for name in names]
        cells += [max(answer["probabilities"].values())] if likeliest else []
        writer.writerow([f"{cell:.4f}" if isinstance(cell, float) else cell for cell in cells])
    return out.getvalue()
