"""Checkpoints of many ranks: each writes what it holds, and any other number of ranks can put it together again.

A checkpoint is a folder of safetensors files, one for each rank. A file holds pieces: a run of consecutive numbers of a
block that was cut from an array, with the place of that block in the whole array. So nothing in it depends on how the
ranks were arranged. `last.json` and `best.json` name the folder to open; each is replaced in one step, after all files
are whole and on the disk, so a crash leaves the checkpoint before.
"""

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.files import read_json, unwritable, write_json
from minigpt.model import Params, Transformer, TransformerConfig
from minigpt.train.checkpoint import DamagedError, Read, check_config, opened_tensors, verify_tensors, write_tensors

FORMAT = "minigpt shard 2"
FORMER = "minigpt shard 1"  # which had no checksums
MODEL = "model"  # the kind of the parameters; the other kinds are the optimizer's arrays


class Piece(NamedTuple):
    """`numbers` are entries begin, begin + 1, ... (row by row) of the block that starts at `offset` along `axis`."""

    name: str
    numbers: dict[str, np.ndarray]  # kind -> (n,)
    shape: tuple[int, ...]  # of the block
    begin: int
    axis: int  # along which the array was cut
    offset: int


def write_shard(
    folder: Path, rank: int, pieces: list[Piece], config: TransformerConfig, numbers: dict[str, Any], progress: Any
) -> None:
    """Write one rank's file. numbers: of the optimizer, such as its count of steps; progress: as in a checkpoint."""
    try:
        folder.mkdir(exist_ok=True)  # not its parents: a run that was deleted stays deleted
    except OSError as error:
        raise unwritable(folder, error) from error
    tensors = {f"{kind}.{piece.name}": array for piece in pieces for kind, array in piece.numbers.items()}
    places = {piece.name: [piece.shape, piece.begin, piece.axis, piece.offset] for piece in pieces}
    header = {"config": config.to_dict(), "optimizer": numbers, "progress": progress, "places": places}
    write_tensors(folder / _file(rank), FORMAT, {n: np.ascontiguousarray(a) for n, a in tensors.items()}, header)


def _file(rank: int) -> str:
    return f"rank-{rank:04}.safetensors"


def point(run: Path, which: str, folder: str, ranks: int, step: int) -> None:
    """Make `folder`, of which all files are written, the checkpoint `which` of the run; drop what nothing names."""
    write_json(run / f"{which}.json", {"folder": folder, "ranks": ranks, "step": step})
    named = {read_json(path).get("folder") for path in run.glob("*.json") if path.stem in ("last", "best")}
    for old in run.glob("step-*"):
        if old.name not in named:
            shutil.rmtree(old, ignore_errors=True)


def shards_step(run: Path, which: str) -> int:
    """The step of the checkpoint `which` of many ranks; -1 if there is none."""
    path = run / f"{which}.json"
    step = read_json(path).get("step") if path.exists() else -1
    return step if isinstance(step, int) else -1


def load_shards(
    run: Path, which: str, config: TransformerConfig, *, state: dict[str, Any] | None = None
) -> tuple[Params, dict[str, Any]]:
    """All parameters and the progress, put together; fills the optimizer's `state`, fresh from `init`, if given.

    `UserError` if a file is missing, damaged, or of a model with another configuration.
    """
    pointer = read_json(run / f"{which}.json")
    try:
        folder, ranks = run / str(pointer["folder"]), int(pointer["ranks"])
        params = Params(Transformer(config).arrays())
        arrays = {name: value for name, value in (state or {}).items() if isinstance(value, np.ndarray)}
        wholes = {MODEL: params} | {kind: Params(params.arrays, flat=array) for kind, array in arrays.items()}
        filled = 0
        for rank in range(ranks):
            path = _present(folder / _file(rank))
            with opened_tensors(path, (FORMAT, FORMER)) as (_, header, read):
                check_config(path, header["config"], config)
                filled += sum(_put(wholes, name, place, read) for name, place in header["places"].items())
                numbers, progress = header["optimizer"], header["progress"]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        if isinstance(error, UserError):
            raise
        raise DamagedError(
            f"the checkpoint {run / which} is damaged ({error}); use the other one, best or last"
        ) from None
    if filled != params.flat.size:
        raise DamagedError(f"{folder} holds {filled:,} of {params.flat.size:,} parameters; a rank's file is incomplete")
    for name in state or {}:
        if name not in arrays:
            state[name] = numbers[name]  # type: ignore[index]
    return params, progress


def _put(wholes: dict[str, Params], name: str, place: Any, read: Read) -> int:
    """Copy one piece of every kind to its place; returns how many numbers it has."""
    shape, begin, axis, offset = place
    size = 0
    for kind, whole in wholes.items():
        numbers = read(f"{kind}.{name}")
        size = numbers.size
        block = whole[name][(slice(None),) * axis + (slice(offset, offset + shape[axis]),)]
        if list(block.shape) != list(shape):
            raise ValueError(f"{name} does not fit")
        block.flat[begin : begin + size] = numbers
    return size


def _present(path: Path) -> Path:
    if not path.exists():
        raise DamagedError(f"there is no file {path}; every rank's file is needed: copy all of them")
    return path


def verify_shards(run: Path, which: str) -> None:
    """Read all files of a checkpoint of many ranks. `DamagedError` where one is missing or not sound."""
    pointer = read_json(run / f"{which}.json")
    for rank in range(int(pointer["ranks"])):
        verify_tensors(_present(run / str(pointer["folder"]) / _file(rank)), FORMAT, FORMER)
