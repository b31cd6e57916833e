"""GPT-2 (Radford et al. 2019): a decoder. Query, key and value are one matrix, and none is transposed."""

from collections.abc import Iterable
from typing import Any

from minigpt.model import TransformerConfig
from minigpt.pretrained.families.family import Family, Link, activation, linear, norm, refuse, their_activation

LAST = {"head": "sequence", "pooled": "last", "pooler": False, "head_bias": False}
CLASSES: dict[str, dict[str, Any]] = {
    "GPT2LMHeadModel": {"head": "language"},
    "GPT2Model": {"head": "none"},
    "GPT2ForSequenceClassification": LAST,
    "GPT2ForTokenClassification": {"head": "token"},
    "GPT2ForQuestionAnswering": {"head": "span"},
}
HEADS = {"sequence": "score", "token": "classifier", "span": "qa_outputs"}


def read_config(theirs: dict[str, Any]) -> dict[str, Any]:
    """Their configuration as fields of ours."""
    refuse(
        theirs,
        scale_attn_weights=True,
        scale_attn_by_inverse_layer_idx=False,
        add_cross_attention=False,
    )
    return {
        "vocabulary_size": theirs.get("vocab_size", 50257),
        "context": theirs.get("n_positions", 1024),
        "width": theirs.get("n_embd", 768),
        "layers": theirs.get("n_layer", 12),
        "heads": theirs.get("n_head", 12),
        "feed_forward_width": theirs.get("n_inner"),
        "norm_epsilon": theirs.get("layer_norm_epsilon", 1e-5),
        "activation": activation(theirs.get("activation_function", "gelu_new")),
        "tied": theirs.get("tie_word_embeddings", True),
        "init_std": theirs.get("initializer_range", 0.02),
    }


def write_config(config: TransformerConfig) -> dict[str, Any]:
    """Our configuration in their words."""
    return {
        "vocab_size": config.vocabulary_size,
        "n_positions": config.context,
        "n_embd": config.width,
        "n_layer": config.layers,
        "n_head": config.heads,
        "n_inner": config.feed_forward_width,
        "layer_norm_epsilon": config.norm_epsilon,
        "activation_function": their_activation(config),
        "tie_word_embeddings": config.tied,
        "initializer_range": config.init_std,
    }


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
    if config.head == "language" and not config.tied:
        yield Link("lm_head.weight", ("head.weight",), transposed=True)
    if config.head in HEADS:
        yield from linear(HEADS[config.head], "classifier", config.has_head_bias)


GPT2 = Family("gpt2", "transformer.", CLASSES, read_config, write_config, links)
