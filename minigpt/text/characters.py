"""The plainest tokenizer: one token a character."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from minigpt.errors import UserError
from minigpt.files import write_json
from minigpt.text.vocabulary import (
    END_OF_TEXT,
    UNICODE,
    as_documents,
    as_unicode,
    check_ids,
    number_special_tokens,
    split_at_special,
)
from minigpt.values import read, table_of, whole


class CharacterTokenizer:
    """One token for each character (Unicode code point) seen in training, then the special tokens.

    Ids follow the order of the code points. A character that was not seen has no token and is refused.

    Parameters
    ----------
    characters : sequence of str
        Distinct strings of one character each, in any order (a str will do).
    special_tokens : sequence of str
        Further ones, after `<|endoftext|>`.

    Examples
    --------
    >>> tokenizer = minigpt.CharacterTokenizer.train(["abba", "cab"])
    >>> tokenizer.encode("cab").tolist(), tokenizer.decode([0, 1])
    ([2, 0, 1], 'ab')
    """

    kind: ClassVar[str] = "characters"

    def __init__(self, characters: Sequence[str], special_tokens: Sequence[str] = ()):
        """`characters`: distinct strings of one character each, in any order (a str will do).

        `special_tokens`: further ones, after `<|endoftext|>`.
        """
        wrong = [c for c in characters if len(c) != 1 or as_unicode(c) != c]
        if not characters or wrong or len(set(characters)) != len(characters):
            raise UserError(
                "a character tokenizer needs at least one character, each of them once and each one code point; "
                f"got {wrong[0] if wrong else characters!r:.100}; use CharacterTokenizer.train"
            )
        self.characters = "".join(sorted(characters))
        self.special_tokens = number_special_tokens(special_tokens, len(characters))
        self._tokens = [*self.characters, *self.special_tokens]  # id -> text
        self._code_points = _code_points(self.characters)  # ascending

    @classmethod
    def train(cls, documents: Iterable[str], *, special_tokens: Sequence[str] = ()) -> "CharacterTokenizer":
        """The tokenizer of every character in `documents`, of `<|endoftext|>` and the further `special_tokens`."""
        characters = sorted(set().union(*as_documents(documents)))
        if not characters:
            raise UserError("there is no text to train a tokenizer on; give at least one document that is not empty")
        return cls(characters, special_tokens)

    @property
    def vocabulary_size(self) -> int:
        return len(self._tokens)

    @property
    def end_of_text(self) -> int:
        return self.special_tokens[END_OF_TEXT]

    def encode(self, text: str | bytes, *, allow_special: bool = False) -> np.ndarray:
        """The ids of `text`, (T,) int64. Bytes must be UTF-8.

        Special tokens in the text are plain text, `<|endoftext|>` thirteen characters, unless `allow_special`.
        Raises `UserError` for a character that has no token.
        """
        text = as_unicode(text)
        if not allow_special:
            return self._encode_ordinary(text, 0)
        rows, position = [], 0
        for place, part in enumerate(split_at_special(text, self.special_tokens)):
            rows.append([self.special_tokens[part]] if place % 2 else self._encode_ordinary(part, position))
            position += len(part)
        return np.concatenate(rows)

    def _encode_ordinary(self, text: str, position: int) -> np.ndarray:
        """The ids of `text`, which stands at `position` in the whole."""
        code_points = _code_points(text)  # (T,)
        ids = np.searchsorted(self._code_points, code_points)  # (T,)
        known = self._code_points[np.minimum(ids, len(self._code_points) - 1)] == code_points
        if not known.all():
            place = int(np.argmin(known))  # the first False
            raise UserError(_no_token(text[place], position + place))
        return ids.astype(np.int64, copy=False)

    def decode(self, ids: Any) -> str:
        """The text of `ids`, a row of integers; `UserError` for an id that does not exist."""
        return "".join(map(self._tokens.__getitem__, check_ids(ids, self.vocabulary_size)))

    def decode_bytes(self, ids: Any) -> bytes:
        """The text of `ids` in UTF-8."""
        return self.decode(ids).encode("utf-8")

    def save(self, path: str | Path) -> None:
        """Write the tokenizer as JSON, for `load_tokenizer`."""
        value = {"kind": self.kind, "characters": self.characters, "special_tokens": self.special_tokens}
        write_json(path, value)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "CharacterTokenizer":
        """The tokenizer that `save` wrote; `UserError` if the parts do not agree."""
        characters = read(value, "characters", UNICODE)
        special_tokens = read(value, "special_tokens", table_of(whole(0)))
        tokenizer = cls(characters, [token for token in special_tokens if token != END_OF_TEXT])
        if special_tokens != tokenizer.special_tokens:
            raise UserError(
                f"its special tokens must be {tokenizer.special_tokens}, after its {len(characters)} others"
            )
        return tokenizer


def _code_points(text: str) -> np.ndarray:
    """The code point of each character, (T,) uint32."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _no_token(character: str, position: int) -> str:
    if 0xDC80 <= ord(character) <= 0xDCFF:
        return (
            f"the byte 0x{ord(character) - 0xDC00:02x} after {position} characters is not UTF-8; "
            "convert the text to UTF-8, or use a byte-pair tokenizer, which takes any bytes"
        )
    return (
        f"the character {character!r} (U+{ord(character):04X}) at position {position} was not in the text that the "
        "tokenizer was trained on; train on text that has it, or use a byte-pair tokenizer, which takes any text"
    )
