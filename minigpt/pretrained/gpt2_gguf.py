"""GPT-2 in GGUF files: its names and its settings. Query, key and value are one matrix."""

from collections.abc import Iterator
from typing import Any

from minigpt.model import TransformerConfig
from minigpt.model.inputs import TOKENS
from minigpt.pretrained.gguf import GGUF
from minigpt.pretrained.gguf_places import Architecture, Place
from minigpt.pretrained.gguf_settings import read_sizes, refuse_settings, vocabulary_size

BLOCK = {  # llama.cpp's words for the layers of a block -> ours
    "attn_qkv": ("attention.query", "attention.key", "attention.value"),
    "attn_output": ("attention.output",),
    "ffn_up": ("feed_forward.up",),
    "ffn_down": ("feed_forward.down",),
}
NORMS = {"attn_norm": "attention_norm", "ffn_norm": "feed_forward_norm"}
SIZES = {  # llama.cpp's settings -> our fields
    "context_length": "context",
    "embedding_length": "width",
    "block_count": "layers",
    "attention.head_count": "heads",
    "feed_forward_length": "feed_forward_width",
    "attention.layer_norm_epsilon": "norm_epsilon",
}


def _places(config: TransformerConfig) -> Iterator[Place]:
    yield Place((TOKENS,), "token_embd.weight")
    yield Place(("position_embedding.weight",), "position_embd.weight", whole=True)
    if not config.tied:
        yield Place(("head.weight",), "output.weight")
    yield from _norm("final_norm", "output_norm")
    for layer in range(config.layers):
        for theirs, ours in NORMS.items():
            yield from _norm(f"blocks.{layer}.{ours}", f"blk.{layer}.{theirs}")
        for theirs, parts in BLOCK.items():
            for kind in ("weight", "bias"):
                yield Place(tuple(f"blocks.{layer}.{part}.{kind}" for part in parts), f"blk.{layer}.{theirs}.{kind}")


def _norm(ours: str, theirs: str) -> Iterator[Place]:
    yield Place((f"{ours}.gain",), f"{theirs}.weight")
    yield Place((f"{ours}.bias",), f"{theirs}.bias")


def _config(file: GGUF) -> TransformerConfig:
    config = TransformerConfig(
        **read_sizes(file.metadata, "gpt2", SIZES, {}),
        vocabulary_size=vocabulary_size(file),
        activation="gelu_tanh",
        tied="output.weight" not in file.tensors,
    )
    refuse_settings(file.metadata, "gpt2", SIZES, _neutral(config))
    return config


def _neutral(config: TransformerConfig) -> dict[str, tuple[Any, ...]]:
    """What a setting may say without asking for anything."""
    return {
        "vocab_size": (config.vocabulary_size,),
        "attention.head_count_kv": (config.heads,),
        "attention.causal": (True,),
        "rope.dimension_count": (config.head_width,),  # some programs write it of every model
    }


def _said(config: TransformerConfig) -> dict[str, Any]:
    return {"vocab_size": config.vocabulary_size}


GPT2 = Architecture("gpt2", "gpt2", SIZES, _config, _places, _said, lambda config: {})
