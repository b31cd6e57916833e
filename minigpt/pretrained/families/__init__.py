"""Published families of models, each a configuration of the one transformer and a table of names."""

from typing import Any

from minigpt.errors import UserError
from minigpt.pretrained.families.arrays import check_all_read, check_wrappers, read_params, write_params
from minigpt.pretrained.families.bart import BART
from minigpt.pretrained.families.bert import BERT
from minigpt.pretrained.families.family import Family, HeadClass, resolved
from minigpt.pretrained.families.gpt2 import GPT2
from minigpt.pretrained.families.llama import LLAMA
from minigpt.pretrained.families.mistral import MISTRAL
from minigpt.pretrained.families.roberta import ROBERTA
from minigpt.pretrained.families.vit import VIT
from minigpt.pretrained.families.whisper import WHISPER

FAMILIES = {family.name: family for family in (GPT2, BERT, BART, LLAMA, MISTRAL, ROBERTA, VIT, WHISPER)}


def family_of(name: Any) -> Family:
    """The family called `name`. `UserError` if it is not supported."""
    if not isinstance(name, str) or name not in FAMILIES:
        own = ", ".join(family.name for family in FAMILIES.values() if family.kin is None)
        kinds = "".join(f", and {family.name}, a kind of {family.kin}" for family in FAMILIES.values() if family.kin)
        raise UserError(f"models of the family {name!r:.50} are not supported; {own} are{kinds}")
    return FAMILIES[name]


__all__ = [
    "FAMILIES",
    "Family",
    "HeadClass",
    "check_all_read",
    "check_wrappers",
    "family_of",
    "read_params",
    "resolved",
    "write_params",
]
