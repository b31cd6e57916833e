"""Images on the command line of `minigpt train`: the options, and whether it is images that are meant."""

import argparse

from minigpt.cli.options import flag_of, positive
from minigpt.errors import UserError
from minigpt.vision import has_images
from minigpt.vision.named import NAMES
from minigpt.vision.prepare import RECIPES
from minigpt.vision.questions import QUESTION_SETS

OF_IMAGES = ("task", "test", "augment", "patch", "recipe", "label", "first", "areas", "word_dropout")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of training on images."""
    group = parser.add_argument_group("images")
    group.add_argument(
        "--task",
        choices=("classify", "ask"),
        help=f"classify: name the class of each image of a folder, .csv, .npz or of {', '.join(NAMES)}; ask: answer "
        f"the questions about pictures of a .jsonl (image, question, answer) or one of {', '.join(QUESTION_SETS)}",
    )
    group.add_argument("--test", metavar="DATA", help="on which the best model is measured (default: held out of DATA)")
    group.add_argument(
        "--augment",
        metavar="HOW",
        help="change images at random: shift:2,crop:0.1,turn:10,flip or none (default none)",
    )
    group.add_argument(
        "--patch",
        type=positive,
        help="pixels of a patch's side (default: a quarter of the image's; with --task ask an eighth)",
    )
    group.add_argument(
        "--areas",
        type=int,
        choices=range(17),
        metavar="N",
        help="ask: the means of the patches in N x N areas stand ahead of the question, or with 0 all patches "
        "(default 2: quarters; digit-scenes: 4)",
    )
    group.add_argument(
        "--recipe", choices=tuple(RECIPES), help="classify: what the model is made of (default modern); vit is exported"
    )
    group.add_argument(
        "--first",
        metavar="WORD",
        help="ask: for the first fifth of the steps only questions that begin so, or none (easy-vqa: default what)",
    )
    group.add_argument(
        "--word-dropout",
        type=float,
        metavar="SHARE",
        help="ask: cover this share of an answer's words while the next is learnt (default 0; digit-scenes: 0.6)",
    )
    group.add_argument("--label", metavar="COLUMN", help="of a .csv or .npz: what names the classes (default label)")


def is_of_images(arguments: argparse.Namespace) -> bool:
    """Whether the words ask for training on images. `UserError` for what belongs to images beside texts."""
    if arguments.task is not None or (arguments.resume and arguments.out is not None and has_images(arguments.out)):
        return True
    for task, names in (("classify", NAMES), ("ask", QUESTION_SETS)):
        if arguments.corpus in names:
            raise UserError(f"{arguments.corpus} is a set of images; add --task {task}")
    for name in OF_IMAGES:
        if getattr(arguments, name) is not None:
            raise UserError(f"{flag_of(name)} is about images; add --task classify, or leave it out")
    return False
