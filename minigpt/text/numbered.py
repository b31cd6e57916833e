"""Byte-pair tokenizers whose ids are in another order, as those inside of GGUF files."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.text.bpe import BytePairTokenizer
from minigpt.text.printable import GPT2_BYTE_ORDER, spell, unspell_merges
from minigpt.text.vocabulary import check_ids, split_at_special

SPECIAL_KINDS = (3, 4)  # token_type in GGUF: control, user-defined
SPLITS = {"gpt-2": False, "gpt2": False, "smollm": True}  # tokenizer.ggml.pre -> whether digits stand alone


class NumberedTokenizer:
    """A `BytePairTokenizer` and the numbers that a file gives its tokens."""

    def __init__(self, inner: BytePairTokenizer, tokens: Sequence[str], special: Sequence[str], end_of_text: int):
        """tokens: as spelled in the file, in the order of their ids. special: those that are no text."""
        ids = {token: id_ for id_, token in enumerate(tokens)}
        self.inner, self.tokens, self.end_of_text = inner, list(tokens), end_of_text
        self.special_tokens = {token: ids[token] for token in special}
        ordinary = [bytes([byte]) for byte in inner.byte_order] + [a + b for a, b in inner.merges]
        self._numbers = np.array([ids.get(spell(token), -1) for token in ordinary])
        self._bytes: dict[int, bytes] = {id_: token.encode() for token, id_ in self.special_tokens.items()}
        self._bytes |= {int(n): token for n, token in zip(self._numbers, ordinary, strict=True) if n >= 0}

    @property
    def vocabulary_size(self) -> int:
        return len(self.tokens)

    def encode(self, text: str, *, allow_special: bool = False) -> np.ndarray:
        """The ids of `text`, (T,) int64. Special tokens in it are plain text unless `allow_special`."""
        parts = split_at_special(text, self.special_tokens) if allow_special else [text]
        ids = [
            np.array([self.special_tokens[part]]) if place % 2 else self._numbers[self.inner.encode(part)]
            for place, part in enumerate(parts)
        ]
        found = np.concatenate(ids).astype(np.int64)
        if (found < 0).any():
            raise UserError("the text holds a byte that this tokenizer has no token for; is it UTF-8?")
        return found

    def decode_bytes(self, ids: Any) -> bytes:
        """The bytes of `ids`, a row of integers."""
        return b"".join(self._bytes.get(id_, b"") for id_ in check_ids(ids, self.vocabulary_size))

    def decode(self, ids: Any) -> str:
        """The text of `ids`; bytes that are not UTF-8 become U+FFFD."""
        return self.decode_bytes(ids).decode("utf-8", "replace")


def tokenizer_of_gguf(metadata: dict[str, Any]) -> NumberedTokenizer:
    """The tokenizer inside of a GGUF file. `UserError` if it is of a kind that is not supported, or damaged."""
    kind, split = metadata.get("tokenizer.ggml.model"), metadata.get("tokenizer.ggml.pre", "gpt-2")
    if kind != "gpt2" or split not in SPLITS:
        raise UserError(
            f"the tokenizer {kind!r} with the split {split!r} is not supported; gpt2 with {list(SPLITS)} is"
        )
    tokens, merges, kinds = (_list(metadata, part) for part in ("tokens", "merges", "token_type"))
    if not tokens or not all(isinstance(item, str) for item in tokens + merges) or len(kinds) != len(tokens):
        raise UserError("the tokenizer's tokens, merges or token types are missing or damaged; fetch the model again")
    special = [token for token, of in zip(tokens, kinds, strict=True) if of in SPECIAL_KINDS]
    inner = BytePairTokenizer(unspell_merges(merges), None, GPT2_BYTE_ORDER, digits_alone=SPLITS[split])
    end = metadata.get("tokenizer.ggml.eos_token_id", 0)
    return NumberedTokenizer(inner, tokens, special, end if isinstance(end, int) else 0)


def _list(metadata: dict[str, Any], part: str) -> list[Any]:
    value = metadata.get(f"tokenizer.ggml.{part}")
    return value if isinstance(value, list) else []
