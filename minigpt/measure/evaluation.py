"""How well a model predicts a text."""

import hashlib
import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.infer.generate import check_tokenizer
from minigpt.measure.baselines import compressed_bits_per_byte, counted_nats, training_bytes, uniform_nats
from minigpt.measure.calibration import lines_of, reliability
from minigpt.measure.intervals import spread
from minigpt.measure.scores import NATS_PER_BIT, TokenScores, by_frequency, in_windows, token_scores
from minigpt.measure.surprise import check_predicts
from minigpt.model import Params, Transformer
from minigpt.ops import cross_entropy_forward
from minigpt.text import Tokenizer, document_end

PIECES = 64  # that a sample of a text has


@dataclass(frozen=True)
class Evaluation:
    """A model's score on one text, and others' on the same text. nats are per token, bits per byte of UTF-8."""

    tokens: int
    bytes: int
    nats_per_token: float
    bits_per_byte: float
    baseline_nats_per_token: dict[str, float]  # uniform; of a run also unigram, bigram
    baseline_bits_per_byte: dict[str, float]  # the same, and gzip, bz2, xz; of a run also xz primed
    interval: dict[str, float] = field(default_factory=dict)  # low and high of the nats per token, 95%
    by_frequency: list[dict[str, Any]] = field(default_factory=list)  # see `minigpt.measure.scores.by_frequency`
    counted_in: str = "this text"  # where the frequencies are from: of a run, its training text
    calibration: dict[str, Any] = field(default_factory=dict)  # see `minigpt.measure.calibration.reliability`
    sha256: str = ""  # of the text's bytes

    @property
    def perplexity(self) -> float:
        """exp of the nats per token: among so many equally likely tokens one would be as unsure."""
        return math.exp(self.nats_per_token)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**asdict(self), "perplexity": self.perplexity}

    def table(self) -> str:
        """Lines for people, worst first."""
        rows = {**self.baseline_bits_per_byte, "this model": self.bits_per_byte}
        nats = {**self.baseline_nats_per_token, "this model": self.nats_per_token}
        lines = [f"{self.bytes:,} bytes, {self.tokens:,} tokens", f"{'':12}bits per byte  nats per token"]
        for name, bits in sorted(rows.items(), key=lambda row: -row[1]):
            lines.append(f"{name:12}{bits:13.3f}{nats[name]:16.3f}" if name in nats else f"{name:12}{bits:13.3f}")
        low, high = self.interval["low"], self.interval["high"]
        reached = "" if math.isnan(low) else f" nats per token, {math.exp(low):,.2f} to {math.exp(high):,.2f}"
        lines.append(f"{'':12}perplexity {self.perplexity:,.2f}; 95% interval {spread(self.interval)}{reached}")
        return "\n".join(lines)

    def details(self) -> str:
        """Lines for people: rare and frequent tokens, and confidence beside accuracy."""
        lines = [f"{'times in ' + self.counted_in:>28}{'tokens':>10}  nats per token (95% interval)"]
        for row in self.by_frequency:
            times = "never" if row["most"] == 0 else f"{row['least']:,} to {row['most']:,}"
            nats = row["nats"]
            lines.append(f"{times:>28}{row['tokens']:>10,}{nats['value']:10.3f} ({spread(nats)})")
        return "\n".join([*lines, "", *lines_of(self.calibration, "tokens")])


def scored_text(
    model: Transformer, params: Any, tokenizer: Tokenizer, text: str, *, progress: bool = False
) -> TokenScores:
    """The scores of every token of a text, as a document of its own. `UserError` for what cannot be scored so."""
    check_predicts(model)
    check_tokenizer(model, tokenizer)
    ids = tokenizer.encode(text)
    if len(ids) == 0:
        raise UserError("the text to evaluate is empty; choose one with at least one character")
    tokens = np.concatenate([[document_end(tokenizer)], ids])  # as in training, where it stands before every document
    return token_scores(model, params, tokens, progress=progress)


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

    stride, batch, threads: as `minigpt.measure.scores.in_windows` takes them.
    """

    def score(logits: np.ndarray, targets: np.ndarray) -> float:
        return float(cross_entropy_forward(logits, targets, count=1)[0])

    found = in_windows(model, params, tokens, score, stride=stride, batch=batch, threads=threads, progress=progress)
    return sum(found) / (len(tokens) - 1)


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
        For an empty text, for a model that does not say what comes next, and for one whose scores are no numbers.

    Examples
    --------
        >>> tokenizer = minigpt.CharacterTokenizer("abc")
    >>> model = minigpt.Transformer(minigpt.preset("tiny", vocabulary_size=4, layers=1))
    >>> result = minigpt.evaluate_text(model, model.init(np.random.default_rng(0)), tokenizer, "abacabb")
    >>> result.tokens, round(result.baseline_nats_per_token["uniform"], 3)
    (7, 1.386)
    """
    scores = scored_text(model, params, tokenizer, text, progress=progress)
    ids, size = scores.targets, tokenizer.vocabulary_size
    tokens = np.concatenate([[document_end(tokenizer)], ids])
    data = text.encode("utf-8")
    bits = len(ids) / (len(data) * NATS_PER_BIT)  # bits per byte for one nat per token
    nats = {"uniform": uniform_nats(size)} if training is None else counted_nats(training, tokens, size)
    interval = scores.interval()
    read = b"" if training is None else training_bytes(training, tokenizer)
    baselines = {name: value * bits for name, value in nats.items()} | compressed_bits_per_byte(data, read)
    return Evaluation(
        len(ids),
        len(data),
        interval.value,
        interval.value * bits,
        nats,
        baselines,
        {"low": interval.low, "high": interval.high},
        by_frequency(scores, ids if training is None else training, model.config.vocabulary_size),
        "this text" if training is None else "its training text",
        reliability(scores.confidence, scores.right),
        hashlib.sha256(data).hexdigest(),
    )
