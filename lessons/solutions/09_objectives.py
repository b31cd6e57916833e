"""Lesson 09: gaps without an encoder, gaps with one, and reward."""

import numpy as np


def rearrange(
    tokens: np.ndarray, start: int, end: int, prefix: int, suffix: int, middle: int
) -> np.ndarray:
    """A text for fill-in-the-middle: prefix, suffix, middle, each behind its mark.

    tokens: (T,) integers. The middle is tokens[start:end]; the prefix is what stands before it, the suffix what stands
    after it. prefix, suffix, middle: the ids of the three marks.

    Returns (T + 3,) integers: the mark `prefix`, the prefix, the mark `suffix`, the suffix, the mark `middle`, the
    middle. Parts may be empty; the marks are always there.
    """
    # answer
    parts = [[prefix], tokens[:start], [suffix], tokens[end:], [middle], tokens[start:end]]
    return np.concatenate(parts).astype(int)
    # end of answer


def corrupt_spans(
    tokens: np.ndarray, spans: list[tuple[int, int]], sentinels: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """T5's form of filling gaps: every span is replaced by a sentinel of its own, and written behind it.

    tokens: (T,) integers. spans: (first, last) in order, without overlap; span k is tokens[first:last]. sentinels: ids,
    at least as many as spans; span k takes sentinels[k].

    Returns (source, target), integers: the text with each span replaced by its sentinel; and, for every span in turn,
    its sentinel and its tokens.
    """
    # answer
    source, target, kept = [], [], 0
    for (first, last), sentinel in zip(spans, sentinels, strict=False):
        source += [*tokens[kept:first], sentinel]
        target += [sentinel, *tokens[first:last]]
        kept = last
    return np.array([*source, *tokens[kept:]], dtype=int), np.array(target, dtype=int)
    # end of answer


def reward_gradient(
    probabilities: np.ndarray, answers: np.ndarray, rewards: np.ndarray
) -> np.ndarray:
    """The gradient of the logits in REINFORCE, with the mean reward as baseline.

    The loss is the mean over the batch of -(r - mean(r)) * log p(answer), where p = softmax(logits).
    probabilities: (B, V), p; answers: (B,) integers, what was answered; rewards: (B,).

    Returns (B, V): the derivative of the loss by the logits, the rewards being constants.
    """
    # answer
    chosen = np.eye(probabilities.shape[1])[answers]
    advantage = rewards - rewards.mean()
    return (probabilities - chosen) * advantage[:, None] / len(answers)
    # end of answer
