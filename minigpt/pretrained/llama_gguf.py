"""Models of the llama family in GGUF files: their names, their settings, and the order of their rows."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Params, Transformer, TransformerConfig
from minigpt.model.inputs import TOKENS
from minigpt.pretrained.families import check_all_read
from minigpt.pretrained.gguf import GGUF, Tensor
from minigpt.pretrained.quantized_matrix import QuantizedMatrix, StoredWeights
from minigpt.values import is_finite, shown

ARCHITECTURE = "llama"
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
SILENT = ("tensor_data_layout",)  # says nothing of the model
FREQUENCIES = "rope_freqs.weight"


class Place(NamedTuple):
    """Where one of our arrays is in the file."""

    ours: str
    theirs: str
    paired: bool = False  # its rows turn in pairs of neighbours, ours in halves
    optional: bool = False  # a bias that is left out is zero


def model_of_gguf(file: GGUF, *, dtype: Any, quantized: bool = False) -> tuple[Transformer, Any]:
    """The model in the file. `UserError` for what is missing or does not fit, and for what we cannot do, by name.

    quantized: matrices stay as they are stored, and are decoded when they are multiplied. Nothing is made before
    everything fits.
    """
    config = _config(file)
    layers, count = config.layers, len(file.tensors)
    if layers > count:
        raise UserError(f"the file says {layers} layers, but there are {count} arrays; the file is damaged")
    model = Transformer(config)
    shapes, places = model.shapes(), list(_places(config))
    for place in places:
        _check(place, file, shapes[place.ours])
    check_all_read(file.tensors, [place.theirs for place in places], [r"rope_freqs\.weight"])
    if quantized:
        return model, StoredWeights({place.ours: _stored(place, file, config) for place in places})
    params = Params(model.arrays(), dtype=dtype)
    for place in places:
        if place.theirs in file.tensors:
            params[place.ours] = _decoded(place, file, config)
    return model, params


def _decoded(place: Place, file: GGUF, config: TransformerConfig) -> np.ndarray:
    """Our array, float32."""
    array = file.tensors[place.theirs].decode()
    array = array[halves_from_pairs(len(array), config.head_width)] if place.paired else array
    return array if place.ours == TOKENS else array.T


def _stored(place: Place, file: GGUF, config: TransformerConfig) -> Any:
    """Our weight: a quantized matrix where theirs is a matrix of few bits, else an array."""
    if place.theirs not in file.tensors:
        return np.zeros(Transformer(config).shapes()[place.ours], np.float32)
    tensor = file.tensors[place.theirs]
    if len(tensor.shape) != 2 or tensor.kind == "F32":
        return _decoded(place, file, config)
    raw = tensor.raw.reshape(tensor.shape[0], -1)
    raw = raw[halves_from_pairs(len(raw), config.head_width)] if place.paired else raw
    return QuantizedMatrix(tensor.format, raw, tensor.shape[1], transposed=place.ours != TOKENS)


def halves_from_pairs(rows: int, head_width: int) -> np.ndarray:
    """The order of (H * D) rows whose pairs 2i and 2i + 1 turn together, so that rows i and i + D / 2 do."""
    return np.arange(rows).reshape(-1, head_width // 2, 2).swapaxes(1, 2).reshape(rows)


def _places(config: TransformerConfig) -> Iterator[Place]:
    yield Place(TOKENS, "token_embd.weight")
    yield Place("final_norm.gain", "output_norm.weight")
    if not config.tied:
        yield Place("head.weight", "output.weight")
    for layer in range(config.layers):
        for theirs, ours in NORMS.items():
            yield Place(f"blocks.{layer}.{ours}.gain", f"blk.{layer}.{theirs}.weight")
        for theirs, ours in BLOCK.items():
            paired = theirs in ("attn_q", "attn_k")
            yield Place(f"blocks.{layer}.{ours}.weight", f"blk.{layer}.{theirs}.weight", paired)
            if config.attention_bias if "attention" in ours else config.feed_forward_bias:
                yield Place(f"blocks.{layer}.{ours}.bias", f"blk.{layer}.{theirs}.bias", paired, optional=True)


def _check(place: Place, file: GGUF, shape: tuple[int, ...]) -> None:
    """`UserError` unless the array is there and of this shape, which is ours."""
    found = file.tensors[place.theirs].shape if place.theirs in file.tensors else None
    wanted = shape if place.ours == TOKENS else shape[::-1]
    if found != wanted and not (found is None and place.optional):
        raise UserError(
            f"{place.theirs} has the shape {found}, not {wanted}; the file is incomplete or of another kind"
        )


def _config(file: GGUF) -> TransformerConfig:
    meta = file.metadata
    if meta.get("split.count", 1) != 1:
        raise UserError(f"the file is one of {meta['split.count']} that belong together; join them with gguf-split")
    if meta.get("general.type", "model") != "model":
        raise UserError(
            f"the file holds no model but {shown(meta['general.type'])} (general.type); use a model's own file"
        )
    if meta.get("general.architecture") != ARCHITECTURE:
        raise UserError(f"GGUF files of {meta.get('general.architecture')!r:.50} are not supported; 'llama' is")
    fields = {ours: _number(meta, theirs, LEFT_OUT.get(ours, ...)) for theirs, ours in SIZES.items()}
    config = TransformerConfig(
        **fields,
        vocabulary_size=_vocabulary_size(file),
        norm="rms",
        activation="silu",
        gated=True,
        position="rotary",
        bias=False,
        attention_bias=_has_bias(file, "attn_"),
        feed_forward_bias=_has_bias(file, "ffn_"),
        tied="output.weight" not in file.tensors,
    )
    _refuse_settings(meta, config)
    _refuse_frequencies(file.tensors.get(FREQUENCIES))
    return config


def _vocabulary_size(file: GGUF) -> int:
    """The rows of the token table: there may be more than the tokenizer has tokens."""
    table = file.tensors.get("token_embd.weight")
    if table is None:
        raise UserError("the file has no token_embd.weight; it is incomplete or of another kind")
    known = len(file.metadata.get("tokenizer.ggml.tokens") or ())
    if known > table.shape[0]:
        raise UserError(f"token_embd.weight has {table.shape[0]} rows, but there are {known} tokens; it is damaged")
    return table.shape[0]


def _has_bias(file: GGUF, part: str) -> bool:
    return any(name.endswith(".bias") and f".{part}" in name for name in file.tensors)


def _number(meta: dict[str, Any], name: str, left_out: Any) -> Any:
    value = meta.get(f"{ARCHITECTURE}.{name}", left_out)
    if value is ...:
        raise UserError(f"the file does not say llama.{name}; it is damaged or of another kind")
    if value is not left_out and not (is_finite(value) and value > 0):
        raise UserError(
            f"llama.{name} is {shown(value)}, but it must be one number above 0; models with more are not supported"
        )
    return value


def _refuse_settings(meta: dict[str, Any], config: TransformerConfig) -> None:
    """`UserError` for a setting of the model that says anything but what we do."""
    window = meta.get("llama.attention.sliding_window")
    neutral = {  # what a setting may say without asking for anything
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
    for name, value in meta.items():
        short = name.removeprefix(f"{ARCHITECTURE}.")
        scaling_is_off = short.startswith("rope.scaling.") and meta.get("llama.rope.scaling.type") == "none"
        if short == name or short in SIZES or short in SILENT or scaling_is_off:
            continue
        if value not in neutral.get(short, ()):
            raise UserError(f"models with {name} = {value!r:.50} are not supported; use a model without it")


def _refuse_frequencies(factors: Tensor | None) -> None:
    if factors is not None and not (factors.decode() == 1).all():
        raise UserError(f"models with {FREQUENCIES}, rotary angles that are stretched, are not supported")
