"""WordPiece, BERT's tokenizer: words and signs first, then each word as the longest pieces that the vocabulary has.

Devlin et al. (2018), arXiv:1810.04805; Wu et al. (2016), arXiv:1609.08144, section 4.1. A piece inside a word is
written with ## before it. Unlike byte-pair encoding it forgets: white space, and for uncased models case and accents.
"""

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from minigpt.errors import UserError
from minigpt.text.vocabulary import check_ids

LONGEST_WORD = 100  # characters; a longer one is unknown
# Where each character of Chinese, Japanese and Korean script that stands for a word is put between spaces.
IDEOGRAPHS = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


class WordPieceTokenizer:
    """A vocabulary of whole words and of ## pieces, with [UNK], [CLS], [SEP], [PAD] and [MASK]."""

    kind: ClassVar[str] = "word_piece"

    def __init__(self, vocabulary: Sequence[str], *, lower_case: bool = True):
        """vocabulary: the tokens in the order of their ids. lower_case: of "uncased" models; also strips accents."""
        self.tokens, self.lower_case = list(vocabulary), lower_case
        self._ids = {token: id_ for id_, token in enumerate(self.tokens)}
        missing = [token for token in ("[UNK]", "[CLS]", "[SEP]", "[PAD]") if token not in self._ids]
        if missing:
            raise UserError(f"the vocabulary has no {missing[0]}; is it that of a BERT model?")
        special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
        self.special_tokens = {token: self._ids[token] for token in special if token in self._ids}

    @property
    def vocabulary_size(self) -> int:
        return len(self.tokens)

    def encode(self, text: str) -> np.ndarray:
        """The ids of a text, (T,) int64, without [CLS] and [SEP]."""
        ids = [id_ for word in self._words(text) for id_ in self._pieces(word)]
        return np.array(ids, np.int64)

    def encode_pair(self, first: str, second: str | None = None, *, longest: int | None = None):
        """[CLS] first [SEP], and second [SEP] if there is one: ids (T,) and segments (T,), at most `longest`."""
        marks = self.special_tokens
        ids = [marks["[CLS]"], *self.encode(first).tolist(), marks["[SEP]"]]
        segments = [0] * len(ids)
        if second is not None:
            more = [*self.encode(second).tolist(), marks["[SEP]"]]
            ids, segments = ids + more, segments + [1] * len(more)
        if longest is not None and len(ids) > longest:
            ids, segments = [*ids[: longest - 1], marks["[SEP]"]], segments[:longest]
        return np.array(ids, np.int64), np.array(segments, np.int64)

    def decode(self, ids: Any) -> str:
        """The pieces put together, with a space between words."""
        words = [self.tokens[id_] for id_ in check_ids(ids, self.vocabulary_size)]
        return " ".join(words).replace(" ##", "")

    @classmethod
    def from_file(cls, path: str | Path, *, lower_case: bool = True) -> "WordPieceTokenizer":
        """The tokenizer of a vocab.txt, one token a line."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{path} could not be read as a vocabulary ({error}); fetch the model again") from error
        return cls(text.removesuffix("\n").split("\n"), lower_case=lower_case)

    def _words(self, text: str) -> list[str]:
        """Words and single signs."""
        text = "".join(_spaced(character) for character in text)
        if self.lower_case:
            text = unicodedata.normalize("NFD", text.lower())
            text = "".join(character for character in text if unicodedata.category(character) != "Mn")
        return "".join(f" {c} " if _is_sign(c) else c for c in text).split()

    def _pieces(self, word: str) -> list[int]:
        """The longest piece from the left, again and again; [UNK] if there is none somewhere."""
        unknown = [self.special_tokens["[UNK]"]]
        if len(word) > LONGEST_WORD:
            return unknown
        ids, start = [], 0
        while start < len(word):
            mark = "##" if start else ""
            end = next((e for e in range(len(word), start, -1) if mark + word[start:e] in self._ids), None)
            if end is None:
                return unknown
            ids.append(self._ids[mark + word[start:end]])
            start = end
        return ids


def _spaced(character: str) -> str:
    """White space as a space, control characters as nothing, ideographs between spaces."""
    if character in "\t\n\r" or unicodedata.category(character) == "Zs":
        return " "
    code = ord(character)
    if code in (0, 0xFFFD) or unicodedata.category(character).startswith("C"):
        return ""
    return f" {character} " if any(first <= code <= last for first, last in IDEOGRAPHS) else character


def _is_sign(character: str) -> bool:
    """Punctuation; also those signs of ASCII that Unicode counts elsewhere, such as $ and ^."""
    code = ord(character)
    ascii_sign = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
    return ascii_sign or unicodedata.category(character).startswith("P")
