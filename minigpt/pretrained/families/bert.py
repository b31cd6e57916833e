"""BERT (Devlin et al. 2018): an encoder, with the norm after each part."""

from collections.abc import Iterable
from typing import Any

from minigpt.model import TransformerConfig
from minigpt.pretrained.families.family import Family, Link, activation, linear, norm, refuse, their_activation

CLASSES: dict[str, dict[str, Any]] = {
    "BertForPreTraining": {"head": "pretraining"},
    "BertForMaskedLM": {"head": "masked"},
    "BertForNextSentencePrediction": {"head": "sequence", "labels": 2},
    "BertForSequenceClassification": {"head": "sequence"},
    "BertForTokenClassification": {"head": "token"},
    "BertForQuestionAnswering": {"head": "span"},
    "BertModel": {"head": "none"},
}


def read_config(theirs: dict[str, Any]) -> dict[str, Any]:
    """Their configuration as fields of ours."""
    refuse(theirs, position_embedding_type="absolute", is_decoder=False, add_cross_attention=False)
    return {
        "architecture": "encoder",
        "vocabulary_size": theirs.get("vocab_size", 30522),
        "context": theirs.get("max_position_embeddings", 512),
        "width": theirs.get("hidden_size", 768),
        "layers": theirs.get("num_hidden_layers", 12),
        "heads": theirs.get("num_attention_heads", 12),
        "feed_forward_width": theirs.get("intermediate_size", 3072),
        "segments": theirs.get("type_vocab_size", 2),
        "norm_place": "post",
        "embedding_norm": True,
        "norm_epsilon": theirs.get("layer_norm_eps", 1e-12),
        "activation": activation(theirs.get("hidden_act", "gelu")),
        "padding": theirs.get("pad_token_id", 0),
        "tied": theirs.get("tie_word_embeddings", True),
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
        "intermediate_size": config.feed_forward_width,
        "type_vocab_size": config.segments,
        "layer_norm_eps": config.norm_epsilon,
        "hidden_act": their_activation(config),
        "pad_token_id": config.padding,
        "tie_word_embeddings": config.tied,
        "initializer_range": config.init_std,
    }


def links(config: TransformerConfig, base: str) -> Iterable[Link]:
    """Their names and ours."""
    embeddings = f"{base}embeddings"
    yield Link(f"{embeddings}.word_embeddings.weight", ("token_embedding.weight",))
    yield Link(f"{embeddings}.position_embeddings.weight", ("position_embedding.weight",))
    yield Link(f"{embeddings}.token_type_embeddings.weight", ("segment_embedding.weight",))
    yield from norm(f"{embeddings}.LayerNorm", "embedding_norm")
    for layer in range(config.layers):
        theirs, ours = f"{base}encoder.layer.{layer}", f"blocks.{layer}"
        for part in ("query", "key", "value"):
            yield from linear(f"{theirs}.attention.self.{part}", f"{ours}.attention.{part}")
        yield from linear(f"{theirs}.attention.output.dense", f"{ours}.attention.output")
        yield from norm(f"{theirs}.attention.output.LayerNorm", f"{ours}.attention_norm")
        yield from linear(f"{theirs}.intermediate.dense", f"{ours}.feed_forward.up")
        yield from linear(f"{theirs}.output.dense", f"{ours}.feed_forward.down")
        yield from norm(f"{theirs}.output.LayerNorm", f"{ours}.feed_forward_norm")
    yield from _head(config, base)


def _head(config, base):
    if config.head in ("pretraining", "masked"):
        yield from linear("cls.predictions.transform.dense", "masked_head.dense")
        yield from norm("cls.predictions.transform.LayerNorm", "masked_head.norm")
        yield Link("cls.predictions.bias", ("head.bias",))
        if not config.tied:
            yield Link("cls.predictions.decoder.weight", ("head.weight",), transposed=True)
    if config.head in ("pretraining", "sequence"):
        yield from linear(f"{base}pooler.dense", "pooler")
    names = {
        "pretraining": "cls.seq_relationship",
        "sequence": "classifier",
        "token": "classifier",
        "span": "qa_outputs",
    }
    if config.head in names:
        yield from linear(names[config.head], "classifier")


BERT = Family("bert", "bert.", CLASSES, read_config, write_config, links)
