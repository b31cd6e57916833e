"""What the subcommands' parsers share."""

import argparse
import json
from collections.abc import Callable
from typing import Any

from minigpt.errors import UserError


def add_command(subparsers, name: str, run: Callable, help: str, examples: str) -> argparse.ArgumentParser:
    """A subcommand's parser: `help` in one line, examples at the end of its --help."""
    parser = subparsers.add_parser(
        name,
        help=help,
        description=help[0].upper() + help[1:] + ".",
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def positive(text: str) -> int:
    """A whole number of at least 1, for argparse."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of at least 1")
    return value


def print_json(value: Any) -> None:
    """For programs: one JSON value on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def read_utf8(path: str) -> str:
    """The text of the file at `path`; `UserError` if it is missing, empty or not UTF-8."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            text = file.read()
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text (byte {error.start}); convert it to UTF-8 first") from None
    except OSError as error:
        raise UserError(f"{path} could not be read ({error.strerror}); check the path") from None
    if not text:
        raise UserError(f"{path} is empty; choose a file with text")
    return text
