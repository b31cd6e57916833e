"""Llama (Touvron et al. 2023, arXiv:2302.13971) and what follows its recipe, SmolLM2 among them: a decoder."""

from collections.abc import Iterable
from typing import Any

from minigpt.errors import UserError
from minigpt.model import TransformerConfig
from minigpt.pretrained.families.family import Family, Link, activation, linear, norm, refuse, their_activation

LAST = {"head": "sequence", "pooled": "last", "pooler": False, "head_bias": False}
CLASSES: dict[str, dict[str, Any]] = {
    "LlamaForCausalLM": {"head": "language"},
    "LlamaModel": {"head": "none"},
    "LlamaForSequenceClassification": LAST,
    "LlamaForTokenClassification": {"head": "token"},
    "LlamaForQuestionAnswering": {"head": "span"},
}
HEADS = {"sequence": "score", "token": "score", "span": "qa_outputs"}


def read_config(theirs: dict[str, Any]) -> dict[str, Any]:
    """Their configuration as fields of ours."""
    refuse(theirs, pretraining_tp=1)
    rope = {**(theirs.get("rope_scaling") or {}), **(theirs.get("rope_parameters") or {})}
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind != "default":
        raise UserError(f"rotary positions of the kind {kind!r} are not supported; only 'default' is")
    return {
        "vocabulary_size": theirs.get("vocab_size", 32000),
        "context": theirs.get("max_position_embeddings", 2048),
        "width": theirs.get("hidden_size", 4096),
        "layers": theirs.get("num_hidden_layers", 32),
        "heads": theirs.get("num_attention_heads", 32),
        "key_value_heads": theirs.get("num_key_value_heads"),
        "head_width": theirs.get("head_dim"),
        "feed_forward_width": theirs.get("intermediate_size", 11008),
        "norm": "rms",
        "norm_epsilon": theirs.get("rms_norm_eps", 1e-6),
        "activation": activation(theirs.get("hidden_act", "silu")),
        "gated": True,
        "position": "rotary",
        "rotary_theta": rope.get("rope_theta", theirs.get("rope_theta", 10000.0)),
        "bias": False,
        "attention_bias": theirs.get("attention_bias", False),
        "feed_forward_bias": theirs.get("mlp_bias", False),
        "padding": theirs.get("pad_token_id"),
        "tied": theirs.get("tie_word_embeddings", False),
        "init_std": theirs.get("initializer_range", 0.02),
    }


def write_config(config: TransformerConfig) -> dict[str, Any]:
    """Our configuration in their words."""
    return {
        "vocab_size": config.vocabulary_size,
        "max_position_embeddings": config.context,
        "hidden_size": config.width,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.key_value_heads,
        "head_dim": config.head_width,
        "intermediate_size": config.feed_forward_width,
        "rms_norm_eps": config.norm_epsilon,
        "hidden_act": their_activation(config),
        "rope_theta": config.rotary_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rotary_theta},
        "attention_bias": bool(config.attention_bias),
        "mlp_bias": bool(config.feed_forward_bias),
        "pad_token_id": config.padding,
        "tie_word_embeddings": config.tied,
        "initializer_range": config.init_std,
    }


def links(config: TransformerConfig, base: str) -> Iterable[Link]:
    """Their names and ours."""
    yield Link(f"{base}embed_tokens.weight", ("token_embedding.weight",))
    for layer in range(config.layers):
        theirs, ours = f"{base}layers.{layer}", f"blocks.{layer}"
        yield from norm(f"{theirs}.input_layernorm", f"{ours}.attention_norm", bias=False)
        for part in ("query", "key", "value", "output"):
            bias = bool(config.attention_bias)
            yield from linear(f"{theirs}.self_attn.{part[0]}_proj", f"{ours}.attention.{part}", bias)
        yield from norm(f"{theirs}.post_attention_layernorm", f"{ours}.feed_forward_norm", bias=False)
        for part in ("gate", "up", "down"):
            yield from linear(
                f"{theirs}.mlp.{part}_proj", f"{ours}.feed_forward.{part}", bool(config.feed_forward_bias)
            )
    yield from norm(f"{base}norm", "final_norm", bias=False)
    if config.head == "language" and not config.tied:
        yield Link("lm_head.weight", ("head.weight",), transposed=True)
    if config.head in HEADS:
        yield from linear(HEADS[config.head], "classifier", config.has_head_bias)


LLAMA = Family("llama", "model.", CLASSES, read_config, write_config, links)
