"""Sentences of a text that is tokens already, for objectives about pairs of them."""

import numpy as np

from minigpt.text.tokenizer import Tokenizer, document_end

CLOSING = ".!?"


def split_sentences(tokens: np.ndarray, tokenizer: Tokenizer, longest: int) -> tuple[list[list[np.ndarray]], int]:
    """The sentences of each document that has two or more, and how many documents were left out.

    tokens: (N,) integers, `document_end` after each document. A sentence ends with its line, or with . ! or ? before a
    space. Neighbours are joined while they fit into `longest` tokens ("an arbitrary span of contiguous text, rather
    than an actual linguistic sentence", Devlin et al. 2018, arXiv:1810.04805, section 3), and longer ones are cut.
    """
    tokens, document_ends = np.asarray(tokens).astype(np.int64), document_end(tokenizer)
    ends = _sentence_ends(tokens, tokenizer)
    documents: list[list[np.ndarray]] = []
    left_out, start = 0, 0
    for end in np.flatnonzero(tokens == document_ends).tolist():
        bounds = [start, *(start + 1 + np.flatnonzero(ends[start : end - 1])), end]
        sentences = _joined(tokens, bounds, longest)
        if len(sentences) > 1:
            documents.append(sentences)
        else:
            left_out += 1
        start = end + 1
    return documents, left_out


def _sentence_ends(tokens: np.ndarray, tokenizer: Tokenizer) -> np.ndarray:
    """Whether a sentence ends with this token: (N,) booleans."""
    texts = [tokenizer.decode([id_]) for id_ in range(tokenizer.vocabulary_size)]
    breaks = np.array(["\n" in text for text in texts])  # (V,)
    closes = np.array([text.rstrip(" ").endswith(tuple(CLOSING)) for text in texts])
    opens = np.array([text[:1].isspace() for text in texts])
    if not opens.any():  # a tokenizer without spaces: a new word always follows one
        opens[:] = True
    after = np.append(tokens[1:], document_end(tokenizer))
    return (breaks[tokens] & ~breaks[after]) | (closes[tokens] & opens[after] & ~breaks[after])


def _joined(tokens: np.ndarray, bounds: list[int], longest: int) -> list[np.ndarray]:
    """The pieces between the bounds, neighbours joined while they fit into `longest` tokens."""
    sentences, start = [], bounds[0]
    for here, following in zip(bounds[1:], [*bounds[2:], bounds[-1] + longest + 1], strict=True):
        if here > start and following - start > longest:
            sentences.append(tokens[start : min(here, start + longest)])
            start = here
    return sentences
