"""Tokens that were added to a vocabulary by hand, each of which stands for itself in a text.

The settings and the search are those of Hugging Face's `tokenizers` (`added_vocabulary.rs`).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import regex

from minigpt.errors import UserError
from minigpt.text.vocabulary import UNICODE
from minigpt.values import FLAG, TABLE, Kind, shown, whole

SPACE = regex.compile(r"\s")
WORD = regex.compile(r"\w")


class AddedToken(NamedTuple):
    """One token and where it is found."""

    content: str
    id: int
    special: bool = False  # found only where special tokens are allowed, else plain text
    lstrip: bool = False  # takes the white space before it along
    rstrip: bool = False  # takes the white space after it along
    single_word: bool = False  # not found inside of a word
    normalized: bool = False  # looked for in the normalized text, after the others


CONTENT = Kind("a string of Unicode text that is not empty", lambda value: UNICODE.fits(value) and value != "")
KINDS = {"content": CONTENT, "id": whole(0)} | dict.fromkeys(AddedToken._fields[2:], FLAG)  # of each field


class AddedTokens:
    """The added tokens of a vocabulary, and where they stand in a text: the first one, of several the longest."""

    def __init__(self, tokens: Sequence[AddedToken], normalize: Callable[[str], str] = str):
        """normalize: what the tokenizer does to a text first; nothing unless given."""
        self.tokens = tuple(tokens)
        self._normalize = normalize
        as_written = {token.content: token for token in tokens if not token.normalized}
        normalized = {normalize(token.content): token for token in tokens if token.normalized}
        if "" in as_written or "" in normalized or len(as_written) + len(normalized) < len(tokens):
            raise UserError("an added token is empty or there twice, or becomes so when it is normalized")
        self._as_written, self._normalized = _Search(as_written), _Search(normalized)

    @property
    def special(self) -> dict[str, int]:
        """The special ones and their ids."""
        return {token.content: token.id for token in self.tokens if token.special}

    def split(self, text: str, *, allow_special: bool) -> Iterator[str | AddedToken]:
        """Ordinary text, normalized, and added tokens, in the order of the text."""
        for part in self._as_written.split(text, allow_special):
            if isinstance(part, str):
                yield from self._normalized.split(self._normalize(part), allow_special)
            else:
                yield part

    def to_json(self) -> list[dict[str, Any]]:
        """For `read_added_tokens`."""
        return [token._asdict() for token in self.tokens]


class _Search:
    """Tokens by the text that is looked for."""

    def __init__(self, tokens: dict[str, AddedToken]):
        self.tokens = tokens
        longest_first = sorted(tokens, key=len, reverse=True)
        self.pattern = regex.compile("|".join(map(regex.escape, longest_first)))

    def split(self, text: str, allow_special: bool) -> Iterator[str | AddedToken]:
        """Text between the tokens, and the tokens."""
        done = 0  # of text
        for match in self.pattern.finditer(text) if self.tokens else ():
            token, (start, end) = self.tokens[match.group()], match.span()
            if (token.special and not allow_special) or (token.single_word and _inside_word(text, start, end)):
                continue
            if token.lstrip:
                start = max(done, _spaces_before(text, start))
            while token.rstrip and end < len(text) and SPACE.match(text[end]):
                end += 1
            if start > done:
                yield text[done:start]
            if start < end:  # else all of it is white space that the token before it took along
                yield token
            done = max(done, end)
        if done < len(text):
            yield text[done:]


def _spaces_before(text: str, end: int) -> int:
    """Where the white space that ends at `end` begins."""
    while end and SPACE.match(text[end - 1]):
        end -= 1
    return end


def _inside_word(text: str, start: int, end: int) -> bool:
    """Whether the text before `start` ends with a letter or digit, or that from `end` begins with one."""
    return bool((start > 0 and WORD.match(text[start - 1])) or (end < len(text) and WORD.match(text[end])))


def read_added_tokens(value: Any) -> list[AddedToken]:
    """The tokens of a JSON list of objects with the fields of `AddedToken`; a setting that is not there is false."""
    if not isinstance(value, list):
        raise UserError("its added_tokens are damaged: they are no list")
    return [_read_added_token(fields) for fields in value]


def _read_added_token(fields: Any) -> AddedToken:
    if not TABLE.fits(fields) or not {"id", "content"} <= fields.keys():
        raise UserError(f"its added_tokens are damaged: {shown(fields)} is no token")
    for name, said in fields.items():
        wanted = KINDS.get(name)
        if wanted is None or not wanted.fits(said):
            expected = f"; it must be {wanted.wanted}" if wanted else ""
            raise UserError(f"its added_tokens are damaged or not supported: {name} = {shown(said)}{expected}")
    return AddedToken(**fields)
