"""BART (Lewis et al. 2020): an encoder and a decoder. Its position tables begin with two rows that nothing uses."""

from collections.abc import Iterable
from typing import Any

from minigpt.model import TransformerConfig
from minigpt.pretrained.families.family import Family, Link, activation, linear, norm, refuse, their_activation

CLASSES: dict[str, dict[str, Any]] = {
    "BartForConditionalGeneration": {"head": "language"},
    "BartForSequenceClassification": {"head": "sequence", "pooled": "last"},
    "BartForQuestionAnswering": {"head": "span"},
    "BartModel": {"head": "none"},
}
UNUSED_POSITIONS = 2


def read_config(theirs: dict[str, Any]) -> dict[str, Any]:
    """Their configuration as fields of ours."""
    refuse(theirs, is_encoder_decoder=True)
    return {
        "architecture": "encoder-decoder",
        "vocabulary_size": theirs.get("vocab_size", 50265),
        "context": theirs.get("max_position_embeddings", 1024),
        "width": theirs.get("d_model", 1024),
        "layers": theirs.get("decoder_layers", 12),
        "heads": theirs.get("decoder_attention_heads", 16),
        "feed_forward_width": theirs.get("decoder_ffn_dim", 4096),
        "encoder": {
            "layers": theirs.get("encoder_layers", 12),
            "heads": theirs.get("encoder_attention_heads", 16),
            "feed_forward_width": theirs.get("encoder_ffn_dim", 4096),
        },
        "norm_place": "post",
        "embedding_norm": True,
        "activation": activation(theirs.get("activation_function", "gelu")),
        "scale_embedding": theirs.get("scale_embedding", False),
        "padding": theirs.get("pad_token_id", 1),
        "tied": theirs.get("tie_word_embeddings", True),
        "init_std": theirs.get("init_std", 0.02),
    }


def write_config(config: TransformerConfig) -> dict[str, Any]:
    """Our configuration in their words."""
    encoder = config.encoder
    return {
        "vocab_size": config.vocabulary_size,
        "max_position_embeddings": config.context,
        "d_model": config.width,
        "decoder_layers": config.layers,
        "decoder_attention_heads": config.heads,
        "decoder_ffn_dim": config.feed_forward_width,
        "encoder_layers": encoder.layers,
        "encoder_attention_heads": encoder.heads,
        "encoder_ffn_dim": encoder.feed_forward_width,
        "activation_function": their_activation(config),
        "scale_embedding": config.scale_embedding,
        "pad_token_id": config.padding,
        "tie_word_embeddings": config.tied,
        "init_std": config.init_std,
        "is_encoder_decoder": True,
    }


def links(config: TransformerConfig, base: str) -> Iterable[Link]:
    """Their names and ours."""
    yield Link(f"{base}shared.weight", ("token_embedding.weight",))
    yield from _stack(f"{base}encoder", "encoder.", config.encoder, cross=False)
    yield from _stack(f"{base}decoder", "", config, cross=True)
    if config.head == "language":
        if not config.tied:
            yield Link("lm_head.weight", ("head.weight",), transposed=True)
        if config.has_head_bias:
            yield Link("final_logits_bias", ("head.bias",))
    if config.head == "sequence":
        yield from linear("classification_head.dense", "pooler")
        yield from linear("classification_head.out_proj", "classifier")
    if config.head == "span":
        yield from linear("qa_outputs", "classifier")


def _stack(theirs, ours, config, *, cross):
    position = f"{ours}position_embedding.weight"
    yield Link(f"{theirs}.embed_positions.weight", (position,), unused_rows=UNUSED_POSITIONS)
    yield from norm(f"{theirs}.layernorm_embedding", f"{ours}embedding_norm")
    attentions = {"self_attn": "attention", "encoder_attn": "cross_attention"} if cross else {"self_attn": "attention"}
    for layer in range(config.layers):
        their_block, our_block = f"{theirs}.layers.{layer}", f"{ours}blocks.{layer}"
        for theirs_, ours_ in attentions.items():
            for part in ("query", "key", "value", "output"):
                letter = "out" if part == "output" else part[0]
                yield from linear(f"{their_block}.{theirs_}.{letter}_proj", f"{our_block}.{ours_}.{part}")
            yield from norm(f"{their_block}.{theirs_}_layer_norm", f"{our_block}.{ours_}_norm")
        yield from linear(f"{their_block}.fc1", f"{our_block}.feed_forward.up")
        yield from linear(f"{their_block}.fc2", f"{our_block}.feed_forward.down")
        yield from norm(f"{their_block}.final_layer_norm", f"{our_block}.feed_forward_norm")


BART = Family("bart", "model.", CLASSES, read_config, write_config, links)
