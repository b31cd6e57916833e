"""Byte-level byte-pair encoding: GPT-2's tokenizer, written by hand.

Radford et al. (2019), "Language Models are Unsupervised Multitask Learners", section 2.2, after
Sennrich, Haddow & Birch (2016), arXiv:1508.07909. Three steps:

1. Split the text into pieces, roughly words with the space before them, so that no token spans two words.
2. Take each piece as its bytes in UTF-8: 256 first tokens, and no text that has no token.
3. Merge neighbours into longer tokens, in the order in which the merges were learnt (`bpe_train.py`).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import regex

from minigpt.errors import UserError
from minigpt.files import write_json
from minigpt.text.bpe_train import Pair, learn_merges
from minigpt.text.printable import spell, spell_merges, unspell, unspell_merges
from minigpt.text.vocabulary import (
    END_OF_TEXT,
    UNICODE,
    as_documents,
    as_unicode,
    check_ids,
    check_special_tokens,
    number_special_tokens,
    split_at_special,
)
from minigpt.values import FLAG, LIST, Kind, read

# An English contraction; letters, digits or other signs, each with one space before them if there is one; white space
# but for the last character before a word (that one space goes with the word); white space at the end.
GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
EVERY_BYTE = bytes(range(256))


class BytePairTokenizer:
    """Ids 0 to 255 are the bytes, then comes one token for each merge, in order, then the special tokens.

    Encoding loses nothing: `decode_bytes(encode(data)) == data` for any bytes whatever. `BytePairTokenizer.train`
    learns the merges of a text.

    Parameters
    ----------
    merges : sequence of (bytes, bytes)
        The pairs to merge, first learnt first.
    special_tokens : dict of str to int, optional
        `<|endoftext|>` alone unless given.
    byte_order : bytes
        The 256 bytes in the order of their ids (GPT-2 has an order of its own).
    digits_alone : bool
        Every digit is a piece of its own, as in SmolLM2.

    Examples
    --------
    >>> tokenizer = minigpt.BytePairTokenizer.train(["the cat and the hat"], 259)
    >>> tokenizer.merges
    [(b'a', b't'), (b'h', b'e')]
    >>> tokenizer.encode("hat").tolist(), tokenizer.decode([104, 257])
    ([104, 256], 'hhe')
    """

    kind: ClassVar[str] = "byte_pair"

    def __init__(
        self,
        merges: Sequence[tuple[bytes, bytes]],
        special_tokens: dict[str, int] | None = None,
        byte_order: bytes = EVERY_BYTE,
        digits_alone: bool = False,
    ):
        """`merges`: the pairs to merge, first learnt first. `special_tokens`: `<|endoftext|>` alone unless given.

        `byte_order`: the 256 bytes in the order of their ids (GPT-2 has an order of its own). `digits_alone`: every
        digit is a piece of its own, as in SmolLM2.
        """
        if len(byte_order) != 256 or set(byte_order) != set(EVERY_BYTE):
            raise UserError(f"the order of bytes must hold each of the 256 bytes once; got {byte_order!r:.50}")
        self.merges = list(merges)
        self.byte_order, self.digits_alone = byte_order, digits_alone
        self._tokens = [bytes([byte]) for byte in byte_order]  # id -> bytes
        self._merged_id = self._number_merges()  # (left id, right id) -> id of the two as one token
        if special_tokens is None:
            special_tokens = {END_OF_TEXT: len(self._tokens)}
        check_special_tokens(special_tokens, len(self._tokens))
        self.special_tokens = dict(special_tokens)
        self._tokens += [token.encode() for token in sorted(self.special_tokens, key=self.special_tokens.__getitem__)]
        self._byte_ids = bytes(map(byte_order.index, EVERY_BYTE))  # byte -> id, as a table for bytes.translate

    def _number_merges(self) -> dict[Pair, int]:
        """Append the token of each merge to `_tokens`; the id of each pair's merger."""
        ids = {token: id_ for id_, token in enumerate(self._tokens)}
        merged_id: dict[Pair, int] = {}
        for left, right in self.merges:
            if left not in ids or right not in ids or left + right in ids:
                raise UserError(
                    f"merge {len(merged_id)}, {left!r} + {right!r}, must join two earlier tokens into a new one; "
                    "the merges are damaged or out of order"
                )
            merged_id[ids[left], ids[right]] = ids[left + right] = len(ids)
            self._tokens.append(left + right)
        return merged_id

    @classmethod
    def train(
        cls,
        documents: Iterable[str],
        vocabulary_size: int,
        *,
        special_tokens: Sequence[str] = (),
        at_most: bool = False,
        progress: bool = False,
    ) -> "BytePairTokenizer":
        """Learn the merges of a vocabulary of that size from `documents`.

        It holds the 256 bytes, the merges, `<|endoftext|>` and the further `special_tokens`, in that order. `progress`
        shows a bar. A text that has too few pairs for so many tokens gives fewer if `at_most`, else a `UserError`.
        """
        merge_count = vocabulary_size - 257 - len(special_tokens)
        numbered = number_special_tokens(special_tokens, 256 + merge_count)
        if merge_count < 0:
            raise UserError(
                f"a byte-pair vocabulary holds 256 bytes and {', '.join(numbered)}, so at least "
                f"{256 + len(numbered)} tokens, not {vocabulary_size}; ask for {256 + len(numbered)} or more"
            )
        counts: Counter[str] = Counter()
        for document in as_documents(documents):
            counts.update(regex.findall(GPT2_PATTERN, document))
        pieces = {piece.encode(): count for piece, count in counts.items()}
        tokens = [bytes([byte]) for byte in EVERY_BYTE]
        merges = []
        learned = learn_merges(pieces, merge_count, special_count=len(numbered), at_most=at_most, progress=progress)
        for left, right in learned:
            merges.append((tokens[left], tokens[right]))
            tokens.append(tokens[left] + tokens[right])
        return cls(merges, number_special_tokens(special_tokens, 256 + len(merges)))

    @property
    def vocabulary_size(self) -> int:
        return len(self._tokens)

    @property
    def end_of_text(self) -> int:
        return self.special_tokens[END_OF_TEXT]

    def encode(self, text: str | bytes, *, allow_special: bool = False) -> np.ndarray:
        """The ids of `text`, (T,) int64. Bytes may be any bytes; a lone surrogate in a str becomes U+FFFD.

        Special tokens in the text are plain text unless `allow_special`.
        """
        text = as_unicode(text)
        ids: list[int] = []
        known: dict[str, list[int]] = {}  # words repeat: each distinct piece is merged once a call
        for place, part in enumerate(split_at_special(text, self.special_tokens) if allow_special else [text]):
            ids += [self.special_tokens[part]] if place % 2 else self._encode_ordinary(part, known)
        return np.array(ids, dtype=np.int64)

    def _encode_ordinary(self, text: str, known: dict[str, list[int]]) -> list[int]:
        """The ids of `text` without special tokens; `known` holds the ids of pieces met before."""
        rest = b""
        try:
            text.encode()
        except UnicodeEncodeError as error:  # a surrogate: a byte that is not UTF-8
            text, rest = text[: error.start], text[error.start :].encode("utf-8", "surrogateescape")
        ids: list[int] = []
        start = 0  # of the last piece in ids
        for piece in self._split(text):
            if piece not in known:
                known[piece] = self._merge(piece.encode())
            start = len(ids)
            ids += known[piece]
        return self._merge_broken(ids, start, rest) if rest else ids

    def _split(self, text: str) -> list[str]:
        """The text in pieces, none of which a token may leave."""
        if not self.digits_alone:
            return regex.findall(GPT2_PATTERN, text)
        parts = regex.split(r"(\p{N})", text)
        return [piece for part in parts for piece in regex.findall(GPT2_PATTERN, part)]

    def _merge_broken(self, ids: list[int], start: int, rest: bytes) -> list[int]:
        """`ids` and then `rest`, which begins with a byte that is not UTF-8; the last piece in `ids` begins at `start`.

        The pattern reads characters and there are none, so, as in tiktoken, the last piece and all of `rest` are one
        piece; and if that piece begins with a token of white space, so are such tokens before it.
        """
        if start < len(ids) and self._is_space(ids[start]):
            while start > 0 and self._is_space(ids[start - 1]):
                start -= 1
        return ids[:start] + self._merge(self.decode_bytes(ids[start:]) + rest)

    def _is_space(self, id_: int) -> bool:
        return not self._tokens[id_].strip(b" \n\t")

    def _merge(self, piece: bytes) -> list[int]:
        """The ids of one piece: always merge the pair that was learnt first, of equal ones the leftmost.

        n bytes take O(n log n): a heap holds the pairs that may merge, and a linked list the tokens that are left.
        """
        merged_id = self._merged_id
        ids = [*piece.translate(self._byte_ids), -1]  # the last has no right neighbour
        previous = list(range(-1, len(piece)))  # the first has none before it: ids[-1] is that -1 too
        following = list(range(1, len(piece) + 1))
        heap = [(merged_id[pair], i) for i, pair in enumerate(pairwise(ids)) if pair in merged_id]
        heapify(heap)
        while heap:
            new, i = heappop(heap)
            j = following[i]
            if merged_id.get((ids[i], ids[j])) != new:
                continue  # one of the two was merged with another neighbour
            ids[i], ids[j] = new, -1
            left, right = previous[i], following[j]
            following[i], previous[right] = right, i
            for place, pair in ((left, (ids[left], new)), (i, (new, ids[right]))):
                if pair in merged_id:
                    heappush(heap, (merged_id[pair], place))
        return [id_ for id_ in ids if id_ >= 0]

    def decode_bytes(self, ids: Any) -> bytes:
        """The bytes of `ids`, a row of integers; `UserError` for an id that does not exist."""
        return b"".join(map(self._tokens.__getitem__, check_ids(ids, self.vocabulary_size)))

    def decode(self, ids: Any) -> str:
        """The text of `ids`; bytes that are not UTF-8, such as half a character, become U+FFFD."""
        return self.decode_bytes(ids).decode("utf-8", "replace")

    def save(self, path: str | Path) -> None:
        """Write the tokenizer as JSON, for `load_tokenizer`; bytes are spelled as in `printable.py`."""
        value = {
            "kind": self.kind,
            "byte_order": spell(self.byte_order),
            "digits_alone": self.digits_alone,
            "special_tokens": self.special_tokens,
            "merges": spell_merges(self.merges),
        }
        write_json(path, value)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "BytePairTokenizer":
        """The tokenizer that `save` wrote; `UserError` if the parts do not agree."""
        order, merges = read(value, "byte_order", UNICODE), read(value, "merges", LIST)
        special_tokens = read(value, "special_tokens", Kind("ids by token", lambda said: said is not None))
        digits_alone = read(value, "digits_alone", FLAG, False)  # false in files that are older than the setting
        try:
            byte_order = unspell(order)
        except KeyError as error:
            raise UserError(f"its byte_order holds {error}, which spells no byte") from None
        return cls(unspell_merges(merges), special_tokens, byte_order, digits_alone=digits_alone)
