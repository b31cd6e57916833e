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
from minigpt.model.size import check_size
from minigpt.train.checkpoint import (
    DamagedError,
    Read,
    check_config,
    opened_tensors,
    read_number,
    read_progress,
    verify_tensors,
    write_tensors,
)
from minigpt.values import FILE_NAME, Kind, about, list_of, read, table_of, whole

FORMAT = "minigpt shard 2"
FORMER = "minigpt shard 1"  # which had no checksums
MOST_RANKS = 1 << 16
MODEL = "model"  # the kind of the parameters; the other kinds are the optimizer's arrays


def _is_place(value: Any) -> bool:
    """Whether a value is the shape, begin, axis and offset of a `Piece`."""
    if not isinstance(value, list) or len(value) != 4:
        return False
    shape, *others = value
    return SHAPE.fits(shape) and all(map(whole(0).fits, others)) and others[1] < len(shape)


SHAPE = list_of(whole(0))
PLACE = Kind("the shape, begin, axis and offset of a piece", _is_place)


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
    return _pointer(run, which)[2] if (run / f"{which}.json").exists() else -1


def _pointer(run: Path, which: str) -> tuple[Path, int, int]:
    """The folder with the files of the ranks, how many there are, and the step."""
    path = run / f"{which}.json"
    with about(path, "use the other checkpoint, best or last"):
        value = read_json(path)
        folder, ranks = read(value, "folder", FILE_NAME), read(value, "ranks", whole(1, MOST_RANKS))
        return run / folder, ranks, read(value, "step", whole(0))


def load_shards(
    run: Path, which: str, config: TransformerConfig, *, state: dict[str, Any] | None = None
) -> tuple[Params, dict[str, Any]]:
    """All parameters and the progress, put together; fills the optimizer's `state`, fresh from `init`, if given.

    `UserError` if a file is missing, damaged, or of a model with another configuration.
    """
    folder, ranks, _ = _pointer(run, which)
    try:
        check_size(config, sum(_present(folder / _file(rank)).stat().st_size for rank in range(ranks)))
        params = Params(Transformer(config).arrays())
        arrays = {name: value for name, value in (state or {}).items() if isinstance(value, np.ndarray)}
        plain = {name: value for name, value in (state or {}).items() if name not in arrays}
        wholes = {MODEL: params} | {kind: Params(params.arrays, flat=array) for kind, array in arrays.items()}
        filled = 0
        for rank in range(ranks):
            path = _present(folder / _file(rank))
            with opened_tensors(path, (FORMAT, FORMER)) as (_, header, read_array):
                check_config(path, header["config"], config)
                places = read(header, "places", table_of(PLACE))
                filled += sum(_put(wholes, name, place, read_array) for name, place in places.items())
                numbers = {name: read_number(header, name, fresh) for name, fresh in plain.items()}
                progress = read_progress(header)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        if isinstance(error, UserError):
            raise
        raise DamagedError(
            f"the checkpoint {run / which} is damaged ({error}); use the other one, best or last"
        ) from None
    if filled != params.flat.size:
        raise DamagedError(f"{folder} holds {filled:,} of {params.flat.size:,} parameters; a rank's file is incomplete")
    if state is not None:
        state |= numbers
    return params, progress


def _put(wholes: dict[str, Params], name: str, place: Any, read: Read) -> int:
    """Copy one piece of every kind to its place; returns how many numbers it has."""
    shape, begin, axis, offset = place
    size = 0
    for kind, params in wholes.items():
        numbers = read(f"{kind}.{name}")
        size = numbers.size
        block = params[name][(slice(None),) * axis + (slice(offset, offset + shape[axis]),)]
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
    folder, ranks, _ = _pointer(run, which)
    for rank in range(ranks):
        verify_tensors(_present(folder / _file(rank)), FORMAT, FORMER)
