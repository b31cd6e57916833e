"""Scaling laws, found again in losses that were made from them."""

import numpy as np
import pytest

from minigpt import UserError
from minigpt.measure import Chinchilla, PowerLaw, bootstrap, confidence_band, fit_chinchilla, fit_power_law

SIZES = np.array([1e4, 3e4, 1e5, 4e5])
TOKENS = np.geomspace(1e4, 1e7, 9)
LAWS = [
    Chinchilla(1.69, 406.4, 0.34, 410.7, 0.28),  # of the paper
    Chinchilla(0.5, 3.0, 0.1, 90.0, 0.6),
    Chinchilla(1.2, 50.0, 0.8, 8.0, 0.2),
]


def test_a_power_law_is_found_again():
    law = PowerLaw(11.0, 0.076)
    found = fit_power_law(SIZES, law(SIZES))
    np.testing.assert_allclose(found, law, rtol=1e-9)


def test_several_seeds_share_a_size():
    law = PowerLaw(11.0, 0.076)
    losses = law(SIZES)[:, None] * np.array([1.01, 1 / 1.01])
    np.testing.assert_allclose(fit_power_law(SIZES, losses), law, rtol=1e-9)


@pytest.mark.parametrize("law", LAWS)
def test_a_law_of_two_variables_is_found_again(law):
    losses = law(SIZES[:, None], TOKENS)
    found = fit_chinchilla(SIZES[:, None], TOKENS, losses)
    np.testing.assert_allclose(found(SIZES[:, None], TOKENS), losses, rtol=1e-4)
    assert found.alpha == pytest.approx(law.alpha, rel=0.02)
    assert found.beta == pytest.approx(law.beta, rel=0.02)
    assert found.floor == pytest.approx(law.floor, abs=0.03)


def test_no_term_is_negative():
    """Losses that rise with size have no such law; the best then is that size does nothing."""
    found = fit_chinchilla(SIZES[:, None], TOKENS, 1 + 5 * TOKENS**-0.3 + 0.1 * np.log(SIZES[:, None]))
    assert found.a == 0
    assert min(found) >= 0
    with pytest.raises(UserError, match="one of its terms is 0"):
        found.best(1e12)


@pytest.mark.parametrize("law", LAWS)
def test_the_best_size_is_the_lowest_place(law):
    flops = 1e14
    n, d = law.best(flops)
    assert 6 * n * d == pytest.approx(flops)
    for other in (0.9, 0.99, 1.01, 1.1):
        assert law(n * other, d / other) > law(n, d)


def test_hoffmanns_law_gives_their_model():
    """Table A3: 1.2e23 FLOPs by their third approach are a model of some ten billion parameters."""
    n, _ = LAWS[0].best(1.21e23)
    assert 5e9 < n < 2e10


def test_a_band_holds_the_truth_and_narrows_with_less_noise():
    law, widths = PowerLaw(11.0, 0.076), []
    for noise in (0.02, 0.002):
        rng = np.random.default_rng(0)
        losses = law(SIZES)[:, None] * np.exp(noise * rng.standard_normal((4, 8)))
        laws = bootstrap(lambda drawn: fit_power_law(SIZES, drawn), losses, rng)
        low, high = confidence_band(laws, 1e7)
        assert low < law(1e7) < high
        widths.append(high - low)
    assert widths[1] == pytest.approx(widths[0] / 10, rel=0.2)


def test_a_bootstrap_draws_whole_runs_of_their_own_size():
    losses = np.arange(4 * 3 * 2).reshape(4, 3, 2)

    def look(drawn):
        assert drawn.shape == losses.shape
        for size in range(4):
            assert all(row in losses[size].tolist() for row in drawn[size].tolist())
        return drawn.tolist()

    seen = bootstrap(look, losses, np.random.default_rng(0), samples=20)
    assert len({str(drawn) for drawn in seen}) > 10
    assert seen == bootstrap(look, losses, np.random.default_rng(0), samples=20)


@pytest.mark.parametrize(("work", "message"), [
    (lambda: fit_power_law([10.0, 10.0], [2.0, 2.1]), "all sizes are 10"),
    (lambda: fit_power_law([10.0, 20.0], [2.0, -0.5]), "losses must be positive numbers, but one is -0.5"),
    (lambda: fit_power_law([10.0, 20.0], [2.0, np.nan]), "losses must be positive numbers, but one is nan"),
    (lambda: fit_power_law([10.0, np.inf], [2.0, 1.0]), "sizes must be positive numbers, but one is inf"),
    (lambda: fit_chinchilla(np.array([1e4, 1e5]), np.array(1e6), np.array([2.0, 1.9])), "all tokens are 1e.06"),
    (lambda: bootstrap(np.mean, np.ones((4, 1)), np.random.default_rng(0)), "1 seed for each size"),
])  # fmt: skip
def test_what_cannot_be_fitted_is_named(work, message):
    with pytest.raises(UserError, match=message):
        work()
