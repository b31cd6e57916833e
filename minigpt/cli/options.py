"""What the subcommands' parsers share."""

import argparse
import os
import shlex
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from minigpt.cli import COMMANDS
from minigpt.cli.output import print_json, visible  # noqa: F401  (commands take them from here)
from minigpt.errors import UserError
from minigpt.files import read_text
from minigpt.infer import Sampling
from minigpt.infer.paged import STORES
from minigpt.model.scaling import BY_FACTOR
from minigpt.pretrained import NAMED, OpenedModel, open_model
from minigpt.pretrained.compressed import has_compressed
from minigpt.pretrained.load import has_quantized

MODEL = f"a run's folder, a folder in the Hugging Face layout, a .gguf file, or one of {', '.join(NAMED)}"


def add_command(subparsers: Any, name: str, execute: Callable, examples: str) -> argparse.ArgumentParser:
    """A subcommand's parser: its line of `COMMANDS` as the description, examples at the end of its --help."""
    help = COMMANDS[name]
    parser = subparsers.add_parser(
        name,
        help=help,
        description=help[0].upper() + help[1:] + ".",
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(execute=execute)
    return parser


def flag_of(name: str) -> str:
    """The option as it is typed, of its name among the parsed arguments."""
    return "--" + name.replace("_", "-")


def checkpoint_option(parser: argparse.ArgumentParser) -> None:
    """--checkpoint, of a run."""
    parser.add_argument(
        "--checkpoint", choices=("best", "last"), default="best", help="which parameters of a run (default best)"
    )


def quantized_option(parser: argparse.ArgumentParser) -> None:
    """--quantized, of a GGUF file."""
    parser.add_argument(
        "--quantized",
        action="store_true",
        help="leave the matrices of a GGUF file in the few bits that they are stored in and decode them as they are "
        "multiplied: less memory, more time (a compressed model is always left so)",
    )


def model_asked_for(arguments: argparse.Namespace) -> OpenedModel:
    """MODEL as --checkpoint and --quantized say. `UserError` for --quantized where nothing is in few bits."""
    name, quantized = arguments.model, arguments.quantized
    if quantized and (name in NAMED or Path(name).exists()) and not (has_compressed(name) or has_quantized(name)):
        raise UserError(
            f"--quantized leaves a model in the few bits that its file has, and {name} is no GGUF file or compressed "
            "model with fewer than 32; leave it out, or make one with `minigpt compress`"
        )
    return open_model(name, checkpoint=arguments.checkpoint, quantized=quantized)


def positive(text: str) -> int:
    """A whole number of at least 1, for argparse."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of at least 1")
    return value


def folder(text: str) -> Path:
    """The path of a folder, for argparse; an empty one would be the folder in which one happens to be."""
    return Path(_named(text, "folder"))


def file(text: str) -> Path:
    """The path of a file, for argparse."""
    return Path(_named(text, "file"))


def tokenizer(text: str) -> str:
    """A kind of tokenizer or a file, for argparse."""
    return _named(text, "tokenizer")


def scaling(text: str) -> str:
    """A kind of rotary scaling and its factor, KIND:FACTOR, for argparse."""
    kind, _, factor = text.partition(":")
    with suppress(ValueError):
        if kind in BY_FACTOR and float(factor) >= 1:
            return f"{kind}:{float(factor):g}"
    raise argparse.ArgumentTypeError(f"{text} is not {', '.join(BY_FACTOR)}, a colon, and a number of at least 1")


def _named(text: str, what: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError(f"the name of the {what} is empty")
    return text


def cache_option(parser: argparse.ArgumentParser) -> None:
    """--cache-bits."""
    parser.add_argument(
        "--cache-bits",
        type=int,
        choices=[bits for bits in STORES if bits is not None],
        help="keep keys and values in so many bits, in about a quarter of the memory; the texts may then be others",
    )


def sampling_options(parser: argparse.ArgumentParser, *, temperature: float, top_p: float | None = None) -> None:
    """--temperature, --top-k, --top-p and --seed."""
    parser.add_argument(
        "--temperature",
        type=float,
        default=temperature,
        help=f"0: always the likeliest token (default {temperature:g})",
    )
    parser.add_argument("--top-k", type=int, help="draw only from the K likeliest tokens")
    parser.add_argument(
        "--top-p",
        type=float,
        default=top_p,
        help="draw only from the likeliest tokens that together have probability P",
    )
    parser.add_argument("--seed", type=int, help="the same seed writes the same text (default 0)")


def sampling_of(arguments: argparse.Namespace) -> Sampling:
    """What these options ask for, with the seed that is meant; `UserError` for a value that does not fit."""
    arguments.seed = 0 if arguments.seed is None else arguments.seed
    if arguments.seed < 0:
        raise UserError(f"--seed is {arguments.seed}, but it must be 0 or more")
    return Sampling(arguments.temperature, arguments.top_k, arguments.top_p)


def quoted(path: str | Path) -> str:
    """A path as it is typed in a command, in quotes if it needs them."""
    return subprocess.list2cmdline([str(path)]) if os.name == "nt" else shlex.quote(str(path))


def read_utf8(path: str) -> str:
    """The text of the file at `path`; `UserError` if it is missing, empty or not UTF-8."""
    if not path:
        raise UserError("the name of a file is empty; give the path of a text")
    text = read_text(path)
    if not text:
        raise UserError(f"{path} is empty; choose a file with text")
    return text
