"""Every hand-written gradient against numerical derivatives, on shapes that hypothesis draws."""

import numpy as np
import pytest
from drawn import BUILDERS, inputs
from hypothesis import given
from hypothesis import strategies as st

from minigpt.check import OPERATIONS, check_gradient
from minigpt.check.contract import as_list
from minigpt.ops import ACTIVATIONS, activation


@pytest.mark.parametrize("operation", BUILDERS)
@given(data=st.data())
def test_gradients_are_right_to_one_in_a_million_at_any_shape(operation, data):
    arrays, options = data.draw(inputs(operation))
    # Also refuses promotion, changed inputs and changed caches, in float32 and float64.
    samples = 10 if operation == "blockwise_attention" else None  # many small tiles take long
    check_gradient(*OPERATIONS[operation], *arrays, relative=1e-6, samples=samples, **options).raise_if_wrong()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_of_arrays_larger_than_a_block(name):
    forward, backward = activation(name)
    x = np.random.default_rng(0).standard_normal((3, 70001)).astype(np.float32)
    dy = np.random.default_rng(1).standard_normal(x.shape).astype(np.float32)
    y, cache = forward(x)
    dx = backward(dy, cache)
    for row in range(3):  # a row is larger than a block too, but starts in another place of it
        alone, alone_cache = forward(x[row].copy())
        np.testing.assert_allclose(y[row], alone, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(dx[row], backward(dy[row], alone_cache), rtol=1e-6, atol=1e-7)
    turned, turned_cache = forward(x.T)  # not contiguous
    np.testing.assert_allclose(turned, y.T, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(backward(dy.T, turned_cache), dx.T, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("operation", BUILDERS)
@given(data=st.data())
def test_arrays_that_are_not_contiguous_give_the_same(operation, data):
    arrays, options = data.draw(inputs(operation))
    forward, backward = OPERATIONS[operation]
    y, cache = forward(*arrays, **options)
    dy = np.random.default_rng(0).standard_normal(np.shape(y))
    strided = [np.repeat(array, 2, axis=-1)[..., ::2] if array.ndim else array for array in arrays]
    strided_dy = np.repeat(dy, 2, axis=-1)[..., ::2] if np.ndim(dy) else dy
    strided_y, strided_cache = forward(*strided, **options)
    np.testing.assert_allclose(strided_y, y, rtol=1e-12, atol=1e-14)
    pairs = zip(as_list(backward(dy, cache)), as_list(backward(strided_dy, strided_cache)), strict=True)
    for gradient, strided_gradient in pairs:
        np.testing.assert_allclose(strided_gradient, gradient, rtol=1e-12, atol=1e-14)
