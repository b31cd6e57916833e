"""`minigpt train`: from text to a model that writes."""

import argparse
import sys
from pathlib import Path

from minigpt.cli.options import MODEL, add_command, positive, print_json
from minigpt.cli.prepare import CONTEXT, FRESH_RATE, START_RATE, new_run, resume_run
from minigpt.cli.ranks import add_options, crew_for
from minigpt.cli.reports import Samples, disk_trouble, final_report
from minigpt.errors import UserError
from minigpt.model import PRESETS
from minigpt.model.config import CHOICES
from minigpt.objectives import OBJECTIVES
from minigpt.train import Interrupted, TextData, train
from minigpt.train.settings import OPTIMIZERS


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "train",
        execute,
        "  minigpt train                                    Python's documentation, about two minutes\n"
        "  minigpt train --objective masked                 hide tokens and ask for them, as BERT\n"
        "  minigpt train shakespeare --tokenizer characters --steps 2000\n"
        "  minigpt train my_notes/ --preset small --threads 2 --out runs/notes\n"
        "  minigpt train my_notes/ --start smollm2 --context 64 --batch 4\n"
        "  minigpt train --resume --out runs/notes          go on after Ctrl-C\n"
        "  mpiexec -n 2 python -m mpi4py -m minigpt train --data-parallel 2 --zero 1",
    )
    parser.add_argument("corpus", nargs="?", default="pydocs", help="a name from `minigpt corpus list`, or a path")
    parser.add_argument(
        "--objective",
        choices=tuple(OBJECTIVES),
        default="causal",
        help="what it learns to answer (default causal): "
        + "; ".join(f"{name}: {objective.summary}" for name, objective in OBJECTIVES.items()),
    )
    parser.add_argument("--architecture", choices=CHOICES["architecture"], help="(default: what fits the objective)")
    parser.add_argument(
        "--start", metavar="MODEL", help=f"train this model on, with its configuration and tokenizer: {MODEL}"
    )
    parser.add_argument("--preset", choices=tuple(PRESETS), help="the model (default tiny)")
    parser.add_argument("--tokenizer", help="bpe, characters, or a tokenizer.json (default bpe)")
    parser.add_argument("--vocabulary", type=positive, help="tokens that bpe learns (default 1024)")
    parser.add_argument("--steps", type=positive, help="updates of the parameters (default 3000)")
    parser.add_argument("--batch", type=positive, default=12, help="windows of text to a step (default 12)")
    parser.add_argument(
        "--accumulate",
        type=positive,
        default=1,
        help="add up so many batches to a step; they are the micro-batches of a pipeline (default 1)",
    )
    parser.add_argument(
        "--context",
        type=positive,
        help=f"tokens that the model sees (default: the preset's; with --start its own, at most {CONTEXT})",
    )
    parser.add_argument("--dropout", type=float, default=0.0, help="share of activations set to zero (default 0)")
    parser.add_argument(
        "--learning-rate", type=float, help=f"the highest (default {FRESH_RATE:g}; with --start {START_RATE:g})"
    )
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default="adamw", help="(default adamw)")
    parser.add_argument("--weight-decay", type=float, default=0.1, help="(default 0.1)")
    parser.add_argument("--validate-every", type=positive, help="steps between validations (default: a twelfth)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same model (default 0)")
    parser.add_argument("--threads", type=positive, help="share the rows of a batch (default: up to 2 cores)")
    parser.add_argument("--out", type=Path, help="the run's folder (default: a new one below runs/)")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out (default: the latest)")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    add_options(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Prepare or reopen the run, train it, and show what came of it."""
    crew = crew_for(arguments)
    if crew.speaks:
        print("reading the text ...", file=sys.stderr, flush=True)
    folder = crew.prepare(
        lambda check: resume_run(arguments.out, arguments.steps) if arguments.resume else new_run(arguments, check)
    )
    data, engine = TextData(folder), crew.engine(folder)
    report = Samples(folder, data, sys.stderr if arguments.json else sys.stdout, shown=crew.whole)
    if crew.speaks:
        print("\n".join([*crew.advice(folder), *report.advice()]), file=sys.stderr, flush=True)
    try:
        train(folder, data, engine=engine, on_validation=report if crew.speaks else lambda params, row: None)
    except Interrupted as stopped:
        if crew.speaks:
            print(
                f"\nsaved at step {stopped.step} of {folder.settings.steps}; go on with\n"
                f"  minigpt train --resume --out {folder.path}",
                file=sys.stderr,
                flush=True,
            )
        crew.finish()
        return 130
    except (UserError, OSError) as error:
        crew.failed()
        raise (disk_trouble(error) if isinstance(error, OSError) else error) from error
    if crew.speaks:
        result = final_report(folder, data)
        print_json(result.to_dict()) if arguments.json else print(result.text(), flush=True)
    crew.finish()
    return 0
