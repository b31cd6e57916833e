"""The `minigpt` command: one file per subcommand, each with `add(subparsers)` and `execute(arguments)`."""

import argparse
import sys
from importlib import import_module

from minigpt import __version__
from minigpt.errors import UserError

COMMANDS = {  # the file of a subcommand, and its line in `minigpt --help`
    "train": "train a model on a text",
    "generate": "let a trained model continue a text",
    "chat": "talk with a published model",
    "embed": "compare the lines of a file by meaning",
    "evaluate": "measure how well a model predicts a text, beside baselines and compressors",
    "export": "write a model as a folder that transformers opens, with the same answers",
    "gradcheck": "compare every hand-written gradient with numerical derivatives",
    "corpus": "list the texts that can be trained on by name, or fetch them",
    "claims": "list the claims of the article with their verdicts and what was measured",
    "lessons": "copy the notebooks and exercises of the course into a folder of yours",
    "grade": "grade exercises of the course",
    "scale": "compute parameters, memory, operations, communication and days of a model",
}


def main(argv: list[str] | None = None) -> int:
    """Run the command line `argv` (default: the process's own). Returns the exit code.

    0: done; 1: a check failed; 2: bad input, said in one sentence on standard error; 130: interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a Windows console may default to a code page without most characters
            stream.reconfigure(encoding="utf-8", errors="replace")
    words = sys.argv[1:] if argv is None else argv
    parser = _parser(words[0] if words else None)
    if not words:
        parser.print_help(sys.stderr)
        return 2
    arguments = parser.parse_args(words)
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


def _parser(chosen: str | None) -> argparse.ArgumentParser:
    """The parser of the subcommand `chosen`, whose module alone is imported; of the others it knows name and help."""
    parser = argparse.ArgumentParser(
        prog="minigpt",
        description="A transformer in plain NumPy: train it, let it write, and check every gradient.",
        epilog="Start with `minigpt train`: no arguments, no download, about two minutes.",
    )
    parser.add_argument("--version", action="version", version=f"minigpt {__version__}")
    subparsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, help in COMMANDS.items():
        if name == chosen:
            import_module(f"minigpt.cli.{name}").add(subparsers)
        else:
            subparsers.add_parser(name, help=help)
    return parser
