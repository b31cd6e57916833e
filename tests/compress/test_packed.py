"""Codes of few bits are packed without gaps and come back."""

import numpy as np
import pytest

from minigpt import UserError
from minigpt.compress.rounding import Grid, nearest
from minigpt.pretrained import quantized_matrix
from minigpt.pretrained.packed import PLANES, pack, packed_size, row_kind, unpack


@pytest.mark.parametrize("bits", PLANES)
@pytest.mark.parametrize("count", [1, 7, 8, 9, 31, 64, 100, 576])
def test_codes_come_back(bits, count):
    codes = np.random.default_rng(bits).integers(0, 1 << bits, (5, count), dtype=np.uint8)
    packed = pack(codes, bits)
    assert packed.shape == (5, packed_size(count, bits)) and packed.dtype == np.uint8
    if count % 8 == 0:
        assert packed.shape[1] * 8 == count * bits, "no bit is lost"
    assert np.array_equal(unpack(packed, bits).swapaxes(0, 1).reshape(5, -1)[:, :count], codes)


@pytest.mark.parametrize("bits", PLANES)
def test_every_bit_of_every_code_has_a_bit_of_its_own(bits):
    """Each bit that is set alone sets one bit of the row, another one each time."""
    seen = set()
    for place in range(24):
        for bit in range(bits):
            codes = np.zeros((1, 24), np.uint8)
            codes[0, place] = 1 << bit
            row = np.unpackbits(pack(codes, bits)[0])
            assert row.sum() == 1
            seen.add(int(row.argmax()))
    assert len(seen) == 24 * bits == 8 * packed_size(24, bits)


@pytest.mark.parametrize("bits", PLANES)
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize(("columns", "group"), [(96, 32), (100, 20), (36, 9), (70, 70)])
def test_a_matrix_of_rows_multiplies_as_its_numbers_do(bits, symmetric, columns, group, monkeypatch):
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((23, columns)).astype(np.float32)
    rounded = nearest(rows, Grid(bits, group, symmetric))._replace(factors=rng.uniform(0.5, 2, columns))
    numbers = rounded.values()
    monkeypatch.setattr(quantized_matrix, "PIECE", 5 * columns)
    for matrix, wanted in (
        (rounded.matrix(transposed=False), numbers),
        (rounded.matrix(transposed=True), numbers.T),
        (rounded.matrix(transposed=True).T, numbers),
    ):
        assert matrix.shape == wanted.shape
        np.testing.assert_allclose(np.asarray(matrix), wanted, rtol=1e-6, atol=1e-6)
        x = rng.standard_normal((3, 2, wanted.shape[0])).astype(np.float32)
        np.testing.assert_allclose(x @ matrix, x @ wanted, rtol=0, atol=2e-5 * np.abs(x @ wanted).max())
    ids = np.array([[3, 1], [22, 3]])
    np.testing.assert_allclose(rounded.matrix(transposed=False)[ids], numbers[ids], rtol=1e-6, atol=1e-6)


def test_what_does_not_fit_is_refused():
    with pytest.raises(UserError, match="groups of 7 do not divide rows of 64"):
        row_kind(64, 4, 7, symmetric=True)
    rows = nearest(np.ones((3, 8), np.float32), Grid(4, 8, False)).matrix(transposed=True)
    with pytest.raises(UserError, match=r"factors of the shape \(7,\) for rows of 8"):
        quantized_matrix.QuantizedMatrix(rows.kind, rows.raw, 8, factors=np.ones(7))
