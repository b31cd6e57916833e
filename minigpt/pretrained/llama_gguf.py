"""Models of the llama family in GGUF files: their names, their settings, and the order of their rows."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from minigpt.model import TransformerConfig
from minigpt.model.inputs import TOKENS
from minigpt.pretrained.gguf import GGUF
from minigpt.pretrained.gguf_places import Architecture, Place
from minigpt.pretrained.gguf_rotary import FREQUENCIES, made_divisors, read_scaling, said_scaling, understood
from minigpt.pretrained.gguf_settings import has_bias, read_sizes, refuse_settings, vocabulary_size

BLOCK = {  # llama.cpp's words for the layers of a block -> ours
    "attn_q": "attention.query",
    "attn_k": "attention.key",
    "attn_v": "attention.value",
    "attn_output": "attention.output",
    "ffn_gate": "feed_forward.gate",
    "ffn_up": "feed_forward.up",
    "ffn_down": "feed_forward.down",
}
NORMS = {"attn_norm": "attention_norm", "ffn_norm": "feed_forward_norm"}
SIZES = {  # llama.cpp's settings -> our fields
    "context_length": "context",
    "embedding_length": "width",
    "block_count": "layers",
    "attention.head_count": "heads",
    "attention.head_count_kv": "key_value_heads",
    "attention.key_length": "head_width",
    "feed_forward_length": "feed_forward_width",
    "attention.layer_norm_rms_epsilon": "norm_epsilon",
    "rope.freq_base": "rotary_theta",
}
LEFT_OUT: dict[str, Any] = {"key_value_heads": None, "head_width": None, "rotary_theta": 10000.0}  # what that means


def _places(config: TransformerConfig) -> Iterator[Place]:
    yield Place((TOKENS,), "token_embd.weight")
    yield Place(("final_norm.gain",), "output_norm.weight")
    if not config.tied:
        yield Place(("head.weight",), "output.weight")
    for layer in range(config.layers):
        for theirs, ours in NORMS.items():
            yield Place((f"blocks.{layer}.{ours}.gain",), f"blk.{layer}.{theirs}.weight")
        for theirs, ours in BLOCK.items():
            paired = theirs in ("attn_q", "attn_k")
            yield Place((f"blocks.{layer}.{ours}.weight",), f"blk.{layer}.{theirs}.weight", paired)
            if config.attention_bias if "attention" in ours else config.feed_forward_bias:
                yield Place((f"blocks.{layer}.{ours}.bias",), f"blk.{layer}.{theirs}.bias", paired, optional=True)


def _config(file: GGUF) -> TransformerConfig:
    fields = read_sizes(file.metadata, "llama", SIZES, LEFT_OUT)
    divisors = file.tensors.get(FREQUENCIES)
    config = TransformerConfig(
        **fields,
        rotary_scaling=read_scaling(file.metadata, None if divisors is None else divisors.decode(), fields),
        vocabulary_size=vocabulary_size(file),
        norm="rms",
        activation="silu",
        gated=True,
        position="rotary",
        bias=False,
        attention_bias=has_bias(file, "attn_"),
        feed_forward_bias=has_bias(file, "ffn_"),
        tied="output.weight" not in file.tensors,
    )
    known = {**SIZES, **dict.fromkeys(understood(file.metadata), "rotary_scaling")}
    refuse_settings(file.metadata, "llama", known, _neutral(file.metadata, config))
    return config


def _neutral(meta: dict[str, Any], config: TransformerConfig) -> dict[str, tuple[Any, ...]]:
    """What a setting may say without asking for anything."""
    window = meta.get("llama.attention.sliding_window")
    return {
        "vocab_size": (config.vocabulary_size,),
        "rope.dimension_count": (config.head_width,),
        "attention.value_length": (config.head_width,),
        "attention.scale": (0.0, np.float32(config.head_width**-0.5).item()),
        "attention.sliding_window": (0, window if isinstance(window, int) and window >= config.context else 0),
        "attention.causal": (True,),
        "rope.scaling.type": ("none",),
        "expert_count": (0,),
        "expert_used_count": (0,),
        **{name: (0.0, 1.0) for name in ("logit_scale", "residual_scale", "embedding_scale")},
    }


def _said(config: TransformerConfig) -> dict[str, Any]:
    """Settings that follow from those of `SIZES`, which programs ask for."""
    return {
        "vocab_size": config.vocabulary_size,
        "rope.dimension_count": config.head_width,
        "attention.value_length": config.head_width,
        **said_scaling(config.rotary_scaling),
    }


LLAMA = Architecture("llama", "llama", SIZES, _config, _places, _said, made_divisors)
