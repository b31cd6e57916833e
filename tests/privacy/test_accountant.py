"""The accountant says what published ones say, and what the closed form for whole orders gives."""

import math

import numpy as np
import pytest

from minigpt import UserError
from minigpt.privacy import noise_for, renyi_divergence, spent

MNIST = 256 / 60_000  # the rate of the examples that everybody publishes


@pytest.mark.parametrize(("epsilon", "options"), [
    # Opacus' documentation of compute_dp_sgd_privacy, two versions.
    (2.95, {"rate": MNIST, "noise": 1.12, "steps": 60 * 60_000 // 256, "orders": (10, 20, 100)}),
    (2.39, {"rate": 0.01, "noise": 1.0, "steps": 300, "orders": (2, 5, 10, 20, 100)}),
    # Bu, Dong, Long & Su (2020), figure 4: the moments accountant.
    (1.34, {"rate": MNIST, "noise": 1.3, "steps": 20 * 60_000 // 256}),
    (8.68, {"rate": MNIST, "noise": 0.7, "steps": 70 * 60_000 // 256}),
])  # fmt: skip
def test_published_values_to_one_in_a_hundred(epsilon, options):
    found = [spent(delta=1e-5, conversion=conversion, **options) for conversion in ("classic", "tight")]
    assert min(found, key=lambda value: abs(value - epsilon)) == pytest.approx(epsilon, rel=0.01)
    assert found[1] < found[0]


@pytest.mark.parametrize("order", [2, 3, 7, 32])
@pytest.mark.parametrize(("rate", "noise"), [(0.01, 1.1), (0.3, 0.6), (0.9, 2.0)])
def test_whole_orders_have_a_closed_form(order, rate, noise):
    """Mironov, Talwar & Zhang (2019), section 3.3: a binomial sum."""
    terms = [
        math.lgamma(order + 1) - math.lgamma(k + 1) - math.lgamma(order - k + 1)
        + (order - k) * math.log1p(-rate) + k * math.log(rate) + k * (k - 1) / (2 * noise**2)
        for k in range(order + 1)
    ]  # fmt: skip
    expected = np.logaddexp.reduce(terms) / (order - 1)
    assert renyi_divergence(rate, noise, order) == pytest.approx(expected, rel=1e-9)


def test_without_sampling_it_is_a_gaussian():
    assert renyi_divergence(1.0, 2.0, 5.0) == 5 / 8
    assert renyi_divergence(0.999999, 2.0, 5.0) == pytest.approx(5 / 8, rel=1e-4)
    assert renyi_divergence(0.0, 2.0, 5.0) == 0


def test_more_noise_spends_less_and_more_steps_more():
    usual = {"rate": 0.01, "noise": 1.0, "steps": 100, "delta": 1e-5}
    base = spent(**usual)
    assert spent(**usual | {"noise": 2.0}) < base < spent(**usual | {"steps": 200})
    assert base < spent(**usual | {"rate": 0.02}) and base < spent(**usual | {"delta": 1e-7})
    assert spent(**usual | {"noise": 0.0}) == math.inf and spent(**usual | {"steps": 0}) == 0


def test_the_noise_for_an_epsilon_is_the_least():
    rest = {"rate": 0.02, "steps": 500, "delta": 1e-5}
    noise = noise_for(3.0, **rest)
    assert spent(noise=noise, **rest) <= 3.0 < spent(noise=0.998 * noise, **rest)


@pytest.mark.parametrize(("changes", "says"), [
    ({"rate": 1.5}, "the rate is 1.5"),
    ({"delta": 0}, "delta is 0"),
    ({"steps": -1}, "-1 steps"),
    ({"noise": -1}, "the noise is -1"),
    ({"noise": math.nan}, "the noise is nan"),
    ({"conversion": "loose"}, "loose is not known"),
])  # fmt: skip
def test_what_is_no_probability_is_refused(changes, says):
    with pytest.raises(UserError, match=says):
        spent(**{"rate": 0.1, "noise": 1.0, "steps": 10, "delta": 1e-5} | changes)


def test_an_epsilon_that_is_not_above_0_is_refused():
    with pytest.raises(UserError, match="epsilon is 0"):
        noise_for(0, rate=0.1, steps=10, delta=1e-5)
