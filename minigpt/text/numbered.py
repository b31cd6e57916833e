"""Byte-pair tokenizers whose ids are in another order, as those inside of GGUF files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.files import read_json
from minigpt.text.bpe import BytePairTokenizer
from minigpt.text.gpt2_files import is_vocabulary, read_merges
from minigpt.text.printable import GPT2_BYTE_ORDER, spell, spell_merges, unspell_merges
from minigpt.text.vocabulary import check_ids, split_at_special

ENDS = ("<|endoftext|>", "</s>", "<|im_end|>")  # how families call the end of a text
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
        missing = [token for token, number in zip(ordinary[256:], self._numbers[256:], strict=True) if number < 0]
        if missing:
            raise UserError(f"a merge makes {missing[0]!r:.50}, which has no id; they do not belong together")
        self._bytes: dict[int, bytes] = {id_: token.encode() for token, id_ in self.special_tokens.items()}
        self._bytes |= {int(n): token for n, token in zip(self._numbers, ordinary, strict=True) if n >= 0}

    @property
    def vocabulary_size(self) -> int:
        return len(self.tokens)

    def encode(self, text: str, *, allow_special: bool = False) -> np.ndarray:
        """The ids of `text`, (T,) int64. Special tokens in it are plain text unless `allow_special`.

        Bytes that the file has no token for are left out, as by the original; SmolLM2 lacks some control characters.
        """
        parts = split_at_special(text, self.special_tokens) if allow_special else [text]
        ids = [
            np.array([self.special_tokens[part]]) if place % 2 else self._numbers[self.inner.encode(part)]
            for place, part in enumerate(parts)
        ]
        found = np.concatenate(ids).astype(np.int64)
        return found[found >= 0]

    def decode_bytes(self, ids: Any) -> bytes:
        """The bytes of `ids`, a row of integers."""
        return b"".join(self._bytes.get(id_, b"") for id_ in check_ids(ids, self.vocabulary_size))

    def decode(self, ids: Any) -> str:
        """The text of `ids`; bytes that are not UTF-8 become U+FFFD."""
        return self.decode_bytes(ids).decode("utf-8", "replace")


def in_order(vocabulary: dict[str, int]) -> list[str]:
    """The tokens in the order of their ids, which must be 0, 1, 2 and so on."""
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    if [vocabulary[token] for token in tokens] != list(range(len(tokens))):
        raise UserError(f"its {len(tokens)} ids are not 0 to {len(tokens) - 1}, each once; the file is damaged")
    return tokens


def numbered_tokenizer(
    vocabulary: dict[str, int], merges: list[str], added: list[str], *, digits_alone: bool = False
) -> NumberedTokenizer:
    """Byte-pair encoding whose ids are those of `vocabulary`. merges: two spelled tokens a line, a space between.

    added: tokens of the vocabulary that no merge makes, and that stand for themselves in a text.
    """
    tokens = in_order(vocabulary)
    inner = BytePairTokenizer(unspell_merges(merges), None, GPT2_BYTE_ORDER, digits_alone=digits_alone)
    ends = [token for token in (*ENDS, *added) if token in vocabulary]
    return NumberedTokenizer(inner, tokens, added, vocabulary[ends[0]] if ends else 0)


def load_numbered_files(vocabulary_path: str | Path, merges_path: str | Path) -> NumberedTokenizer:
    """The tokenizer of a vocab.json and a merges.txt, in whatever order its ids are (GPT-2's differs from BART's).

    What no merge makes stands for itself. `UserError` if a file is missing or damaged.
    """
    vocabulary = read_json(vocabulary_path, is_vocabulary)
    merges = spell_merges(read_merges(merges_path))
    made = {merge.replace(" ", "") for merge in merges} | {spell(bytes([byte])) for byte in GPT2_BYTE_ORDER}
    try:
        return numbered_tokenizer(vocabulary, merges, [token for token in vocabulary if token not in made])
    except UserError as error:
        raise UserError(f"the tokenizer in {vocabulary_path} cannot be used: {error}") from None


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
