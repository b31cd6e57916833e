"""Reading images: arrays of NumPy, CSV, PNG files, and folders of them. Nothing is unpickled."""

import math
import zipfile
import zlib
from pathlib import Path

import numpy as np

from minigpt.errors import UserError
from minigpt.files import check_is_file
from minigpt.vision.images import Images, check_pixels, check_room
from minigpt.vision.png import read_header, read_png
from minigpt.vision.table import read_table

MOST_BYTES = 1 << 31  # of a file
KINDS = ".npy, .npz, .csv, .csv.gz and .png, or a folder with one sub-folder a class"


def read_images(source: str | Path, *, label: str | None = None) -> Images:
    """The images of a file or a folder, all of one size.

    .npy: (N, Y, X) or (N, Y, X, Z), without classes. .npz: such an array `images`, and (N,) `labels`. .csv, .csv.gz:
    see `minigpt.vision.table`. .png: one image. A folder: PNG files in sub-folders, each named as its class.
    label: the column, or array, of the classes where it is called otherwise.
    `UserError` says what is wrong, and in which file or line.
    """
    path = Path(source)
    if path.is_dir():
        check_no_label(path, label)
        return _read_folder(path)
    check_is_file(path, MOST_BYTES)
    if not path.exists():
        raise UserError(f"there is no file or folder {path}; check the path")
    name = path.name.lower()
    if name.endswith((".csv", ".csv.gz")):
        return read_table(path, label)
    if name.endswith(".npz"):
        return _read_npz(path, label)
    check_no_label(path, label)
    if name.endswith(".npy"):
        pixels = _read_npy(path)
        return Images(pixels, (None,) * len(pixels), _places(path, len(pixels)))
    if name.endswith(".png"):
        return Images(read_png(path)[None], (None,), (str(path),))
    raise UserError(f"{path} is not of a kind that is known; images are read from {KINDS}; save a picture as PNG")


def check_no_label(source: str | Path, label: str | None) -> None:
    """`UserError` for a name of labels where nothing has names."""
    if label is not None:
        raise UserError(f"{source} has no columns, so {label!r} names no labels in it; leave --label out")


def _places(path: Path, count: int, first: int = 0) -> tuple[str, ...]:
    return tuple(f"{path.name}, image {number}" for number in range(first, first + count))


def _read_folder(path: Path) -> Images:
    """PNG files in sub-folders, or directly in it, without classes. Hidden files are passed over."""
    folders = sorted(one for one in path.iterdir() if one.is_dir() and not one.name.startswith("."))
    loose = sorted(one for one in path.iterdir() if not one.is_dir() and not one.name.startswith("."))
    if folders and loose:
        raise UserError(f"{path} holds sub-folders and also {loose[0].name}; move it into one of them, or away")
    files: list[tuple[str | None, Path]] = [(None, file) for file in loose]
    files += [(folder.name, file) for folder in folders for file in _files(folder)]
    if not files:
        raise UserError(f"{path} holds no pictures; images are read from {KINDS}")
    for _, file in files:
        if file.suffix.lower() != ".png":
            raise UserError(f"{file} is no PNG file; convert it, or move it away")
    first = read_header(files[0][1]).size
    check_room(len(files) * math.prod(first), str(path))
    pixels = np.empty((len(files), *first), np.uint8)
    for number, (_, file) in enumerate(files):
        size = read_header(file).size
        if size != first:
            raise UserError(
                f"{file} is {_said(size)}, but {files[0][1].name} is {_said(first)}; make all of one size and kind"
            )
        pixels[number] = read_png(file)
    return Images(pixels, tuple(label for label, _ in files), tuple(str(file) for _, file in files))


def _files(folder: Path) -> list[Path]:
    found = sorted(one for one in folder.iterdir() if not one.name.startswith("."))
    deeper = [one for one in found if one.is_dir()]
    if deeper:
        raise UserError(f"{deeper[0]} is a folder inside a class; give one sub-folder a class, with pictures in it")
    if not found:
        raise UserError(f"{folder} is a class without a picture; put some into it, or remove it")
    return found


def _said(size: tuple[int, int, int]) -> str:
    return f"{size[0]} x {size[1]} in {'grey' if size[2] == 1 else 'colour'}"


def _read_npy(path: Path) -> np.ndarray:
    try:
        found = np.lib.format.open_memmap(path, mode="r")  # nothing is read yet
    except (OSError, ValueError, EOFError, OverflowError) as error:
        raise UserError(f"{path} is damaged or no array of numbers ({error}); save it again with numpy.save") from None
    check_room(found.size, str(path), max(4, found.itemsize))
    return check_pixels(np.asarray(found), str(path))


def _read_npz(path: Path, label: str | None) -> Images:
    name = label or "labels"
    try:
        with zipfile.ZipFile(path) as archive:
            there = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            if "images" not in there:
                raise UserError(
                    f"{path} has no array `images`, but {', '.join(sorted(there))}; save one with that name"
                )
            if label is not None and label not in there:
                raise UserError(f"{path} has no array {label!r}, but {', '.join(sorted(there))}; check the name")
            pixels = check_pixels(_member(path, archive, there["images"]), str(path))
            labels = _member(path, archive, there[name]) if name in there else None
    except UserError:
        raise
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path} is damaged, locked or no archive of arrays ({error}); save it again") from None
    if labels is None:
        return Images(pixels, (None,) * len(pixels), _places(path, len(pixels)))
    if labels.shape != (len(pixels),) or labels.dtype.kind not in "uiUb":
        raise UserError(
            f"{path}: {name} are {labels.dtype} of shape {labels.shape}, but they must be whole numbers or words, one "
            f"for each of {len(pixels):,} images"
        )
    said = tuple(str(one) for one in labels.tolist())
    if "" in said:
        raise UserError(f"{path}: image {said.index('')} has an empty class; name it")
    return Images(pixels, said, _places(path, len(pixels)))


def _member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    """An array of an archive. What its header asks for is compared with what is there before it is made."""
    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, _, dtype = read[version](file) if version in read else ((), False, np.dtype(object))
    if dtype.hasobject or math.prod(shape) * dtype.itemsize > info.file_size:
        raise UserError(f"{path}: {info.filename} is no array of plain numbers, or is cut off; save it again")
    check_room(math.prod(shape), f"{path}", max(4, dtype.itemsize))
    with archive.open(info) as file:
        return np.lib.format.read_array(file, allow_pickle=False)
