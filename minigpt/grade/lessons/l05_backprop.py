"""The exercises of lesson 05, backpropagation."""

from minigpt.grade.exercise import Exercise

EXERCISES = (
    Exercise("linear", 3),
    Exercise("softmax", 4),
    Exercise("layer_norm", 5),
)
