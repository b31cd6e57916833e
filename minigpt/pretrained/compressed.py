"""The folder of a compressed model: matrices of few bits, mapped into memory and decoded when they are multiplied.

compressed.safetensors (the arrays; in its header the configuration, the format of every matrix, how it was made and the
checksums), tokenizer.json, compression.json (what was measured), and of a fine-tuned model finetune.json.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.files import check_place, unwritable
from minigpt.model import Transformer, TransformerConfig
from minigpt.model.params import Weights
from minigpt.pretrained.packed import BITS, row_kind
from minigpt.pretrained.quantized_matrix import QuantizedMatrix, StoredWeights
from minigpt.text import load_tokenizer
from minigpt.train.checkpoint import DamagedError, opened_tensors, write_tensors
from minigpt.values import FLAG, TABLE, TEXT, read, shown, table_of, whole

FILE, REPORT = "compressed.safetensors", "compression.json"
FORMAT = "minigpt compressed 1"
FACTORS = ".factors"  # after the name of a matrix: what its stored rows are multiplied with


class CompressedModel(NamedTuple):
    """What is in the folder."""

    model: Transformer
    params: StoredWeights
    tokenizer: Any  # None if it has none
    header: dict[str, Any]


def has_compressed(path: str | Path) -> bool:
    """Whether there is a compressed model in the folder."""
    return (Path(path) / FILE).exists()


def write_compressed(
    folder: Path, model: Transformer, params: Weights, matrices: dict[str, Any], tokenizer: Any, made: dict[str, Any]
) -> None:
    """Write the arrays and the tokenizer into a folder. matrices: name -> bits, group, symmetric, transposed.

    made: how, plain values for the header.
    """
    tensors = {}
    for name, weight in params.items():
        tensors[name] = weight.raw if isinstance(weight, QuantizedMatrix) else np.ascontiguousarray(weight, np.float32)
        if isinstance(weight, QuantizedMatrix) and weight.factors is not None:
            tensors[name + FACTORS] = weight.factors
    template = getattr(tokenizer, "chat_template", None)
    header = {"config": model.config.to_dict(), "matrices": matrices, "chat_template": template, "made": made}
    write_tensors(folder / FILE, FORMAT, tensors, header)
    if tokenizer is not None:
        tokenizer.save(folder / "tokenizer.json")


def open_compressed(path: str | Path) -> CompressedModel:
    """Map the arrays of the folder. `UserError` if one is missing, has another shape, or other bytes than written."""
    file = Path(path) / FILE
    with opened_tensors(file, (FORMAT,)) as (_, header, read_array):
        model = Transformer(TransformerConfig.from_dict(read(header, "config", TABLE)))
        matrices = read(header, "matrices", table_of(TABLE))
        read(header, "chat_template", TEXT.or_none())
        read(header, "made", TABLE)
        for name in read(header, "checksums", TABLE):  # one after another, and none is kept
            read_array(name)
        params = _weights(model, matrices, _mapped(file))
    tokenizer = load_tokenizer(Path(path) / "tokenizer.json") if (Path(path) / "tokenizer.json").exists() else None
    if tokenizer is not None and tokenizer.vocabulary_size > model.config.vocabulary_size:
        raise UserError(f"the tokenizer of {path} has more tokens than the model; one of its files is from elsewhere")
    if header["chat_template"] is not None and tokenizer is not None:
        tokenizer.chat_template = header["chat_template"]  # type: ignore[attr-defined]
    return CompressedModel(model, params, tokenizer, header)


def _weights(model: Transformer, matrices: dict[str, Any], arrays: dict[str, np.ndarray]) -> StoredWeights:
    """The model's weights; every array is one of them, and every one is there."""
    weights, left = StoredWeights(), dict(arrays)
    for name, shape in model.shapes().items():
        if name not in left:
            raise ValueError(f"{name} is not there")
        array = left.pop(name)
        if name in matrices:
            array = _matrix(matrices[name], array, left.pop(name + FACTORS, None), shape)
        elif array.dtype != np.float32:
            raise ValueError(f"{name} is of the type {array.dtype}")
        if array.shape != shape:
            raise ValueError(f"{name} has the shape {array.shape}, not {shape}")
        weights[name] = array
    strange = sorted({*left, *(matrices.keys() - weights.keys())})
    if strange:
        raise ValueError(f"the model has no {shown(strange[0])}")
    return weights


def _matrix(said: dict[str, Any], raw: np.ndarray, factors: np.ndarray | None, shape: tuple[int, ...]) -> Any:
    """A matrix of this shape from its bytes."""
    bits, group = read(said, "bits", BITS), read(said, "group", whole(1))
    transposed = read(said, "transposed", FLAG)
    columns = shape[0 if transposed else 1]
    kind = row_kind(columns, bits, group, symmetric=read(said, "symmetric", FLAG))
    if raw.dtype != np.uint8:
        raise ValueError(f"a matrix of few bits is of the type {raw.dtype}")
    return QuantizedMatrix(kind, raw, columns, transposed=transposed, factors=factors)


def _mapped(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file that was checked before, in the file itself: nothing is copied."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    data, types = np.memmap(path, np.uint8, "r", offset=8 + length), {"U8": np.uint8, "F32": np.float32}
    arrays = {}
    for name, said in header.items():
        start, end = said["data_offsets"]
        raw = np.asarray(data[start:end])
        if said["dtype"] not in types:
            raise DamagedError(f"{path} has an array of the type {said['dtype']}; compress the model again")
        kind = np.dtype(types[said["dtype"]])
        raw = raw if start % kind.itemsize == 0 else raw.copy()
        arrays[name] = raw.view(kind).reshape(said["shape"])
    return arrays


@contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """A folder beside `path`, which takes its name in one step when the block ends well, and is removed otherwise."""
    path = Path(path)
    if path.exists():
        raise UserError(f"{path} is there already; choose a new folder")
    check_place(path)
    hidden = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        hidden.mkdir(parents=True)
        yield hidden
        os.rename(hidden, path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
