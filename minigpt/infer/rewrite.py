"""Writing with an encoder-decoder: it reads a text as a whole, and writes another one."""

from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.infer.generate import check_tokenizer, generate
from minigpt.infer.sampling import GREEDY, Sampling
from minigpt.model import Params, Transformer
from minigpt.text import document_end
from minigpt.text.frame import BEGIN
from minigpt.text.sounds import SoundsTokenizer


def rewrite(
    model: Transformer,
    params: Params,
    tokenizer: Any,
    text: str,
    max_new_tokens: int,
    *,
    sampling: Sampling = GREEDY,
    rng: np.random.Generator | None = None,
) -> str:
    """What the model writes, after reading `text`, in at most `max_new_tokens` tokens.

    A model of words (its tokenizer is of the kind `sounds`) reads and writes them one by one. Any other reads the text
    up to an end-of-text token, with which its own writing begins too. `UserError` for an empty text, one that is longer
    than the context, and for a model that reads nothing.
    """
    if not model.two_stacks:
        raise UserError("only an encoder-decoder reads one text and writes another; let this model continue a text")
    check_tokenizer(model, tokenizer)
    if not text.strip():
        raise UserError("this model writes about what it reads, and the text is empty; give it some, with --prompt")
    words = tokenizer.kind == SoundsTokenizer.kind
    end = document_end(tokenizer)
    begin = tokenizer.special_tokens[BEGIN] if words else end
    longest = min(max_new_tokens, model.config.context - 1)
    written = []
    for part in text.split() if words else [text]:
        source = tokenizer.encode(part) if words else between_marks(tokenizer, part)
        ids = generate(
            model,
            params,
            np.array([begin]),
            longest,
            sampling=sampling,
            rng=rng,
            stop_tokens=[end],
            source=source,
            vocabulary_size=tokenizer.vocabulary_size,
        )
        written.append(tokenizer.decode([id_ for id_ in ids if id_ != end]))
    return " ".join(written)


def between_marks(tokenizer: Any, text: str) -> np.ndarray:
    """The ids that an encoder reads, (S,): those of a text, after a beginning if the vocabulary has one, and an end."""
    first = [tokenizer.special_tokens[BEGIN]] if BEGIN in tokenizer.special_tokens else []
    return np.array([*first, *tokenizer.encode(text).tolist(), document_end(tokenizer)], np.int64)
