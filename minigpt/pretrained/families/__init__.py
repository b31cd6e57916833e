"""Published families of models, each a configuration of the one transformer and a table of names."""

from minigpt.pretrained.families.bart import BART
from minigpt.pretrained.families.bert import BERT
from minigpt.pretrained.families.family import Family, read_params, write_params
from minigpt.pretrained.families.gpt2 import GPT2
from minigpt.pretrained.families.llama import LLAMA

FAMILIES = {family.name: family for family in (GPT2, BERT, BART, LLAMA)}

__all__ = ["FAMILIES", "Family", "read_params", "write_params"]
