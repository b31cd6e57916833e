"""WordPiece, BERT's tokenizer: words and signs first, then each word as the longest pieces that the vocabulary has.

Devlin et al. (2018), arXiv:1810.04805; Wu et al. (2016), arXiv:1609.08144, section 4.1. A piece inside a word is
written with ## before it. Unlike byte-pair encoding it forgets: white space, and for uncased models case and accents.
"""

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import regex

from minigpt.errors import UserError
from minigpt.files import read_text, write_json
from minigpt.text.added import AddedToken, AddedTokens, read_added_tokens
from minigpt.text.vocabulary import STRINGS, as_unicode, check_ids
from minigpt.values import FLAG, LIST, read

MARKS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")  # of which a vocabulary may lack the last
CLEAN_UP = {  # what is written without the space that stands between words
    **{f" {sign}": sign for sign in (".", "?", "!", ",")},
    " ' ": "'",
    **{f" {end}": end for end in ("n't", "'m")},
    " do not": " don't",
    **{f" {end}": end for end in ("'s", "'ve", "'re")},
}
LONGEST_WORD = 100  # characters; a longer one is unknown
CONTROL = {"Cc", "Cf", "Co", "Cs"}  # Unicode's categories of what is no character to see
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
    """A vocabulary of whole words and of ## pieces, with [UNK], [CLS], [SEP], [PAD] and [MASK].

    The settings are those of Hugging Face's `BertNormalizer`.
    """

    kind: ClassVar[str] = "word_piece"
    end_of_text: ClassVar[None] = None  # BERT reads pieces of text and ends each with [SEP]

    def __init__(
        self,
        vocabulary: Sequence[str],
        *,
        lower_case: bool = True,
        strip_accents: bool | None = None,
        handle_chinese_chars: bool = True,
        clean_text: bool = True,
        clean_up: bool = False,
        added: Sequence[AddedToken] | None = None,
    ):
        """vocabulary: words and pieces in the order of their ids. lower_case: of "uncased" models.

        strip_accents: as `lower_case` unless given. handle_chinese_chars: each is a word. clean_text: without control
        characters. clean_up: decoded text has no space before signs and the ends of contractions. added: the tokens
        that stand for themselves, some of the vocabulary, some with the ids that follow; those in square brackets above
        unless given.
        """
        self.vocabulary, self.lower_case, self.strip_accents = list(vocabulary), lower_case, strip_accents
        self.handle_chinese_chars, self.clean_text, self.clean_up = handle_chinese_chars, clean_text, clean_up
        self._ids = {token: id_ for id_, token in enumerate(self.vocabulary)}
        missing = [token for token in MARKS[:4] if token not in self._ids]
        if missing:
            raise UserError(f"the vocabulary has no {missing[0]}; is it that of a BERT model?")
        if added is None:
            added = [AddedToken(mark, self._ids[mark], special=True) for mark in MARKS if mark in self._ids]
        self._added = AddedTokens(added, self._normalize)
        further = [token for token in sorted(added, key=lambda token: token.id) if token.content not in self._ids]
        self.tokens = self.vocabulary + [token.content for token in further]  # id -> token
        wrong = [token for token in added if self.tokens[token.id : token.id + 1] != [token.content]]
        if wrong:
            raise UserError(
                f"the added token {wrong[0].content!r:.50} has the id {wrong[0].id}, which is not its place"
            )

    @property
    def vocabulary_size(self) -> int:
        return len(self.tokens)

    @property
    def special_tokens(self) -> dict[str, int]:
        return self._added.special

    @property
    def added_tokens(self) -> tuple[AddedToken, ...]:
        """The tokens that stand for themselves in a text, special or not."""
        return self._added.tokens

    def encode(self, text: str | bytes, *, allow_special: bool = False) -> np.ndarray:
        """The ids of a text, (T,) int64, without [CLS] and [SEP] around it.

        Special tokens in it are plain text unless `allow_special`.
        """
        ids: list[int] = []
        for part in self._added.split(as_unicode(text), allow_special=allow_special):
            if isinstance(part, AddedToken):
                ids.append(part.id)
            else:
                ids += [id_ for word in _words(part) for id_ in self._pieces(word)]
        return np.array(ids, np.int64)

    def encode_pair(
        self, first: str, second: str | None = None, *, longest: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """[CLS] first [SEP], and second [SEP] if there is one: ids (T,) and segments (T,), at most `longest`."""
        begin, end = self._ids["[CLS]"], self._ids["[SEP]"]
        ids = [begin, *self.encode(first).tolist(), end]
        segments = [0] * len(ids)
        if second is not None:
            more = [*self.encode(second).tolist(), end]
            ids, segments = ids + more, segments + [1] * len(more)
        if longest is not None and len(ids) > longest:
            ids, segments = [*ids[: longest - 1], end], segments[:longest]
        return np.array(ids, np.int64), np.array(segments, np.int64)

    def decode(self, ids: Any) -> str:
        """The pieces put together, with a space between words."""
        text = ""
        for id_ in check_ids(ids, self.vocabulary_size):
            token = self.tokens[id_]
            part = token if not text else token.removeprefix("##") if token.startswith("##") else f" {token}"
            text += _cleaned_up(part) if self.clean_up else part
        return text

    def decode_bytes(self, ids: Any) -> bytes:
        """The same in UTF-8."""
        return self.decode(ids).encode("utf-8")

    def save(self, path: str | Path) -> None:
        """Write the tokenizer as JSON, for `load_tokenizer`."""
        settings = ("kind", "lower_case", "strip_accents", "handle_chinese_chars", "clean_text", "clean_up")
        value = {name: getattr(self, name) for name in settings}
        write_json(path, {**value, "added_tokens": self._added.to_json(), "vocabulary": self.vocabulary})

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "WordPieceTokenizer":
        """The tokenizer that `save` wrote; `UserError` if the parts do not agree."""
        settings = {name: read(value, name, FLAG) for name in ("lower_case", "handle_chinese_chars", "clean_text")}
        settings["clean_up"] = read(value, "clean_up", FLAG, False)  # older files have no such setting
        strip = read(value, "strip_accents", FLAG.or_none())
        added = read_added_tokens(read(value, "added_tokens", LIST))
        return cls(read(value, "vocabulary", STRINGS), strip_accents=strip, added=added, **settings)

    def _normalize(self, text: str) -> str:
        """What is the same for the model: white space, and for uncased models case and accents."""
        if self.clean_text:
            text = "".join(map(_clean, text))
        if self.handle_chinese_chars:
            text = "".join(f" {c} " if _is_ideograph(c) else c for c in text)
        if self.lower_case if self.strip_accents is None else self.strip_accents:
            text = "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")
        if self.lower_case:
            text = "".join(c.lower() for c in text)  # one by one, so a sigma at the end of a word is like any other
        return text

    def _pieces(self, word: str) -> list[int]:
        """The longest piece from the left, again and again; [UNK] if there is none somewhere."""
        unknown = [self._ids["[UNK]"]]
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


def _cleaned_up(part: str) -> str:
    """A decoded piece without the space that no English text has there; the rules are those of `tokenizers`."""
    for spaced, joined in CLEAN_UP.items():
        part = part.replace(spaced, joined)
    return part


def read_lines(path: str | Path) -> list[str]:
    """The vocabulary in a vocab.txt, one token a line, without the white space after it."""
    return [line.rstrip() for line in read_text(path).removesuffix("\n").split("\n")]


def _words(text: str) -> list[str]:
    """Words and single signs."""
    text = "".join(f" {c} " if _is_sign(c) else c for c in text)
    return [word for word in regex.split(r"\s+", text) if word]


def _clean(character: str) -> str:
    """White space as a space, control characters and U+FFFD as nothing."""
    if character in "\t\n\r":
        return " "
    if character == "\ufffd" or unicodedata.category(character) in CONTROL:
        return ""
    return " " if character.isspace() else character


def _is_ideograph(character: str) -> bool:
    return any(first <= ord(character) <= last for first, last in IDEOGRAPHS)


def _is_sign(character: str) -> bool:
    """Punctuation; also those signs of ASCII that Unicode counts elsewhere, such as $ and ^."""
    code = ord(character)
    ascii_sign = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
    return ascii_sign or unicodedata.category(character).startswith("P")
