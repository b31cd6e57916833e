"""Bad input is refused in one sentence that names it."""

import numpy as np
import pytest

from minigpt import ops
from minigpt.errors import UserError

x = np.ones


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ops.linear_forward(x((2, 3)), x((4, 5))), "x has width 3 but weight has 4 rows"),
        (lambda: ops.low_rank_forward(x((2, 3)), x((4, 2)), x((2, 5)), scale=1.0), "x has width 3 but down has 4 rows"),
        (
            lambda: ops.low_rank_forward(x((2, 4)), x((4, 2)), x((3, 5)), scale=1.0),
            "down has 2 columns but up has 3 rows; both are the rank",
        ),
        (
            lambda: ops.convolution_1d_forward(x((2, 3, 8)), x((4, 5, 3))),
            "x has 3 channels but weight takes 5; they must be equal",
        ),
        (
            lambda: ops.convolution_1d_forward(x((2, 3, 8)), x((4, 3, 2)), x(3)),
            r"bias has shape \(3,\) but weight has 4 filters",
        ),
        (
            lambda: ops.convolution_1d_forward(x((2, 3, 8, 8)), x((4, 3, 2, 2))),
            r"convolution_1d takes x \(B, C, T\) and weight \(F, C, K\), but they have the shapes \(2, 3, 8, 8\) and",
        ),
        (
            lambda: ops.convolution_2d_forward(x((2, 3, 8, 8)), x((4, 3, 2))),
            r"convolution_2d takes x \(B, C, Y, X\) .* and \(4, 3, 2\)",
        ),
        (
            lambda: ops.convolution_1d_forward(x((2, 3, 4)), x((5, 3, 7)), padding=1),
            r"the kernel \(7,\) is larger than x \(4,\) with padding \(1,\)",
        ),
        (
            lambda: ops.convolution_2d_forward(x((2, 3, 4, 9)), x((5, 3, 2, 7)), padding=(3, -1)),
            r"padding \(3, -1\) must be a whole number of at least 0, or 2 of them",
        ),
        (lambda: ops.convolution_1d_forward(x((2, 3, 4)), x((5, 3, 2)), stride=0), "stride 0 must .* at least 1, or 1"),
        (lambda: ops.convolution_1d_forward(x((2, 3, 4)), x((5, 3, 2)), stride=1.5), r"stride 1\.5 must be a whole"),
        (
            lambda: ops.convolution_2d_forward(x((2, 3, 4, 4)), x((5, 3, 2, 2)), stride=(1, 1, 1)),
            r"stride \(1, 1, 1\) must be",
        ),
        (lambda: ops.embedding_forward(np.array([1, 7]), x((7, 2))), "token id 7 is outside the vocabulary of 7"),
        (lambda: ops.embedding_forward(np.array([1, -1]), x((7, 2))), "token id -1 is outside"),
        (lambda: ops.router_forward(x((2, 3)), top=4), "4"),
        (lambda: ops.router_forward(x((2, 3)), top=0), "0"),
        (lambda: ops.cross_entropy_forward(x((2, 5)), np.array([1, 5])), r"target 5 is not a class in 0\.\.4"),
        (lambda: ops.cross_entropy_forward(x((2, 5)), np.array([1, -2])), r"target -2 .* not the ignored value -1"),
        (lambda: ops.cross_entropy_forward(x((2, 5)), np.array([1.0, 2.5])), "targets are float64 values"),
        (lambda: ops.cross_entropy_forward(x((2, 5)), np.array([True, False])), "targets are bool values"),
        (lambda: ops.cross_entropy_forward(x((2, 5)), np.array([[1], [2]])), r"shape \(2, 1\) do not fit .* \(2, 5\)"),
        (
            lambda: ops.draw_dropout_mask(np.random.default_rng(), (2,), 1.0),
            r"dropout rate 1\.0 must be .* less than 1",
        ),
        (lambda: ops.draw_dropout_mask(None, (2,), -0.1), r"dropout rate -0\.1"),
        (lambda: ops.rotary_angles(np.arange(3), 5), "even head width, not 5"),
        (lambda: ops.sinusoidal_positions(np.arange(3), 7), "even width, not 7"),
        (
            lambda: ops.contrastive_forward(x((3, 2)), x((4, 2)), x((1,))),
            r"first and second \(N, D\) and log_scale \(1,\), but they have the shapes \(3, 2\), \(4, 2\)",
        ),
        (lambda: ops.contrastive_forward(np.zeros((3, 2)), x((3, 2)), x((1,))), "a vector of zeros has no direction"),
        (lambda: ops.sinusoidal_grid(2, 3, 6), "a width that 4 divides, not 6"),
        (lambda: ops.activation("swish"), f"no activation 'swish'; choose one of {', '.join(ops.ACTIVATIONS)}"),
        (lambda: ops.gated_forward(x(3), x(3), name="tanh"), "no activation 'tanh'"),
        (
            lambda: ops.attention_forward(x((1, 2, 3, 4)), x((1, 2, 5, 4)), x((1, 2, 6, 4))),
            r"key has shape \(1, 2, 5, 4\) but value \(1, 2, 6, 4\)",
        ),
        (
            lambda: ops.attention_forward(x((1, 2, 3, 4)), x((1, 2, 3, 5)), x((1, 2, 3, 5))),
            r"query \(1, 2, 3, 4\) and key \(1, 2, 3, 5\) must have the same batch",
        ),
        (
            lambda: ops.attention_forward(x((2, 2, 3, 4)), x((1, 2, 3, 4)), x((1, 2, 3, 4))),
            "must have the same batch",
        ),
        (
            lambda: ops.attention_forward(x((1, 4, 3, 4)), x((1, 3, 3, 4)), x((1, 3, 3, 4))),
            "3 key-value heads must divide the 4 query heads",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(UserError, match=message) as error:
        call()
    assert "\n" not in str(error.value)


def test_a_mask_that_allows_nothing_extra_is_none():
    assert ops.draw_dropout_mask(None, (3, 4), 0.5) is None
    assert ops.draw_dropout_mask(np.random.default_rng(0), (3, 4), 0.0) is None
    array = x((3, 4))
    assert ops.dropout_forward(array, mask=None, rate=0.5)[0] is array


def test_masks():
    t, f = True, False
    assert np.array_equal(ops.causal_mask(3), [[t, f, f], [t, t, f], [t, t, t]])
    assert np.array_equal(ops.causal_mask(2, 4), [[t, t, t, f], [t, t, t, t]])  # the last two of four positions
    assert np.array_equal(ops.causal_mask(1, 4), [[t, t, t, t]])
    assert ops.padding_mask(np.array([[t, f], [t, t]])).tolist() == [[[[t, f]]], [[[t, t]]]]
    both = ops.causal_mask(2) & ops.padding_mask(np.array([[t, f], [t, t]]))
    assert both.tolist() == [[[[t, f], [t, f]]], [[[t, f], [t, t]]]]
