"""Objectives of an encoder-decoder: the encoder reads a text (damaged, or another one), the decoder writes."""

from collections.abc import Sequence

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Batch
from minigpt.ops import IGNORED


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
    rate: float = 0.3,
    mean: float = 3.0,
) -> Batch:
    """Text infilling: spans become one mask each, and the whole text has to be written again.

    The model must find out how many tokens a mask stands for: span lengths are Poisson with `mean`, and a span of no
    tokens is a mask put in where nothing is missing. Spans are drawn until `rate` of the tokens are covered.
    texts: (T_b,) integers. Lewis et al. (2020), arXiv:1910.13461, section 2.2.
    """
    sources = [_with_single_masks(text, _poisson_spans(len(text), rng, rate, mean), mask) for text in texts]
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


def _poisson_spans(length, rng, rate, mean):
    """Disjoint (first, last) in order, with Poisson lengths, covering about rate * length tokens."""
    _check_shares(rate, mean)
    budget = round(rate * length)
    lengths: list[int] = []
    while sum(lengths) < budget:
        lengths.append(min(int(rng.poisson(mean)), budget - sum(lengths)))
    gaps = length - sum(lengths)
    starts = np.sort(rng.integers(0, gaps + 1, len(lengths)))  # among the tokens that stay
    rng.shuffle(lengths)
    before = np.cumsum([0, *lengths[:-1]])[: len(lengths)]  # tokens that were cut out to the left
    first = starts + before
    return list(zip(first.tolist(), (first + lengths).tolist(), strict=True))


def _even_spans(length, rng, rate, mean):
    """Disjoint (first, last) in order that cover exactly round(rate * length) tokens; a kept token between each."""
    if length < 2:
        raise UserError(f"a text of {length} tokens has no span to cut out and something to keep; use longer texts")
    _check_shares(rate, mean)
    noise = min(max(1, round(rate * length)), length - 1)
    count = min(max(1, round(noise / mean)), noise, length - noise)
    spans, position = [], 0
    for kept, cut in zip(_random_parts(length - noise, count, rng), _random_parts(noise, count, rng), strict=True):
        spans.append((position + kept, position + kept + cut))
        position += kept + cut
    return spans


def _check_shares(rate, mean):
    if not 0 < rate <= 1 or not mean > 0:
        raise UserError(f"a rate of {rate} and a mean length of {mean} do not fit; use 0 < rate <= 1 and mean > 0")


def _random_parts(total, count, rng):
    """`count` whole numbers of at least 1 that sum to `total`, every way equally likely."""
    cuts = np.sort(rng.choice(total - 1, count - 1, replace=False)) + 1
    return np.diff(np.concatenate([[0], cuts, [total]])).astype(int)


def _with_single_masks(text, spans, mask):
    pieces, kept = [], 0
    for first, last in spans:
        pieces += [text[kept:first], [mask]]
        kept = last
    return np.concatenate([*pieces, text[kept:]]).astype(int)
