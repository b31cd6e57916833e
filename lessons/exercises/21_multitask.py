"""Lesson 21: how much of each task, one gradient of many, the angle between two, and surgery."""

import numpy as np


def mixing_shares(examples: np.ndarray, temperature: float, limit: float) -> np.ndarray:
    """How much of each task there is in a mixture, by how many examples each has.

    examples: (N,) positive numbers. temperature: 1 mixes in proportion, a large one all alike. limit: a task counts as
    having at most so many examples.

    Returns (N,): min(examples, limit) to the power of 1 / temperature, made to add up to 1.
    """
    raise NotImplementedError("write mixing_shares")


def mixture_gradient(gradients: np.ndarray, scored: np.ndarray) -> np.ndarray:
    """The gradient of a step that holds rows of many tasks.

    gradients: (N, P), of each task's own loss, which is a mean over what is scored in its rows. scored: (N,) integers,
    how many targets that is for each task.

    Returns (P,): the gradient of the mean over all targets of the step, whatever their task.
    """
    raise NotImplementedError("write mixture_gradient")


def cosines(gradients: np.ndarray) -> np.ndarray:
    """The cosine of the angle between every two gradients.

    gradients: (N, P), one of each task.

    Returns (N, N): 1 where two point one way, -1 where they point against each other; 0 for a gradient of zeros.
    """
    raise NotImplementedError("write cosines")


def without_conflict(gradients: np.ndarray) -> np.ndarray:
    """The sum of the tasks' gradients, each without what points against another's (PCGrad).

    gradients: (N, P), none of them zero. For each task, begin with its gradient and go through the others in the order
    of their numbers. Where the product of what is left with the other's gradient is negative, take the part along the
    other's gradient away. The other's gradient is always the one that was given.

    Returns (P,).
    """
    raise NotImplementedError("write without_conflict")
