"""`minigpt finetune`: from a model and examples to a model that does a task."""

import argparse
import sys
from itertools import count
from pathlib import Path
from typing import Any

from minigpt.adapt import WAYS, Learns
from minigpt.cli.options import MODEL, add_command, flag_of, folder, positive, print_json
from minigpt.cli.resume import RUNS, STOPPED, report_stopped
from minigpt.errors import UserError
from minigpt.finetune import TASKS, Wishes, go_on, prepare, prepare_domain, tune
from minigpt.finetune.named import NAMES
from minigpt.finetune.report import report_lines
from minigpt.machine import blas_threads, cores, threads_for_width
from minigpt.pretrained import open_model
from minigpt.pretrained.tuned import open_tuned_folder
from minigpt.train import Interrupted

DATA = f"a .csv, .tsv or .jsonl file, or one of {', '.join(NAMES)}"
DOMAIN = "go on with texts of a domain (DATA is then a name from `minigpt corpus list`, or a path)"
SUMMARIES = [(name, task.summary) for name, task in TASKS.items()]
COLUMNS = {  # role -> what stands in the column
    "text": "the text",
    "second": "the second text of a pair",
    "label": "the class",
    "words": "the list of words",
    "tags": "the tag of each word",
    "question": "the question",
    "context": "the text in which the answer stands",
    "answer": "the answer",
    "start": "the character of the context at which the answer begins, from 0",
    "group": "what questions that are alike have in common",
    "messages": "the list of messages",
}
OF_TRAINING = ("epochs", "steps", "batch", "accumulate", "learning_rate", "dropout", "weight_decay")
OF_DATA = ("validation", "replay", "replay_share", "tokens", "long", "pooled", "balanced", "packed")
OF_MODEL = ("quantized", "learns", "blocks", "rank", "layers", "adapter_dropout")
PLAIN = (*OF_TRAINING, "validations", "patience", "seed", "workers")


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "finetune",
        execute,
        "  minigpt finetune minilm film --task classify --test film-test\n"
        "  minigpt finetune minilm reviews.csv --task classify --label stars --learns head\n"
        "  minigpt finetune smollm2 talks.jsonl --task chat --learns low-rank --rank 8\n"
        "  minigpt finetune smollm2 medicine --task domain --replay pydocs --replay-share 0.25\n"
        "  minigpt finetune --resume --out runs/film-minilm",
    )
    parser.add_argument("model", nargs="?", metavar="MODEL", help=MODEL)
    parser.add_argument("data", nargs="?", metavar="DATA", help=f"examples to learn from: {DATA}")
    parser.add_argument(
        "--task",
        choices=("domain", *TASKS),
        help="; ".join(f"{name}: {summary}" for name, summary in [("domain", DOMAIN), *SUMMARIES]),
    )
    parser.add_argument("--replay", metavar="TEXT", help="domain: the old text, on which forgetting is measured")
    parser.add_argument("--replay-share", type=float, help="domain: of the rows of a batch (default 0)")
    parser.add_argument("--validation", metavar="DATA", help="examples to validate with (default: a tenth of DATA)")
    parser.add_argument(
        "--test",
        metavar="DATA",
        help="examples on which the best model is measured once, at the end; --resume remembers them",
    )
    parser.add_argument("--learns", choices=WAYS, help="which part of the model (default all)")
    parser.add_argument("--blocks", type=positive, help="with --learns last: so many blocks (default 1)")
    parser.add_argument("--rank", type=positive, help="with --learns low-rank: of the adapters (default 8)")
    parser.add_argument(
        "--layers",
        help="with --learns low-rank: what gets an adapter (default attention.query,attention.value)",
    )
    parser.add_argument("--adapter-dropout", type=float, help="with --learns low-rank: on what goes into them")
    parser.add_argument(
        "--quantized", action="store_true", help="leave the model, a GGUF file, in its few bits: only parts of it learn"
    )
    parser.add_argument("--epochs", type=positive, help="how often each example is seen (default 3)")
    parser.add_argument("--steps", type=positive, help="updates of the parameters, in place of --epochs")
    parser.add_argument("--batch", type=positive, help="examples to a step (default 32)")
    parser.add_argument("--accumulate", type=positive, help="add up so many batches to a step (default 1)")
    parser.add_argument("--learning-rate", type=float, help="the highest (default 5e-5 for all, 1e-3 for a head)")
    parser.add_argument("--dropout", type=float, help="share of activations set to zero (default 0)")
    parser.add_argument("--weight-decay", type=float, help="(default 0.01)")
    parser.add_argument("--tokens", type=positive, help="of an example at most (default: what the model sees)")
    parser.add_argument("--long", choices=("refuse", "cut"), help="what to do with longer ones (default refuse)")
    parser.add_argument("--pooled", choices=("first", "last", "mean"), help="classify: which token stands for a text")
    parser.add_argument("--balanced", action="store_true", help="classify: all classes count alike in the loss")
    parser.add_argument("--packed", action="store_true", help="chat: several conversations in one row")
    parser.add_argument("--validations", type=positive, help="in an epoch (default 2)")
    parser.add_argument("--patience", type=positive, help="end after so many validations without a better one")
    parser.add_argument("--seed", type=int, help="the same seed gives the same model (default 0)")
    parser.add_argument(
        "--workers", type=positive, help="processes that share the rows of a batch (default: one for each core)"
    )
    for role, what in COLUMNS.items():
        parser.add_argument(f"--{role}", metavar="COLUMN", help=f"which column has {what} (default {role})")
    parser.add_argument("--out", type=folder, help="the model's folder (default: a new one below runs/)")
    parser.add_argument("--resume", action="store_true", help="go on with the fine-tuning in --out")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def execute(arguments: argparse.Namespace) -> int:
    """Prepare or reopen, train, and show what came of it."""
    if arguments.test is not None and arguments.task == "domain":
        raise UserError("a domain is measured on the held-out part of its text; leave --test out")
    tuning = _resumed(arguments) if arguments.resume else _fresh(arguments)
    path = tuning.folder.path
    print(f"fine-tuning in {path}: {tuning.folder.settings.steps:,} steps", file=sys.stderr)
    with blas_threads(threads_for_width(tuning.folder.config.width)):
        try:
            tuned = tune(tuning, show_progress=True)
        except Interrupted as stopped:
            report_stopped(stopped.step, "finetune", path, as_json=arguments.json)
            return STOPPED
        result: dict[str, Any] = {"folder": str(path), "task": tuned.task, **tuned.measured}
        if "before" in tuned.corpus:
            result["before"] = tuned.corpus["before"]
    print_json(result) if arguments.json else print("\n".join(report_lines(result)))
    return 0


def _fresh(arguments: argparse.Namespace) -> Any:
    for name in ("model", "data", "task"):
        if getattr(arguments, name) is None:
            raise UserError(f"{name} is missing; say for example: minigpt finetune minilm film --task classify")
    columns = {role: column for role in COLUMNS if (column := getattr(arguments, role)) is not None}
    known = () if arguments.task == "domain" else TASKS[arguments.task].columns + TASKS[arguments.task].optional
    for role in columns:
        if role not in known:
            raise UserError(f"--{role} is no column of the task {arguments.task}; it has {', '.join(known) or 'none'}")
    given = {name: value for name in PLAIN if (value := getattr(arguments, name)) is not None}
    if "epochs" in given and "steps" in given:
        raise UserError("--steps stands in place of --epochs; leave one of the two out")
    given.setdefault("workers", cores())
    wishes = Wishes(
        task=arguments.task,
        columns=columns,
        learns=_learns(arguments),
        context=arguments.tokens,
        pooled=arguments.pooled,
        balanced=arguments.balanced,
        packed=arguments.packed,
        cut=arguments.long == "cut",
        replay=arguments.replay_share or 0.0,
        **given,
    )
    below = open_model(arguments.model, quantized=arguments.quantized)
    if arguments.task == "domain":
        if arguments.validation is not None:
            raise UserError("a tenth of the text is held out for validation; leave --validation out")
        return prepare_domain(
            _place(arguments), below, wishes, arguments.data, arguments.replay, words=arguments.command_line
        )
    if arguments.replay is not None:
        raise UserError("old text is replayed with --task domain alone; leave --replay out")
    return prepare(
        _place(arguments),
        below,
        wishes,
        arguments.data,
        arguments.validation,
        arguments.test,
        words=arguments.command_line,
    )


def _learns(arguments: argparse.Namespace) -> Learns:
    """What learns. `UserError` for a number that would change nothing."""
    way = arguments.learns or "all"
    for name, of in (("blocks", "last"), ("rank", "low-rank"), ("layers", "low-rank")):
        if getattr(arguments, name) is not None and way != of:
            raise UserError(f"--{name} goes with --learns {of}, and {way} learns; leave it out")
    layers = Learns().layers if arguments.layers is None else tuple(map(str.strip, arguments.layers.split(",")))
    return Learns(way, arguments.blocks or 1, arguments.rank or 8, layers, arguments.adapter_dropout or 0.0)


def _resumed(arguments: argparse.Namespace) -> Any:
    if arguments.out is None:
        raise UserError("--resume needs the folder to go on with; name it with --out")
    if arguments.model is not None or arguments.data is not None:
        raise UserError("--resume takes model and data from the folder; leave both out")
    for name in ("task", *OF_DATA, *OF_MODEL, *PLAIN, *COLUMNS):
        if getattr(arguments, name) not in (None, False):
            raise UserError(f"{flag_of(name)} cannot change, for it goes on as it began; leave it out")
    return go_on(open_tuned_folder(arguments.out), arguments.test)


def _place(arguments: argparse.Namespace) -> Path:
    """--out, or the first free name below runs/."""
    if arguments.out is not None:
        return arguments.out
    name = f"{Path(arguments.data).stem}-{Path(arguments.model).stem}-{arguments.task}"
    for number in count(1):
        path = RUNS / (name if number == 1 else f"{name}-{number}")
        if not path.exists():
            return path
    raise AssertionError
