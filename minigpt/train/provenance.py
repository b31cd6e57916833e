"""What made a run: versions, the command, the machine. No names of people, computers or folders."""

import hashlib
import json
import platform
import re
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from minigpt import __version__
from minigpt.machine import cores


def provenance(words: Sequence[str] | None = None, program: str = "minigpt") -> dict[str, Any]:
    """Versions, machine and, from the command line, its words, for the description of a run, whatever it trains.

    words: of the command; None: no command. program: whose words they are. Seed and settings stand beside it in the
    run, and so do the hashes of its data.
    """
    return {
        "minigpt": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "safetensors": _version("safetensors"),
        "system": platform.system(),
        "processor": platform.machine(),
        "cores": cores(),
        "command": None if words is None else [program, *map(without_folders, words)],
    }


def arrays_sha256(*arrays: np.ndarray) -> str:
    """SHA-256 of arrays, their shapes and kinds: which data it was, where it is in no file."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def values_sha256(values: Any) -> str:
    """SHA-256 of plain values, as JSON with sorted keys."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def without_folders(word: str) -> str:
    """A word of a command; of a path that leads out of the folder where it was typed, the last part alone."""
    flag, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    outside = re.match(r"[/\\~]|[A-Za-z]:[/\\]|\.\.([/\\]|$)", value)
    if outside is None:
        return word
    return flag + equals + (re.split(r"[/\\]", value.rstrip("/\\"))[-1] or "...")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
