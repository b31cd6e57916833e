"""Published models, opened: a folder, a GGUF file, an archive, or a name."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.files import check_is_file
from minigpt.model import Params, Transformer, TransformerConfig
from minigpt.model.params import check_dtype
from minigpt.pretrained.archive import model_of_archive
from minigpt.pretrained.ctranslate2 import is_ctranslate2
from minigpt.pretrained.families import Family, HeadClass, check_wrappers, family_of, read_params
from minigpt.pretrained.folder import CONFIG, check_no_adapter, read_config, read_tensors
from minigpt.pretrained.gguf import is_gguf, open_gguf
from minigpt.pretrained.gguf_model import model_of_gguf
from minigpt.pretrained.named import NAMED, fetch_named
from minigpt.pretrained.whisper_ctranslate2 import model_of_ctranslate2
from minigpt.text.gguf_tokenizer import tokenizer_of_gguf
from minigpt.text.model_folder import load_folder_tokenizer
from minigpt.values import TEXT, about, list_of, read


class Pretrained(NamedTuple):
    """A published model."""

    model: Transformer
    params: Any  # `Params`, or `StoredWeights` of quantized matrices
    tokenizer: Any  # None if the files have none


def load_pretrained(path_or_name: str | Path, *, dtype: Any = np.float32, quantized: bool = False) -> Pretrained:
    """Open a model: a name (`smollm2`, `minilm`, `g2p`, `whisper`), a folder in the Hugging Face layout, a GGUF file.

    A folder with a Whisper of CTranslate2's (model.bin) is opened too.

    dtype: of its parameters, float32 or float64. quantized: leave the matrices of a GGUF file in the bits that they are
    stored in; such a model writes, and adapters can be trained on it. Families: see `minigpt.pretrained.families`.
    `UserError` says what is missing, damaged or not supported.
    """
    check_dtype(dtype)
    if quantized and np.dtype(dtype) != np.float32:
        raise UserError("quantized weights are decoded to float32; leave the dtype out")
    path = fetch_named(str(path_or_name)) if str(path_or_name) in NAMED else Path(path_or_name)
    check_is_file(path)
    if path.is_dir() and not quantized:
        return _from_ctranslate2(path, dtype) if is_ctranslate2(path) else _from_folder(path, dtype)
    if path.suffix.lower() == ".gguf" or is_gguf(path):
        with about(path):
            file = open_gguf(path)
            model, params = model_of_gguf(file, dtype=dtype, quantized=quantized)
            return Pretrained(model, params, tokenizer_of_gguf(file.metadata))
    if quantized:
        raise UserError(f"{path} holds no quantized weights, as a GGUF file may; open it without")
    if path.suffix == ".npz":
        return Pretrained(*model_of_archive(path, dtype=dtype))
    raise UserError(f"{path} is neither a folder, a .gguf file nor one of {', '.join(NAMED)}; check the path")


def config_of(
    family: Family, cls: HeadClass, theirs: dict[str, Any], arrays: dict[str, np.ndarray]
) -> TransformerConfig:
    """Our configuration of a model of this class, from config.json and those arrays that tell something of it."""
    fields = family.read_config(theirs, cls)
    for name, changes in family.if_not_zero.items():
        if name in arrays and np.any(arrays[name]):
            fields |= changes
    if "labels" in fields and "labels" not in cls.fields and not {"num_labels", "id2label"} & theirs.keys():
        for link in cls.links:  # transformers leaves out what it takes for the usual number
            if link.ours == ("classifier.weight",) and link.theirs in arrays:
                fields["labels"] = len(arrays[link.theirs])
    return TransformerConfig(**fields)


def _from_ctranslate2(folder: Path, dtype: Any) -> Pretrained:
    tokenizer = load_folder_tokenizer(folder)
    return Pretrained(*model_of_ctranslate2(folder, tokenizer, dtype=dtype), tokenizer)


def _from_folder(folder: Path, dtype: Any) -> Pretrained:
    check_no_adapter(folder)
    theirs = read_config(folder)
    with about(folder / CONFIG):
        family = family_of(theirs.get("model_type"))
        family.check_known(theirs)
        names = read(theirs, "architectures", list_of(TEXT).or_none(), None) or list(family.classes)
        cls = family.head_class(names[0])
        family.read_config(theirs, cls)  # what is wrong with it is said before the weights are read
    tensors, others = read_tensors(folder)
    with about(folder):
        model, params = _filled(family, cls, theirs, tensors, others, dtype)
    return Pretrained(model, params, load_folder_tokenizer(folder))


def _filled(
    family: Family,
    cls: HeadClass,
    theirs: dict[str, Any],
    tensors: dict[str, np.ndarray],
    others: dict[str, str],
    dtype: Any,
) -> tuple[Transformer, Params]:
    """The model of that configuration with those arrays; `others` are in formats that cannot be read."""
    unused = (*family.harmless, *cls.unused)
    check_wrappers(tensors)
    _check_formats(others, unused, family)
    tensors = _renamed(tensors, family)
    base = cls.base or family.base
    base = base if any(name.startswith(base) for name in tensors) else ""
    config = config_of(family, cls, theirs, tensors)
    check_depth(config, len(tensors))
    model = Transformer(config)
    links = family.all_links(config, cls, base)
    return model, read_params(model.arrays(), links, tensors, unused=unused, dtype=dtype)


def check_depth(config: TransformerConfig, arrays: int) -> None:
    """`UserError` for more layers than there are arrays, before anything is made for each layer."""
    layers = max(config.layers, config.encoder.layers if config.encoder else 0)
    if layers > arrays:
        raise UserError(f"the configuration says {layers} layers, but there are {arrays} arrays; the file is damaged")


def _renamed(tensors: dict[str, np.ndarray], family: Family) -> dict[str, np.ndarray]:
    """The arrays under the names of today. `UserError` if a file has one under its old name and its new one."""
    found: dict[str, np.ndarray] = {}
    for name, array in tensors.items():
        today = todays_name(name, family)
        if found.setdefault(today, array) is not array:
            raise UserError(f"the array {today!r} is there twice, under its old name and its new one; remove one")
    return found


def todays_name(name: str, family: Family) -> str:
    """The name of today of an array."""
    for old, new in family.renamed.items():
        name = name.replace(old, new)
    return name


def _check_formats(others: dict[str, str], unused: tuple[str, ...], family: Family) -> None:
    """`UserError` for an array that is needed, or might be, in a format that cannot be read."""
    for name, kind in others.items():
        if name in family.if_not_zero or not any(re.fullmatch(pattern, name) for pattern in unused):
            raise UserError(f"the array {name!r} is stored as {kind}; F64, F32, F16 and BF16 can be read")


def stored_kinds(path_or_name: str | Path) -> list[str]:
    """The formats of few bits in which a GGUF file holds matrices; none of anything else."""
    return sorted(_kinds(path_or_name) - {"F32", "F16"})


def has_quantized(path_or_name: str | Path) -> bool:
    """Whether a GGUF file holds anything in fewer than 32 bits."""
    return not _kinds(path_or_name) <= {"F32"}


def _kinds(path_or_name: str | Path) -> set[str]:
    """The formats of a GGUF file's arrays; none of anything else."""
    path = fetch_named(str(path_or_name)) if str(path_or_name) in NAMED else Path(path_or_name)
    return {tensor.kind for tensor in open_gguf(path).tensors.values()} if is_gguf(path) else set()
