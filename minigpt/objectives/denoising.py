"""Objectives of an encoder-decoder: the encoder reads a text (damaged, or another one), the decoder writes."""

from collections.abc import Sequence

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Batch
from minigpt.objectives.record import NO_READER, ONLY_BOTH, Objective, Texts
from minigpt.ops import IGNORED

RATE, MEAN = 0.3, 3.0  # of BART's infilling
Spans = list[tuple[int, int]]  # the first token of each, and the one after its last


def sequence_to_sequence(
    sources: Sequence[np.ndarray], targets: Sequence[np.ndarray], *, start: int, padding: int
) -> Batch:
    """Write each target while looking at its source: translation, or a word to its sounds.

    sources, targets: (S_b,) and (T_b,) integers; a target usually ends with the end-of-text token. The decoder sees its
    own target moved right by one, beginning with `start` ("teacher forcing"). Shorter texts are filled with `padding`,
    which is neither attended to nor scored. Sutskever et al. (2014), arXiv:1409.3215.
    """
    source, source_present = pad(sources, padding)
    wanted, scored = pad(targets, padding)
    seen = np.concatenate([np.full((len(wanted), 1), start), wanted[:, :-1]], axis=1)
    return Batch(
        seen,
        np.where(scored, wanted, IGNORED),
        source=source,
        source_present=source_present,
        objective="sequence_to_sequence",
    )


def infilling(
    texts: Sequence[np.ndarray],
    rng: np.random.Generator,
    *,
    mask: int,
    start: int,
    padding: int,
    rate: float = RATE,
    mean: float = MEAN,
) -> Batch:
    """Text infilling: spans become one mask each, and the whole text has to be written again.

    The model must find out how many tokens a mask stands for: span lengths are Poisson with `mean`, and a span of no
    tokens is a mask put in where nothing is missing. Spans are drawn until `rate` of the tokens are covered.
    No text grows by its masks. texts: (T_b,) integers. Lewis et al. (2020), arXiv:1910.13461, section 2.2.
    """
    spans = [_poisson_spans(len(text), rng, rate, mean) for text in texts]
    sources = [_with_single_masks(text, cut, mask) for text, cut in zip(texts, spans, strict=True)]
    return sequence_to_sequence(sources, texts, start=start, padding=padding)._replace(objective="infilling")


def span_corruption(
    texts: Sequence[np.ndarray],
    rng: np.random.Generator,
    *,
    sentinels: Sequence[int],
    start: int,
    end: int,
    padding: int,
    rate: float = 0.15,
    mean: float = 3.0,
) -> Batch:
    """T5's form of infilling: each span becomes its own sentinel, and only the spans are written.

    The target is sentinel 1, span 1, sentinel 2, span 2, ..., end; so it is short, and the loss is about the missing
    part alone. Exactly round(rate * T) tokens are cut out, in round(that / mean) spans, at least one of each.
    Raffel et al. (2020), arXiv:1910.10683, section 3.1.4 and 3.3. `UserError` if there are too few sentinels.
    """
    sources, targets = [], []
    for text in texts:
        spans = _even_spans(len(text), rng, rate, mean)
        if len(spans) > len(sentinels):
            raise UserError(
                f"{len(spans)} spans need as many sentinels, but there are {len(sentinels)}; shorten the text"
            )
        source, target, kept = [], [], 0
        for sentinel, (first, last) in zip(sentinels, spans, strict=False):
            source += [text[kept:first], [sentinel]]
            target += [[sentinel], text[first:last]]
            kept = last
        sources.append(np.concatenate([*source, text[kept:]]).astype(int))
        targets.append(np.concatenate([*target, [end]]).astype(int))
    return sequence_to_sequence(sources, targets, start=start, padding=padding)._replace(objective="span_corruption")


def pad(texts: Sequence[np.ndarray], padding: int) -> tuple[np.ndarray, np.ndarray]:
    """Texts of different lengths as one array (B, T), and booleans (B, T), False where it was filled up."""
    lengths = np.array([len(text) for text in texts])
    if not lengths.size or lengths.min() == 0:
        raise UserError("there is no text, or one without tokens; leave empty texts out")
    present = np.arange(lengths.max()) < lengths[:, None]
    tokens = np.full(present.shape, padding)
    tokens[present] = np.concatenate(texts)
    return tokens, present


def _poisson_spans(length: int, rng: np.random.Generator, rate: float, mean: float) -> Spans:
    """Disjoint (first, last) in order, with Poisson lengths, covering about rate * length tokens."""
    _check_shares(rate, mean)
    budget = round(rate * length)
    lengths: list[int] = []
    while sum(lengths) < budget:
        lengths.append(min(int(rng.poisson(mean)), budget - sum(lengths)))
    while len(lengths) > budget:  # so many empty ones that their masks would make the text longer
        lengths.remove(0)
    gaps = length - sum(lengths)
    starts = np.sort(rng.integers(0, gaps + 1, len(lengths)))  # among the tokens that stay
    rng.shuffle(lengths)
    before = np.cumsum([0, *lengths[:-1]])[: len(lengths)]  # tokens that were cut out to the left
    first = starts + before
    return list(zip(first.tolist(), (first + lengths).tolist(), strict=True))


def _even_spans(length: int, rng: np.random.Generator, rate: float, mean: float) -> Spans:
    """Disjoint (first, last) in order that cover exactly round(rate * length) tokens; a kept token between each."""
    if length < 2:
        raise UserError(f"a text of {length} tokens has no span to cut out and something to keep; use longer texts")
    _check_shares(rate, mean)
    noise = min(max(1, round(rate * length)), length - 1)
    count = span_count(length, rate, mean)
    spans, position = [], 0
    for kept, cut in zip(_random_parts(length - noise, count, rng), _random_parts(noise, count, rng), strict=True):
        spans.append((position + kept, position + kept + cut))
        position += kept + cut
    return spans


def span_count(length: int, rate: float = 0.15, mean: float = 3.0) -> int:
    """How many spans, and so sentinels, `span_corruption` makes of a text of `length` tokens."""
    noise = min(max(1, round(rate * length)), length - 1)
    return min(max(1, round(noise / mean)), noise, length - noise)


def _check_shares(rate: float, mean: float) -> None:
    if not 0 < rate <= 1 or not mean > 0:
        raise UserError(f"a rate of {rate} and a mean length of {mean} do not fit; use 0 < rate <= 1 and mean > 0")


def _random_parts(total: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` whole numbers of at least 1 that sum to `total`, every way equally likely."""
    cuts = np.sort(rng.choice(total - 1, count - 1, replace=False)) + 1
    return np.diff(np.concatenate([[0], cuts, [total]])).astype(int)


def _with_single_masks(text: np.ndarray, spans: Spans, mask: int) -> np.ndarray:
    pieces, kept = [], 0
    for first, last in spans:
        pieces += [text[kept:first], [mask]]
        kept = last
    return np.concatenate([*pieces, text[kept:]]).astype(int)


def _infilling_batch(texts: Texts, rng: np.random.Generator) -> Batch:
    marks = {"mask": texts.special["mask"], "start": texts.special["end"], "padding": texts.special["padding"]}
    return infilling(list(texts.windows[:, :-1]), rng, **marks)


def _infilled(texts: Texts, rng: np.random.Generator, batch: Batch) -> np.ndarray:
    """Which tokens were hidden in a span: the others need only be copied."""
    hidden = np.zeros(batch.tokens.shape, bool)
    for row in hidden:
        for first, last in _poisson_spans(len(row), rng, RATE, MEAN):
            row[first:last] = True
    return hidden


def _spans_batch(texts: Texts, rng: np.random.Generator) -> Batch:
    marks = {"start": texts.special["end"], "end": texts.special["end"], "padding": texts.special["padding"]}
    return span_corruption(list(texts.windows[:, :-1]), rng, sentinels=texts.sentinels, **marks)


def _of_spans(texts: Texts, _rng: np.random.Generator, batch: Batch) -> np.ndarray:
    """Which targets are of the text: neither sentinels nor the end."""
    assert batch.targets is not None
    return (batch.targets != IGNORED) & ~np.isin(batch.targets, tuple(texts.special.values()))


INFILLING = Objective(
    name="infilling",
    function="infilling",
    summary="a whole text, of which spans were replaced by one mask each (BART)",
    refusals=ONLY_BOTH,
    make=_infilling_batch,
    special=("mask", "padding"),
    counted="missing tokens",
    missing=_infilled,
    sample="rewritten",
)
SPANS = Objective(
    name="spans",
    function="span_corruption",
    summary="the spans that were cut out of a text, and nothing else (T5)",
    refusals=ONLY_BOTH,
    make=_spans_batch,
    special=("padding", "sentinels"),
    counted="missing tokens",
    missing=_of_spans,
    sample="rewritten",
)
SEQUENCE_TO_SEQUENCE = Objective(
    name="sequence-to-sequence",
    function="sequence_to_sequence",
    summary="a text from another one: translation",
    refusals={"decoder": NO_READER, "encoder": NO_READER},
    make=None,
    counted="next tokens",
    sample="rewritten",
)
