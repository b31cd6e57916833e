"""RoBERTa (Liu et al. 2019, arXiv:1907.11692): BERT, trained for longer, with a byte-pair vocabulary.

Its positions are counted from the padding token's id + 1, so the table of positions begins with rows that no text uses;
and padding takes none, wherever it stands.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from minigpt.errors import UserError
from minigpt.model import TransformerConfig
from minigpt.pretrained.families import bert
from minigpt.pretrained.families.family import HEAD, HeadClass, Link, Setting, linear, norm

PADDING = "pad_token_id"
POSITIONS = "max_position_embeddings"
MASKED = (
    *linear("lm_head.dense", "masked_head.dense"),
    *norm("lm_head.layer_norm", "masked_head.norm"),
    Link("lm_head.decoder.bias", ("head.bias",), also=("lm_head.bias",)),
    Link("lm_head.decoder.weight", (HEAD,), transposed=True),
)
CLASSES = (*linear("classifier.dense", "pooler"), *linear("classifier.out_proj", "classifier"))
POOLER, WORDS = r"(roberta\.)?pooler\.dense\.(weight|bias)", r"lm_head\..*"


def links(config: TransformerConfig, base: str) -> Iterable[Link]:
    """Their names and ours: BERT's."""
    for link in bert.body(config, base):
        rows = (config.padding or 0) + 1 if link.ours == ("position_embedding.weight",) else 0
        yield link._replace(unused_rows=rows)


def without_unused(theirs: dict[str, Any]) -> dict[str, Any]:
    """The number of positions that a text can have. `UserError` without a padding token to count them from."""
    padding, positions = theirs.get(PADDING, 1), theirs.get(POSITIONS, 512)
    if type(padding) is not int or type(positions) is not int:
        raise UserError(
            f"{PADDING} is {padding!r:.50} and {POSITIONS} {positions!r:.50}, but they must be whole numbers"
        )
    return {**theirs, POSITIONS: positions - padding - 1}


def with_unused(theirs: dict[str, Any]) -> dict[str, Any]:
    """The number of rows in the table of positions."""
    return {**theirs, POSITIONS: theirs[POSITIONS] + (theirs[PADDING] or 0) + 1}


DEFAULTS = {"vocab_size": 50265, PADDING: 1}
GELU = {"gelu": "gelu"}  # the head has it whatever the blocks have, so it is the one that both can have

ROBERTA = replace(
    bert.BERT,
    name="roberta",
    kin="bert",
    base="roberta.",
    classes={
        "RobertaForMaskedLM": HeadClass({"head": "masked"}, MASKED, unused=(POOLER,)),
        "RobertaForSequenceClassification": HeadClass({"head": "sequence"}, CLASSES, unused=(POOLER,)),
        "RobertaForTokenClassification": HeadClass({"head": "token"}, linear("classifier", "classifier")),
        "RobertaForQuestionAnswering": HeadClass({"head": "span"}, linear("qa_outputs", "classifier")),
        "RobertaModel": HeadClass({"head": "none"}, unused=(POOLER, WORDS)),
    },
    fixed={**bert.BERT.fixed, "padding_positions": False},
    settings=tuple(
        Setting("hidden_act", "activation", "gelu", GELU)
        if setting.theirs == "hidden_act"
        else setting._replace(default=DEFAULTS.get(setting.theirs, setting.default))
        for setting in bert.BERT.settings
    ),
    links=links,
    harmless=(r"(roberta\.)?embeddings\.(position|token_type)_ids",),
    before=without_unused,
    after=with_unused,
)
