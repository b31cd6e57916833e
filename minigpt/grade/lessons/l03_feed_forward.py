"""The exercises of lesson 03, the feed-forward network."""

from minigpt.grade.exercise import Exercise

EXERCISES = (
    Exercise("relu", 2, needs=("relu_forward", "relu_backward"), like=lambda x: None),
    Exercise("gelu_tanh", 4, needs=("gelu_tanh_backward",), like=lambda x: None),
    Exercise("gated", 4, needs=("gated_forward", "gated_backward"), like=lambda gate, up: None),
)
