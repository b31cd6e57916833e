"""How much privacy a training with noise has spent.

An algorithm is (epsilon, delta) differentially private if, whether or not one example is in the data, the probability
of any result differs by no more than the factor exp(epsilon), but for a probability of delta (Dwork & Roth 2014,
definition 2.4). DP-SGD's step is a Gaussian on a sample of the data. Its Rényi divergence is computed for each order
(Mironov, Talwar & Zhang 2019, arXiv:1908.10530, section 3), adds up over steps, and becomes an epsilon at the end.
"""

import math

import numpy as np

from minigpt.errors import UserError

# The fractional ones matter where little noise is added, the large ones where much is.
ORDERS = (*np.arange(1.1, 11, 0.1).round(1).tolist(), *range(11, 64), 128, 256, 512)
STEP = 1 / 8  # of the integral, in standard deviations; a sum over a Gaussian is then exact to the last digit
LEAST = 0.01  # noise, below which epsilon is in the thousands and promises nothing
CLASSIC, TIGHT = "classic", "tight"


def renyi_divergence(rate: float, noise: float, order: float) -> float:
    """Of one step, in nats: how far a sampled Gaussian with the example is from one without it.

    rate: the probability that an example is in a batch. noise: the standard deviation of the noise over the longest
    gradient of an example. order: above 1. With mu_0 = N(0, noise^2) and mu = (1 - rate) mu_0 + rate N(1, noise^2) it
    is log E_{z ~ mu_0} (mu(z) / mu_0(z))^order / (order - 1), equation 5 there; here the integral is a sum over a fine
    grid, which also does for orders that are not whole.
    """
    if rate == 0:
        return 0.0
    if rate == 1:
        return order / (2 * noise**2)  # a Gaussian without sampling: Mironov (2017), proposition 7
    z = np.arange(-14 * noise, order + 14 * noise, STEP * noise)  # the integrand's mass lies between 0 and `order`
    ratio = np.logaddexp(math.log1p(-rate), math.log(rate) + (2 * z - 1) / (2 * noise**2))
    exponent = order * ratio - z**2 / (2 * noise**2) - math.log(noise * math.sqrt(2 * math.pi))
    top = float(exponent.max())
    log_moment = top + math.log(float(np.exp(exponent - top).sum()) * STEP * noise)
    return max(0.0, log_moment / (order - 1))


def spent(
    *, rate: float, noise: float, steps: int, delta: float, orders: tuple[float, ...] = ORDERS, conversion: str = TIGHT
) -> float:
    """The epsilon that goes with `delta` after so many steps of DP-SGD.

    Parameters
    ----------
    rate : float
        The probability with which each example is drawn for a step: batch / examples.
    noise : float
        The standard deviation of the noise over the longest gradient of one example.
    steps : int
        How many.
    delta : float
        Below 1 / examples, or single examples could be published as they are.
    orders : tuple of float
        Rényi orders, of which the best is taken.
    conversion : str
        From Rényi divergence to epsilon: `tight`, Canonne, Kamath & Steinke (2020), arXiv:2004.00010, proposition 12,
        or `classic`, Mironov (2017), arXiv:1702.07476, proposition 3, with which older values were published.

    Returns
    -------
    float
        Infinity without noise, or with next to none.

    Raises
    ------
    UserError
        For values that are no probabilities, and for noise below 0.

    Examples
    --------
    >>> steps = 20 * 60_000 // 256  # twenty times over 60,000 examples
    >>> epsilon = minigpt.privacy.spent(rate=256 / 60_000, noise=1.3, steps=steps, delta=1e-5, conversion="classic")
    >>> round(epsilon, 1)
    1.3
    """
    _check(rate, delta, steps)
    if not (noise >= 0 and math.isfinite(noise)):
        raise UserError(f"the noise is {noise}, but it must be 0 or more")
    if steps == 0 or rate == 0:
        return 0.0
    if noise < LEAST:
        return math.inf
    return min(_epsilon(steps * renyi_divergence(rate, noise, a), a, delta, conversion) for a in orders)


def _epsilon(divergence: float, order: float, delta: float, conversion: str) -> float:
    if conversion == CLASSIC:
        return divergence - math.log(delta) / (order - 1)
    if conversion != TIGHT:
        raise UserError(f"the conversion {conversion} is not known; it is {CLASSIC} or {TIGHT}")
    tight = divergence + math.log1p(-1 / order) - (math.log(delta) + math.log(order)) / (order - 1)
    return max(0.0, tight)


def noise_for(epsilon: float, *, rate: float, steps: int, delta: float) -> float:
    """The least noise, to a thousandth, with which so many steps spend no more than `epsilon`."""
    _check(rate, delta, steps)
    if not epsilon > 0:
        raise UserError(f"epsilon is {epsilon}, but it must be above 0")
    low, high = 0.0, 1.0
    while spent(rate=rate, noise=high, steps=steps, delta=delta) > epsilon:
        low, high = high, 2 * high
        if high > 1e6:
            raise UserError(f"no noise reaches an epsilon of {epsilon} with a delta of {delta}; ask for more of one")
    while high - low > 1e-3 * high:
        middle = (low + high) / 2
        if spent(rate=rate, noise=middle, steps=steps, delta=delta) > epsilon:
            low = middle
        else:
            high = middle
    return high


def _check(rate: float, delta: float, steps: int) -> None:
    if not 0 <= rate <= 1:
        raise UserError(f"the rate is {rate}, but it is the probability to be drawn, from 0 to 1")
    if not 0 < delta < 1:
        raise UserError(f"delta is {delta}, but it must be between 0 and 1, and below 1 / examples")
    if steps < 0:
        raise UserError(f"there are {steps} steps; give 0 or more")
