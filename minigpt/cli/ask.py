"""`minigpt ask`: a question about a picture."""

import argparse

from minigpt.cli.options import add_command, checkpoint_option, print_json, visible
from minigpt.errors import UserError
from minigpt.machine import blas_threads, threads_for_width
from minigpt.vision.asked import Asked
from minigpt.vision.png import read_png


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "ask",
        execute,
        "  minigpt train easy-vqa --task ask --out runs/shapes\n"
        '  minigpt ask runs/shapes shape.png "what color is the shape?"',
    )
    parser.add_argument("model", metavar="MODEL", help="the folder of a run with --task ask")
    parser.add_argument("image", metavar="IMAGE", help="a PNG file of the size that it was trained on")
    parser.add_argument("question", metavar="QUESTION", help="in words like those that it was trained on")
    checkpoint_option(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def execute(arguments: argparse.Namespace) -> int:
    """Print the answer."""
    if not arguments.question.strip():
        raise UserError("the question is empty; ask something")
    pixels, asked = read_png(arguments.image), Asked(arguments.model, arguments.checkpoint)
    with blas_threads(threads_for_width(asked.folder.config.width)):
        answer = asked.answer(pixels, arguments.question)
    if arguments.json:
        print_json({"image": arguments.image, "question": arguments.question, "answer": answer})
    else:
        print(visible(answer))
    return 0
