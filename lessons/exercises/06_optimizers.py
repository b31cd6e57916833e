"""Lesson 06: one step of AdamW, clipping, and a schedule."""

import math

import numpy as np


def adamw_step(
    parameters,
    gradient,
    first,
    second,
    step,
    *,
    learning_rate,
    beta1=0.9,
    beta2=0.999,
    epsilon=1e-8,
    weight_decay=0.01,
):
    """One step of AdamW (Loshchilov & Hutter, 2019).

    parameters, gradient: (P,); first, second: (P,), the averages of gradients and of their squares before the step.
    step: 1 at the first step. The decay is taken from the parameters directly: learning_rate * weight_decay times them.

    Returns (parameters, first, second) after the step, as new arrays; the arguments stay as they are.
    """
    raise NotImplementedError("write adamw_step")


def clip_by_global_norm(gradient: np.ndarray, maximum: float) -> np.ndarray:
    """Shorten a gradient to a norm of at most `maximum`; its direction stays.

    gradient: (P,). A gradient that is short enough stays as it is.

    Returns a new array, (P,).
    """
    raise NotImplementedError("write clip_by_global_norm")


def warmup_cosine(step: int, *, peak: float, warmup: int, total: int, final: float = 0.1) -> float:
    """The learning rate at a step, counted from 0.

    In the warm-up, steps 0 to warmup - 1, it rises in a line: peak / warmup at step 0, peak at step warmup - 1. Then
    it falls along half a cosine, from peak at step `warmup` to final * peak at step `total`, and stays there.

    Returns the rate.
    """
    raise NotImplementedError("write warmup_cosine")
