"""`minigpt card`: a model card in which every number is what a listed command says, and whether a card is true."""

import argparse
import io
import json
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import minigpt.cli
from minigpt.cli.options import MODEL, add_command, checkpoint_option, file, positive, print_json, read_utf8, visible
from minigpt.errors import UserError
from minigpt.files import check_place, write_text
from minigpt.measure.card import LICENCES, Command, write_card
from minigpt.measure.card_check import FORMS, LANGUAGE, NAME, kind_of, verify_card
from minigpt.measure.facts import Energy, facts_of
from minigpt.pretrained import open_model
from minigpt.progress import progress_bar

PIECES = 100  # of an audit
PLACES = 9  # after the point of what is assumed
INTERRUPTED = 130
ASSUMED = Energy()


def add(subparsers: Any) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "card",
        execute,
        "  minigpt card runs/pydocs-tiny --text held_out.txt --audit --out CARD.md\n"
        "  minigpt card smollm2 --text held_out.txt --task questions.jsonl --bias 100 --license apache-2.0\n"
        "  minigpt card --verify CARD.md\n"
        "  minigpt card smollm2 --facts",
    )
    parser.add_argument("model", nargs="?", metavar="MODEL", help=MODEL)
    parser.add_argument("--out", type=file, metavar="CARD.md", help="write a file in place of printing it")
    parser.add_argument("--text", metavar="FILE", help="how well it predicts this text, below the current folder")
    parser.add_argument("--task", metavar="FILE.jsonl", help="how well it answers these questions")
    parser.add_argument("--audit", action="store_true", help="what a run gives away of its training text")
    parser.add_argument("--bias", type=positive, metavar="N", help="which of N pairs of CrowS-Pairs it prefers")
    parser.add_argument("--license", choices=LICENCES, help="of the model, for the header (default unknown)")
    parser.add_argument("--language", help="of its texts, for the header, such as en")
    parser.add_argument("--watts", type=float, help=f"assumed for each core (default {ASSUMED.watts_per_core:g})")
    parser.add_argument(
        "--grams", type=float, help=f"of CO2 assumed for a kWh (default {ASSUMED.grams_per_kilowatt_hour:g})"
    )
    parser.add_argument("--facts", action="store_true", help="print what is counted and recorded, as JSON, and no card")
    parser.add_argument("--verify", metavar="CARD.md", help="run the commands of a card again and compare every number")
    checkpoint_option(parser)
    parser.add_argument("--json", action="store_true", help="with --verify: print the verdict as one JSON object")


def execute(arguments: argparse.Namespace) -> int:
    """Write a card, check one, or print what one is made of."""
    if arguments.verify is not None:
        return _verify(arguments)
    if arguments.json:
        raise UserError("--json goes with --verify; --facts is JSON already, and a card is Markdown")
    if arguments.model is None:
        raise UserError("name a MODEL, or a card to check: minigpt card --verify CARD.md")
    if arguments.facts:
        for name in ("out", "text", "task", "audit", "bias", "license", "language"):
            if getattr(arguments, name) not in (None, False):
                raise UserError(f"--facts prints JSON and writes no card; leave --{name} out")
        print_json(facts_of(open_model(arguments.model, checkpoint=arguments.checkpoint), _assumed(arguments)))
        return 0
    if arguments.language is not None and not LANGUAGE.fullmatch(arguments.language):
        raise UserError(f"--language is {arguments.language!r}, but it must be a code of ISO 639, such as en")
    if arguments.checkpoint != "best":
        raise UserError("a card is of a run's best parameters; leave --checkpoint out")
    if arguments.out is not None:
        check_place(arguments.out)
        if Path(arguments.out).exists():
            raise UserError(f"{arguments.out} is there already; choose another name for --out")
    words = _commands(arguments)
    kinds = [kind_of(one) for one in words]
    asked = progress_bar(list(zip(kinds, words, strict=True)), desc="asking", unit=" commands", leave=False)
    commands = [Command(kind, one, ask(one)) for kind, one in asked]
    card = write_card(commands, licence=arguments.license or "unknown", language=arguments.language)
    if arguments.out is None:
        print(card, end="")
    else:
        write_text(arguments.out, card)
        print(f"the card is in {arguments.out}; check it with: minigpt card --verify {arguments.out}")
    return 0


def _assumed(arguments: argparse.Namespace) -> Energy:
    watts = ASSUMED.watts_per_core if arguments.watts is None else arguments.watts
    grams = ASSUMED.grams_per_kilowatt_hour if arguments.grams is None else arguments.grams
    for name, value in (("watts", watts), ("grams", grams)):
        if not 0 <= value <= 1e5:
            raise UserError(f"--{name} is {value:g}, but it must be from 0 to 100,000")
        if float(_digits(value)) != value:
            raise UserError(f"--{name} is {value!r}, but a card keeps {PLACES} digits after the point; round it")
    return Energy(watts_per_core=watts, grams_per_kilowatt_hour=grams)


def _digits(value: float) -> str:
    """A number as a card's command has it, without an exponent."""
    return f"{value:.{PLACES}f}".rstrip("0").rstrip(".")


def _below(name: str) -> str:
    """A model, or a file below this folder, as a card names it. `UserError` for one that a card cannot name."""
    path = Path(name)
    with suppress(ValueError):
        path = path.relative_to(Path.cwd()) if path.is_absolute() else path
    if NAME.fullmatch(path.as_posix()) is None:
        raise UserError(
            f"{name!r} cannot stand in a card, whose commands are of files below this folder; go to a folder above it, "
            "and use names of letters without accents, digits, '.', '_' and '-'"
        )
    return path.as_posix()


def _file_below(name: str) -> str:
    below = _below(name)
    if not Path(name).is_file():
        raise UserError(f"there is no file {name}; check the path")
    return below


def _commands(arguments: argparse.Namespace) -> list[tuple[str, ...]]:
    """What the card will list. Each has the form in which it may be run again."""
    assumed, model = _assumed(arguments), _below(arguments.model)
    given: list[tuple[str, tuple[Any, ...]]] = [
        ("facts", (model, _digits(assumed.watts_per_core), _digits(assumed.grams_per_kilowatt_hour)))
    ]
    given += [] if arguments.text is None else [("text", (model, _file_below(arguments.text)))]
    given += [] if arguments.task is None else [("task", (model, _file_below(arguments.task)))]
    given += [("audit", (model, str(PIECES)))] if arguments.audit else []
    given += [] if arguments.bias is None else [("bias", (model, str(arguments.bias)))]
    commands = []
    for kind, values in given:
        left = list(values)
        commands.append(
            tuple(left.pop(0) if word in ("PATH", "PATH.jsonl", "NUMBER", "COUNT") else word for word in FORMS[kind])
        )
        if kind_of(commands[-1]) != kind:
            raise UserError(f"{values[1]} is not what --{kind} takes: a text, or of --task a .jsonl file")
    return commands


def ask(words: Sequence[str]) -> Mapping[str, Any]:
    """What a command of minigpt prints as JSON, asked in this process. `UserError` with what it said if it failed."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = minigpt.cli.main(list(words))
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    if code != 0:
        said = err.getvalue().strip().splitlines()
        raise UserError(f"minigpt {' '.join(words)}: {said[-1].removeprefix('minigpt: ') if said else 'it failed'}")
    return json.loads(out.getvalue())


def _verify(arguments: argparse.Namespace) -> int:
    """Print the verdict. Returns 1 if the card does not hold."""
    others = ("model", "out", "text", "task", "bias", "license", "language", "watts", "grams")
    if any(getattr(arguments, name) is not None for name in others) or arguments.facts or arguments.audit:
        raise UserError("--verify takes a card alone, which names its model and commands; leave the rest out")
    with progress_bar(desc="asking", unit=" commands", leave=False, disable=arguments.json) as bar:

        def ask_next(words: Sequence[str]) -> Mapping[str, Any]:
            found = ask(words)
            bar.update()
            return found

        verdict = verify_card(read_utf8(arguments.verify), ask_next)
    if arguments.json:
        print_json({"holds": verdict.holds, **verdict._asdict()})
    elif verdict.holds:
        print(f"{verdict.statements} statements by {verdict.commands} commands: all hold")
    else:
        print("\n".join(map(visible, verdict.wrong)))
    return 0 if verdict.holds else 1
