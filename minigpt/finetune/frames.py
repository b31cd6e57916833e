"""Where each token of a text stands, and whether a row of them fits."""

from typing import Any, NamedTuple

import numpy as np
import regex

from minigpt.errors import UserError

WORDS = regex.compile(r"\w+|[^\w\s]")  # a word, or a single sign, as a WordPiece tokenizer cuts first


class Pieces(NamedTuple):
    """A text in tokens, each with its word."""

    ids: np.ndarray  # (T,)
    words: np.ndarray  # (T,) which word each token belongs to
    spans: list[tuple[int, int]]  # of each word, the first and one past its last character


def pieces_of(tokenizer: Any, text: str) -> Pieces:
    """The tokens of a text, word by word, so that it is known where each stands.

    A word that is not the first is encoded with the space before it, if there is one, as byte-pair tokenizers learn.
    """
    spans = [match.span() for match in WORDS.finditer(text)]
    words = [(text[first:last], first > 0 and text[first - 1] == " ") for first, last in spans]
    return _joined(tokenizer, words, spans)


def pieces_of_words(tokenizer: Any, words: list[str]) -> Pieces:
    """The same of words that are cut already; their spans are those of the words joined by spaces."""
    ends = np.cumsum([len(word) + 1 for word in words]) - 1
    spans = [(int(end) - len(word), int(end)) for word, end in zip(words, ends, strict=True)]
    return _joined(tokenizer, [(word, number > 0) for number, word in enumerate(words)], spans)


def _joined(tokenizer: Any, words: list[tuple[str, bool]], spans: list[tuple[int, int]]) -> Pieces:
    parts = [tokenizer.encode(f" {word}" if spaced else word) for word, spaced in words]
    lengths = [len(part) for part in parts]
    ids = np.concatenate(parts) if parts else np.zeros(0, np.int64)
    return Pieces(ids, np.repeat(np.arange(len(parts)), lengths), spans)


def padding_of(tokenizer: Any) -> int:
    """The id that fills rows of a batch: it is never looked at, so any will do where the tokenizer has none."""
    return next((tokenizer.special_tokens[name] for name in ("[PAD]", "<pad>") if name in tokenizer.special_tokens), 0)


def check_length(ids: np.ndarray, longest: int, place: str) -> None:
    """`UserError` for a row that the model cannot see as a whole."""
    if len(ids) > longest:
        raise UserError(
            f"{place}: it has {len(ids):,} tokens with its marks, but the model sees {longest:,}; shorten it, choose a "
            "larger --tokens if the model sees more, or cut all that is too long with --long cut"
        )
