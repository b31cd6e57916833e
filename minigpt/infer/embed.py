"""Sentences as vectors: what an encoder makes of them, so that sentences of like meaning lie close together."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.infer.generate import check_tokenizer
from minigpt.model import Batch, Params, Transformer
from minigpt.text.frame import frame_of


def embed(model: Transformer, params: Params, tokenizer: Any, sentences: Sequence[str]) -> np.ndarray:
    """The mean of the encoder's last hidden states over a sentence's tokens, of length 1.

    Reimers & Gurevych (2019), "Sentence-BERT", arXiv:1908.10084, section 3.

    Parameters
    ----------
    model, params, tokenizer
        An encoder, as `open_model` gives it.
    sentences : sequence of str
        One that is longer than the context is cut to it.

    Returns
    -------
    (N, C) floats
        A row for each sentence; the product of two rows is how alike they are.

    Raises
    ------
    UserError
        For a model that is no encoder, or has no tokenizer.

    Examples
    --------
    >>> tokenizer = minigpt.CharacterTokenizer("abc")
    >>> model = minigpt.Transformer(minigpt.preset("tiny", vocabulary_size=4, layers=1, architecture="encoder"))
    >>> rows = minigpt.embed(model, model.init(np.random.default_rng(0)), tokenizer, ["ab", "cab"])
    >>> rows.shape, (rows * rows).sum(axis=1).round(4).tolist()
    ((2, 128), [1.0, 1.0])
    """
    if model.config.architecture != "encoder":
        raise UserError(
            f"{'a decoder' if model.config.architecture == 'decoder' else 'an encoder-decoder'} has no sentence "
            "vectors; compare sentences with an encoder, such as minilm or a run with --objective masked"
        )
    check_tokenizer(model, tokenizer)
    room, rows = model.config.context - frame_of(tokenizer).marks, []
    for sentence in sentences:
        ids = tokenizer.encode(sentence)[:room]
        if len(ids) + frame_of(tokenizer).marks == 0:
            raise UserError(f"{sentence!r:.50} has no tokens in this vocabulary; leave the line out")
        rows.append(embed_ids(model, params, tokenizer, ids)[0])
    return np.stack(rows)


def embed_ids(model: Transformer, params: Params, tokenizer: Any, ids: np.ndarray) -> tuple[np.ndarray, int]:
    """The vector of one text: (C,), from its ids: (T,), and how many tokens it has with the marks around it."""
    ids, segments = frame_of(tokenizer).row(ids)
    x, _ = model.hidden_states(params, Batch(ids[None], segments=segments[None]))
    mean = x[0].mean(axis=0)
    return mean / np.linalg.norm(mean), len(ids)
