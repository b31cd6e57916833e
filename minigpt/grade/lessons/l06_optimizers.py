"""The exercises of lesson 06, optimizers."""

import math

import numpy as np

from minigpt.grade.exercise import Exercise, Question, larger


def draw_step(rng: np.random.Generator) -> Question:
    p, g, m = rng.standard_normal((3, larger(rng, 6)))
    settings = {"learning_rate": 0.05, "epsilon": 1e-4, "weight_decay": 0.3, "beta1": 0.8, "beta2": 0.95}
    return [p, g, 0.1 * m, 0.1 * m * m, int(rng.integers(1, 5))], settings


def adamw_step(p, g, first, second, step, *, learning_rate, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.01):
    first = beta1 * first + (1 - beta1) * g
    second = beta2 * second + (1 - beta2) * g * g
    root = np.sqrt(second / (1 - beta2**step)) + epsilon
    update = first / (1 - beta1**step) / root
    return p - learning_rate * (update + weight_decay * p), first, second


def adamw_uncorrected(p, g, first, second, step, *, learning_rate, weight_decay=0.01, beta1=0.9, beta2=0.999, **rest):
    """You left the bias correction out: the moments start at zero, so the first ones are too small."""
    first = beta1 * first + (1 - beta1) * g
    second = beta2 * second + (1 - beta2) * g * g
    update = first / (np.sqrt(second) + rest.get("epsilon", 1e-8))
    return p - learning_rate * (update + weight_decay * p), first, second


def adamw_coupled(p, g, first, second, step, *, weight_decay=0.01, **rest):
    """You added the decay to the gradient, as Adam with L2 does; AdamW takes it from the parameters directly."""
    return adamw_step(p, g + weight_decay * p, first, second, step, weight_decay=0.0, **rest)


def adamw_from_zero(p, g, first, second, step, **rest):
    """Your bias correction counts steps from one too many: `step` is 1 at the first step."""
    return adamw_step(p, g, first, second, step + 1, **rest)


def adamw_without_decay(p, g, first, second, step, **rest):
    """You left the weight decay out."""
    return adamw_step(p, g, first, second, step, **{**rest, "weight_decay": 0.0})


def adamw_decay_without_rate(p, g, first, second, step, *, learning_rate, weight_decay=0.01, **rest):
    """Your decay leaves the learning rate out: learning_rate * weight_decay times the parameters are taken away."""
    rest |= {"learning_rate": learning_rate, "weight_decay": weight_decay / learning_rate}
    return adamw_step(p, g, first, second, step, **rest)


def adamw_epsilon_inside(p, g, first, second, step, *, learning_rate, beta1=0.9, beta2=0.999, epsilon=1e-8, **rest):
    """You added epsilon before the square root; 1e-8 becomes 1e-4 there. It is added to the root."""
    first = beta1 * first + (1 - beta1) * g
    second = beta2 * second + (1 - beta2) * g * g
    update = first / (1 - beta1**step) / np.sqrt(second / (1 - beta2**step) + epsilon)
    return p - learning_rate * (update + rest.get("weight_decay", 0.01) * p), first, second


def draw_clip(rng: np.random.Generator) -> Question:
    return [rng.standard_normal(larger(rng, 7)) * 3, float(rng.choice([0.5, 2.0, 100.0]))], {}


def clip_by_global_norm(gradient, maximum):
    norm = math.sqrt(float(np.sum(gradient * gradient)))
    return gradient * min(1.0, maximum / (norm + 1e-6))


def clip_each_entry(gradient, maximum):
    """You clipped each entry; that changes the direction. One factor shortens the whole vector."""
    return np.clip(gradient, -maximum, maximum)


def always_scaled(gradient, maximum):
    """You scale to the maximum always; a shorter gradient stays as it is."""
    return gradient * (maximum / (math.sqrt(float(np.sum(gradient * gradient))) + 1e-6))


def draw_schedule(rng: np.random.Generator) -> Question:
    warmup = int(rng.integers(1, 6))
    numbers = {"peak": 0.3, "warmup": warmup, "total": warmup + int(rng.integers(2, 12)), "final": 0.1}
    return [int(rng.integers(0, 20))], numbers


def warmup_cosine(step, *, peak, warmup, total, final=0.1):
    if step < warmup:
        return peak * (step + 1) / warmup
    share = min(1.0, (step - warmup) / max(1, total - warmup))
    return peak * (final + (1 - final) * (1 + math.cos(math.pi * share)) / 2)


def warmup_from_zero(step, *, peak, warmup, **rest):
    """Your warm-up begins at 0, so that the first step does nothing; step 0 has peak / warmup."""
    return peak * step / warmup if step < warmup else warmup_cosine(step, peak=peak, warmup=warmup, **rest)


def cosine_to_zero(step, *, final=0.1, **rest):
    """Your cosine ends at 0; it ends at final * peak."""
    return warmup_cosine(step, final=0.0, **rest)


def cosine_goes_on(step, *, peak, warmup, total, final=0.1):
    """After `total` steps your rate rises again: it stays at final * peak."""
    if step < warmup:
        return peak * (step + 1) / warmup
    share = (step - warmup) / max(1, total - warmup)
    return peak * (final + (1 - final) * (1 + math.cos(math.pi * share)) / 2)


EXERCISES = (
    Exercise.of(
        adamw_step,
        points=4,
        draw=draw_step,
        mistakes=(
            adamw_uncorrected,
            adamw_coupled,
            adamw_from_zero,
            adamw_without_decay,
            adamw_decay_without_rate,
            adamw_epsilon_inside,
        ),
    ),
    Exercise.of(clip_by_global_norm, points=2, draw=draw_clip, mistakes=(clip_each_entry, always_scaled)),
    Exercise.of(
        warmup_cosine, points=3, draw=draw_schedule, mistakes=(warmup_from_zero, cosine_to_zero, cosine_goes_on)
    ),
)
