"""Choosing the next token: each rule keeps exactly what it says, and draws come in the right proportions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from minigpt import UserError
from minigpt.infer import GREEDY, PURE, Sampling, next_tokens
from minigpt.infer.sampling import distribution, top_k, top_p
from minigpt.ops import softmax_forward

# Few different values, so that ties are common.
LOGITS = arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(-6, 6).map(float))


@given(LOGITS, st.integers(1, 12))
def test_top_k_keeps_the_k_first_of_a_stable_order(logits, k):
    kept = top_k(logits, k)
    for row, result in zip(logits, kept, strict=True):
        first = sorted(range(len(row)), key=lambda token: (-row[token], token))[:k]
        assert set(np.flatnonzero(np.isfinite(result))) == set(first)
        np.testing.assert_array_equal(result[first], row[first])


@given(LOGITS, st.floats(0.01, 0.99))
def test_top_p_is_the_smallest_set_that_reaches_p(logits, p):
    probabilities = softmax_forward(logits)[0]
    kept = np.isfinite(top_p(logits, p))
    for row, chosen in zip(probabilities, kept, strict=True):
        inside, outside = row[chosen], row[~chosen]
        assert inside.size
        assert inside.sum() >= p - 1e-12
        assert inside.sum() - inside.min() < p + 1e-12  # without its least likely token it would not reach p
        assert inside.min() >= outside.max(initial=0)
        order = np.flatnonzero(row == inside.min())  # of equal ones, the lower ids
        assert np.array_equal(chosen[order], np.arange(len(order)) < chosen[order].sum())


@given(LOGITS)
def test_top_p_of_one_keeps_everything(logits):
    assert np.array_equal(top_p(logits, 1.0), logits)


@given(LOGITS, st.integers(0, 99))
def test_narrow_sampling_is_greedy(logits, seed):
    rng = np.random.default_rng(seed)
    greedy = next_tokens(logits, GREEDY)
    assert np.array_equal(greedy, logits.argmax(axis=-1))
    for sampling in (Sampling(top_k=1), Sampling(top_p=1e-9), Sampling(temperature=1e-6, top_k=1)):
        assert np.array_equal(next_tokens(logits, sampling, rng), greedy)


@given(LOGITS, st.integers(0, 99), st.integers(1, 5), st.floats(0.1, 1.0), st.floats(0.05, 20))
def test_only_kept_tokens_are_drawn(logits, seed, k, p, temperature):
    sampling = Sampling(temperature, top_k=k, top_p=p)
    ids = next_tokens(logits, sampling, np.random.default_rng(seed))
    probabilities = distribution(logits, sampling)
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1)
    assert np.all(np.take_along_axis(probabilities, ids[:, None], axis=-1) > 0)
    assert np.all((probabilities > 0).sum(axis=-1) <= k)


@pytest.mark.parametrize(
    "sampling", [PURE, Sampling(0.5), Sampling(3.0), Sampling(top_k=3), Sampling(top_p=0.7), Sampling(2.0, 5, 0.8)]
)
def test_frequencies_are_the_probabilities(sampling):
    """Pearson's chi-square over 20,000 draws, against the definition written out in another way."""
    scores = np.array([2.0, -1.0, 0.5, 0.5, 3.0, -4.0, 1.0])
    weights = np.exp(scores / (sampling.temperature))
    order = np.argsort(-weights, kind="stable")[: sampling.top_k]
    mass = np.cumsum(weights[order]) / weights[order].sum()
    order = order[: 1 + np.count_nonzero(mass < (sampling.top_p or 2))]
    expected = np.zeros(7)
    expected[order] = weights[order] / weights[order].sum()

    draws = next_tokens(np.tile(scores.astype(np.float32), (20_000, 1)), sampling, np.random.default_rng(3))
    counts = np.bincount(draws, minlength=7)
    assert np.all(counts[expected == 0] == 0)
    inside = expected > 0
    chi_square = ((counts - 20_000 * expected)[inside] ** 2 / (20_000 * expected[inside])).sum()
    assert chi_square < 22.5  # 99.9% of such draws with 6 degrees of freedom


def test_same_seed_same_tokens_and_one_number_per_row():
    logits = np.random.default_rng(5).standard_normal((40, 50))
    first = next_tokens(logits, PURE, np.random.default_rng(6))
    assert np.array_equal(first, next_tokens(logits, PURE, np.random.default_rng(6)))
    assert not np.array_equal(first, next_tokens(logits, PURE, np.random.default_rng(7)))
    one_by_one, rng = [], np.random.default_rng(6)
    for row in logits:
        one_by_one.extend(next_tokens(row[None], PURE, rng))
    assert np.array_equal(first, one_by_one)


def test_a_number_just_below_one_still_finds_a_token():
    class Highest:
        def random(self, shape):
            return np.full(shape, np.nextafter(1, 0))

    logits = np.array([[0.0, 1.0, 2.0, -np.inf], [-1e4, 3.0, -1e4, -1e4]])
    assert next_tokens(logits, PURE, Highest()).tolist() == [2, 1]


def test_forbidden_tokens_are_never_drawn():
    logits = np.full((500, 4), -np.inf)
    logits[:, [1, 3]] = 0.0
    for sampling in (PURE, Sampling(top_p=0.999), Sampling(top_k=4)):
        assert set(next_tokens(logits, sampling, np.random.default_rng(0))) == {1, 3}


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("sampling", [PURE, GREEDY])
def test_scores_that_are_no_numbers_are_refused(bad, sampling):
    logits = np.zeros((2, 5), np.float32)
    logits[1, 2] = bad
    with pytest.raises(UserError, match="not finite numbers"):
        next_tokens(logits, sampling, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"temperature": -1}, "temperature is -1"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"temperature": float("inf")}, "temperature is inf"),
        ({"top_k": 0}, "top_k is 0"),
        ({"top_k": 2.5}, "top_k is 2.5"),
        ({"top_p": 0}, "top_p is 0"),
        ({"top_p": 1.01}, "top_p is 1.01"),
    ],
)
def test_bad_settings_are_named(values, words):
    with pytest.raises(UserError, match=words):
        Sampling(**values)


def test_sampling_needs_a_generator():
    with pytest.raises(UserError, match="default_rng"):
        next_tokens(np.zeros((1, 3)), PURE)


def test_no_temperature_overflows():
    logits = np.array([[300.0, 1.0, -300.0]])
    assert np.array_equal(distribution(logits, Sampling(temperature=1e-307)), [[1, 0, 0]])
