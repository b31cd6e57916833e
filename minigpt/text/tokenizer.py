"""What a tokenizer is, and reading one from its file."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np

from minigpt.errors import UserError
from minigpt.files import read_json
from minigpt.text.bpe import BytePairTokenizer
from minigpt.text.characters import CharacterTokenizer
from minigpt.text.vocabulary import END_OF_TEXT

__all__ = ["END_OF_TEXT", "Tokenizer", "load_tokenizer"]


class Tokenizer(Protocol):
    """Turns text into token ids, and back without loss. Ids run from 0 to `vocabulary_size` - 1."""

    @property
    def vocabulary_size(self) -> int:
        """How many tokens there are, special ones included."""

    @property
    def special_tokens(self) -> dict[str, int]:
        """The tokens that no ordinary text becomes, with their ids; `END_OF_TEXT` is always among them."""

    @property
    def end_of_text(self) -> int:
        """The id of `END_OF_TEXT`, which stands between two documents."""

    def encode(self, text: str | bytes, *, allow_special: bool = False) -> np.ndarray:
        """The ids of `text`, (T,) int64. Special tokens in it are plain text unless `allow_special`."""

    def decode(self, ids: Any) -> str:
        """The text of a row of ids; bytes that are not UTF-8 become U+FFFD."""

    def decode_bytes(self, ids: Any) -> bytes:
        """The bytes of a row of ids."""

    def save(self, path: str | Path) -> None:
        """Write the tokenizer as JSON."""


def load_tokenizer(path: str | Path) -> Tokenizer:
    """The tokenizer that its `save` wrote to `path`; `UserError` if the file is missing, damaged or foreign."""
    kinds = {kind.kind: kind for kind in (BytePairTokenizer, CharacterTokenizer)}
    value = read_json(path)
    kind = value.get("kind")
    if not isinstance(kind, str) or kind not in kinds:
        raise UserError(f"{path} is no tokenizer of minigpt: its kind is {kind!r:.50} and not one of {sorted(kinds)}")
    try:
        return kinds[kind].from_json(value)
    except UserError as error:
        raise UserError(f"{path} is damaged or was edited: {error}; train the tokenizer again") from None
