"""Checkpoints: one safetensors file with parameters, optimizer state and how far training had come.

Everything is in one file, numbers such as the step in its header, so no crash can leave arrays and numbers that
disagree. Nothing is unpickled: safetensors holds arrays and strings only. Every array has a checksum in the header,
and the header has one, so bits that were flipped on the disk or on the way are refused, not trained on.
"""

import json
import math
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from minigpt.errors import UserError
from minigpt.files import check_is_file, replacing
from minigpt.model import Params, Transformer, TransformerConfig
from minigpt.model.arrays import Arrays
from minigpt.model.size import check_size
from minigpt.values import ANYTHING, TABLE, Kind, about, is_finite, number, shown, whole
from minigpt.values import read as read_value

FORMAT = "minigpt checkpoint 3"
UNCHECKED = "minigpt checkpoint 2"  # which had no checksums
FORMER = "minigpt checkpoint 1"  # whose optimizer kept each array in one vector, with every parameter alone in it

LOSS = Kind("a number", lambda value: is_finite(value) or value == math.inf)  # infinite before the first validation
PROGRESS = {"step": whole(0), "best_loss": LOSS, "seconds": number(0.0)}

Read = Callable[[str], np.ndarray]


class DamagedError(UserError):
    """A checkpoint whose bytes are not those that were written; another one may be whole."""


def save_checkpoint(
    path: str | Path, config: TransformerConfig, params: Params, state: dict[str, Any], progress: dict[str, Any]
) -> None:
    """Replace the file at `path` in one step: the old checkpoint stays until the new one is whole and on the disk.

    state: of the optimizer; its arrays, and the `Params` of what learns beside the model, become tensors, its numbers
    go into the header with the configuration and `progress`, plain values such as the step. `UserError` if the disk is
    full, or the folder is gone.
    """
    tensors = {f"model.{name}": np.ascontiguousarray(array) for name, array in params.items()}
    for kind, value in state.items():
        if isinstance(value, (np.ndarray, Params)):
            views = Params(params.arrays, flat=value) if isinstance(value, np.ndarray) else value
            tensors |= {f"optimizer.{kind}.{name}": np.ascontiguousarray(array) for name, array in views.items()}
    numbers = {name: value for name, value in state.items() if not isinstance(value, (np.ndarray, Params))}
    write_tensors(path, FORMAT, tensors, {"config": config.to_dict(), "optimizer": numbers, "progress": progress})


def write_tensors(path: str | Path, format_: str, tensors: dict[str, np.ndarray], header: dict[str, Any]) -> None:
    """A safetensors file of contiguous `tensors`, with `header` as JSON, and the checksums of both."""
    text = json.dumps({**header, "checksums": {name: _array_checksum(array) for name, array in tensors.items()}})
    metadata = {"format": format_, "json": text, "checksum": _header_checksum(format_, text)}
    with replacing(path, make_folder=False) as temporary:
        try:
            save_file(tensors, temporary, metadata=metadata)
        except SafetensorError as error:  # how safetensors reports a full disk
            raise OSError(str(error)) from error


def load_checkpoint(
    path: str | Path, config: TransformerConfig, *, state: dict[str, Any] | None = None, layout: Params | None = None
) -> tuple[Params, dict[str, Any]]:
    """The parameters and the progress in the checkpoint at `path`; fills `state`, fresh from `init`, if it is given.

    layout: of what was trained, where that is not the whole model. Returns (params, progress). `UserError` if the file
    is missing, unreadable or of a model with another configuration than `config`; `DamagedError` if it is truncated,
    not a checkpoint, or holds other bytes than were written.
    """
    with opened_tensors(path, (FORMAT, UNCHECKED, FORMER)) as (format_, header, read):
        check_config(path, header["config"], config)
        if layout is None:
            check_size(config, Path(path).stat().st_size)
        params = Params(Transformer(config).arrays() if layout is None else layout.layout)
        for name in params:
            params[name] = read(f"model.{name}")
        for kind, value in (state or {}).items():
            if isinstance(value, np.ndarray):
                views = Params(params.arrays, flat=value)
                for name, array in _optimizer_arrays(read, format_, kind, params.arrays):
                    views[name] = array
            elif isinstance(value, Params):
                for name in value:
                    value[name] = read(f"optimizer.{kind}.{name}")
            elif state is not None:
                state[kind] = read_number(header, kind, value)
        return params, read_progress(header)


def read_progress(header: dict[str, Any]) -> dict[str, Any]:
    """How far training had come. `UserError` names a value that does not fit."""
    progress = read_value(header, "progress", TABLE)
    for name in progress:
        read_value(progress, name, PROGRESS.get(name, ANYTHING))
    return progress


def read_number(header: dict[str, Any], name: str, fresh: Any) -> Any:
    """A number of the optimizer's state, of the kind of the fresh one."""
    kind = whole(0) if isinstance(fresh, int) else number()
    return read_value(read_value(header, "optimizer", TABLE), name, kind)


def checkpoint_header(path: str | Path) -> dict[str, Any]:
    """What is in the header: config, optimizer, progress. Errors as `load_checkpoint`."""
    with opened_tensors(path, (FORMAT, UNCHECKED, FORMER)) as (_, header, _):
        read_progress(header)
        return header


def verify_tensors(path: str | Path, *formats: str) -> None:
    """Read a whole file of `write_tensors`, though nothing is made of it. `DamagedError` where it is not sound."""
    with opened_tensors(path, formats or (FORMAT, UNCHECKED, FORMER)) as (_, header, read):
        for name in header.get("checksums", {}):
            read(name)


def _instead(missing: Path) -> str:
    """What to do about a checkpoint that is not there: before its first validation a training has no best one."""
    other = {"best": "last", "last": "best"}.get(missing.stem, "")
    if other and missing.with_stem(other).exists():
        return f"train for longer, or take the {other} one (--checkpoint {other})"
    return "train for longer, or choose another run"


@contextmanager
def opened_tensors(path: str | Path, formats: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any], Read]]:
    """Format and header of a file of `write_tensors`, and a function that reads an array and compares its checksum.

    formats: what is understood, the newest first, which alone must have checksums. Whatever goes wrong inside the block
    is told as damage of this file.
    """
    check_is_file(path)
    try:
        with open(path, "rb"):  # safetensors would call a file that may not be read missing
            pass
        with safe_open(path, framework="np") as file:
            format_, header = _header(path, file.metadata() or {}, formats)
            known = read_value(header, "checksums", TABLE, {})

            def read(name: str) -> np.ndarray:
                array = file.get_tensor(name)
                if (known or format_ == formats[0]) and _array_checksum(array) != known[name]:
                    raise ValueError(f"the checksum of {name} is another")
                return array

            with about(path):
                yield format_, header, read
    except FileNotFoundError:
        raise UserError(f"there is no checkpoint {path}; {_instead(Path(path))}") from None
    except PermissionError as error:
        raise UserError(f"{path} could not be read: {error.strerror}; ask for the right to read it") from None
    except UserError:
        raise
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise DamagedError(
            f"{path} is damaged or not a minigpt checkpoint ({error}); use the other one, best or last"
        ) from None


def _array_checksum(array: np.ndarray) -> str:
    """CRC-32 of an array's type, shape and bytes; why this one, see `minigpt.files.checksum`."""
    array = np.ascontiguousarray(array)
    start = zlib.crc32(f"{array.dtype} {array.shape}".encode())
    return f"{zlib.crc32(array.reshape(-1).view(np.uint8).data, start):08x}"


def _header_checksum(format_: str, text: str) -> str:
    return f"{zlib.crc32(f'{format_} {text}'.encode()):08x}"


def _optimizer_arrays(read: Read, format_: str, kind: str, arrays: Arrays) -> Iterator[tuple[str, np.ndarray]]:
    """Name and array of one of the optimizer's kinds."""
    if format_ == FORMER:
        alone = {name: record._replace(beside="") for name, record in arrays.items()}
        yield from Params(alone, flat=read(f"optimizer.{kind}")).items()
        return
    for name in arrays:
        yield name, read(f"optimizer.{kind}.{name}")


def _header(path: str | Path, metadata: dict[str, str], formats: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    """The format, and the header once its checksum is compared."""
    format_ = metadata.get("format", "")
    if format_ not in formats:
        raise DamagedError(f"{path} was not written by minigpt as {formats[0]!r}; choose a checkpoint that was")
    text, expected = metadata["json"], metadata.get("checksum")
    if (expected is not None or format_ == formats[0]) and expected != _header_checksum(format_, text):
        raise ValueError("the checksum of its header is another")
    header = json.loads(text)
    if not TABLE.fits(header):
        raise ValueError(f"its header is {shown(header)} and no table")
    return format_, header


def check_config(path: str | Path, found: dict[str, Any], config: TransformerConfig) -> None:
    """`UserError` unless the file at `path` was written with the configuration `config`."""
    expected, found = config.to_dict(), TransformerConfig.from_dict(found).to_dict()
    for name in expected:
        if found.get(name) != expected[name]:
            raise UserError(
                f"{path} is of another configuration: its {name} is {found.get(name)}, not {expected[name]}; "
                "choose the checkpoint that belongs to this run"
            )
