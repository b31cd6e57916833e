"""`minigpt bias`: does a model prefer stereotypes, and do its mistakes fall on some groups more than on others?"""

import argparse
import sys
import textwrap
from typing import Any

from minigpt import __version__
from minigpt.cli.options import MODEL, add_command, checkpoint_option, positive, print_json, visible
from minigpt.cli.output import remark
from minigpt.errors import UserError
from minigpt.fairness import MEASURES, Subject, Wanted, measure_bias, suiting
from minigpt.fairness.report import lines_of
from minigpt.finetune.prepare import records_of


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "bias",
        execute,
        "  minigpt bias --list\n"
        "  minigpt bias word2vec\n"
        "  minigpt bias smollm2 --measure crows-pairs winobias\n"
        "  minigpt bias smollm2 --measure stereoset --most 500\n"
        "  minigpt bias minilm --json\n"
        "  minigpt bias runs/bbq-minilm-answer\n"
        "  minigpt bias runs/mine-classify --data people.csv --group origin",
    )
    parser.add_argument(
        "model",
        nargs="?",
        metavar="MODEL",
        help=f"{MODEL}; for weat also word2vec, or a text file of word vectors (.txt, .vec)",
    )
    parser.add_argument(
        "--measure", nargs="+", choices=tuple(MEASURES), help="which (default: all that suit the model; see --list)"
    )
    parser.add_argument("--list", action="store_true", help="list the measures, with what each misses, and end")
    parser.add_argument("--most", type=positive, metavar="N", help="ask N of the items, drawn at random (default all)")
    parser.add_argument("--seed", type=int, help="of what is drawn (default 0)")
    parser.add_argument("--data", metavar="DATA", help="groups: examples with their true classes")
    parser.add_argument("--group", metavar="COLUMN", help="groups: of whom an example is (default group)")
    parser.add_argument("--positive", metavar="LABEL", help="groups: the class that counts as positive (default: last)")
    checkpoint_option(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")


def execute(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    if arguments.list:
        return _list(arguments.json)
    if arguments.model is None:
        raise UserError("name a MODEL, or ask for --list")
    if arguments.seed is not None and arguments.most is None:
        raise UserError("--seed changes nothing without --most; leave it out")
    if arguments.seed is not None and arguments.seed < 0:
        raise UserError(f"--seed is {arguments.seed}, but it must be 0 or more")
    subject = Subject(arguments.model, arguments.checkpoint)
    names = suiting(subject) if arguments.measure is None else list(dict.fromkeys(arguments.measure))
    for option in ("data", "group", "positive"):
        if getattr(arguments, option) is not None and "groups" not in names:
            raise UserError(f"--{option} is for the measure groups, and it is not asked for; leave it out")
    wanted = Wanted(
        arguments.most,
        arguments.seed or 0,
        not arguments.json,
        None if arguments.data is None else records_of(arguments.data),
        "group" if arguments.group is None else arguments.group,
        arguments.positive,
    )
    found: dict[str, Any] = {}
    refused: dict[str, str] = {}
    for name in names:
        print(f"{name}: {MEASURES[name].notice}", file=sys.stderr)
        try:
            found[name] = measure_bias(subject, name, wanted)
        except UserError as error:
            if len(names) == 1:
                raise
            refused[name] = str(error)  # what the others found is not lost
            remark(f"{name}: {error}")
            continue
        if not arguments.json:
            print("\n".join([""] * (len(found) > 1) + [visible(line) for line in lines_of(name, found[name])]))
    if arguments.json:
        said = {name: found.get(name, {"refused": refused.get(name)}) for name in names}
        made = {"model": arguments.model, "hashes": {"model": subject.sha256}, "minigpt": __version__}
        print_json({**made, "measures": said})
    return 2 if refused else 0


def _list(as_json: bool) -> int:
    if as_json:
        rows = {
            name: {"what": one.what, "source": one.source, "licence": one.notice, "misses": one.misses}
            for name, one in MEASURES.items()
        }
        print_json(rows)
        return 0
    for name, one in MEASURES.items():
        print(f"{name:12} {one.what}")
        for line in (f"{one.source}; {one.notice}", f"misses: {one.misses}"):
            print(textwrap.fill(line, 110, initial_indent=" " * 13, subsequent_indent=" " * 13))
    return 0
