"""How well a model predicts a text."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.infer.generate import check_tokenizer
from minigpt.infer.window import check_writes
from minigpt.measure.baselines import compressed_bits_per_byte, counted_nats, training_bytes, uniform_nats
from minigpt.model import Batch, Call, Params, Transformer
from minigpt.ops import cross_entropy_forward
from minigpt.progress import progress_bar
from minigpt.text import Tokenizer, document_end, evaluation_windows

PIECES = 64  # that a sample of a text has
LONGEST, MOST_SCORES = 1024, 1 << 27  # tokens in a window; logits at a time, half a GB
NATS_PER_BIT = float(np.log(2))


@dataclass(frozen=True)
class Evaluation:
    """A model's score on one text, and others' on the same text. nats are per token, bits per byte of UTF-8."""

    tokens: int
    bytes: int
    nats_per_token: float
    bits_per_byte: float
    baseline_nats_per_token: dict[str, float]  # uniform; of a run also unigram, bigram
    baseline_bits_per_byte: dict[str, float]  # the same, and gzip, bz2, xz; of a run also xz primed

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    def table(self) -> str:
        """Lines for people, worst first."""
        rows = {**self.baseline_bits_per_byte, "this model": self.bits_per_byte}
        nats = {**self.baseline_nats_per_token, "this model": self.nats_per_token}
        lines = [f"{self.bytes:,} bytes, {self.tokens:,} tokens", f"{'':12}bits per byte  nats per token"]
        for name, bits in sorted(rows.items(), key=lambda row: -row[1]):
            lines.append(f"{name:12}{bits:13.3f}{nats[name]:16.3f}" if name in nats else f"{name:12}{bits:13.3f}")
        return "\n".join(lines)


def sample_text(text: str, most: int) -> str:
    """At most about `most` characters of a text: pieces of whole lines that are spread evenly, in their order.

    A text that is not longer comes back as it is. A line that is longer than a piece is cut.
    """
    if len(text) <= most:
        return text
    size, pieces = max(1, most // PIECES), []
    for start in np.linspace(0, len(text) - size, PIECES).astype(int).tolist():
        piece = text[start : start + size]
        first = piece.find("\n") + 1 if start else 0
        last = piece.rfind("\n") + 1
        pieces.append(piece[first:last] if first < last else piece)
    return "".join(pieces)


def mean_loss(
    model: Transformer,
    params: Params,
    tokens: np.ndarray,
    *,
    stride: int | None = None,
    batch: int = 16,
    threads: int = 1,
    progress: bool = False,
) -> float:
    """Nats per token of all but the first of `tokens`: (N,) integers, each predicted from those before it.

    stride: how far a window moves at a time; see `evaluation_windows`. Default: half a window, so that every token but
    the first few has at least that many before it. threads: share the windows. A window is the model's context, but at
    most 1,024 tokens; it takes fewer than `batch` of them where the vocabulary is large, for memory.
    """
    context = min(model.config.context, LONGEST)
    stride = max(1, context // 2) if stride is None else stride
    batch = max(1, min(batch, MOST_SCORES // (context * model.config.vocabulary_size)))
    call = Call().forward_only()

    def score(window):
        inputs, targets = window
        logits, _ = model.forward(params, Batch(inputs), call)
        return float(cross_entropy_forward(logits, targets, count=1)[0])

    windows = evaluation_windows(tokens, context, stride=stride, batch=batch)
    count = -(-len(tokens) // (stride * batch))
    with ThreadPoolExecutor(threads) as pool:
        scores = pool.map(score, windows)
        total = sum(progress_bar(scores, total=count, desc="evaluating", leave=False, disable=not progress))
    return total / (len(tokens) - 1)


def evaluate_text(
    model: Transformer,
    params: Params,
    tokenizer: Tokenizer,
    text: str,
    training: np.ndarray | None = None,
    *,
    progress: bool = False,
) -> Evaluation:
    """Score `text`, as a document of its own, with the model and with everything that it should beat.

    Parameters
    ----------
    model, params, tokenizer
        As `open_model` gives them.
    text : str
        What is predicted.
    training : (N,) integers, optional
        Token ids of the text that the model was trained on: unigram and bigram know no more than the model did; None,
        for a published model, leaves them out.
    progress : bool
        Draw a bar.

    Returns
    -------
    Evaluation
        Nats per token and bits per byte, and those of the baselines. The compressors start from nothing, so on a short
        text they look worse than they are; xz primed has read the training text first, as the model has.

    Raises
    ------
    UserError
        For an empty text, and for a model that does not say what comes next.

    Examples
    --------
        >>> tokenizer = minigpt.CharacterTokenizer("abc")
    >>> model = minigpt.Transformer(minigpt.preset("tiny", vocabulary_size=4, layers=1))
    >>> result = minigpt.evaluate_text(model, model.init(np.random.default_rng(0)), tokenizer, "abacabb")
    >>> result.tokens, round(result.baseline_nats_per_token["uniform"], 3)
    (7, 1.386)
    """
    check_writes(model)
    if model.two_stacks:
        raise UserError("an encoder-decoder is scored on pairs of texts, and this is one; use a decoder")
    check_tokenizer(model, tokenizer)
    ids = tokenizer.encode(text)
    if len(ids) == 0:
        raise UserError("the text to evaluate is empty; choose one with at least one character")
    tokens = np.concatenate([[document_end(tokenizer)], ids])  # as in training, where it stands before every document
    data = text.encode("utf-8")
    bits = len(ids) / (len(data) * NATS_PER_BIT)  # bits per byte for one nat per token
    size = tokenizer.vocabulary_size
    nats = {"uniform": uniform_nats(size)} if training is None else counted_nats(training, tokens, size)
    loss = mean_loss(model, params, tokens, progress=progress)
    read = b"" if training is None else training_bytes(training, tokenizer)
    baselines = {name: value * bits for name, value in nats.items()} | compressed_bits_per_byte(data, read)
    return Evaluation(len(ids), len(data), loss, loss * bits, nats, baselines)
