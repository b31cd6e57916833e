"""Dictionaries of NumPy's arrays, to and from files and bytes."""

import json
import tempfile
from pathlib import Path

import numpy as np

from . import TYPES, SafetensorError, safe_open

NAMES = {np.dtype(code): name for name, code in TYPES.items()}


def save(tensors: dict[str, np.ndarray], metadata: dict[str, str] | None = None) -> bytes:
    """The file as bytes: the widest types first, as the compiled one orders them."""
    header: dict = {"__metadata__": metadata} if metadata else {}
    parts, end = [], 0
    for name in sorted(tensors, key=lambda name: (-tensors[name].dtype.itemsize, name)):
        array = np.asarray(tensors[name], order="C")
        if array.dtype.newbyteorder("<") not in NAMES:
            raise SafetensorError(
                f"{name} is of type {array.dtype}, which safetensors does not have"
            )
        kind = NAMES[array.dtype.newbyteorder("<")]
        parts.append(array.astype(TYPES[kind], copy=False).tobytes())
        header[name] = {
            "dtype": kind,
            "shape": list(array.shape),
            "data_offsets": [end, end + len(parts[-1])],
        }
        end += len(parts[-1])
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])


def save_file(
    tensors: dict[str, np.ndarray], filename: str | Path, metadata: dict[str, str] | None = None
) -> None:
    """Write the file."""
    Path(filename).write_bytes(save(tensors, metadata))


def load_file(filename: str | Path) -> dict[str, np.ndarray]:
    """All arrays of a file."""
    with safe_open(filename) as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no dictionary


def load(data: bytes) -> dict[str, np.ndarray]:
    """All arrays of a file that is in memory."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "arrays.safetensors"
        path.write_bytes(data)
        return load_file(path)
