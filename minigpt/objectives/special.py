"""The special tokens of objectives: the part that each plays, and what tokenizers call it."""

from collections.abc import Mapping

from minigpt.errors import UserError
from minigpt.objectives.denoising import span_count
from minigpt.objectives.record import Objective

END = "end"  # the role of the token between two documents
SENTINELS = "sentinels"  # the role of as many tokens as a window has spans: sentinel0, sentinel1, ...

# role -> how tokenizers spell it: ours, BERT's, BART's
SPELLINGS: dict[str, tuple[str, ...]] = {
    "mask": ("<|mask|>", "[MASK]", "<mask>"),
    "classify": ("<|classify|>", "[CLS]", "<s>"),
    "separator": ("<|separator|>", "[SEP]", "</s>"),
    "padding": ("<|padding|>", "[PAD]", "<pad>"),
    "prefix": ("<|prefix|>", "<|fim_prefix|>", "<fim_prefix>"),
    "suffix": ("<|suffix|>", "<|fim_suffix|>", "<fim_suffix>"),
    "middle": ("<|middle|>", "<|fim_middle|>", "<fim_middle>"),
}


def special_tokens(objective: Objective, context: int) -> dict[str, str]:
    """role -> our spelling, of every special token that the objective needs for windows of `context` tokens."""
    return {role: spellings[0] for role, spellings in _spellings(objective, context).items()}


def find_special_tokens(objective: Objective, context: int, known: Mapping[str, int], end: int) -> dict[str, int]:
    """role -> id in a tokenizer whose special tokens are `known` and whose documents end with the token `end`.

    `UserError` names a token that the objective needs and the tokenizer lacks.
    """
    found = {END: end}
    for role, spellings in _spellings(objective, context).items():
        spelt = next((spelling for spelling in spellings if spelling in known), None)
        if spelt is None:
            raise UserError(
                f"the objective {objective.name} needs a special token {spellings[0]}, and the tokenizer has none; "
                "let the run train one (--tokenizer bpe or characters), or choose another objective"
            )
        found[role] = known[spelt]
    return found


def _spellings(objective: Objective, context: int) -> dict[str, tuple[str, ...]]:
    spellings: dict[str, tuple[str, ...]] = {}
    for role in objective.special:
        if role != SENTINELS:
            spellings[role] = SPELLINGS[role]
            continue
        for number in range(span_count(context)):
            spellings[f"sentinel{number}"] = (f"<|sentinel{number}|>", f"<extra_id_{number}>")
    return spellings
