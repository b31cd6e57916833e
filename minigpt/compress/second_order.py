"""Rounding whose error is made good by the numbers that are not rounded yet.

Frantar et al. (2022), "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers",
arXiv:2210.17323, section 4 and algorithm 1. Column after column is rounded; what that does wrong to the layer's
output X W^T is spread over the columns that follow, by the inverse of H = X^T X. One Cholesky decomposition U^T U =
H^-1 holds the inverses of all the steps. Columns are worked on in blocks, and the rest of the matrix hears of a block
when it is done: many small changes of a large matrix become one product.
"""

import numpy as np

from minigpt.compress.rounding import Grid, Rounded, Scales

# Of the mean of H's diagonal, added to it. The paper takes 0.01 and 262,144 tokens. With 4,096 tokens the inputs of
# a wide matrix are hardly known in every direction, and SmolLM2 in 4 bits loses 6.0% on a text of another kind; with
# 0.1 it loses 4.1%.
DAMPING = 0.1
BLOCK = 128  # columns


def second_order(
    rows: np.ndarray, grid: Grid, products: np.ndarray, *, activation_order: bool = False, damping: float = DAMPING
) -> Rounded:
    """rows: (outputs, inputs); products: X^T X, (inputs, inputs), of the calibration.

    activation_order: the inputs with the largest sum of squares come first. The scales of all groups are then fitted
    beforehand; otherwise those of a group when it is reached, to the numbers as they are by then.
    """
    columns, group = rows.shape[1], grid.group
    scales = [grid.fit(rows[:, start : start + group]) for start in range(0, columns, group)]
    order = np.argsort(-np.diag(products), kind="stable") if activation_order else np.arange(columns)
    left = rows[:, order].copy()
    spread = inverse_root(products[np.ix_(order, order)], damping).astype(rows.dtype)
    codes, size = np.empty(rows.shape, np.uint8), block_size(group)
    for start in range(0, columns, size):
        end = min(start + size, columns)
        block = left[:, start:end]
        wrong = np.empty_like(block)
        for place in range(start, end):
            number, column = order[place] // group, left[:, place, None]
            if place % group == 0 and not activation_order:
                scales[number] = grid.fit(left[:, place : place + group])
            code = grid.codes(column, scales[number])
            codes[:, order[place]] = code[:, 0]
            error = (column - grid.values(code, scales[number])) / spread[place, place]
            block[:, place - start :] -= error * spread[place, place:end]
            wrong[:, place - start] = error[:, 0]
        left[:, end:] -= wrong @ spread[start:end, end:]
    return Rounded(grid, codes, _side_by_side(scales))


def inverse_root(products: np.ndarray, damping: float) -> np.ndarray:
    """Upper triangular U with U^T U = H^-1, (inputs, inputs) float64; H is the products, damped."""
    hessian = products.astype(np.float64)
    diagonal = np.einsum("ii->i", hessian)  # a view
    diagonal[diagonal == 0] = 1  # an input that is always zero: its weights are rounded to the nearest
    diagonal += damping * diagonal.mean()
    return np.linalg.cholesky(np.linalg.inv(hessian)).T


def block_size(group: int) -> int:
    """About `BLOCK` columns: some groups, or an equal part of one."""
    if group <= BLOCK:
        return group * (BLOCK // group)
    return next(size for size in range(BLOCK, 0, -1) if group % size == 0)


def _side_by_side(scales: list[Scales]) -> Scales:
    """One array of each, (rows, groups)."""
    least = (
        None if scales[0].least is None else np.concatenate([one.least for one in scales if one.least is not None], 1)
    )
    return Scales(np.concatenate([one.step for one in scales], axis=1), least)
