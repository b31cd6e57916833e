"""Checkpoints: one safetensors file with parameters, optimizer state and how far training had come.

Everything is in one file, numbers such as the step in its header, so no crash can leave arrays and numbers that
disagree. Nothing is unpickled: safetensors holds arrays and strings only.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from minigpt.errors import UserError
from minigpt.files import replacing
from minigpt.model import Params, Transformer, TransformerConfig
from minigpt.model.arrays import Arrays

FORMAT = "minigpt checkpoint 2"
FORMER = "minigpt checkpoint 1"  # whose optimizer kept each array in one vector, with every parameter alone in it


def save_checkpoint(
    path: str | Path, config: TransformerConfig, params: Params, state: dict[str, Any], progress: dict[str, Any]
) -> None:
    """Replace the file at `path` in one step: the old checkpoint stays until the new one is whole and on the disk.

    state: of the optimizer; its arrays become tensors, its numbers go into the header with the configuration and
    `progress`, plain values such as the step. `UserError` if the disk is full.
    """
    tensors = {f"model.{name}": np.ascontiguousarray(array) for name, array in params.items()}
    for kind, value in state.items():
        if isinstance(value, np.ndarray):
            views = Params(params.arrays, flat=value)
            tensors |= {f"optimizer.{kind}.{name}": np.ascontiguousarray(array) for name, array in views.items()}
    numbers = {name: value for name, value in state.items() if not isinstance(value, np.ndarray)}
    header = {"config": config.to_dict(), "optimizer": numbers, "progress": progress}
    with replacing(path) as temporary:
        try:
            save_file(tensors, temporary, metadata={"format": FORMAT, "json": json.dumps(header)})
        except SafetensorError as error:  # how safetensors reports a full disk
            raise OSError(str(error)) from error


def load_checkpoint(
    path: str | Path, config: TransformerConfig, *, state: dict[str, Any] | None = None
) -> tuple[Params, dict[str, Any]]:
    """The parameters and the progress in the checkpoint at `path`; fills `state`, fresh from `init`, if it is given.

    Returns (params, progress). `UserError` if the file is missing, truncated, not a checkpoint, or of a model with
    another configuration than `config`.
    """
    try:
        with safe_open(path, framework="np") as file:
            header = _header(path, file.metadata())
            check_config(path, header["config"], config)
            params = Params(Transformer(config).arrays())
            for name in params:
                params[name] = file.get_tensor(f"model.{name}")
            for kind, value in (state or {}).items():
                if isinstance(value, np.ndarray):
                    views = Params(params.arrays, flat=value)
                    for name, array in _optimizer_arrays(file, kind, params.arrays):
                        views[name] = array
                elif state is not None:
                    state[kind] = header["optimizer"][kind]
            return params, header["progress"]
    except FileNotFoundError:
        raise UserError(f"there is no checkpoint {path}; train for longer, or choose another run") from None
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(
            f"{path} is damaged or not a minigpt checkpoint ({error}); use the other one, best or last"
        ) from None


def _optimizer_arrays(file: Any, kind: str, arrays: Arrays) -> Iterator[tuple[str, np.ndarray]]:
    """Name and array of one of the optimizer's kinds."""
    if file.metadata()["format"] == FORMER:
        alone = {name: record._replace(beside="") for name, record in arrays.items()}
        yield from Params(alone, flat=file.get_tensor(f"optimizer.{kind}")).items()
        return
    for name in arrays:
        yield name, file.get_tensor(f"optimizer.{kind}.{name}")


def _header(path: str | Path, metadata: dict[str, str] | None) -> dict[str, Any]:
    if not metadata or metadata.get("format") not in (FORMAT, FORMER):
        raise UserError(f"{path} was not written by minigpt as {FORMAT!r}; choose a checkpoint that was")
    return json.loads(metadata["json"])


def check_config(path: str | Path, found: dict[str, Any], config: TransformerConfig) -> None:
    """`UserError` unless the file at `path` was written with the configuration `config`."""
    expected, found = config.to_dict(), TransformerConfig.from_dict(found).to_dict()
    for name in expected:
        if found.get(name) != expected[name]:
            raise UserError(
                f"{path} is of another configuration: its {name} is {found.get(name)}, not {expected[name]}; "
                "choose the checkpoint that belongs to this run"
            )
