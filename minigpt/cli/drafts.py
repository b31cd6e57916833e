"""--draft and --draft-tokens: what guesses the text of a model, from words to a draft."""

import argparse

from minigpt.cli.options import positive
from minigpt.errors import UserError
from minigpt.infer import DraftModel, PromptLookup, Speculation, early_exit
from minigpt.infer.drafts import Draft, check_continues, check_same_tokenizer
from minigpt.pretrained import OpenedModel, open_model

DRAFT_TOKENS = 4
LOOK_UP, EXIT = "prompt", "early:"


def draft_options(parser: argparse.ArgumentParser) -> None:
    """--draft and --draft-tokens."""
    parser.add_argument(
        "--draft",
        metavar="DRAFT",
        help="guess some tokens and let the model judge them in one call: prompt (as the text went on before), early:K "
        "(the first K blocks of the model), or a small MODEL with the same tokenizer; the text keeps its distribution",
    )
    parser.add_argument(
        "--draft-tokens", type=positive, metavar="N", help=f"guesses for one call, at most (default {DRAFT_TOKENS})"
    )


def speculation_of(arguments: argparse.Namespace, opened: OpenedModel) -> Speculation | None:
    """What these options ask for; `UserError` for a draft that does not fit the model."""
    if arguments.draft is None:
        if arguments.draft_tokens is not None:
            raise UserError("--draft-tokens has no effect without --draft; name a draft or leave it out")
        return None
    check_continues(opened.model)
    return Speculation(draft_of(arguments.draft, opened), arguments.draft_tokens or DRAFT_TOKENS)


def draft_of(text: str, opened: OpenedModel) -> Draft:
    """prompt, early:K, or a model with the same tokenizer, for an opened model."""
    if text == LOOK_UP:
        return PromptLookup()
    if text.startswith(EXIT):
        blocks = text.removeprefix(EXIT)
        if not blocks.isdecimal():
            raise UserError(f"--draft {text} does not say after how many blocks; give a number, as in early:2")
        return early_exit(opened.model, opened.params, int(blocks))
    small = open_model(text)
    check_same_tokenizer(opened.tokenizer, small.tokenizer)
    return DraftModel(small.model, small.params, f"draft model {text}")
