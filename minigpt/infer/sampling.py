"""From scores to the next token: greedy, temperature, top-k and top-p sampling."""

import math
from dataclasses import dataclass

import numpy as np

from minigpt.errors import UserError
from minigpt.ops import softmax_forward


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen. The three apply in this order; the defaults sample from the model as it is.

    Parameters
    ----------
    temperature : float
        Scores are divided by it. Below 1 likely tokens become likelier; 0 always takes the likeliest (greedy).
    top_k : int, optional
        Only the k likeliest tokens may be drawn (Fan et al. 2018, arXiv:1805.04833).
    top_p : float, optional
        Only the fewest tokens that together have probability p (Holtzman et al. 2019, arXiv:1904.09751): many
        where the model is unsure, few where it is sure.

    Raises
    ------
    UserError
        Names a value that does not fit.

    Examples
    --------
    >>> minigpt.Sampling(temperature=0.8, top_p=0.95)
    Sampling(temperature=0.8, top_k=None, top_p=0.95)
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        if not (self.temperature >= 0 and math.isfinite(self.temperature)):
            raise UserError(f"temperature is {self.temperature}, but it must be 0 (greedy) or a positive number")
        if self.top_k is not None and (not isinstance(self.top_k, int) or self.top_k < 1):
            raise UserError(f"top_k is {self.top_k}, but it must be a whole number of at least 1")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise UserError(f"top_p is {self.top_p}, but it must be above 0 and at most 1")


PURE = Sampling()  # "pure sampling" in Holtzman et al.: every token with the probability that the model gives it
GREEDY = Sampling(temperature=0)


def next_tokens(logits: np.ndarray, sampling: Sampling, rng: np.random.Generator | None = None) -> np.ndarray:
    """One token for each row of logits: (B, V). Returns (B,) ids.

    Greedy takes the highest score, of equal ones the lowest id, and needs no rng. Otherwise each row takes one number
    from rng, so the same seed gives the same tokens. `UserError` if the scores are not numbers.
    """
    check_scores(logits)
    if sampling.temperature == 0:
        return logits.argmax(axis=-1)
    return draw(distribution(logits, sampling), rng)


def check_scores(logits: np.ndarray) -> None:
    """`UserError` if the scores, (B, V), are not numbers."""
    if not np.isfinite(logits.max(axis=-1)).all():  # a maximum is NaN when any score is
        raise UserError("the model's scores are not finite numbers; its parameters are damaged or training diverged")


def draw(probabilities: np.ndarray, rng: np.random.Generator | None) -> np.ndarray:
    """One id for each row of probabilities: (B, V), which need not sum to 1. Returns (B,); one number from rng each."""
    if rng is None:
        raise UserError("sampling needs a random generator; pass rng=numpy.random.default_rng(seed) or temperature 0")
    cumulative = probabilities.cumsum(axis=-1)  # (B, V)
    cumulative /= cumulative[:, -1:]  # ends at exactly 1, above any number that rng gives
    return (cumulative <= rng.random((len(probabilities), 1))).sum(axis=-1)  # the first token whose sum is above it


def log_sum(logits: np.ndarray) -> float:
    """log(sum(exp(logits))), of (V,): a score less this is the logarithm of the model's probability."""
    most = logits.max()
    return float(most) + math.log(np.exp(logits - most).sum(dtype=np.float64))


def likeliest(logits: np.ndarray, count: int) -> list[int]:
    """The ids of so many of the highest of logits: (V,), highest first, of equal ones the lower ids."""
    return np.argsort(-logits, kind="stable")[:count].tolist() if count else []


def distribution(logits: np.ndarray, sampling: Sampling) -> np.ndarray:
    """The probabilities that tokens are drawn with: (B, V) float64, from logits: (B, V). Temperature must not be 0."""
    scores = logits.astype(np.float64)
    scores -= scores.max(axis=-1, keepdims=True)  # first, so that no temperature overflows
    with np.errstate(over="ignore"):  # far below the maximum is as good as -inf
        scores /= sampling.temperature
    if sampling.top_k is not None:
        scores = top_k(scores, sampling.top_k)
    if sampling.top_p is not None:
        scores = top_p(scores, sampling.top_p)
    return softmax_forward(scores)[0]


def top_k(logits: np.ndarray, k: int) -> np.ndarray:
    """logits: (B, V) with all but the k highest of each row set to -inf. Of equal scores the lower ids stay."""
    k = min(k, logits.shape[-1])
    lowest = np.partition(logits, -k, axis=-1)[:, -k, None]  # (B, 1): found without sorting the vocabulary
    return _keep_highest(logits, lowest, np.full((len(logits), 1), k))


def top_p(logits: np.ndarray, p: float) -> np.ndarray:
    """logits: (B, V) with all but the nucleus of each row set to -inf.

    The nucleus is the smallest set of tokens whose probabilities sum to at least p, and never empty. Of equal scores
    the lower ids go in first. With p = 1 everything stays.
    """
    if p >= 1:
        return logits
    descending = -np.sort(-logits, axis=-1)  # (B, V), highest first
    reached = softmax_forward(descending)[0].cumsum(axis=-1)  # (B, V): the mass of the 1, 2, 3 ... likeliest
    counts = 1 + (reached < p).sum(axis=-1, keepdims=True)
    counts = np.minimum(counts, logits.shape[-1])
    return _keep_highest(logits, np.take_along_axis(descending, counts - 1, axis=-1), counts)


def _keep_highest(logits: np.ndarray, lowest: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """logits: (B, V) with all but the `counts`: (B, 1) highest of each row set to -inf. lowest: (B, 1), of these."""
    above, equal = logits > lowest, logits == lowest
    room = counts - above.sum(axis=-1, keepdims=True)  # for scores equal to the threshold
    return np.where(above | (equal & (equal.cumsum(axis=-1) <= room)), logits, -np.inf)
