"""Published models, opened and written: a folder, a GGUF file, or a name."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Params, Transformer, TransformerConfig
from minigpt.model.inputs import TOKENS
from minigpt.pretrained.families import FAMILIES, Family, read_params, write_params
from minigpt.pretrained.folder import read_config, read_tensors, write_folder
from minigpt.pretrained.gguf import GGUF, open_gguf
from minigpt.pretrained.named import NAMED, fetch_named
from minigpt.text.gguf_tokenizer import tokenizer_of_gguf
from minigpt.text.model_folder import load_folder_tokenizer
from minigpt.text.sounds import SoundsTokenizer

TRANSFORMERS_QA = "LlamaForQuestionAnswering"  # the one class whose base has another name than its family's
GGUF_NAMES = {  # llama.cpp's words for the arrays of a block -> ours
    "attn_norm": "attention_norm.gain",
    "attn_q": "attention.query.weight",
    "attn_k": "attention.key.weight",
    "attn_v": "attention.value.weight",
    "attn_output": "attention.output.weight",
    "ffn_norm": "feed_forward_norm.gain",
    "ffn_gate": "feed_forward.gate.weight",
    "ffn_up": "feed_forward.up.weight",
    "ffn_down": "feed_forward.down.weight",
}


class Pretrained(NamedTuple):
    """A published model."""

    model: Transformer
    params: Params
    tokenizer: Any  # None if the files have none that is supported


def load_pretrained(path_or_name: str | Path, *, dtype: Any = np.float32) -> Pretrained:
    """Open a model: a name (`smollm2`, `minilm`, `g2p`), a folder in the Hugging Face layout, a GGUF file.

    Families: gpt2, bert, bart, llama. `UserError` says what is missing, damaged or not supported.
    """
    path = fetch_named(str(path_or_name)) if str(path_or_name) in NAMED else Path(path_or_name)
    if path.suffix == ".gguf":
        return _from_gguf(open_gguf(path), dtype)
    if path.suffix == ".npz":
        return _from_archive(path, dtype)
    if not path.is_dir():
        raise UserError(f"{path} is neither a folder, a .gguf file nor one of {', '.join(NAMED)}; check the path")
    return _from_folder(path, dtype)


def save_pretrained(folder: str | Path, model: Transformer, params: Params, family: str, cls: str) -> None:
    """Write a folder that transformers opens. cls: the name of its class there, such as `GPT2LMHeadModel`."""
    words = _family(family)
    if cls not in words.classes:
        raise UserError(f"{cls!r} is not a class of {family}; choose one of {', '.join(words.classes)}")
    config = {"model_type": family, "architectures": [cls], **words.write_config(model.config)}
    if model.config.head in ("sequence", "token"):
        config["num_labels"] = model.config.labels
    links = words.links(model.config, _base(words, cls, with_head=model.config.head != "none"))
    write_folder(folder, config, write_params(params, links))


def _from_folder(folder: Path, dtype: Any) -> Pretrained:
    theirs = read_config(folder)
    words = _family(theirs.get("model_type"))
    cls = (theirs.get("architectures") or [next(iter(words.classes))])[0]
    if cls not in words.classes:
        raise UserError(f"{cls} is not supported; of the family {words.name} {', '.join(words.classes)} are")
    tensors = read_tensors(folder)
    fields = {**words.read_config(theirs), **words.classes[cls]}
    if fields["head"] in ("sequence", "token"):
        fields["labels"] = theirs.get("num_labels") or len(theirs.get("id2label") or {}) or 2
    base = _base(words, cls, with_head=any(name.startswith(words.base) for name in tensors))
    model = Transformer(_config(fields))
    _check_depth(model.config, len(tensors))
    params = read_params(model.arrays(), words.links(model.config, base), tensors, dtype=dtype)
    return Pretrained(model, params, load_folder_tokenizer(folder))


def _check_depth(config: TransformerConfig, arrays: int) -> None:
    """`UserError` for more layers than there are arrays, before anything is made for each layer."""
    layers = max(config.layers, config.encoder.layers if config.encoder else 0)
    if layers > arrays:
        raise UserError(f"the configuration says {layers} layers, but there are {arrays} arrays; the file is damaged")


def _config(fields: dict[str, Any]) -> TransformerConfig:
    try:
        return TransformerConfig(**fields)
    except TypeError as error:
        raise UserError(f"config.json holds a value of the wrong kind ({error}); fetch the model again") from None


def _family(name: Any) -> Family:
    if name not in FAMILIES:
        raise UserError(f"models of the family {name!r} are not supported; {', '.join(FAMILIES)} are")
    return FAMILIES[name]


def _base(words: Family, cls: str, *, with_head: bool) -> str:
    if not with_head:
        return ""
    return "transformer." if cls == TRANSFORMERS_QA else words.base


def _from_gguf(file: GGUF, dtype: Any) -> Pretrained:
    """A model of the llama family. Its query and key rows are stored for rotations of neighbours, ours of halves."""
    meta = file.metadata
    if meta.get("general.architecture") != "llama":
        raise UserError(f"GGUF files of {meta.get('general.architecture')!r} are not supported; 'llama' is")
    config = _gguf_config(meta, file)
    _check_depth(config, len(file.tensors))
    model = Transformer(config)
    names, shapes = dict(_gguf_names(config)), model.shapes()
    for ours, theirs in names.items():
        found = file.tensors[theirs].shape if theirs in file.tensors else None
        wanted = shapes[ours] if ours == TOKENS else shapes[ours][::-1]
        if found != wanted:
            raise UserError(f"{theirs} has the shape {found}, not {wanted}; the file is incomplete or of another kind")
    params = Params(model.arrays(), dtype=dtype)
    for ours, theirs in names.items():
        array = file.tensors[theirs].decode()
        if ours.endswith((".query.weight", ".key.weight")):
            array = _halves_from_pairs(array, config.head_width)
        params[ours] = array if ours == TOKENS else array.T
    return Pretrained(model, params, tokenizer_of_gguf(meta))


def _gguf_names(config: TransformerConfig) -> Iterator[tuple[str, str]]:
    """Our arrays and theirs."""
    yield TOKENS, "token_embd.weight"
    yield "final_norm.gain", "output_norm.weight"
    if not config.tied:
        yield "head.weight", "output.weight"
    for layer in range(config.layers):
        for theirs, ours in GGUF_NAMES.items():
            yield f"blocks.{layer}.{ours}", f"blk.{layer}.{theirs}.weight"


def _gguf_config(meta: dict[str, Any], file: GGUF) -> TransformerConfig:
    def number(name, default=None):
        value = meta.get(f"llama.{name}", default)
        if not isinstance(value, (int, float)):
            raise UserError(f"the file does not say llama.{name}; it is damaged or of another kind")
        return value

    if any(name.startswith("llama.rope.scaling") for name in meta):
        raise UserError("rotary positions with scaling are not supported; use a model without")
    return TransformerConfig(
        vocabulary_size=len(meta.get("tokenizer.ggml.tokens") or ()),
        context=number("context_length"),
        width=number("embedding_length"),
        layers=number("block_count"),
        heads=number("attention.head_count"),
        key_value_heads=number("attention.head_count_kv", number("attention.head_count")),
        feed_forward_width=number("feed_forward_length"),
        norm="rms",
        norm_epsilon=number("attention.layer_norm_rms_epsilon"),
        activation="silu",
        gated=True,
        position="rotary",
        rotary_theta=number("rope.freq_base", 10000.0),
        bias=False,
        tied="output.weight" not in file.tensors,
    )


def _halves_from_pairs(rows: np.ndarray, head_width: int) -> np.ndarray:
    """Rows (H * D, C) whose pairs (2i, 2i + 1) turn together, so that rows i and i + D / 2 do."""
    heads = rows.reshape(-1, head_width // 2, 2, rows.shape[1])
    return heads.swapaxes(1, 2).reshape(rows.shape)


def _from_archive(path: Path, dtype: Any) -> Pretrained:
    """The g2p model: a BART whose letters and sounds are two alphabets in one table."""
    with np.load(path, allow_pickle=False) as archive:
        tensors = {name: archive[name] for name in archive.files}
    meta = json.loads(str(tensors.pop("meta_json")))
    fields = FAMILIES["bart"].read_config(
        {
            "vocab_size": len(tensors["model.shared.weight"]),
            "d_model": meta["d_model"],
            "encoder_layers": 1,
            "decoder_layers": 1,
            "encoder_attention_heads": meta["num_heads"],
            "decoder_attention_heads": meta["num_heads"],
            "encoder_ffn_dim": meta["ffn_dim"],
            "decoder_ffn_dim": meta["ffn_dim"],
            "max_position_embeddings": meta["max_position_embeddings"],
            "pad_token_id": meta["pad_token_id"],
        }
    )
    tokenizer = SoundsTokenizer(meta["grapheme_chars"], meta["phoneme_chars"], fields["vocabulary_size"])
    model = Transformer(TransformerConfig(**fields, head="language", head_bias=True))
    tensors["final_logits_bias"] = tensors["final_logits_bias"][0]
    params = read_params(model.arrays(), FAMILIES["bart"].links(model.config, "model."), tensors, dtype=dtype)
    return Pretrained(model, params, tokenizer)
