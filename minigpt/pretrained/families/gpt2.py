"""GPT-2 (Radford et al. 2019): a decoder. Query, key and value are one matrix, and none is transposed."""

from collections.abc import Iterable

from minigpt.model import TransformerConfig
from minigpt.pretrained.families.family import HEAD, OURS, Family, HeadClass, Link, Setting, linear, norm

LAST = {"head": "sequence", "pooled": "last", "pooler": False, "head_bias": False}


def links(config: TransformerConfig, base: str) -> Iterable[Link]:
    """Their names and ours."""
    yield Link(f"{base}wte.weight", ("token_embedding.weight",))
    yield Link(f"{base}wpe.weight", ("position_embedding.weight",))
    for layer in range(config.layers):
        theirs, ours = f"{base}h.{layer}", f"blocks.{layer}"
        yield from norm(f"{theirs}.ln_1", f"{ours}.attention_norm")
        for kind in ("weight", "bias"):
            parts = tuple(f"{ours}.attention.{part}.{kind}" for part in ("query", "key", "value"))
            yield Link(f"{theirs}.attn.c_attn.{kind}", parts)
        yield from linear(f"{theirs}.attn.c_proj", f"{ours}.attention.output", transposed=False)
        yield from norm(f"{theirs}.ln_2", f"{ours}.feed_forward_norm")
        yield from linear(f"{theirs}.mlp.c_fc", f"{ours}.feed_forward.up", transposed=False)
        yield from linear(f"{theirs}.mlp.c_proj", f"{ours}.feed_forward.down", transposed=False)
    yield from norm(f"{base}ln_f", "final_norm")


GPT2 = Family(
    name="gpt2",
    base="transformer.",
    classes={
        "GPT2LMHeadModel": HeadClass({"head": "language"}, (Link("lm_head.weight", (HEAD,), transposed=True),)),
        "GPT2Model": HeadClass({"head": "none"}),
        "GPT2ForSequenceClassification": HeadClass(LAST, linear("score", "classifier")),
        "GPT2ForTokenClassification": HeadClass({"head": "token"}, linear("classifier", "classifier")),
        "GPT2ForQuestionAnswering": HeadClass({"head": "span"}, linear("qa_outputs", "classifier")),
    },
    settings=(
        Setting("vocab_size", "vocabulary_size", 50257),
        Setting("n_positions", "context", 1024),
        Setting("n_embd", "width", 768),
        Setting("n_layer", "layers", 12),
        Setting("n_head", "heads", 12),
        Setting("n_inner", "feed_forward_width", None),
        Setting("layer_norm_epsilon", "norm_epsilon", 1e-5),
        Setting("activation_function", "activation", "gelu_new", OURS),
        Setting("tie_word_embeddings", "tied", True),
        Setting("initializer_range", "init_std", 0.02),
    ),
    links=links,
    refused={"scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False, "add_cross_attention": False},
    aliases={
        "hidden_size": "n_embd",
        "max_position_embeddings": "n_positions",
        "num_attention_heads": "n_head",
        "num_hidden_layers": "n_layer",
    },
    harmless=(r"(transformer\.)?h\.\d+\.attn\.(masked_)?bias",),  # who may see whom, and how far below zero is "not"
)
