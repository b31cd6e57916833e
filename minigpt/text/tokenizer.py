"""What a tokenizer is, and reading one from its file."""

from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from minigpt.errors import UserError
from minigpt.files import read_json
from minigpt.text.bpe import BytePairTokenizer
from minigpt.text.characters import CharacterTokenizer
from minigpt.text.numbered import NumberedTokenizer
from minigpt.text.sounds import SoundsTokenizer
from minigpt.text.vocabulary import END_OF_TEXT
from minigpt.text.word_piece import WordPieceTokenizer

__all__ = ["END_OF_TEXT", "KINDS", "Tokenizer", "document_end", "load_tokenizer"]


class Tokenizer(Protocol):
    """Turns text into token ids, from 0 to `vocabulary_size` - 1, and back.

    What `save` writes, `load_tokenizer` reads: the same ids for the same text.
    """

    kind: ClassVar[str]  # by which a saved tokenizer is told from those of other classes

    @property
    def vocabulary_size(self) -> int:
        """How many tokens there are, special ones included."""

    @property
    def special_tokens(self) -> dict[str, int]:
        """The tokens that no ordinary text becomes, with their ids."""

    @property
    def end_of_text(self) -> int | None:
        """The id of the token at which a text ends; None if no token says so, as in BERT."""

    def encode(self, text: str | bytes, *, allow_special: bool = False) -> np.ndarray:
        """The ids of `text`, (T,) int64. Special tokens in it are plain text unless `allow_special`."""

    def decode(self, ids: Any) -> str:
        """The text of a row of ids; bytes that are not UTF-8 become U+FFFD."""

    def decode_bytes(self, ids: Any) -> bytes:
        """The bytes of a row of ids. For all but WordPiece, those of one id after another are those of the row."""

    def save(self, path: str | Path) -> None:
        """Write the tokenizer as JSON."""


KINDS = {
    kind.kind: kind
    for kind in (BytePairTokenizer, CharacterTokenizer, NumberedTokenizer, SoundsTokenizer, WordPieceTokenizer)
}


def document_end(tokenizer: Tokenizer) -> int:
    """The id that stands between two documents: the end of text, or BERT's [SEP]. `UserError` if there is neither."""
    end = tokenizer.end_of_text
    if end is None:
        end = tokenizer.special_tokens.get("[SEP]")
    if end is None:
        raise UserError(
            f"the tokenizer has no token that ends a text; its special tokens are {list(tokenizer.special_tokens)}"
        )
    return end


def load_tokenizer(path: str | Path) -> Tokenizer:
    """The tokenizer that its `save` wrote.

    Parameters
    ----------
    path : str or Path
        Of the file, such as the tokenizer.json of a run.

    Returns
    -------
    Tokenizer
        Of the class that was saved: the same ids for the same text.

    Raises
    ------
    UserError
        If the file is missing, damaged or foreign.

    Examples
    --------
    >>> minigpt.CharacterTokenizer("abc").save("tokenizer.json")
    >>> minigpt.load_tokenizer("tokenizer.json").encode("cab").tolist()
    [2, 0, 1]
    """
    value = read_json(path)
    kind = value.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise UserError(f"{path} is no tokenizer of minigpt: its kind is {kind!r:.50} and not one of {sorted(KINDS)}")
    try:
        return KINDS[kind].from_json(value)
    except UserError as error:
        raise UserError(f"{path} is damaged or was edited: {error}; train the tokenizer again") from None
