"""Does the model go on by heart? It gets the beginning of a piece of its training text and writes on.

Carlini et al. (2023), "Quantifying Memorization Across Neural Language Models", arXiv:2202.07646, definition 3.1: a
piece can be extracted with k tokens of context if, after them, the likeliest tokens are those of the piece. The control
is the same question about text that it never saw: what comes out there was guessed, not remembered.
"""

from typing import Any

import numpy as np

from minigpt.infer import generate
from minigpt.infer.sampling import GREEDY
from minigpt.model import Transformer

BATCH = 32


def extracted(model: Transformer, params: Any, rows: np.ndarray, given: int) -> np.ndarray:
    """Which rows it completes to the last token when it always writes the likeliest: (N,) booleans.

    rows: (N, T) integers, T at most the context; given: how many tokens of each it is shown.
    """
    return np.all(right_tokens(model, params, rows, given), axis=1)


def right_tokens(model: Transformer, params: Any, rows: np.ndarray, given: int) -> np.ndarray:
    """Which of the tokens after the first `given` it writes as they were: (N, T - given) booleans."""
    wanted = rows[:, given:]
    found = np.empty(wanted.shape, bool)
    for first in range(0, len(rows), BATCH):
        some = rows[first : first + BATCH]
        written = list(generate(model, params, some[:, :given], wanted.shape[1], sampling=GREEDY))
        found[first : first + BATCH] = np.stack(written, axis=1) == wanted[first : first + BATCH]
    return found
