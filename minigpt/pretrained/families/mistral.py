"""Mistral (Jiang et al. 2023, arXiv:2310.06825): Llama's arrays, and a window that bounds how far a token sees."""

from dataclasses import replace

from minigpt.pretrained.families.family import HeadClass, Setting, linear
from minigpt.pretrained.families.llama import LAST, LLAMA

DEFAULTS = {"max_position_embeddings": 131072, "num_key_value_heads": 8, "intermediate_size": 14336}
WITHOUT = ("attention_bias", "mlp_bias")  # settings of Llama's that it does not have: there are no biases

MISTRAL = replace(
    LLAMA,
    name="mistral",
    kin="llama",
    classes={
        "MistralForCausalLM": LLAMA.classes["LlamaForCausalLM"],
        "MistralModel": HeadClass({"head": "none"}),
        "MistralForSequenceClassification": HeadClass(LAST, linear("score", "classifier")),
        "MistralForTokenClassification": HeadClass({"head": "token"}, linear("score", "classifier")),
        "MistralForQuestionAnswering": HeadClass({"head": "span"}, linear("qa_outputs", "classifier")),
    },
    settings=(
        *(
            setting._replace(default=DEFAULTS.get(setting.theirs, setting.default))
            for setting in LLAMA.settings
            if setting.theirs not in WITHOUT
        ),
        Setting("sliding_window", "window", 4096),  # itself among them, as ours; null: a token sees all before it
    ),
    fixed={**LLAMA.fixed, "attention_bias": False, "feed_forward_bias": False},
    refused={},
)
