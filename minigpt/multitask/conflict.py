"""Whether tasks pull one way: the angles between their gradients at what they share.

Yu et al. (2020), "Gradient Surgery for Multi-Task Learning" (PCGrad), arXiv:2001.06782: gradients conflict where their
cosine is negative, and algorithm 1 takes out of each what points against another.
"""

from collections.abc import Sequence

import numpy as np

from minigpt.model import Params
from minigpt.multitask.joint import Joint
from minigpt.multitask.task import Asked


def task_gradients(
    joint: Joint, params: Params, asked: Sequence[Asked], names: Sequence[str] | None = None
) -> np.ndarray:
    """The gradient of each batch's own loss, (N, P). names: of the arrays that count, None: those that all share."""
    names = joint.shared if names is None else names
    grads, rows = params.zeros_like(), []
    for one in asked:
        joint.loss_and_gradient(params, [one], grads=grads)
        rows.append(np.concatenate([grads[name].ravel() for name in names]))
    return np.stack(rows)


def cosines(gradients: np.ndarray) -> np.ndarray:
    """(N, N) cosines between rows (N, P); 0 where one of them is zero."""
    lengths = np.linalg.norm(gradients, axis=1, keepdims=True)
    units = gradients / np.where(lengths > 0, lengths, 1)
    return units @ units.T


def project_conflicts(gradients: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The sum of the tasks' gradients, each without what points against another's: (P,), from (N, P).

    The others are met in a drawn order, each as it was (algorithm 1 of the paper).
    """
    total = np.zeros_like(gradients[0])
    for number, gradient in enumerate(gradients):
        own = gradient.copy()
        for other in rng.permutation(len(gradients)):
            against, size = float(own @ gradients[other]), float(gradients[other] @ gradients[other])
            if other != number and against < 0:
                own -= against / size * gradients[other]
        total += own
    return total
