"""Objectives about pairs of texts: does the second follow the first, and are the two in order?"""

from collections.abc import Callable
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Batch
from minigpt.objectives.denoising import pad
from minigpt.objectives.record import BOTH_SEEN, NO_SOURCE, Documents, Objective, Texts

Pair = tuple[np.ndarray, np.ndarray]
FOLLOWS, DOES_NOT = 0, 1  # the labels, numbered as BERT's


def next_sentence(
    documents: Documents, rng: np.random.Generator, count: int, *, classify: int, separator: int, padding: int
) -> Batch:
    """Pairs of sentences; in half of them the second follows the first, in half it comes from another document.

    documents: of token sentences, two or more documents, and some with two sentences or more. count: B. A pair becomes
    <classify> a <separator> b <separator>, with segments 0 and 1. Devlin et al. (2018), arXiv:1810.04805, section 3.1.
    """
    if len(documents) < 2:
        raise UserError(
            "a wrong second sentence comes from another document, so there must be two or more documents, each of two "
            "or more sentences, in the held-out text too; choose a corpus of more documents"
        )

    def other(document: int) -> np.ndarray:
        away = int(document + rng.integers(1, len(documents))) % len(documents)
        return documents[away][int(rng.integers(len(documents[away])))]

    pairs, labels = _pairs(documents, rng, count, lambda a, _b, where: (a, other(where)))
    return _batch(pairs, labels, classify, separator, padding)._replace(objective="next_sentence")


def sentence_order(
    documents: Documents, rng: np.random.Generator, count: int, *, classify: int, separator: int, padding: int
) -> Batch:
    """Pairs of neighbouring sentences; half of them are swapped. The topic gives nothing away, only the order does.

    Lan et al. (2020), ALBERT, arXiv:1909.11942, section 3.1. Arguments as in `next_sentence`; one document will do.
    """
    pairs, labels = _pairs(documents, rng, count, lambda a, b, _where: (b, a))
    return _batch(pairs, labels, classify, separator, padding)._replace(objective="sentence_order")


def _pairs(
    documents: Documents, rng: np.random.Generator, count: int, spoil: Callable[[np.ndarray, np.ndarray, int], Pair]
) -> tuple[list[Pair], np.ndarray]:
    """`count` neighbouring sentences, half of them (by chance) replaced by spoil(a, b, document)."""
    long_enough = [number for number, document in enumerate(documents) if len(document) > 1]
    if not long_enough:
        raise UserError("no document has two sentences, so nothing follows anything; use longer documents")
    labels = rng.integers(0, 2, count)
    pairs = []
    for label in labels:
        where = long_enough[int(rng.integers(len(long_enough)))]
        first = int(rng.integers(len(documents[where]) - 1))
        pair = documents[where][first], documents[where][first + 1]
        pairs.append(pair if label == FOLLOWS else spoil(*pair, where))
    return pairs, labels


def _batch(pairs: list[Pair], labels: np.ndarray, classify: int, separator: int, padding: int) -> Batch:
    texts = [np.concatenate([[classify], a, [separator], b, [separator]]).astype(int) for a, b in pairs]
    tokens, present = pad(texts, padding)
    first = np.array([len(a) + 2 for a, _ in pairs])  # the first text with its two marks
    segments = ((np.arange(tokens.shape[1]) >= first[:, None]) & present).astype(int)
    return Batch(tokens, labels=labels, present=present, segments=segments)


def _marks(texts: Texts) -> dict[str, int]:
    return {role: texts.special[role] for role in MARKS}


MARKS = ("classify", "separator", "padding")
PAIRS: dict[str, Any] = {
    "refusals": {"decoder": BOTH_SEEN, "encoder-decoder": NO_SOURCE},
    "model": {"head": "sequence", "labels": 2, "segments": 2},
    "special": MARKS,
    "sentences": True,
    "counted": "pairs",
    "sample": "judged",
}
NEXT_SENTENCE = Objective(
    name="next-sentence",
    function="next_sentence",
    summary="whether one sentence follows another, or is from elsewhere (BERT)",
    make=lambda texts, rng: next_sentence(texts.documents, rng, len(texts.windows), **_marks(texts)),
    **PAIRS,
)
SENTENCE_ORDER = Objective(
    name="sentence-order",
    function="sentence_order",
    summary="whether two neighbouring sentences were swapped (ALBERT)",
    make=lambda texts, rng: sentence_order(texts.documents, rng, len(texts.windows), **_marks(texts)),
    **PAIRS,
)
