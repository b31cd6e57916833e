"""`minigpt evaluate`: how well a model predicts a text, beside what guessing, counting and compressing reach."""

from minigpt.cli.options import MODEL, add_command, checkpoint_option, print_json, read_utf8
from minigpt.machine import blas_threads, threads_for_width
from minigpt.measure import evaluate_text
from minigpt.pretrained import open_model


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "evaluate",
        execute,
        "  minigpt evaluate runs/pydocs-tiny README.md\n"
        "  minigpt evaluate runs/pydocs-tiny README.md --json\n"
        "  minigpt evaluate smollm2 README.md",
    )
    parser.add_argument("model", metavar="MODEL", help=MODEL)
    parser.add_argument("file", metavar="FILE", help="a UTF-8 text")
    checkpoint_option(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")


def execute(arguments) -> int:
    """Print the measurements."""
    text = read_utf8(arguments.file)
    opened = open_model(arguments.model, checkpoint=arguments.checkpoint)
    training = opened.training_tokens()
    with blas_threads(threads_for_width(opened.model.config.width)):
        result = evaluate_text(
            opened.model, opened.params, opened.tokenizer, text, training, progress=not arguments.json
        )
    if arguments.json:
        print_json(result.to_dict())
    else:
        print(result.table())
    return 0
