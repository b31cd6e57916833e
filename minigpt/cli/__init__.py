"""The `minigpt` command: one file per subcommand, each with `add(subparsers)` and `execute(arguments)`."""

import argparse
import sys
from importlib import import_module
from typing import NoReturn

from minigpt import __version__
from minigpt.cli.output import ONE_SENTENCE, Outlet, outlets, print_json, report_failure, sentence
from minigpt.errors import UserError

COMMANDS = {  # the file of a subcommand, and its line in `minigpt --help`
    "train": "train a model on a text",
    "distill": "train a small model on what a large one says of a text",
    "finetune": "teach a trained model a task from examples",
    "predict": "let a fine-tuned model answer every example of a file",
    "ask": "ask a trained model about a picture",
    "generate": "let a trained model continue a text",
    "chat": "talk with a published model",
    "serve": "answer questions to a model over HTTP, in the form of OpenAI's API, with a page to chat",
    "embed": "compare the lines of a file by meaning",
    "transcribe": "write down what is said in a WAV file, with times, as text or subtitles",
    "evaluate": "measure how well a model predicts a text, beside baselines and compressors",
    "bias": "measure stereotypes in what a model says, and how a classifier's mistakes fall on groups",
    "card": "write a model card whose every number a command gives, or check one",
    "explain": "show why a model says what it says of a text, as a page and a picture",
    "audit": "measure what a run gives away of the text that it was trained on",
    "compress": "round a model's matrices to few bits, so that it needs less room and memory",
    "export": "write a model as transformers (a folder) or llama.cpp (a GGUF file) opens it, with the same answers",
    "gradcheck": "compare every hand-written gradient with numerical derivatives",
    "doctor": "say whether a run, the cache and the installation are sound, and what to do",
    "corpus": "list the texts that can be trained on by name, fetch them, clean a corpus, or plant canaries",
    "claims": "list the claims of the article with their verdicts and what was measured",
    "lessons": "copy the notebooks and exercises of the course into a folder of yours",
    "grade": "grade exercises of the course",
    "scale": "compute parameters, memory, operations, communication and days of a model",
}


class _Parser(argparse.ArgumentParser):
    """Bad words are an exception, so that `main` can say them to programs too."""

    def error(self, message: str) -> NoReturn:
        raise _BadWords(self.format_usage(), self.prog, message)


class _BadWords(Exception):
    """usage, program, message."""


def main(argv: list[str] | None = None) -> int:
    """Run the command line `argv` (default: the process's own). Returns the exit code.

    0: done, or nobody reads any more; 1: a check failed; 2: bad input or no room, said in one sentence on standard
    error, and with --json as {"error": ...} on standard output; 130: interrupted.
    """
    words = sys.argv[1:] if argv is None else argv
    with outlets() as (out, err):
        try:
            try:
                return _execute(words, out, err)
            finally:
                out.flush()
                out.check()
        except _BadWords as bad:
            usage, program, message = bad.args
            print(f"{usage}{program}: error: {message}", file=sys.stderr)
            if "--json" in words:
                print_json({"error": message})
            raise SystemExit(2) from None
        except BrokenPipeError:  # the reader, such as `head`, has seen enough
            return 0
        except (UserError, *ONE_SENTENCE) as error:
            report_failure(sentence(error, words), as_json="--json" in words)
            return 2
        except KeyboardInterrupt:
            report_failure("interrupted", as_json="--json" in words)
            return 130


def _execute(words: list[str], out: Outlet, err: Outlet) -> int:
    parser = _parser(words[0] if words else None)
    if not words:
        parser.print_help(sys.stderr)
        return 2
    arguments = parser.parse_args(words, argparse.Namespace(command_line=words))
    out.goes_on = err.goes_on = getattr(arguments, "goes_on", False)
    return arguments.execute(arguments)


def _parser(chosen: str | None) -> argparse.ArgumentParser:
    """The parser of the subcommand `chosen`, whose module alone is imported; of the others it knows name and help."""
    parser = _Parser(
        prog="minigpt",
        description="A transformer in plain NumPy: train it, let it write, and check every gradient.",
        epilog="Start with `minigpt train`: no arguments, no download, two to five minutes.",
    )
    parser.add_argument("--version", action="version", version=f"minigpt {__version__}")
    subparsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, help in COMMANDS.items():
        if name == chosen:
            import_module(f"minigpt.cli.{name}").add(subparsers)
        else:
            subparsers.add_parser(name, help=help)
    return parser
