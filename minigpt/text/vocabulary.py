"""What every vocabulary shares: the token that ends a document, special tokens in a text, ids that exist."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import regex

from minigpt.errors import UserError
from minigpt.values import Kind, list_of

END_OF_TEXT = "<|endoftext|>"  # GPT-2's name for the token between two documents


def as_unicode(text: str | bytes) -> str:
    """`text` as a string in which each byte that is not UTF-8 stands as one surrogate, U+DC80 to U+DCFF (PEP 383).

    A str that holds surrogates of its own is not Unicode text: a pair is joined into the character it
    spells and a lone one becomes U+FFFD, as in tiktoken.
    """
    if isinstance(text, bytes):
        return text.decode("utf-8", "surrogateescape")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


UNICODE = Kind("a string of Unicode text", lambda value: isinstance(value, str) and as_unicode(value) == value)
STRINGS = list_of(UNICODE)


def as_documents(documents: Iterable[str]) -> Iterator[str]:
    """Each document as Unicode text; `UserError` for one string, which would be read as one document a letter."""
    if isinstance(documents, str | bytes):
        raise UserError("documents must be a list of strings and not one string; put it in a list: [text]")
    return map(as_unicode, documents)


def split_at_special(text: str, special_tokens: Collection[str]) -> list[str]:
    """Ordinary text and special tokens in turn: the elements at odd places are special, the longest match first."""
    if not special_tokens:
        return [text]
    longest_first = sorted(special_tokens, key=len, reverse=True)
    return regex.split(f"({'|'.join(map(regex.escape, longest_first))})", text)


def number_special_tokens(further: Sequence[str], first_id: int) -> dict[str, int]:
    """The ids of END_OF_TEXT and of the `further` special tokens, in their order, the first of them `first_id`."""
    if isinstance(further, str) or END_OF_TEXT in further or len(set(further)) < len(further):
        raise UserError(
            f"the special tokens after {END_OF_TEXT} must be a list of strings, each of them once; got {further!r:.100}"
        )
    special_tokens = {token: id_ for id_, token in enumerate((END_OF_TEXT, *further), first_id)}
    check_special_tokens(special_tokens, first_id)
    return special_tokens


def check_special_tokens(special_tokens: Any, first_id: int) -> None:
    """`UserError` unless `special_tokens` maps END_OF_TEXT and others to the ids that follow the ordinary ones."""
    if not isinstance(special_tokens, dict) or END_OF_TEXT not in special_tokens:
        raise UserError(f"the special tokens must be a dict that holds {END_OF_TEXT!r}; got {special_tokens!r:.100}")
    for token in special_tokens:
        if not isinstance(token, str) or not token or as_unicode(token) != token:
            raise UserError(f"the special token {token!r} must be a string of Unicode text that is not empty")
    expected = list(range(first_id, first_id + len(special_tokens)))
    ids = list(special_tokens.values())
    if not all(type(id_) is int for id_ in ids) or sorted(ids) != expected:
        raise UserError(
            f"the ids of special tokens must follow the {first_id} ordinary ones and so be {expected}; "
            f"got {special_tokens!r:.200}"
        )


def check_ids(ids: Any, vocabulary_size: int) -> list[int]:
    """`ids` as a list of int; `UserError` for anything but a row of ids below `vocabulary_size`."""
    array = np.asarray(ids)
    if array.size == 0:
        return []
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise UserError(f"token ids must be a row of integers; got shape {array.shape} of {array.dtype}")
    if array.min() < 0 or array.max() >= vocabulary_size:
        wrong = array[(array < 0) | (array >= vocabulary_size)][0]
        raise UserError(
            f"there is no token {wrong} in a vocabulary of {vocabulary_size}; use the tokenizer that made the ids"
        )
    return array.tolist()
