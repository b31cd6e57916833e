"""A text as what a model reads, with the words for its positions and its answers."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.explain.question import EMBEDDING, SOURCE
from minigpt.infer.generate import check_tokenizer, generate
from minigpt.infer.rewrite import between_marks
from minigpt.infer.sampling import GREEDY
from minigpt.model import Batch
from minigpt.text import document_end
from minigpt.text.frame import BEGIN, frame_of
from minigpt.text.sounds import SoundsTokenizer


class Reading(NamedTuple):
    """One input."""

    batch: Batch  # of one row
    labels: dict[str, list[str]]  # place -> a word for each of its positions
    answer: Callable[[int], str]  # an id of the vocabulary as text


def read_text(opened: Any, text: str, *, max_new_tokens: int = 64) -> Reading:
    """A text as any of our models of text reads it: a decoder as it is, an encoder with its marks around it.

    An encoder-decoder reads it as source, and the tokens are those that it then writes, greedily: one of its answers
    can be asked for at the position before it.

    opened: what `open_model` gives. `UserError` for a model that reads no text, and a text that is empty or too long.
    """
    model, params, tokenizer = opened.model, opened.params, opened.tokenizer
    config = model.config
    kind = config.input if config.encoder is None else config.encoder.input
    if kind != "tokens":
        raise UserError(f"{opened.name} reads {kind}, not text; from Python `minigpt.explain.ask` takes what it reads")
    check_tokenizer(model, tokenizer)
    if not text:
        raise UserError("the text is empty; give one with at least one character")
    if half := re.search("[\ud800-\udfff]", text):
        raise UserError(
            f"the text holds {half[0]!r}, half of a surrogate pair, which is no character; mend or remove it"
        )
    words = _words(tokenizer)
    if config.encoder is not None:
        source, begin = _source(tokenizer, text)
        _check_length(len(source), config.encoder.context)
        longest, end = min(max_new_tokens, config.context - 1), [document_end(tokenizer)]
        size = tokenizer.vocabulary_size
        written = list(
            generate(
                model, params, np.array([begin]), longest, sampling=GREEDY, stop_tokens=end, source=source,
                vocabulary_size=size,
            )
        )  # fmt: skip
        tokens = np.array([begin, *written[:-1]])
        letters = _letters(tokenizer) or words
        labels = {EMBEDDING: [words(id_) for id_ in tokens], SOURCE: [letters(id_) for id_ in source]}
        return Reading(Batch(tokens[None], source=source[None]), labels, words)
    ids, segments = tokenizer.encode(text), None
    if config.architecture == "encoder":
        masks = config.head in ("masked", "pretraining")  # a text for them has a mask in it, which is no plain text
        ids, segments = frame_of(tokenizer).row(tokenizer.encode(text, allow_special=masks))
    _check_length(len(ids), config.context)
    labels = {EMBEDDING: [words(id_) for id_ in ids]}
    return Reading(Batch(ids[None], segments=segments if segments is None else segments[None]), labels, words)


def _source(tokenizer: Any, text: str) -> tuple[np.ndarray, int]:
    """What the encoder reads, (S,), and the token with which the decoder begins."""
    if tokenizer.kind == SoundsTokenizer.kind:
        if len(text.split()) != 1:
            raise UserError(f"this model reads one word, not {text!r:.50}; give one")
        return tokenizer.encode(text.strip()), tokenizer.special_tokens[BEGIN]
    return between_marks(tokenizer, text), document_end(tokenizer)


def _words(tokenizer: Any) -> Callable[[int], str]:
    """A token as people read it; part of a character, such as one of the four bytes of an emoji, as <0xF0>."""
    marks = {id_: mark for mark, id_ in tokenizer.special_tokens.items()}

    def word(id_: int) -> str:
        said = marks.get(int(id_)) or tokenizer.decode([int(id_)])
        if "\ufffd" not in said:
            return said
        return "".join(f"<0x{byte:02X}>" for byte in tokenizer.decode_bytes([int(id_)]))

    return word


def _letters(tokenizer: Any) -> Callable[[int], str] | None:
    """Of a tokenizer that reads in one alphabet and writes in another, the words for what it reads."""
    if tokenizer.kind != SoundsTokenizer.kind:
        return None
    marks = {id_: mark for mark, id_ in tokenizer.special_tokens.items()}
    return lambda id_: marks.get(int(id_)) or tokenizer.letters[int(id_)]


def _check_length(length: int, context: int) -> None:
    if not 1 <= length <= context:
        raise UserError(f"the text has {length} tokens, but the model reads 1 to {context}; give one that fits")
