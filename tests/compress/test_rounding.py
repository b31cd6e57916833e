"""The three ways to round: each is what it says, and a mistake in it would be seen."""

import numpy as np
import pytest

from minigpt import UserError
from minigpt.compress import activation_aware as aware
from minigpt.compress.activation_aware import activation_aware, input_factors, output_error
from minigpt.compress.rounding import Grid, Scales, nearest
from minigpt.compress.second_order import DAMPING, block_size, inverse_root, second_order

GRIDS = [Grid(bits, group, symmetric) for bits in (8, 6, 4, 3) for group in (8, 48) for symmetric in (True, False)]


def rows_of(seed=0, outputs=13, inputs=48, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((outputs, inputs)) * rng.uniform(0.2, 3, inputs)).astype(dtype)


def inputs_of(seed=1, count=300, inputs=48):
    """Correlated, and some far larger than others."""
    rng = np.random.default_rng(seed)
    mixed = rng.standard_normal((count, 9)) @ rng.standard_normal((9, inputs))
    return (mixed + 0.3 * rng.standard_normal((count, inputs))) * rng.uniform(0.1, 1, inputs) ** 3


def levels(grid, scales):
    """Every value that a group may have: (rows, groups, levels)."""
    codes = np.arange(1 << grid.bits)
    return grid.values(codes, scales.each(lambda part: part[..., None]))


@pytest.mark.parametrize("grid", GRIDS)
def test_nearest_is_the_nearest(grid):
    rows = rows_of()
    found = nearest(rows, grid)
    distances = np.abs(rows.reshape(13, -1, grid.group)[..., None] - levels(grid, found.scales)[:, :, None])
    chosen = np.abs(rows - found.values()).reshape(13, -1, grid.group)
    np.testing.assert_allclose(chosen, distances.min(axis=-1), rtol=0, atol=1e-12)


@pytest.mark.parametrize("grid", GRIDS)
def test_the_levels_reach_just_over_the_group(grid):
    rows = rows_of()
    far = levels(grid, nearest(rows, grid).scales)
    groups = rows.reshape(13, -1, grid.group)
    step = np.abs(far[..., 1] - far[..., 0])
    reach = np.abs(far).max(axis=-1) - np.abs(groups).max(axis=-1)
    assert (np.abs(reach) <= 0.05 * step + 1e-3 * np.abs(groups).max(axis=-1)).all()
    assert all(np.array_equal(part, part.astype(np.float16)) for part in nearest(rows, grid).scales if part is not None)


def test_groups_that_are_constant_and_numbers_beyond_16_bits():
    for symmetric in (True, False):
        grid = Grid(4, 8, symmetric)
        zeros = nearest(np.zeros((2, 8)), grid)
        assert not zeros.values().any()
        with pytest.raises(UserError, match="no scale of 16 bits can reach, or that are not finite"):
            nearest(np.array([[np.nan, *range(7)]]), grid)
        with pytest.raises(UserError, match="no scale of 16 bits can reach"):
            nearest(np.full((1, 8), 1e7) * np.arange(-3, 5), grid)
    assert np.array_equal(nearest(np.full((2, 8), 0.5), Grid(3, 8, False)).values(), np.full((2, 8), 0.5))


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("activation_order", [False, True])
def test_second_order_with_inputs_that_have_nothing_in_common_is_nearest(grid, activation_order):
    rows = rows_of()
    products = np.eye(48) if not activation_order else np.diag(np.random.default_rng(0).uniform(1, 9, 48))
    found = second_order(rows, grid, products, activation_order=activation_order)
    assert np.array_equal(found.codes, nearest(rows, grid).codes)
    np.testing.assert_allclose(found.values(), nearest(rows, grid).values(), atol=1e-12)


def column_by_column(rows, grid, products, *, order=None, damping=DAMPING):
    """Frantar et al. (2022), eq. 2 and 3, with the inverse made anew at each step and no blocks.

    After column q is rounded, the columns F that are left change by -(w_q - quant(w_q)) / [H_F^-1]_qq * (H_F^-1)_q:
    H_F is the part of H of the columns from q on.
    """
    hessian = products + damping * np.diag(products).mean() * np.eye(len(products))
    order = np.arange(rows.shape[1]) if order is None else order
    left, result = rows.copy(), np.zeros_like(rows)
    before = [grid.fit(rows[:, g : g + grid.group]) for g in range(0, rows.shape[1], grid.group)]
    natural = np.array_equal(order, np.arange(len(order)))
    for step, column in enumerate(order):
        group = column // grid.group
        if natural and column % grid.group == 0:
            before[group] = grid.fit(left[:, column : column + grid.group])
        scales = before[group]
        value = grid.values(grid.codes(left[:, column, None], scales), scales)[:, 0]
        free = order[step:]
        inverse = np.linalg.inv(hessian[np.ix_(free, free)])
        error = (left[:, column] - value) / inverse[0, 0]
        left[:, free] -= error[:, None] * inverse[0]
        result[:, column] = value
    return result


@pytest.mark.parametrize("grid", [Grid(4, 8, False), Grid(3, 48, True), Grid(3, 16, False), Grid(6, 24, True)])
@pytest.mark.parametrize("activation_order", [False, True])
def test_second_order_is_the_paper_s_plain_algorithm(grid, activation_order, monkeypatch):
    x, rows = inputs_of(), rows_of()
    products = x.T @ x
    order = np.argsort(-np.diag(products), kind="stable") if activation_order else None
    wanted = column_by_column(rows, grid, products, order=order)
    for size in (16, 128):
        monkeypatch.setattr("minigpt.compress.second_order.BLOCK", size)
        found = second_order(rows, grid, products, activation_order=activation_order).values()
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-9)
    assert np.abs(nearest(rows, grid).values() - wanted).max() > 1e-3, "it does something"


def test_blocks_hold_whole_groups_or_equal_parts_of_one():
    for group in (8, 24, 32, 64, 96, 128, 576, 1536, 131):
        size = block_size(group)
        assert size % group == 0 or group % size == 0
        assert size <= 128 or size == group


@pytest.mark.parametrize("grid", [Grid(4, 8, False), Grid(3, 16, True), Grid(4, 48, False)])
def test_calibrated_rounding_lowers_the_error_of_the_output(grid):
    for seed in range(3):
        x, rows = inputs_of(seed), rows_of(seed + 9)
        products, sizes = x.T @ x, np.abs(x).mean(axis=0)
        plain = output_error(rows - nearest(rows, grid).values(), products)
        assert plain == pytest.approx(np.square(x @ (rows - nearest(rows, grid).values()).T).sum())
        second = output_error(rows - second_order(rows, grid, products).values(), products)
        awq = output_error(rows - activation_aware(rows, grid, products, sizes).values(), products)
        assert second < 0.6 * plain and awq < 0.95 * plain


def test_an_input_that_is_always_zero_changes_nothing():
    x, rows, grid = inputs_of(), rows_of(), Grid(4, 8, False)
    x[:, [3, 20]] = 0
    found = second_order(rows, grid, x.T @ x)
    assert np.isfinite(found.values()).all()
    assert np.allclose(np.triu(inverse_root(x.T @ x, 0.01)), inverse_root(x.T @ x, 0.01))
    assert np.array_equal(
        activation_aware(rows, grid, np.zeros((48, 48)), np.zeros(48)).codes, nearest(rows, grid).codes
    )


@pytest.mark.parametrize("grid", GRIDS)
def test_activation_aware_with_inputs_of_one_size_is_nearest(grid):
    rows, x = rows_of(), inputs_of()
    found = activation_aware(rows, grid, x.T @ x, np.full(48, 0.7))
    assert np.array_equal(found.codes, nearest(rows, grid).codes)
    np.testing.assert_allclose(found.values(), nearest(rows, grid).values(), atol=1e-12)


def test_activation_aware_takes_the_best_of_its_search_and_folds_exactly():
    rows, x, grid = rows_of(), inputs_of(), Grid(4, 8, False)
    products, sizes = x.T @ x, np.abs(x).mean(axis=0)
    found = activation_aware(rows, grid, products, sizes)
    errors = []
    for number in range(aware.STEPS):
        factors = input_factors(sizes, number / aware.STEPS)
        assert factors.max() * factors.min() == pytest.approx(1)
        errors.append(output_error(rows - nearest(rows * factors, grid).values() / factors, products))
    assert output_error(rows - found.values(), products) == pytest.approx(min(errors)) and errors.index(min(errors)) > 0
    unscaled = found._replace(factors=None).values()
    np.testing.assert_allclose((x * found.factors) @ unscaled.T, x @ found.values().T, atol=1e-12)
    kept = found.matrix(transposed=True)
    np.testing.assert_allclose(x.astype(np.float32) @ kept, x @ found.values().T, rtol=0, atol=1e-4)


def test_activation_aware_leaves_out_factors_that_16_bits_cannot_reach():
    rows, x = rows_of() * 3e4 / np.abs(rows_of()).max(), inputs_of()
    x[:, np.abs(rows).max(axis=0).argmax()] *= 1e3
    found = activation_aware(rows, Grid(4, 8, False), x.T @ x, np.abs(x).mean(axis=0))
    assert np.isfinite(found.values()).all() and 1 < (1 / found.factors).max() < 3


@pytest.mark.parametrize("mistake", ["sign", "no division", "lower", "stale scales"])
def test_a_planted_mistake_in_second_order_is_seen(mistake, monkeypatch):
    """Each of these still rounds, and still lowers some errors; the comparison with the plain algorithm tells."""
    x, rows, grid = inputs_of(), rows_of(), Grid(3, 16, False)
    products = x.T @ x
    right = inverse_root
    wrong = {
        "sign": lambda *a: right(*a) * (1 - 2 * (1 - np.eye(48))),
        "no division": lambda *a: right(*a) / np.diag(right(*a))[:, None] * np.diag(right(*a)).mean(),
        "lower": lambda *a: np.linalg.cholesky(np.linalg.inv(products + np.eye(48))),
        "stale scales": right,
    }[mistake]
    monkeypatch.setattr("minigpt.compress.second_order.inverse_root", wrong)
    if mistake == "stale scales":
        fitted = [grid.fit(rows[:, start : start + 16]) for start in range(0, 48, 16)]
        calls = iter([*fitted, *fitted])
        monkeypatch.setattr(Grid, "fit", lambda self, groups: next(calls))
    found = second_order(rows, grid, products).values()
    monkeypatch.undo()
    if mistake == "no division":  # U's rows may be scaled: only their direction counts
        np.testing.assert_allclose(found, column_by_column(rows, grid, products), atol=1e-9)
    else:
        assert np.abs(found - column_by_column(rows, grid, products)).max() > 1e-3


def test_a_planted_mistake_in_the_scales_is_seen(monkeypatch):
    rows, grid = rows_of(), Grid(4, 8, False)
    monkeypatch.setattr(
        Grid, "codes", lambda self, n, s: np.clip(np.floor((n - s.least) / s.step), 0, 15).astype(np.uint8)
    )
    with pytest.raises(AssertionError):
        test_nearest_is_the_nearest(grid)
    assert isinstance(nearest(rows, grid).scales, Scales)
