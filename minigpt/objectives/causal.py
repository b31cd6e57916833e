"""Objectives of a decoder: predict each token from those that it may see before it."""

import numpy as np

from minigpt.errors import UserError
from minigpt.model import Batch
from minigpt.objectives.record import ONLY_DECODER, Objective, Texts
from minigpt.ops import IGNORED


def causal_lm(windows: np.ndarray) -> Batch:
    """Predict each token from those before it. Radford et al. (2018), eq. 1.

    Parameters
    ----------
    windows : (B, T + 1) integers
        Tokens of a text. Position t sees windows[:, :t + 1] and is asked for windows[:, t + 1].

    Returns
    -------
    Batch
        Tokens and targets, (B, T): the targets are the tokens moved by one.

    Examples
    --------
    >>> batch = minigpt.causal_lm(np.array([[5, 6, 7, 8]]))
    >>> batch.tokens, batch.targets
    (array([[5, 6, 7]]), array([[6, 7, 8]]))
    """
    return Batch(windows[:, :-1], windows[:, 1:], objective="causal_lm")


def prefix_lm(windows: np.ndarray, prefix: np.ndarray) -> Batch:
    """Read a prefix in both directions, then predict what follows: an encoder and a decoder in one stack.

    windows: (B, T + 1) integers; prefix: (B,) integers, 1..T, its length. A token inside the prefix sees its right-hand
    neighbours, so it is never asked for: only what comes after the prefix is scored. Raffel et al. (2020),
    arXiv:1910.10683, section 3.2.1. `UserError` if a prefix leaves nothing to predict.
    """
    length = windows.shape[1] - 1
    if not (prefix.min() >= 1 and prefix.max() <= length):
        raise UserError(f"prefixes of {prefix.min()} to {prefix.max()} tokens do not fit windows of {length}; use 1..T")
    inside = np.arange(length) < prefix[:, None] - 1  # the last token of the prefix predicts the first after it
    return Batch(windows[:, :-1], np.where(inside, IGNORED, windows[:, 1:]), prefix=prefix, objective="prefix_lm")


def fill_in_the_middle(
    windows: np.ndarray,
    rng: np.random.Generator,
    *,
    prefix: int,
    suffix: int,
    middle: int,
    rate: float = 0.5,
    suffix_first: float = 0.5,
) -> Batch:
    """Teach a causal model to fill gaps: move the middle of some windows to their end, and predict as always.

    windows: (B, T + 1) integers. rate: the share of windows that are cut, at two random places, into p, m, s. They
    become <prefix> p <suffix> s <middle> m or, with probability suffix_first, <prefix> <suffix> s <middle> p m ("PSM"
    and "SPM"; Bavarian et al. 2022, arXiv:2207.14255, section 3). The three marks take the place of the last three
    tokens.
    prefix, suffix, middle: their ids, which occur nowhere else. The loss counts every token, marks too.
    """
    windows = windows.copy()
    length = windows.shape[1] - 3
    if length < 0:
        raise UserError(f"windows of {windows.shape[1]} tokens have no room for three marks; use a longer --context")
    for row in np.flatnonzero(rng.random(len(windows)) < rate):
        start, end = np.sort(rng.integers(0, length + 1, 2))
        before, inside, after = np.split(windows[row, :length], [start, end])
        if rng.random() < suffix_first:
            windows[row] = np.concatenate([[prefix, suffix], after, [middle], before, inside])
        else:
            windows[row] = np.concatenate([[prefix], before, [suffix], after, [middle], inside])
    return causal_lm(windows)._replace(objective="fill_in_the_middle")


def _prefix_batch(texts: Texts, rng: np.random.Generator) -> Batch:
    """Every length of the prefix is equally likely."""
    rows, length = texts.windows.shape
    return prefix_lm(texts.windows, rng.integers(1, length, size=(rows,)))


def _middle_batch(texts: Texts, rng: np.random.Generator) -> Batch:
    marks = {role: texts.special[role] for role in MARKS}
    return fill_in_the_middle(texts.windows, rng, **marks)


MARKS = ("prefix", "suffix", "middle")
CAUSAL = Objective(
    name="causal",
    function="causal_lm",
    summary="each token from those before it (GPT)",
    refusals=ONLY_DECODER,
    make=lambda texts, rng: causal_lm(texts.windows),
    left_to_right=True,
    every_token=True,
    counted="next tokens",
    sample="continued",
)
PREFIX = Objective(
    name="prefix",
    function="prefix_lm",
    summary="what follows a prefix that is read in both directions",
    refusals=ONLY_DECODER,
    make=_prefix_batch,
    left_to_right=True,
    counted="next tokens",
    sample="continued",
)
FILL_IN_THE_MIDDLE = Objective(
    name="fill-in-the-middle",
    function="fill_in_the_middle",
    summary="each token from those before it, the middle of half the texts moved to the end",
    refusals=ONLY_DECODER,
    make=_middle_batch,
    special=MARKS,
    left_to_right=True,
    counted="next tokens",
    sample="gap",
)
