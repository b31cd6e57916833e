"""Llama (Touvron et al. 2023, arXiv:2302.13971) and what follows its recipe, SmolLM2 among them: a decoder."""

from collections.abc import Iterable

from minigpt.model import TransformerConfig
from minigpt.pretrained.families.family import HEAD, OURS, Family, HeadClass, Link, Setting, linear, norm
from minigpt.pretrained.families.rotary_words import lift_rotary, sink_rotary

LAST = {"head": "sequence", "pooled": "last", "pooler": False, "head_bias": False}


def links(config: TransformerConfig, base: str) -> Iterable[Link]:
    """Their names and ours."""
    yield Link(f"{base}embed_tokens.weight", ("token_embedding.weight",))
    for layer in range(config.layers):
        theirs, ours = f"{base}layers.{layer}", f"blocks.{layer}"
        yield from norm(f"{theirs}.input_layernorm", f"{ours}.attention_norm")
        for part in ("query", "key", "value", "output"):
            yield from linear(f"{theirs}.self_attn.{part[0]}_proj", f"{ours}.attention.{part}")
        yield from norm(f"{theirs}.post_attention_layernorm", f"{ours}.feed_forward_norm")
        for part in ("gate", "up", "down"):
            yield from linear(f"{theirs}.mlp.{part}_proj", f"{ours}.feed_forward.{part}")
    yield from norm(f"{base}norm", "final_norm")


LLAMA = Family(
    name="llama",
    base="model.",
    classes={
        "LlamaForCausalLM": HeadClass({"head": "language"}, (Link("lm_head.weight", (HEAD,), transposed=True),)),
        "LlamaModel": HeadClass({"head": "none"}),
        "LlamaForSequenceClassification": HeadClass(LAST, linear("score", "classifier")),
        "LlamaForTokenClassification": HeadClass({"head": "token"}, linear("score", "classifier")),
        "LlamaForQuestionAnswering": HeadClass(
            {"head": "span"}, linear("qa_outputs", "classifier"), base="transformer."
        ),
    },
    settings=(
        Setting("vocab_size", "vocabulary_size", 32000),
        Setting("max_position_embeddings", "context", 2048),
        Setting("hidden_size", "width", 4096),
        Setting("num_hidden_layers", "layers", 32),
        Setting("num_attention_heads", "heads", 32),
        Setting("num_key_value_heads", "key_value_heads", None),
        Setting("head_dim", "head_width", None),
        Setting("intermediate_size", "feed_forward_width", 11008),
        Setting("rms_norm_eps", "norm_epsilon", 1e-6),
        Setting("hidden_act", "activation", "silu", OURS),
        Setting("rope_theta", "rotary_theta", 10000.0),
        Setting("rope_scaling", "rotary_scaling", None),
        Setting("attention_bias", "attention_bias", False),
        Setting("mlp_bias", "feed_forward_bias", False),
        Setting("pad_token_id", "padding", None),
        Setting("tie_word_embeddings", "tied", False),
        Setting("initializer_range", "init_std", 0.02),
    ),
    links=links,
    fixed={"norm": "rms", "gated": True, "position": "rotary", "bias": False},
    refused={"pretraining_tp": 1},
    taken=("rope_parameters", "original_max_position_embeddings"),
    harmless=(r".*rotary_emb\.inv_freq",),  # the angles, which follow from rope_theta
    before=lift_rotary,
    after=sink_rotary,
)
