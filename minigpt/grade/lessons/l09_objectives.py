"""The exercises of lesson 09, objectives."""

import numpy as np

from minigpt.grade.exercise import Exercise, Question, larger


def draw_rearrange(rng: np.random.Generator) -> Question:
    length = larger(rng, 9)
    start, end = np.sort(rng.integers(0, length + 1, 2)).tolist()
    return [rng.integers(0, 50, length), start, end, 90, 91, 92], {}


def rearrange(tokens, start, end, prefix, suffix, middle):
    return np.concatenate([[prefix], tokens[:start], [suffix], tokens[end:], [middle], tokens[start:end]]).astype(int)


def middle_in_place(tokens, start, end, prefix, suffix, middle):
    """You left the middle where it was: a causal model can only fill it once it has seen the suffix."""
    return np.concatenate([[prefix], tokens[:start], [middle], tokens[start:end], [suffix], tokens[end:]]).astype(int)


def suffix_first(tokens, start, end, prefix, suffix, middle):
    """You put the suffix before the prefix. Some models are trained so; here the order is prefix, suffix, middle."""
    return np.concatenate([[suffix], tokens[end:], [prefix], tokens[:start], [middle], tokens[start:end]]).astype(int)


def draw_corrupt(rng: np.random.Generator) -> Question:
    length = larger(rng, 12)
    cuts = np.sort(rng.choice(length, 4, replace=False)).tolist()
    return [rng.integers(0, 50, length), [(cuts[0], cuts[1]), (cuts[2], cuts[3])], [90, 91, 92]], {}


def corrupt_spans(tokens, spans, sentinels):
    source, target, kept = [], [], 0
    for (first, last), sentinel in zip(spans, sentinels, strict=False):
        source += [*tokens[kept:first], sentinel]
        target += [sentinel, *tokens[first:last]]
        kept = last
    return np.array([*source, *tokens[kept:]], int), np.array(target, int)


def one_sentinel(tokens, spans, sentinels):
    """You used the first sentinel for every span; each has its own, or the decoder could not say which gap it fills."""
    return corrupt_spans(tokens, spans, [sentinels[0]] * len(spans))


def end_lost(tokens, spans, sentinels):
    """You lost what stands after the last span."""
    source, target = corrupt_spans(tokens, spans, sentinels)
    return source[: len(source) - (len(tokens) - spans[-1][1])], target


def closing_sentinel(tokens, spans, sentinels):
    """You closed the target with one more sentinel, as T5's own data does; here it ends with the last span."""
    source, target = corrupt_spans(tokens, spans, sentinels)
    return source, np.append(target, sentinels[len(spans)])


def gaps_alone(tokens, spans, sentinels):
    """You wrote what is missing without its sentinels; then nobody could say which gap a token fills."""
    source, target = corrupt_spans(tokens, spans, sentinels)
    return source, target[~np.isin(target, sentinels)]


def draw_reward(rng: np.random.Generator) -> Question:
    rows = larger(rng, 6)
    logits = rng.standard_normal((rows, 4))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return [p, rng.integers(0, 4, rows), rng.integers(0, 2, rows).astype(float) + np.arange(rows)], {}


def reward_gradient(probabilities, answers, rewards):
    chosen = np.eye(probabilities.shape[1])[answers]
    return (probabilities - chosen) * (rewards - rewards.mean())[:, None] / len(answers)


def wrong_sign(probabilities, answers, rewards):
    """Your sign is reversed: this would do less of what was rewarded. The loss is minus the reward times log p."""
    return -reward_gradient(probabilities, answers, rewards)


def without_baseline(probabilities, answers, rewards):
    """You left the mean reward out: what counts is how much better than usual an answer was."""
    return (probabilities - np.eye(probabilities.shape[1])[answers]) * rewards[:, None] / len(answers)


def summed(probabilities, answers, rewards):
    """You summed over the batch; the loss is a mean."""
    return reward_gradient(probabilities, answers, rewards) * len(answers)


def moves_the_answer_alone(probabilities, answers, rewards):
    """You moved the logit of the answer alone; the softmax ties all logits together, so every one has a derivative."""
    return reward_gradient(probabilities, answers, rewards) * np.eye(probabilities.shape[1])[answers]


def own_reward_left_out(probabilities, answers, rewards):
    """Your baseline is the mean of the *other* rewards. That is in use, too; here it is the mean of the whole batch."""
    return reward_gradient(probabilities, answers, rewards) * len(answers) / (len(answers) - 1)


EXERCISES = (
    Exercise.of(rearrange, points=2, draw=draw_rearrange, mistakes=(middle_in_place, suffix_first)),
    Exercise.of(
        corrupt_spans, points=3, draw=draw_corrupt, mistakes=(one_sentinel, end_lost, closing_sentinel, gaps_alone)
    ),
    Exercise.of(
        reward_gradient,
        points=3,
        draw=draw_reward,
        mistakes=(wrong_sign, without_baseline, summed, moves_the_answer_alone, own_reward_left_out),
    ),
)
