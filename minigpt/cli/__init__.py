"""The `minigpt` command: one file per subcommand, each with `add(subparsers)` and `execute(arguments)`."""

import argparse
import sys

from minigpt.cli import chat, claims, corpus, embed, evaluate, export, generate, gradcheck, grade, lessons, scale, train
from minigpt.errors import UserError

COMMANDS = (train, generate, chat, embed, evaluate, export, gradcheck, corpus, claims, lessons, grade, scale)


def main(argv: list[str] | None = None) -> int:
    """Run the command line `argv` (default: the process's own). Returns the exit code.

    0: done; 1: a check failed; 2: bad input, said in one sentence on standard error; 130: interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a Windows console may default to a code page without most characters
            stream.reconfigure(encoding="utf-8", errors="replace")
    arguments = _parser().parse_args(argv)
    try:
        return arguments.execute(arguments)
    except UserError as error:
        print(f"minigpt: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("minigpt: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stderr.close()
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="minigpt",
        description="A transformer in plain NumPy: train it, let it write, and check every gradient.",
        epilog="Start with `minigpt train`: no arguments, no download, about two minutes.",
    )
    subparsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(subparsers)
    return parser
