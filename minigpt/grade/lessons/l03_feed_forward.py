"""The exercises of lesson 03, the feed-forward network."""

from minigpt.grade.exercise import Exercise

EXERCISES = (
    Exercise("relu", 2),
    Exercise("gelu_tanh", 4),
    Exercise("gated", 4),
)
