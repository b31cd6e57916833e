"""Byte-pair tokenizers whose ids are in another order, as those inside of published models."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from minigpt.errors import UserError
from minigpt.files import write_json
from minigpt.text.added import AddedToken, AddedTokens, read_added_tokens
from minigpt.text.bpe import BytePairTokenizer
from minigpt.text.printable import GPT2_BYTE_ORDER, spell, spell_merges, unspell, unspell_merges
from minigpt.text.vocabulary import STRINGS, as_unicode, check_ids
from minigpt.values import FLAG, LIST, read, whole

ENDS = ("<|endoftext|>", "</s>", "<|im_end|>")  # how families call the end of a text


class NumberedTokenizer:
    """A `BytePairTokenizer` and the numbers that a file gives its tokens."""

    kind: ClassVar[str] = "numbered"

    def __init__(
        self, inner: BytePairTokenizer, tokens: Sequence[str], added: Sequence[AddedToken], end_of_text: int | None
    ):
        """tokens: as spelled in the file, in the order of their ids. added: those that stand for themselves in a text.

        end_of_text: the id that stands between two documents; None if there is none.
        """
        ids = {token: id_ for id_, token in enumerate(tokens)}
        _check_added(added, ids)
        check_end_of_text(end_of_text, len(tokens))
        self.inner, self.tokens, self.end_of_text = inner, list(tokens), end_of_text
        self.chat_template: Any = None  # as the files of a model have it, for `chat_tokens`; not saved
        self._added = AddedTokens(added)
        ordinary = [bytes([byte]) for byte in inner.byte_order] + [a + b for a, b in inner.merges]
        self._numbers = np.array([ids.get(spell(token), -1) for token in ordinary])
        missing = [token for token, number in zip(ordinary[256:], self._numbers[256:], strict=True) if number < 0]
        if missing:
            raise UserError(f"a merge makes {missing[0]!r:.50}, which has no id; they do not belong together")
        self._bytes = [_bytes(token) for token in tokens]  # id -> bytes
        for token in added:
            self._bytes[token.id] = token.content.encode()

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
        """The ids of `text`, (T,) int64. Special tokens in it are plain text unless `allow_special`.

        Bytes that the file has no token for are left out, as by the original; SmolLM2 lacks some control characters.
        """
        ids = [np.zeros(0, np.int64)]
        for part in self._added.split(as_unicode(text), allow_special=allow_special):
            if isinstance(part, AddedToken):
                ids.append(np.array([part.id]))
            else:
                ids.append(self._numbers[self.inner.encode(part.encode("utf-8", "surrogateescape"))])
        found = np.concatenate(ids)
        return found[found >= 0]

    def decode_bytes(self, ids: Any) -> bytes:
        """The bytes of `ids`, a row of integers."""
        return b"".join(map(self._bytes.__getitem__, check_ids(ids, self.vocabulary_size)))

    def decode(self, ids: Any) -> str:
        """The text of `ids`; bytes that are not UTF-8 become U+FFFD."""
        return self.decode_bytes(ids).decode("utf-8", "replace")

    def save(self, path: str | Path) -> None:
        """Write the tokenizer as JSON, for `load_tokenizer`."""
        value = {
            "kind": self.kind,
            "digits_alone": self.inner.digits_alone,
            "end_of_text": self.end_of_text,
            "added_tokens": self._added.to_json(),
            "tokens": self.tokens,
            "merges": spell_merges(self.inner.merges),
        }
        write_json(path, value)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "NumberedTokenizer":
        """The tokenizer that `save` wrote; `UserError` if the parts do not agree."""
        merges = unspell_merges(read(value, "merges", LIST))
        inner = BytePairTokenizer(merges, None, GPT2_BYTE_ORDER, digits_alone=read(value, "digits_alone", FLAG, False))
        added = read_added_tokens(read(value, "added_tokens", LIST))
        return cls(inner, read(value, "tokens", STRINGS), added, read(value, "end_of_text", whole(0).or_none()))


def _check_added(added: Sequence[AddedToken], ids: Mapping[str, int]) -> None:
    """`UserError` unless the added tokens have the ids of the vocabulary."""
    for token in added:
        if ids.get(token.content) != token.id:
            raise UserError(
                f"the added token {token.content!r:.50} has the id {token.id}, but in the vocabulary "
                f"{ids.get(token.content, 'none')}; they do not belong together"
            )


def check_end_of_text(id_: Any, vocabulary_size: int) -> None:
    """`UserError` unless `id_` is the id of a token or None."""
    if id_ is not None and (type(id_) is not int or not 0 <= id_ < vocabulary_size):
        raise UserError(f"the end of text has the id {id_!r:.50}, but there are {vocabulary_size} tokens")


def _bytes(token: str) -> bytes:
    """What a token of the file stands for; one that is not in GPT-2's spelling stands for itself."""
    try:
        return unspell(token)
    except KeyError:
        return token.encode("utf-8", "replace")


def in_order(vocabulary: Mapping[str, int]) -> list[str]:
    """The tokens in the order of their ids, which must be 0, 1, 2 and so on."""
    wrong = next((token for token in vocabulary if as_unicode(token) != token), None)
    if wrong is not None:
        raise UserError(f"its token {wrong!r:.50} is not Unicode text; the file is damaged")
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    ids = [vocabulary[token] for token in tokens]
    if ids != list(range(len(tokens))):
        place = next(place for place, id_ in enumerate(ids) if id_ != place)
        fault = f"no token has the id {place}, a gap" if ids[place] > place else f"two have the id {ids[place]}"
        if ids[place] < 0:
            fault = f"{tokens[place]!r:.50} has the id {ids[place]}"
        raise UserError(f"its {len(tokens)} ids are not 0 to {len(tokens) - 1}, each once: {fault}")
    return tokens


def end_of_text_in(added: Sequence[AddedToken]) -> int | None:
    """The id of the added token that ends a text, by its usual names; None if there is none."""
    ids = {token.content: token.id for token in added}
    return next((ids[name] for name in ENDS if name in ids), None)


def numbered_tokenizer(
    vocabulary: Mapping[str, int],
    merges: Sequence[str],
    added: Sequence[AddedToken],
    *,
    digits_alone: bool = False,
    end_of_text: int | None = None,
) -> NumberedTokenizer:
    """Byte-pair encoding whose ids are those of `vocabulary`. merges: two spelled tokens a line, a space between.

    added: tokens of the vocabulary that stand for themselves in a text. end_of_text: found by its name unless given.
    """
    inner = BytePairTokenizer(unspell_merges(merges), None, GPT2_BYTE_ORDER, digits_alone=digits_alone)
    end = end_of_text_in(added) if end_of_text is None else end_of_text
    return NumberedTokenizer(inner, in_order(vocabulary), added, end)
