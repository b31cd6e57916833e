"""A Whisper of CTranslate2's: its names, and what it puts together, in ours."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Params, Transformer, TransformerConfig
from minigpt.pretrained.ctranslate2 import FILE, open_ctranslate2
from minigpt.pretrained.families import FAMILIES, read_params
from minigpt.pretrained.families.family import HEAD, Link
from minigpt.text.tokenizer import Tokenizer
from minigpt.values import about

KIND, REVISION = "WhisperSpec", 3
GELU = 3  # the number of that activation
WANTED = {  # settings, which stand among the arrays, and the one value that is supported
    "decoder/activation": GELU,
    "decoder/alibi": 0,
    "decoder/pre_norm": 1,
    "decoder/scale_embeddings": 0,
    "decoder/start_from_zero_embedding": 0,
}
ALIGNMENT = (r"decoder/alignment_(heads|layer)",)  # for the times of words
PROJECTION, TABLE = "decoder/projection/weight", "decoder/embeddings/weight"
FUSED = "self_attention/linear_0/bias"  # of query, key and value


def model_of_ctranslate2(folder: Path, tokenizer: Tokenizer | None, *, dtype: Any) -> tuple[Transformer, Params]:
    """The model in the folder. tokenizer: tells which token is padding.

    `UserError` if it is damaged, of another kind than Whisper, in few bits, or has a setting that is not supported.
    """
    path = folder / FILE
    file = open_ctranslate2(path)
    if (file.kind, file.revision) != (KIND, REVISION):
        raise UserError(
            f"{path} holds a {file.kind} of revision {file.revision}; a {KIND} of {REVISION} is read; convert the "
            "folder in the Hugging Face layout instead"
        )
    with about(path):
        tensors = _without_settings(file.tensors)
        tied = file.aliases.get(PROJECTION) == TABLE
        if file.aliases and not (tied and len(file.aliases) == 1):
            raise UserError(f"it has a second name for an array, {next(iter(file.aliases))!r}, that is not known")
        config = _config(file.tensors, tied, tokenizer)
        tensors = {name: array for old in tensors for name, array in _apart(old, tensors[old])}
        model = Transformer(config)
        return model, read_params(model.arrays(), _links(config), tensors, unused=ALIGNMENT, dtype=dtype)


def _without_settings(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of weights. `UserError` for a setting of another value, and for weights in few bits."""
    for name, wanted in WANTED.items():
        value = tensors.get(name, np.array(wanted))
        if value.shape != () or value != wanted:
            raise UserError(f"its {name} is {value}, which is not supported; {wanted} is")
    found = {name: array for name, array in tensors.items() if name not in WANTED and not name.endswith("/num_heads")}
    for name, array in found.items():
        if array.dtype.kind != "f" and "/alignment_" not in name:
            raise UserError(f"its {name} is stored in {8 * array.itemsize} bits, which is not read; 16 and 32 are")
    return found


def _config(tensors: dict[str, np.ndarray], tied: bool, tokenizer: Tokenizer | None) -> TransformerConfig:
    """What the shapes tell."""

    def size(name: str, axis: int = 0) -> int:
        if name not in tensors or tensors[name].ndim <= axis:
            raise UserError(f"it has no array {name!r}, or one of another shape; it is damaged, fetch it again")
        return tensors[name].shape[axis]

    theirs: dict[str, Any] = {
        "vocab_size": size(TABLE),
        "d_model": size(TABLE, 1),
        "max_target_positions": size("decoder/position_encodings/encodings"),
        "max_source_positions": size("encoder/position_encodings/encodings"),
        "num_mel_bins": size("encoder/conv1/weight", 1),
        "pad_token_id": None if tokenizer is None else tokenizer.end_of_text,
        "tie_word_embeddings": tied,
    }
    for stack in ("encoder", "decoder"):
        layers = {name.split("/")[1] for name in tensors if name.startswith(f"{stack}/layer_")} - {"layer_norm"}
        theirs[f"{stack}_layers"] = len(layers)
        theirs[f"{stack}_ffn_dim"] = size(f"{stack}/layer_0/ffn/linear_0/bias")
        heads = tensors.get(f"{stack}/num_heads", np.array(0))
        theirs[f"{stack}_attention_heads"] = int(heads) if heads.shape == () else 0
    family = FAMILIES["whisper"]
    return TransformerConfig(**family.read_config(theirs, family.head_class("WhisperForConditionalGeneration")))


def _apart(name: str, array: np.ndarray) -> Iterable[tuple[str, np.ndarray]]:
    """An array; of biases that lie together each, but the key's, which are zeros there and no array of ours."""
    crossed = name.endswith("/attention/linear_1/bias")
    if not crossed and not name.endswith(FUSED):
        yield name, array
        return
    names = ("key", "value") if crossed else ("query", "key", "value")
    if array.ndim != 1 or len(array) % len(names):
        raise UserError(f"its {name} has the shape {array.shape}, which is not that of {len(names)} biases")
    parts = dict(zip(names, np.split(array, len(names)), strict=True))
    if np.any(parts.pop("key")):
        raise UserError(f"its {name} has a bias for keys, which Whisper has not")
    for part, bias in parts.items():
        yield f"{name}/{part}", bias


def _links(config: TransformerConfig) -> list[Link]:
    """Their names and ours."""
    found = [Link(TABLE, ("token_embedding.weight",)), *_stack("encoder", "encoder.", config.encoder)]
    found += _stack("decoder", "", config)
    for convolution in (1, 2):
        for kind in ("weight", "bias"):
            found.append(Link(f"encoder/conv{convolution}/{kind}", (f"encoder.convolution_{convolution}.{kind}",)))
    return found if config.tied else [*found, Link(PROJECTION, (HEAD,), transposed=True)]


def _stack(stack: str, prefix: str, config: TransformerConfig) -> list[Link]:
    found = [
        Link(f"{stack}/position_encodings/encodings", (f"{prefix}position_embedding.weight",)),
        *_norm(f"{stack}/layer_norm", f"{prefix}final_norm"),
    ]
    for layer in range(config.layers):
        theirs, ours = f"{stack}/layer_{layer}", f"{prefix}blocks.{layer}"
        found += _linear(f"{theirs}/self_attention/linear_0", f"{ours}.attention", ("query", "key", "value"))
        found += _linear(f"{theirs}/self_attention/linear_1", f"{ours}.attention", ("output",))
        found += _norm(f"{theirs}/self_attention/layer_norm", f"{ours}.attention_norm")
        if stack == "decoder":
            found += _linear(f"{theirs}/attention/linear_0", f"{ours}.cross_attention", ("query",))
            found += _linear(f"{theirs}/attention/linear_1", f"{ours}.cross_attention", ("key", "value"))
            found += _linear(f"{theirs}/attention/linear_2", f"{ours}.cross_attention", ("output",))
            found += _norm(f"{theirs}/attention/layer_norm", f"{ours}.cross_attention_norm")
        found += _linear(f"{theirs}/ffn/linear_0", f"{ours}.feed_forward", ("up",))
        found += _linear(f"{theirs}/ffn/linear_1", f"{ours}.feed_forward", ("down",))
        found += _norm(f"{theirs}/ffn/layer_norm", f"{ours}.feed_forward_norm")
    return found


def _linear(theirs: str, ours: str, parts: tuple[str, ...]) -> Iterable[Link]:
    yield Link(f"{theirs}/weight", tuple(f"{ours}.{part}.weight" for part in parts), transposed=True)
    if len(parts) == 1:
        yield Link(f"{theirs}/bias", (f"{ours}.{parts[0]}.bias",))
    else:  # taken apart before
        yield from (Link(f"{theirs}/bias/{part}", (f"{ours}.{part}.bias",)) for part in parts if part != "key")


def _norm(theirs: str, ours: str) -> Iterable[Link]:
    yield Link(f"{theirs}/gamma", (f"{ours}.gain",))
    yield Link(f"{theirs}/beta", (f"{ours}.bias",))
