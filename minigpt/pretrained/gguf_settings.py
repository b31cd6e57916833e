"""The settings of a model in a GGUF file: read as numbers, and refused where they ask for what is not done here."""

from collections.abc import Mapping
from typing import Any

from minigpt.errors import UserError
from minigpt.pretrained.gguf import GGUF
from minigpt.values import is_finite, shown

SILENT = ("tensor_data_layout",)  # says nothing of the model


def check_one_model(meta: Mapping[str, Any]) -> None:
    """`UserError` for a part of a model, and for what is none."""
    if meta.get("split.count", 1) != 1:
        raise UserError(f"the file is one of {meta['split.count']} that belong together; join them with gguf-split")
    if meta.get("general.type", "model") != "model":
        raise UserError(
            f"the file holds no model but {shown(meta['general.type'])} (general.type); use a model's own file"
        )


def read_sizes(
    meta: Mapping[str, Any], architecture: str, sizes: Mapping[str, str], left_out: Mapping[str, Any]
) -> dict[str, Any]:
    """Our fields. sizes: their settings -> our fields. left_out: what it means that one of ours is not said."""
    return {ours: _number(meta, f"{architecture}.{theirs}", left_out.get(ours, ...)) for theirs, ours in sizes.items()}


def vocabulary_size(file: GGUF) -> int:
    """The rows of the token table: there may be more than the tokenizer has tokens."""
    table = file.tensors.get("token_embd.weight")
    if table is None:
        raise UserError("the file has no token_embd.weight; it is incomplete or of another kind")
    known = len(file.metadata.get("tokenizer.ggml.tokens") or ())
    if known > table.shape[0]:
        raise UserError(f"token_embd.weight has {table.shape[0]} rows, but there are {known} tokens; it is damaged")
    return table.shape[0]


def has_bias(file: GGUF, part: str) -> bool:
    """Whether linear layers of this part have biases."""
    return any(name.endswith(".bias") and f".{part}" in name for name in file.tensors)


def refuse_settings(
    meta: Mapping[str, Any], architecture: str, sizes: Mapping[str, str], neutral: Mapping[str, tuple[Any, ...]]
) -> None:
    """`UserError` for a setting of the model that says anything but what we do.

    sizes: those that are read. neutral: what others may say without asking for anything.
    """
    for name, value in meta.items():
        short = name.removeprefix(f"{architecture}.")
        scaling_is_off = short.startswith("rope.scaling.") and meta.get(f"{architecture}.rope.scaling.type") == "none"
        if short == name or short in sizes or short in SILENT or scaling_is_off:
            continue
        if value not in neutral.get(short, ()):
            raise UserError(f"models with {name} = {value!r:.50} are not supported; use a model without it")


def _number(meta: Mapping[str, Any], name: str, left_out: Any) -> Any:
    value = meta.get(name, left_out)
    if value is ...:
        raise UserError(f"the file does not say {name}; it is damaged or of another kind")
    if value is not left_out and not (is_finite(value) and value > 0):
        raise UserError(
            f"{name} is {shown(value)}, but it must be one number above 0; models with more are not supported"
        )
    return value
