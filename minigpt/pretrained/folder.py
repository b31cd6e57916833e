"""Folders in the Hugging Face layout: config.json and model.safetensors (one file, or several with an index).

Nothing is ever unpickled: a folder that holds only pytorch_model.bin is refused.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from minigpt.errors import UserError
from minigpt.files import read_json, replacing, write_json
from minigpt.values import FILE_NAME, TEXT, about, read, shown, table_of

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
ADAPTER = "adapter_config.json"
BFLOAT16 = "BF16"


def read_config(folder: str | Path) -> dict[str, Any]:
    """The folder's config.json. `UserError` if there is none or it is damaged."""
    return read_json(Path(folder) / CONFIG)


def check_no_adapter(folder: str | Path) -> None:
    """`UserError` for a folder with an adapter of PEFT, which transformers would put on top of the weights."""
    if (Path(folder) / ADAPTER).exists():
        raise UserError(
            f"{folder} holds an adapter ({ADAPTER}), which would not be applied; merge it and save the whole model"
        )


def read_tensors(folder: str | Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Every floating array in the folder's safetensors files, and the names and formats of what is no such array.

    `UserError` names what is missing, damaged or there twice.
    """
    folder = Path(folder)
    tensors: dict[str, np.ndarray] = {}
    others: dict[str, str] = {}
    for path in _files(folder):
        arrays, foreign = _read_file(path)
        twice = sorted((tensors.keys() | others.keys()) & (arrays.keys() | foreign.keys()))
        if twice:
            raise UserError(f"the array {twice[0]!r} is in two files of {folder}; fetch the model again")
        tensors |= arrays
        others |= foreign
    return tensors, others


def write_folder(folder: str | Path, config: dict[str, Any], tensors: Mapping[str, np.ndarray]) -> None:
    """Write config.json and model.safetensors, as transformers opens them. Each file is replaced in one step."""
    folder = Path(folder)
    with replacing(folder / WEIGHTS) as temporary:
        try:
            save_file(dict(tensors), temporary, metadata={"format": "pt"})
        except SafetensorError as error:  # how safetensors reports a full disk
            raise OSError(str(error)) from error
    write_json(folder / CONFIG, config)


def _files(folder: Path) -> list[Path]:
    if (folder / WEIGHTS).exists():
        return [folder / WEIGHTS]
    if (folder / INDEX).exists():
        with about(folder / INDEX):
            names = sorted(set(read(read_json(folder / INDEX), "weight_map", table_of(TEXT)).values()))
        outside = [name for name in names if not FILE_NAME.fits(name)]
        if outside:
            raise UserError(
                f"{folder / INDEX} names the file {shown(outside[0])}, which is not in the folder; not opened"
            )
        return [folder / name for name in names]
    if list(folder.glob("*.bin")):
        raise UserError(f"{folder} holds pickled weights only, which could run code; save them as safetensors first")
    raise UserError(f"{folder} has no {WEIGHTS}; check the path")


def _read_file(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    if path.exists() and not path.is_file():
        raise UserError(f"{path} is no file; check the path")
    try:
        with safe_open(path, framework="numpy") as file:
            names = list(file.keys())
            kinds = {name: file.get_slice(name).get_dtype() for name in names}
            wide = [name for name in names if kinds[name] in ("F16", "F32", "F64")]
            tensors = {name: file.get_tensor(name) for name in wide}
            shapes = {name: file.get_slice(name).get_shape() for name in names if kinds[name] == BFLOAT16}
        halves = _read_bfloat16(path, shapes)
    except FileNotFoundError:
        raise UserError(f"there is no file {path}, though the index names it; fetch the model again") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{path} is damaged or not a safetensors file ({error}); fetch it again") from None
    others = {name: kind for name, kind in kinds.items() if name not in tensors and name not in shapes}
    return tensors | halves, others


def _read_bfloat16(path: Path, shapes: dict[str, list[int]]) -> dict[str, np.ndarray]:
    """NumPy has no bfloat16: the upper half of a float32. Their places are in the header, which was checked before."""
    if not shapes:
        return {}
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    data = np.memmap(path, np.uint8, "r", offset=8 + length)
    tensors = {}
    for name, shape in shapes.items():
        start, end = header[name]["data_offsets"]
        halves = np.frombuffer(data[start:end], "<u2").astype(np.uint32)
        tensors[name] = (halves << 16).view(np.float32).reshape(shape)
    return tensors
