"""What a model says of every token of a text: by frequency, by confidence, and beside another model."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from minigpt.errors import UserError
from minigpt.measure.intervals import Interval, bootstrapped_mean, paired_difference, smallest_difference
from minigpt.measure.permutations import flipped_signs
from minigpt.measure.surprise import DAMAGED, LEAST
from minigpt.model import Batch, Call, Transformer
from minigpt.ops import IGNORED, softmax_forward
from minigpt.progress import progress_bar
from minigpt.text import Tokenizer, evaluation_windows

BLOCKS = 64  # of a text, which are drawn again: tokens beside each other are alike, and counting them one by one would
# make intervals too narrow
ROWS = 128  # positions whose probabilities are made at a time, for memory
LONGEST, MOST_SCORES = 1024, 1 << 27  # tokens in a window; logits at a time, half a GB
NATS_PER_BIT = float(np.log(2))

Found = TypeVar("Found")


@dataclass(frozen=True)
class TokenScores:
    """Of every token after the first: its loss, what the model held for likeliest, and whether that was it."""

    targets: np.ndarray  # (N,) ids
    nats: np.ndarray  # (N,)
    confidence: np.ndarray  # (N,) the probability of the likeliest token
    right: np.ndarray  # (N,) booleans: the likeliest is the target

    def interval(self) -> Interval:
        """Nats per token, with the interval that other parts of such a text would give."""
        return bootstrapped_mean(self.nats, _blocks(len(self.nats)))


def in_windows(
    model: Transformer,
    params: Any,
    tokens: np.ndarray,
    score: Callable[[np.ndarray, np.ndarray], Found],
    *,
    stride: int | None = None,
    batch: int = 16,
    threads: int = 1,
    progress: bool = False,
) -> Iterator[Found]:
    """score(logits, targets) of all windows, in order: (B, T, V) and (B, T), of which each token is scored once.

    stride: how far a window moves at a time; see `evaluation_windows`. Default: half a window, so that every token but
    the first few has at least that many before it. threads: share the windows. A window is the model's context, but at
    most 1,024 tokens; it takes fewer than `batch` of them where the vocabulary is large, for memory.
    """
    context = min(model.config.context, LONGEST)
    stride = max(1, context // 2) if stride is None else stride
    batch = max(1, min(batch, MOST_SCORES // (context * model.config.vocabulary_size)))
    call = Call().forward_only()

    def score_window(window: tuple[np.ndarray, np.ndarray]) -> Found:
        inputs, targets = window
        logits, _ = model.forward(params, Batch(inputs), call)
        return score(logits, targets)

    windows = evaluation_windows(tokens, context, stride=stride, batch=batch)
    count = -(-len(tokens) // (stride * batch))
    with ThreadPoolExecutor(threads) as pool:
        scores = pool.map(score_window, windows)
        yield from progress_bar(scores, total=count, desc="evaluating", leave=False, disable=not progress)


def token_scores(model: Transformer, params: Any, tokens: np.ndarray, *, progress: bool = False) -> TokenScores:
    """Every token after the first, from those before it in windows that overlap by half. tokens: (N + 1,) integers.

    `UserError` where the answers are no finite numbers: no measure of such a model means anything.
    """

    def score(logits: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, ...]:
        scored = targets != IGNORED
        x, wanted = logits[scored], targets[scored]
        parts = [_score_some(x[first : first + ROWS], wanted[first : first + ROWS]) for first in range(0, len(x), ROWS)]
        return (wanted, *(np.concatenate(part) for part in zip(*parts, strict=True)))

    found = zip(*in_windows(model, params, tokens, score, progress=progress), strict=True)
    scores = TokenScores(*(np.concatenate(part) for part in found))
    if not np.isfinite(scores.nats).all():
        raise UserError(DAMAGED)
    return scores


def _score_some(x: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nats, confidence, and whether the likeliest is right. x: (M, V) logits; wanted: (M,)."""
    with np.errstate(invalid="ignore"):  # of a damaged model, which is refused
        p = softmax_forward(x.astype(np.float64))[0]
    best = p.argmax(axis=-1)
    rows = np.arange(len(wanted))
    return -np.log(np.maximum(p[rows, wanted], LEAST)), p[rows, best], best == wanted


def by_frequency(scores: TokenScores, counted: np.ndarray, vocabulary_size: int) -> list[dict[str, Any]]:
    """Nats per token of tokens that occur about equally often in `counted`, (M,) ids: a row for each power of ten.

    A text's mean is that of its frequent tokens; what a model has learnt of rare ones shows here alone.
    """
    counts = np.bincount(counted, minlength=vocabulary_size)[scores.targets]
    order = np.searchsorted(10 ** np.arange(18), counts, side="right") - 1  # -1: never
    rows = []
    for power in np.unique(order).tolist():
        here = order == power
        least, most = (0, 0) if power < 0 else (10**power, 10 ** (power + 1) - 1)
        nats = bootstrapped_mean(scores.nats[here], _blocks(len(here))[here])
        rows.append({"least": least, "most": most, "tokens": int(here.sum()), "nats": nats._asdict()})
    return rows


def compare_on_text(first: TokenScores, second: TokenScores, sizes: tuple[np.ndarray, np.ndarray]) -> dict[str, Any]:
    """The bits per byte of two models on one text, and their difference, block by block of its bytes.

    sizes: of each model how many bytes each of its scored tokens has, (N,) and (M,): their vocabularies may differ. A
    token counts where it begins. Blocks are drawn again for both models together; p: how often the difference is as
    large if it is arbitrary in each block which model is called the first.
    """
    bits = [_bits_of_blocks(scores, size) for scores, size in zip((first, second), sizes, strict=True)]
    difference = bits[0] - bits[1]
    return {
        "first": bootstrapped_mean(bits[0])._asdict(),
        "second": bootstrapped_mean(bits[1])._asdict(),
        "difference": paired_difference(*bits)._asdict(),
        "p": flipped_signs(difference),
        "smallest_difference": smallest_difference(difference),
        "blocks": len(difference),
    }


def bytes_of_tokens(tokenizer: Tokenizer, ids: np.ndarray, text: str) -> np.ndarray:
    """How many bytes of the text each of its tokens, (N,) ids, spells. `UserError` where they do not spell it."""
    kinds, which = np.unique(ids, return_inverse=True)
    sizes = np.array([len(tokenizer.decode_bytes([kind])) for kind in kinds.tolist()])[which]
    if sizes.sum() != len(text.encode("utf-8")):
        raise UserError(
            "the tokens of a model do not spell this text byte for byte, so its losses cannot be laid beside "
            "another's; compare models that keep every byte"
        )
    return sizes


def _bits_of_blocks(scores: TokenScores, sizes: np.ndarray) -> np.ndarray:
    """(B,) bits per byte of equal blocks of the text's bytes, whose number need not be whole."""
    total = int(sizes.sum())
    count = min(BLOCKS, total)
    block = (np.cumsum(sizes) - sizes) * count // total
    return np.bincount(block, scores.nats, minlength=count) / NATS_PER_BIT * count / total  # so the mean is the text's


def _blocks(count: int) -> np.ndarray:
    """Which of `BLOCKS` equal parts each of so many tokens is in: (N,)."""
    return np.arange(count) * min(BLOCKS, count) // count
