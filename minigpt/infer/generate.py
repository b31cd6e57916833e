"""Writing: one token after another, each chosen from what the model says about all before it."""

import codecs
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.infer.sampling import PURE, Sampling, next_tokens
from minigpt.infer.speculative import Speculation, speculate
from minigpt.infer.stop import until_stop
from minigpt.infer.window import Window, check_prompt
from minigpt.model import Params, Transformer
from minigpt.text import Tokenizer, document_end

ASKED = {  # what a model reads -> how it is asked
    "images": "`minigpt predict` or `minigpt ask` shows it pictures",
    "frames": "a Whisper is asked by `minigpt transcribe`",
}


def generate(
    model: Transformer,
    params: Params,
    tokens: np.ndarray,
    max_new_tokens: int,
    *,
    sampling: Sampling = PURE,
    rng: np.random.Generator | None = None,
    cached: bool = True,
    stop_tokens: Collection[int] = (),
    source: np.ndarray | None = None,
    vocabulary_size: int | None = None,
    speculation: Speculation | None = None,
) -> Iterator[Any]:
    """Continue `tokens` by up to `max_new_tokens` tokens, one at a time.

    Parameters
    ----------
    model, params : Transformer, Params
        A decoder, or an encoder-decoder.
    tokens : (T,) or (B, T) integers
        The prompt, or prompts of equal length.
    max_new_tokens : int
        How many at most.
    sampling : Sampling
        How each is chosen.
    rng : numpy.random.Generator, optional
        Needed unless the sampling is greedy.
    cached : bool
        Keep keys and values instead of computing them again; the text is the same. What happens beyond the context
        length is told in `minigpt.infer.window.Window`.
    stop_tokens : collection of int
        A sequence ends with the first of these it produces. In a batch, a sequence that has ended repeats its last
        token until all have ended.
    source : (S,) or (B, S) integers, optional
        What an encoder-decoder reads while it writes.
    vocabulary_size : int, optional
        Of the tokenizer, where the model's is padded past it; only ids below it are written.
    speculation : Speculation, optional
        A draft that guesses what comes, for speed (`minigpt.infer.speculative`); for one prompt of a decoder.

    Returns
    -------
    iterator of int, or of (B,) integers
        One id, or one of each sequence, as they are written.

    Raises
    ------
    UserError
        For an encoder, which cannot write, for a prompt without tokens or with ids outside the vocabulary.

    Examples
    --------
    >>> model = minigpt.Transformer(minigpt.preset("tiny", vocabulary_size=50, layers=1))
    >>> params = model.init(np.random.default_rng(0))
    >>> ids = list(minigpt.generate(model, params, np.array([5, 6]), 4, rng=np.random.default_rng(1)))
    >>> len(ids), all(0 <= token < 50 for token in ids)
    (4, True)
    """
    tokens = check_prompt(tokens)
    if max_new_tokens < 0:
        raise UserError(f"cannot write {max_new_tokens} tokens; ask for 0 or more")
    source = None if source is None else np.atleast_2d(source)
    window = Window(
        model,
        params,
        np.atleast_2d(tokens),
        cached=cached,
        room=max_new_tokens,
        source=source,
        vocabulary_size=vocabulary_size,
    )
    if speculation is not None:
        ids = speculate(window, speculation, tokens.reshape(-1), max_new_tokens, sampling, rng, stop_tokens)
    else:
        ids = _stream(window, max_new_tokens, sampling, rng, np.array(sorted(stop_tokens), np.int64))
    return (int(row[0]) for row in ids) if tokens.ndim == 1 else ids


def _stream(
    window: Window,
    max_new_tokens: int,
    sampling: Sampling,
    rng: np.random.Generator | None,
    stop_tokens: np.ndarray,
) -> Iterator[np.ndarray]:
    """The (B,) ids of `generate`."""
    ended = np.zeros(len(window.tokens), bool)
    last = np.zeros(len(window.tokens), np.int64)
    for _ in range(max_new_tokens):
        ids = next_tokens(window.logits(), sampling, rng)
        if stop_tokens.size:
            ids = np.where(ended, last, ids)
            ended, last = (ids[:, None] == stop_tokens).any(axis=1), ids
        yield ids
        if ended.all():
            return
        window.append(ids)


def generate_text(
    model: Transformer,
    params: Params,
    tokenizer: Tokenizer,
    prompt: str,
    max_new_tokens: int,
    *,
    sampling: Sampling = PURE,
    rng: np.random.Generator | None = None,
    cached: bool = True,
    stop: str | Collection[str] = (),
    past_the_end: bool = False,
    speculation: Speculation | None = None,
) -> Iterator[str]:
    """Continue the text `prompt` by up to `max_new_tokens` tokens, in pieces as they are written.

    Parameters
    ----------
    model, params, tokenizer
        As `open_model` gives them. A model may have more ids than the tokenizer has tokens (a vocabulary padded to a
        round number): they are never written.
    prompt : str
        An empty one starts from the end-of-text token, which stood before every text in training.
    max_new_tokens : int
        How many at most.
    sampling, rng, cached, speculation
        As in `generate`.
    stop : str or collection of str
        Writing ends with the first of these to be complete, which is not part of the text.
    past_the_end : bool
        Write on after an end-of-text token, at which writing ends otherwise.

    Returns
    -------
    iterator of str
        Pieces of whole characters; together they are the text after the prompt.

    Raises
    ------
    UserError
        If the tokenizer is not the model's or a stop string is empty.

    Examples
    --------
    >>> tokenizer = minigpt.CharacterTokenizer("abc")
    >>> model = minigpt.Transformer(minigpt.preset("tiny", vocabulary_size=tokenizer.vocabulary_size, layers=1))
    >>> params = model.init(np.random.default_rng(0))
    >>> pieces = minigpt.generate_text(model, params, tokenizer, "ab", 5, rng=np.random.default_rng(1))
    >>> set("".join(pieces)) <= set("abc")
    True
    """
    check_tokenizer(model, tokenizer)
    stop = (stop,) if isinstance(stop, str) else tuple(stop)
    if "" in stop:
        raise UserError("a stop string is empty, so nothing could be written; leave it out")
    start = tokenizer.encode(prompt) if prompt else np.array([document_end(tokenizer)])
    end = tokenizer.end_of_text
    stop_tokens = () if past_the_end or end is None else (end,)
    ids = generate(
        model,
        params,
        start,
        max_new_tokens,
        sampling=sampling,
        rng=rng,
        cached=cached,
        stop_tokens=stop_tokens,
        vocabulary_size=tokenizer.vocabulary_size,
        speculation=speculation,
    )
    chunks = (tokenizer.decode_bytes([token]) for token in ids if token not in stop_tokens)
    return until_stop(whole_characters(chunks), stop)


def check_reads_text(model: Transformer) -> None:
    """`UserError` for a model that is shown pictures or hears sounds, which says how it is asked."""
    reads = (model.config.encoder or model.config).input
    if reads != "tokens":
        how = ASKED.get(reads, "give it what it reads")
        raise UserError(f"this model reads {reads}, not text; {how}")


def check_tokenizer(model: Transformer, tokenizer: Any) -> None:
    """`UserError` if there is no tokenizer, or one with more tokens than the model has ids."""
    check_reads_text(model)
    if tokenizer is None:
        raise UserError("this model came without a tokenizer, so text is nothing to it; open it from a folder with one")
    if tokenizer.vocabulary_size > model.config.vocabulary_size:
        raise UserError(
            f"the tokenizer has {tokenizer.vocabulary_size} tokens but the model {model.config.vocabulary_size}; "
            "use the tokenizer that the model was trained with"
        )


def whole_characters(chunks: Iterable[bytes]) -> Iterator[str]:
    """UTF-8 chunks as text, bytes of an unfinished character held back until the rest comes.

    Bytes that are no UTF-8 become U+FFFD, as they do in `bytes.decode(errors="replace")` of all chunks together.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for chunk in chunks:
        if text := decoder.decode(chunk):
            yield text
    if rest := decoder.decode(b"", final=True):
        yield rest
