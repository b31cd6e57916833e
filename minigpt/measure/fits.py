"""Scaling laws: a curve through the losses of small models, and how far it can be trusted.

Kaplan et al. (2020), arXiv:2001.08361, equation 1.1: L(N) = (N_c / N)^alpha, a straight line in logarithms.
Hoffmann et al. (2022), arXiv:2203.15556, equation 2: L(N, D) = E + A / N^alpha + B / D^beta, whose floor E no model
and no amount of text passes. N: parameters; D: training tokens; L: nats per token.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError

EXPONENTS = (0.02, 2.0)  # where alpha and beta are looked for
GRID, ROUNDS = 15, 6  # as many values of each, and as often the grid is drawn closer around the best


class PowerLaw(NamedTuple):
    """L = scale * N^-exponent."""

    scale: float
    exponent: float

    def __call__(self, size):
        """Nats per token at this size, which may be an array."""
        return self.scale * np.asarray(size, float) ** -self.exponent


class Chinchilla(NamedTuple):
    """L = floor + a / N^alpha + b / D^beta."""

    floor: float
    a: float
    alpha: float
    b: float
    beta: float

    def __call__(self, parameters, tokens):
        """Nats per token; either may be an array."""
        parameters, tokens = np.asarray(parameters, float), np.asarray(tokens, float)
        return self.floor + self.a * parameters**-self.alpha + self.b * tokens**-self.beta

    def best(self, flops: float) -> tuple[float, float]:
        """Parameters and tokens that reach the lowest loss with 6 N D = flops (equation 4 of the paper).

        `UserError` if this law has no such place, since only one of the two lowers the loss.
        """
        if self.a == 0 or self.b == 0:
            raise UserError("this law has no best size: one of its terms is 0; fit it to runs that vary both N and D")
        share = 1 / (self.alpha + self.beta)
        ratio = (self.alpha * self.a / (self.beta * self.b)) ** share
        return ratio * (flops / 6) ** (self.beta * share), (flops / 6) ** (self.alpha * share) / ratio


def fit_power_law(sizes: Sequence[float] | np.ndarray, losses: np.ndarray) -> PowerLaw:
    """The line of least squares through log loss against log size.

    sizes: (n,); losses: (n, ...), nats per token. `UserError` if there are fewer than two sizes or a value is not
    positive.
    """
    losses = np.asarray(losses, float)
    sizes = np.broadcast_to(np.reshape(sizes, (-1, *[1] * (losses.ndim - 1))), losses.shape).ravel()
    _check(losses, sizes=sizes)
    slope, height = np.polyfit(np.log(sizes), np.log(losses.ravel()), 1)
    return PowerLaw(float(np.exp(height)), float(-slope))


def fit_chinchilla(parameters: np.ndarray, tokens: np.ndarray, losses: np.ndarray) -> Chinchilla:
    """The law with the smallest sum of squared relative errors, its floor and both terms at least 0.

    Given both exponents the rest is linear, so only they are searched, on a grid that is drawn closer around the best.
    parameters, tokens, losses: arrays that broadcast together. `UserError` as for `fit_power_law`.
    """
    n, d, loss = (x.ravel().astype(float) for x in np.broadcast_arrays(parameters, tokens, losses))
    _check(loss, parameters=n, tokens=d)
    low, high = np.log(EXPONENTS)
    alphas = betas = np.exp(np.linspace(low, high, GRID))
    for _ in range(ROUNDS):
        pairs = np.array(list(itertools.product(alphas, betas)))  # (pairs, 2)
        errors, terms = _linear_parts(pairs, n, d, loss)
        best = int(errors.argmin())
        alphas, betas = (_closer(values, pairs[best, i]) for i, values in enumerate((alphas, betas)))
    (alpha, beta), (floor, a, b) = pairs[best], terms[best]
    return Chinchilla(float(floor), float(a), float(alpha), float(b), float(beta))


def bootstrap(
    fit: Callable[[np.ndarray], Any], losses: np.ndarray, rng: np.random.Generator, *, samples: int = 200
) -> list[Any]:
    """fit(losses) of `samples` data sets that might as well have been seen: each size's seeds drawn with replacement.

    losses: (sizes, seeds, ...); a run is drawn whole, since the losses along it depend on each other. Efron &
    Tibshirani (1993), "An Introduction to the Bootstrap", chapter 6. With few seeds the spread is underestimated.
    `UserError` for fewer than two seeds, which say nothing about spread.
    """
    sizes, seeds = losses.shape[:2]
    if seeds < 2:
        raise UserError(f"{seeds} seed for each size says nothing about how runs differ; train with at least 2")
    drawn = rng.integers(seeds, size=(samples, sizes, seeds))
    return [fit(losses[np.arange(sizes)[:, None], chosen]) for chosen in drawn]


def confidence_band(laws: Sequence[Any], *points: Any, level: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
    """Between what the middle `level` of the laws' values at these points lies: (low, high), each as the points."""
    values = np.array([law(*points) for law in laws])
    return np.quantile(values, (1 - level) / 2, axis=0), np.quantile(values, (1 + level) / 2, axis=0)


def _linear_parts(pairs, n, d, loss):
    """Of each pair of exponents the error, (pairs,), and floor, a and b, (pairs, 3), by nonnegative least squares.

    With three unknowns that is: try every subset of them, and keep the best whose values are all positive.
    """
    alpha, beta = pairs.T[:, :, None]
    columns = np.stack([np.ones((len(pairs), len(n))), n**-alpha, d**-beta], axis=2) / loss[:, None]
    sizes = np.linalg.norm(columns, axis=1)  # columns of length 1: else 1 / N^alpha is too small to be seen
    columns /= sizes[:, None]
    errors, terms = np.full(len(pairs), np.inf), np.zeros((len(pairs), 3))
    for count in (3, 2, 1):
        for subset in map(list, itertools.combinations(range(3), count)):
            q, r = np.linalg.qr(columns[:, :, subset])
            singular = np.abs(np.diagonal(r, axis1=1, axis2=2)).min(axis=1) < 1e-9
            r[singular] = np.eye(count)
            values = np.linalg.solve(r, q.sum(axis=1)[:, :, None])[:, :, 0]  # loss / loss is 1 everywhere
            error = np.square(np.einsum("pns,ps->pn", columns[:, :, subset], values) - 1).sum(axis=1)
            better = (values > 0).all(axis=1) & ~singular & (error < errors)
            errors[better] = error[better]
            terms[better] = 0
            terms[np.ix_(better, subset)] = values[better]
    return errors, terms / sizes


def _closer(values, best):
    """A grid over the neighbourhood of `best`, which is one of `values`."""
    here = int(np.abs(values - best).argmin())
    return np.geomspace(values[max(here - 1, 0)], values[min(here + 1, len(values) - 1)], GRID)


def _check(losses, **sizes):
    for name, values in {"losses": losses, **sizes}.items():
        wrong = values[~(np.isfinite(values) & (values > 0))]
        if wrong.size:
            raise UserError(f"{name} must be positive numbers, but one is {wrong[0]:g}; leave that run out")
        if name != "losses" and len(np.unique(values)) < 2:
            raise UserError(f"all {name} are {values[0]:g}, and one point does not make a curve; vary them")
