"""The exercises of lesson 05, backpropagation."""

from minigpt.grade.exercise import Exercise

EXERCISES = (
    Exercise("linear", 3, needs=("linear_backward",), like=lambda x, weight, bias: None),
    Exercise("softmax", 4, needs=("softmax_backward",), like=lambda x: None),
    Exercise("layer_norm", 5, needs=("layer_norm_backward",), like=lambda x, gain, bias, *, epsilon=1e-5: None),
    Exercise("attention_backward", 5, like=lambda query, key, value, *, mask=None: None),
)
