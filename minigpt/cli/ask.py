"""`minigpt ask`: a question about a picture."""

import argparse
from pathlib import Path

from minigpt.cli.options import add_command, checkpoint_option, print_json, visible
from minigpt.cli.output import remark
from minigpt.errors import UserError
from minigpt.machine import blas_threads, threads_for_width
from minigpt.vision.asked import Asked
from minigpt.vision.png import read_png

OWN = "test:"  # before the number of a question of the run's own test


def add(subparsers) -> None:
    """Declare the subcommand."""
    parser = add_command(
        subparsers,
        "ask",
        execute,
        "  minigpt train easy-vqa --task ask --out runs/shapes\n"
        '  minigpt ask runs/shapes shape.png "what color is the shape?"\n'
        "  minigpt train digit-scenes --task ask --out runs/scenes\n"
        "  minigpt ask runs/scenes scene.png                a caption\n"
        "  minigpt ask runs/scenes test:3                   a picture of its own test",
    )
    parser.add_argument("model", metavar="MODEL", help="the folder of a run with --task ask")
    parser.add_argument(
        "image",
        metavar="IMAGE",
        help=f"a PNG file of the size that it was trained on; {OWN}N: number N of its own test",
    )
    parser.add_argument(
        "question",
        metavar="QUESTION",
        nargs="?",
        help="in the words that it was trained on (default: of its own test, or the one that it was trained on)",
    )
    checkpoint_option(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def execute(arguments: argparse.Namespace) -> int:
    """Print the answer."""
    question = arguments.question
    if question is not None and not question.strip():
        raise UserError("the question is empty; ask something")
    if question is not None and not is_unicode(question):
        raise UserError("the question has bytes that are no UTF-8; write it in that")
    own = arguments.image.startswith(OWN) and not Path(arguments.image).exists()
    pixels = None if own else read_png(arguments.image)
    asked, right = Asked(arguments.model, arguments.checkpoint), None
    if own:
        pixels, usual, right = asked.of_test(_row(arguments.image))
        question, right = (usual, right) if question in (None, usual) else (question, None)
    assert pixels is not None, "it was read, or is of the test"
    put = question if question is None or right is not None else asked.wording.as_trained(question)
    if put != question:
        remark(f"asked as {put!r}, which is how its training puts it")
    if put is not None and put not in asked.wording.counts:
        remark(f"no question of its training is {put!r}; the words are known, but the answer may mean nothing")
    with blas_threads(threads_for_width(asked.folder.config.width)):
        answer = asked.answer(pixels, put, verbatim=True)
    if arguments.json:
        told = {} if put == question else {"asked_as": put}
        told |= {} if right is None else {"right_answer": right}
        print_json({"image": arguments.image, "question": question or asked.usual, "answer": answer, **told})
    else:
        print(visible(answer))
        if right is not None:
            remark(f"{question} The right answer is {right!r}")
    return 0


def is_unicode(text: str) -> bool:
    """Whether it has whole characters alone: what a terminal sends in another coding comes as halves of some."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _row(image: str) -> int:
    number = image.removeprefix(OWN)
    if not (number.isascii() and number.isdecimal() and len(number) < 10):
        raise UserError(f"{image!r} names no question of the test; write a number, such as {OWN}3")
    return int(number)
