"""Letters in, sounds out: the two alphabets of a model that says how words sound."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from minigpt.errors import UserError
from minigpt.files import write_json
from minigpt.text.vocabulary import as_unicode, check_ids
from minigpt.values import TEXT, read, whole

MARKS = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3}  # BART's, the same in both alphabets
PLACEHOLDER = "_"  # stands in an alphabet where an id has no character


class SoundsTokenizer:
    """Each character's place in its alphabet is its id: `encode` reads letters, `decode` writes sounds.

    Both alphabets share the ids of the model's one table, so what is encoded does not decode to itself.
    """

    kind: ClassVar[str] = "sounds"

    def __init__(self, letters: str, sounds: str, vocabulary_size: int):
        """The alphabets, in each of which the first four places are the marks', and the rows of the model's table."""
        for name, alphabet in (("letters", letters), ("sounds", sounds)):
            if not isinstance(alphabet, str) or len(alphabet) <= len(MARKS) or as_unicode(alphabet) != alphabet:
                raise UserError(
                    f"the {name} must be a string of more than {len(MARKS)} characters; got {alphabet!r:.50}"
                )
        longest = max(len(letters), len(sounds))
        if type(vocabulary_size) is not int or vocabulary_size < longest:
            raise UserError(f"the vocabulary size is {vocabulary_size!r:.50}, but an alphabet has {longest} characters")
        self.letters, self.sounds, self.vocabulary_size = letters, sounds, vocabulary_size

    @property
    def special_tokens(self) -> dict[str, int]:
        return dict(MARKS)

    @property
    def end_of_text(self) -> int:
        """The mark that ends a word."""
        return MARKS["</s>"]

    def encode(self, text: str | bytes, *, allow_special: bool = False) -> np.ndarray:
        """The ids of a word's letters, between a beginning and an end: (T,) int64; letters without an id are <unk>."""
        if allow_special:
            raise UserError(
                "a word is spelled in letters, and no mark can stand in it; encode it without allow_special"
            )
        places = [self.letters.find(letter, len(MARKS)) if letter != PLACEHOLDER else -1 for letter in as_unicode(text)]
        ids = [place if place >= 0 else MARKS["<unk>"] for place in places]
        return np.array([MARKS["<s>"], *ids, MARKS["</s>"]], np.int64)

    def decode(self, ids: Any) -> str:
        """The sounds of ids; marks, and ids beyond the sounds, are left out."""
        known = check_ids(ids, self.vocabulary_size)
        return "".join(self.sounds[id_] for id_ in known if len(MARKS) <= id_ < len(self.sounds))

    def decode_bytes(self, ids: Any) -> bytes:
        """The sounds in UTF-8."""
        return self.decode(ids).encode("utf-8")

    def save(self, path: str | Path) -> None:
        """Write the tokenizer as JSON, for `load_tokenizer`."""
        names = ("kind", "letters", "sounds", "vocabulary_size")
        write_json(path, {name: getattr(self, name) for name in names})

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "SoundsTokenizer":
        """The tokenizer that `save` wrote; `UserError` if it is damaged."""
        letters, sounds = read(value, "letters", TEXT), read(value, "sounds", TEXT)
        return cls(letters, sounds, read(value, "vocabulary_size", whole(1)))
