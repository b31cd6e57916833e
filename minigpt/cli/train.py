"""`minigpt train`: from text to a model that writes."""

import argparse
import sys
from typing import Any

from minigpt.cli.images import add_options as add_image_options
from minigpt.cli.images import is_of_images
from minigpt.cli.options import MODEL, add_command, folder, positive, print_json, scaling, tokenizer
from minigpt.cli.prepare import CONTEXT, CORPUS, FRESH_RATE, START_RATE, new_run
from minigpt.cli.ranks import add_options, crew_for
from minigpt.cli.reports import Samples, final_report
from minigpt.cli.resume import STOPPED, is_finished, report_stopped, resume_run
from minigpt.model import PRESETS
from minigpt.model.config import CHOICES
from minigpt.model.scaling import BY_FACTOR
from minigpt.objectives import OBJECTIVES
from minigpt.train import Interrupted, RunFolder, TextData, train
from minigpt.train.settings import OPTIMIZERS


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "train",
        execute,
        "  minigpt train                                    Python's documentation, two to five minutes\n"
        "  minigpt train --objective masked                 hide tokens and ask for them, as BERT\n"
        "  minigpt train shakespeare --tokenizer characters --steps 2000\n"
        "  minigpt train my_notes/ --preset small --workers 2 --out runs/notes\n"
        "  minigpt train my_notes/ --start smollm2 --context 64 --batch 4\n"
        "  minigpt train my_notes/ --position alibi --window 128\n"
        "  minigpt train mnist --task classify              handwritten digits, a vision transformer\n"
        "  minigpt train --resume --out runs/notes          go on after Ctrl-C\n"
        "  mpiexec -n 2 python -m mpi4py -m minigpt train --data-parallel 2 --zero 1",
    )
    parser.set_defaults(goes_on=True)  # when nobody reads what it shows any more
    # Options have no defaults, so that going on with a run knows what was asked for.
    parser.add_argument("corpus", nargs="?", help=f"a name from `minigpt corpus list`, or a path (default {CORPUS})")
    parser.add_argument(
        "--objective",
        choices=tuple(OBJECTIVES),
        help="what it learns to answer (default causal): "
        + "; ".join(f"{name}: {objective.summary}" for name, objective in OBJECTIVES.items()),
    )
    _model_options(parser)
    _training_options(parser)
    parser.add_argument("--out", type=folder, help="the run's folder (default: a new one below runs/)")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with the run in --out (default: the latest); of what it has, --steps, --learning-rate, "
        "--validate-every and --workers may be changed",
    )
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    add_image_options(parser)
    add_options(parser)


def _model_options(parser: argparse.ArgumentParser) -> None:
    """Which model, and what of it is not as in its preset."""
    parser.add_argument("--architecture", choices=CHOICES["architecture"], help="(default: what fits the objective)")
    parser.add_argument(
        "--start", metavar="MODEL", help=f"train this model on, with its configuration and tokenizer: {MODEL}"
    )
    parser.add_argument("--preset", choices=tuple(PRESETS), help="the model (default tiny)")
    parser.add_argument("--tokenizer", type=tokenizer, help="bpe, characters, or a tokenizer.json (default bpe)")
    parser.add_argument(
        "--vocabulary", type=positive, help="tokens that bpe learns (default 4096, fewer for a short text)"
    )
    parser.add_argument(
        "--context",
        type=positive,
        help=f"tokens that the model sees (default: the preset's; with --start its own, at most {CONTEXT})",
    )
    parser.add_argument("--position", choices=CHOICES["position"], help="what says where a token stands (the preset's)")
    parser.add_argument("--window", type=positive, help="a token sees so many, itself among them (default: all)")
    parser.add_argument("--sinks", type=positive, help="and the first so many of the text (default 0)")
    parser.add_argument(
        "--rotary-scaling",
        metavar="KIND:FACTOR",
        type=scaling,
        help=f"rotary positions for texts so many times longer: {', '.join(BY_FACTOR)}; such as yarn:4, and say "
        "--context too",
    )
    parser.add_argument("--dropout", type=float, help="share of activations set to zero (default 0)")


def _training_options(parser: argparse.ArgumentParser) -> None:
    """How it is trained."""
    parser.add_argument("--steps", type=positive, help="updates of the parameters (default 1800)")
    parser.add_argument("--batch", type=positive, help="windows of text to a step (default 12)")
    parser.add_argument(
        "--accumulate",
        type=positive,
        help="add up so many batches to a step; they are the micro-batches of a pipeline (default 1)",
    )
    parser.add_argument(
        "--learning-rate", type=float, help=f"the highest (default {FRESH_RATE:g}; with --start {START_RATE:g})"
    )
    parser.add_argument("--optimizer", choices=OPTIMIZERS, help="(default adamw)")
    parser.add_argument("--weight-decay", type=float, help="(default 0.1)")
    parser.add_argument(
        "--validate-every", type=positive, help="steps between validations (default: a twelfth, 20 at least)"
    )
    parser.add_argument("--seed", type=int, help="the same seed gives the same model (default 0)")
    parser.add_argument(
        "--workers", type=positive, help="processes that share the rows of a batch (default: one for each core)"
    )


def execute(arguments: argparse.Namespace) -> int:
    """Prepare or reopen the run, train it, and show what came of it."""
    if is_of_images(arguments):
        from minigpt.cli.image_runs import train_on_images

        return train_on_images(arguments)
    crew = crew_for(arguments)
    with crew.ending_together():
        return _train(arguments, crew)


def _train(arguments: argparse.Namespace, crew: Any) -> int:
    if crew.speaks:
        print("reading the text ...", file=sys.stderr, flush=True)
    run = crew.prepare(lambda check: resume_run(arguments) if arguments.resume else new_run(arguments, check))
    data = TextData(run)
    if not is_finished(run, speaks=crew.speaks):
        try:
            _steps(arguments, crew, run, data)
        except Interrupted as stopped:
            if crew.speaks:
                report_stopped(stopped.step, "train", run.path, as_json=arguments.json)
            crew.finish()
            return STOPPED
    if crew.speaks:
        result = final_report(run, data)
        print_json(result.to_dict()) if arguments.json else print(result.text(), flush=True)
    crew.finish()
    return 0


def _steps(arguments: argparse.Namespace, crew: Any, run: RunFolder, data: TextData) -> None:
    """The training itself, and what is shown of it."""
    engine = crew.engine(run)
    samples = Samples(run, data, sys.stderr if arguments.json else sys.stdout, shown=crew.whole)
    if crew.speaks:
        print("\n".join([*crew.advice(run), *samples.advice()]), file=sys.stderr, flush=True)
    train(run, data, engine=engine, on_validation=samples if crew.speaks else lambda params, row: None)
