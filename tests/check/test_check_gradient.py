"""The checker itself: it passes what is right, and refuses every way of being wrong."""

from typing import NamedTuple

import numpy as np
import pytest

from minigpt.check import GradientError, check_forward, check_gradient
from minigpt.errors import UserError
from minigpt.ops import layer_norm_backward, layer_norm_forward, relu_backward, relu_forward


def product_forward(a, b, *, power=1.0):
    """y = sum over the rows of a * b^power."""
    return (a * b**power).sum(axis=0), (a, b, power)


def product_backward(dy, cache):
    a, b, power = cache
    return dy * b**power, dy * a * power * b ** (power - 1)


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return rng.uniform(0.5, 2, (3, 4)), rng.uniform(0.5, 2, (3, 4))


def refused(match, forward, backward, *arrays, **options):
    with pytest.raises(GradientError, match=match):
        check_gradient(forward, backward, *arrays, **options).raise_if_wrong()


def test_passes_a_right_pair_and_says_how_right(arrays):
    report = check_gradient(product_forward, product_backward, *arrays, power=1.5)
    report.raise_if_wrong()
    assert report.passed
    assert [a.name for a in report.arguments] == ["a", "b"]
    assert [a.entries for a in report.arguments] == [12, 12]
    assert all(0 < a.max_relative_error < 1e-9 for a in report.arguments)


def test_names_the_wrong_gradient_its_index_and_both_values(arrays):
    def backward(dy, cache):
        da, db = product_backward(dy, cache)
        db = db.copy()
        db[2, 1] += 0.25
        return da, db

    report = check_gradient(product_forward, backward, *arrays)
    (wrong,) = report.wrong
    assert (wrong.name, wrong.worst) == ("b", (2, 1))
    assert wrong.yours - wrong.numeric == pytest.approx(0.25, abs=1e-9)
    assert wrong.max_absolute_error == pytest.approx(0.25, abs=1e-9)
    refused(rf"gradient of b is wrong, worst at \[2, 1\]: yours {wrong.yours:.8g}", product_forward, backward, *arrays)


def test_counts_what_else_is_wrong():
    arrays = np.random.default_rng(0).standard_normal((6, 3))

    def message(wrong):
        report = check_gradient(
            lambda a, b, c, d, e, f: (a + b + c + d + e + f, None),
            lambda dy, _: tuple(2 * dy if i in wrong else 1 * dy for i in range(6)),
            *arrays,
        )
        with pytest.raises(GradientError) as error:
            report.raise_if_wrong()
        return str(error.value)

    assert "also" not in message({0})
    assert message({1, 2, 4}).endswith("; also wrong: c, e")
    assert message({0, 1, 2, 3}).endswith("; also wrong: b, c, d")
    assert message(set(range(6))).endswith("; also wrong: b, c, d and 2 more")


def test_an_empty_array_has_nothing_wrong():
    (report,) = check_gradient(lambda x: (x * x, x), lambda dy, x: 2 * dy * x, np.zeros((0, 3))).arguments
    assert report.passed
    assert (report.entries, report.max_absolute_error, report.yours, report.numeric) == (0, 0, 0, 0)


@pytest.mark.parametrize("factor", [1 + 3e-6, 1 - 3e-6, -1.0, 0.0])
def test_the_tolerance_is_one_in_a_million(arrays, factor):
    def backward(dy, cache):
        da, db = product_backward(dy, cache)
        return da * factor, db

    refused("gradient of a is wrong", product_forward, backward, *arrays)
    close = check_gradient(product_forward, lambda dy, c: (dy * c[1] * (1 + 1e-7), dy * c[0]), *arrays)
    assert close.passed


def test_the_upstream_gradient_is_never_all_ones(arrays):
    seen = []

    def backward(dy, cache):
        seen.append(dy)
        _, dgain, dbias = layer_norm_backward(dy, cache)
        g, n = dy * cache.gain, cache.normalized
        # Wrong in its third term, but with dy = 1 and gain = 1 the right gradient is zero, and so is this.
        return (g - g.mean(axis=-1, keepdims=True)) * cache.inverse_std + 0 * n, dgain, dbias

    x, gain, bias = arrays[0], np.ones(4), np.zeros(4)
    ones = layer_norm_forward(x, gain, bias)
    np.testing.assert_allclose(
        backward(np.ones((3, 4)), ones[1])[0], layer_norm_backward(np.ones((3, 4)), ones[1])[0], atol=1e-9
    )
    seen.clear()
    refused("gradient of x is wrong", layer_norm_forward, backward, x, gain, bias)
    for dy in seen:
        assert np.abs(dy).min() >= 0.5
        assert np.ptp(dy) > 0.5


def test_a_right_gradient_costs_two_evaluations_of_each_entry(arrays):
    calls = []

    def forward(a, b):
        calls.append(1)
        return product_forward(a, b)

    check_gradient(forward, product_backward, *arrays).raise_if_wrong()
    assert len(calls) == 2 * (12 + 12) + 4  # twice in float32 and in float64, to see what y is


def test_every_entry_is_compared():
    x = np.random.default_rng(1).standard_normal((7, 11))
    for index in [(0, 0), (3, 5), (6, 10)]:

        def backward(dy, cache, index=index):
            dx = dy.copy()
            dx[index] *= 1.01
            return dx

        refused(rf"worst at \[{index[0]}, {index[1]}\]", lambda x: (x * 1, None), backward, x)


def test_sampled_entries_and_a_direction_that_no_wrong_entry_escapes():
    x = np.random.default_rng(1).standard_normal((40, 50))
    right = check_gradient(lambda x: (x * x, x), lambda dy, x: 2 * dy * x, x, samples=5)
    assert right.passed
    assert right.arguments[0].entries == 6

    def backward(dy, x):
        dx = 2 * dy * x
        dx[17, 23] += 0.5
        return dx

    refused("along a random direction", lambda x: (x * x, x), backward, x, samples=5)


def test_a_true_zero_compared_with_rounding_passes():
    def forward(x):
        return np.sin(x - x.mean()).sum() * 1e3, x

    def backward(dy, x):
        slope = np.cos(x - x.mean()) * 1e3 * dy
        return slope - slope.mean()

    assert check_gradient(forward, backward, np.array([2.0])).passed  # one entry is its own mean: gradient zero
    assert check_gradient(forward, backward, np.array([2.0, 1.0, -1.0])).passed


@pytest.mark.parametrize("size", [1e-4, 1e-2, 1.0, 1e4])
def test_inputs_of_any_size(size):
    x = size * np.random.default_rng(2).standard_normal((3, 5))
    assert check_gradient(lambda x: (np.sin(x), x), lambda dy, x: dy * np.cos(x), x).passed


def test_inputs_near_a_kink_pass():
    x = np.array([1e-3, -1e-3, 3e-4, -3e-5, 1e-5, 2.0])
    assert check_gradient(relu_forward, relu_backward, x).passed


def test_integer_arrays_and_options_pass_through():
    def forward(tokens, weight, *, table):
        assert tokens.dtype == np.int64
        return weight[tokens] * table, (tokens, weight, table)

    def backward(dy, cache):
        tokens, weight, table = cache
        dweight = np.zeros_like(weight)
        np.add.at(dweight, tokens, dy * table)
        return dweight

    rng = np.random.default_rng(0)
    arrays = np.array([1, 1, 0]), rng.standard_normal((3, 2)).astype(np.float32)
    report = check_gradient(forward, backward, *arrays, table=rng.standard_normal((3, 2)))
    assert report.passed
    assert [a.name for a in report.arguments] == ["weight"]


def test_the_callers_arrays_are_not_touched(arrays):
    before = [array.copy() for array in arrays]
    check_gradient(product_forward, product_backward, *arrays)
    assert all(np.array_equal(a, b) for a, b in zip(arrays, before, strict=True))


def test_the_same_seed_gives_the_same_report(arrays):
    first, second, other = (check_gradient(product_forward, product_backward, *arrays, seed=s) for s in (1, 1, 2))
    assert first == second
    assert first != other


# Ways to break the contract, and what the checker says.

SIGMOID = (lambda x: (1 / (1 + np.exp(-x)), x), lambda dy, x: dy * np.exp(-x) / np.square(1 + np.exp(-x)))


def in_place(dy, x):
    dx = dy
    dx *= np.exp(-x) / np.square(1 + np.exp(-x))
    return dx


def into_the_cache(dy, x):
    x += 1
    return SIGMOID[1](dy, x - 1)


BROKEN = {
    "backward returned 2 gradients, but it must return one for each of: x": lambda dy, x: (dy, dy),
    "the gradient of x is None": lambda dy, x: None,
    "the gradient of x is a str": lambda dy, x: "dx",
    "the gradient of x is a float, but it must be a NumPy array": lambda dy, x: 1.0,
    r"the gradient of x has shape \(5,\), but it must have the argument's own, \(3, 5\)": lambda dy, x: dy.sum(axis=0),
    r"the gradient of x has shape \(\)": lambda dy, x: dy.sum(),
    r"the gradient of x is nan at \[0, 0\]": lambda dy, x: dy * np.nan,
    r"the gradient of x is inf at \[2, 4\]": lambda dy, x: np.where(np.arange(15).reshape(3, 5) == 14, np.inf, dy),
    "the gradient of x is float64 when the arguments are float32": lambda dy, x: SIGMOID[1](dy, x).astype(np.float64),
    "the gradient of x is float32 when the arguments are float64": lambda dy, x: SIGMOID[1](dy, x).astype(np.float32),
    "the gradient of x is int64": lambda dy, x: np.zeros(x.shape, np.int64),
    "backward changed dy in place": in_place,
    "backward changed x in place": into_the_cache,
}


@pytest.mark.parametrize("message", BROKEN)
def test_a_backward_that_breaks_the_contract_is_refused(message):
    x = np.random.default_rng(0).standard_normal((3, 5))
    dx = BROKEN[message]
    refused(message, SIGMOID[0], (lambda dy, x: dx(dy, x).astype(dy.dtype)) if "inf" in message else dx, x)


def test_a_backward_that_answers_differently_the_second_time_is_refused():
    calls = []

    def backward(dy, x):
        calls.append(1)
        return SIGMOID[1](dy, x) * dy.dtype.type(len(calls))

    refused("another gradient of x when called again", SIGMOID[0], backward, np.ones(3))


def test_a_backward_that_changes_an_intermediate_of_the_cache_is_refused():
    class Cache(NamedTuple):
        x: np.ndarray
        parts: list[dict[str, np.ndarray]]

    def backward(dy, cache):
        slope = cache.parts[0]["slope"]
        slope *= dy
        return slope.copy()

    refused(
        "backward changed the cache in place", lambda x: (x * x, Cache(x, [{"slope": 2 * x}])), backward, np.ones(3)
    )


def test_a_forward_that_breaks_the_contract_is_refused():
    x, rng = np.ones((3, 5)), np.random.default_rng(0)

    def scales_in_place(x):
        x *= 2
        return x.copy(), None

    same = lambda dy, cache: dy.copy()  # noqa: E731
    refused("forward changed x in place", scales_in_place, same, x)
    refused("forward gives another result", lambda x: (x * rng.random(), None), same, x)
    refused("forward returned a ndarray, but it must return y and the cache", lambda x: x * 2, same, x)
    refused("y is float64 when the arguments are float32", lambda x: (x * np.float64(2), None), same, x)
    refused("y is a float", lambda x: (2.0, None), same, x)
    refused(r"y is nan at \[0, 0\]", lambda x: (x * np.nan, None), same, x)


def test_arguments_that_cannot_be_checked_are_refused(arrays):
    with pytest.raises(UserError, match="b is a list"):
        check_gradient(product_forward, product_backward, arrays[0], [1.0, 2.0])
    with pytest.raises(UserError, match="no argument is a floating array"):
        check_gradient(lambda tokens: (tokens, None), lambda dy, cache: None, np.arange(3))


def test_a_forward_is_compared_with_a_reference():
    x = np.random.default_rng(0).standard_normal((3, 5))
    check_forward(lambda x: (np.maximum(x, 0), None), relu_forward, x)
    with pytest.raises(GradientError, match=r"y is wrong, worst at \[\d, \d\]: yours .*, it must be"):
        check_forward(lambda x: (np.maximum(x, 0.1), None), relu_forward, x)
    with pytest.raises(GradientError, match=r"y has shape \(5, 3\), but it must be \(3, 5\)"):
        check_forward(lambda x: (np.maximum(x, 0).T, None), relu_forward, x)
