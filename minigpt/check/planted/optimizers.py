"""Mistakes in optimizers. Each is a small complete optimizer, with the settings that `adamw` and `sgd` have."""

import numpy as np

from minigpt.check.planted.bug import planted
from minigpt.optim import Optimizer


def _optimizer(names, change):
    """The optimizer that adds change(parameters, gradient, state, learning_rate); state holds `names` and the step."""

    def init(parameters):
        return {"step": 0, **{name: np.zeros_like(parameters) for name in names}}

    def update(parameters, gradient, state, *, learning_rate, pool=None):
        state["step"] += 1
        parameters += change(parameters, gradient, state, learning_rate)

    return Optimizer(init, update)


def _adam(change):
    return _optimizer(("first_moment", "second_moment"), change)


def _decay(parameters, weight_decay, decayed):
    """weight_decay * parameters for the first `decayed` entries, 0 for the rest."""
    return weight_decay * parameters * (np.arange(parameters.size) < (parameters.size if decayed is None else decayed))


def _means(gradient, state, beta1, beta2):
    """The two running means of Adam, updated; and both corrected for having started at zero."""
    first, second, step = state["first_moment"], state["second_moment"], state["step"]
    first += (1 - beta1) * (gradient - first)
    second += (1 - beta2) * (gradient * gradient - second)
    return first / (1 - beta1**step), second / (1 - beta2**step)


def bias_correction_missing(*, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.01, decayed=None):
    """Your Adam does not divide its means by 1 - beta^step: they start at zero, so the first steps are far too
    large."""

    def change(p, g, state, rate):
        _means(g, state, beta1, beta2)
        step = state["first_moment"] / (np.sqrt(state["second_moment"]) + epsilon)
        return -rate * (step + _decay(p, weight_decay, decayed))

    return _adam(change)


def bias_correction_one_step_late(*, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.01, decayed=None):
    """Your Adam counts one step too many in its bias correction: at the first update step is 1."""

    def change(p, g, state, rate):
        _means(g, state, beta1, beta2)
        late = state["step"] + 1
        first, second = state["first_moment"] / (1 - beta1**late), state["second_moment"] / (1 - beta2**late)
        return -rate * (first / (np.sqrt(second) + epsilon) + _decay(p, weight_decay, decayed))

    return _adam(change)


def decay_on_gains_and_biases(*, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.01, decayed=None):
    """Your weight decay shrinks gains and biases too: only the matrices, the first `decayed` entries, should
    shrink."""

    def change(p, g, state, rate):
        first, second = _means(g, state, beta1, beta2)
        return -rate * (first / (np.sqrt(second) + epsilon) + _decay(p, weight_decay, None))

    return _adam(change)


def decay_coupled(*, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.01, decayed=None):
    """Your weight decay is added to the gradient, where Adam divides it away again: AdamW shrinks the parameters
    themselves."""

    def change(p, g, state, rate):
        first, second = _means(g + _decay(p, weight_decay, decayed), state, beta1, beta2)
        return -rate * first / (np.sqrt(second) + epsilon)

    return _adam(change)


def decay_without_the_rate(*, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.01, decayed=None):
    """Your weight decay is not multiplied by the learning rate: it shrinks the parameters long after the rate is
    small."""

    def change(p, g, state, rate):
        first, second = _means(g, state, beta1, beta2)
        return -rate * first / (np.sqrt(second) + epsilon) - _decay(p, weight_decay, decayed)

    return _adam(change)


def epsilon_inside_the_root(*, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.01, decayed=None):
    """Your epsilon is added before the square root: 1e-8 becomes 1e-4 there, which slows small gradients down."""

    def change(p, g, state, rate):
        first, second = _means(g, state, beta1, beta2)
        return -rate * (first / np.sqrt(second + epsilon) + _decay(p, weight_decay, decayed))

    return _adam(change)


def root_missing(*, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.01, decayed=None):
    """Your Adam divides by the mean squared gradient: it divides by its square root."""

    def change(p, g, state, rate):
        first, second = _means(g, state, beta1, beta2)
        return -rate * (first / (second + epsilon) + _decay(p, weight_decay, decayed))

    return _adam(change)


def betas_swapped(*, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.01, decayed=None):
    """Your Adam uses beta1 for the squares and beta2 for the mean: it is the other way round."""

    def change(p, g, state, rate):
        first, second = _means(g, state, beta2, beta1)
        return -rate * (first / (np.sqrt(second) + epsilon) + _decay(p, weight_decay, decayed))

    return _adam(change)


def means_not_kept(*, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.01, decayed=None):
    """Your Adam forgets its means after every step, so each step is the sign of one gradient."""

    def change(p, g, state, rate):
        state["first_moment"][...] = state["second_moment"][...] = 0
        first, second = (1 - beta1) * g, (1 - beta2) * g * g
        first, second = first / (1 - beta1), second / (1 - beta2)
        return -rate * (first / (np.sqrt(second) + epsilon) + _decay(p, weight_decay, decayed))

    return _adam(change)


def look_ahead_missing(*, momentum=0.9, nesterov=True, weight_decay=0.0, decayed=None):
    """Your Nesterov is plain momentum: it must look ahead, g + momentum * v, after v was updated."""

    def change(p, g, state, rate):
        state["momentum"][...] = momentum * state["momentum"] + g + _decay(p, weight_decay, decayed)
        return -rate * state["momentum"]

    return _optimizer(("momentum",), change)


def momentum_as_a_mean(*, momentum=0.9, nesterov=False, weight_decay=0.0, decayed=None):
    """Your momentum averages the gradients, (1 - momentum) * g: SGD's velocity adds them, which gives steps ten times
    as large at 0.9."""

    def change(p, g, state, rate):
        state["momentum"][...] = momentum * state["momentum"] + (1 - momentum) * (g + _decay(p, weight_decay, decayed))
        return -rate * state["momentum"]

    return _optimizer(("momentum",), change)


def uphill(*, momentum=0.9, nesterov=False, weight_decay=0.0, decayed=None):
    """Your step goes up the gradient: subtract it."""

    def change(p, g, state, rate):
        state["momentum"][...] = momentum * state["momentum"] + g + _decay(p, weight_decay, decayed)
        return rate * state["momentum"]

    return _optimizer(("momentum",), change)


def clip_per_tensor(gradient, maximum):
    """Your clipping shortens each tensor on its own, which turns the gradient: one factor, from the norm of all of
    them together, keeps its direction."""
    norms = []
    for tensor in np.split(gradient, [gradient.size // 3]):
        norms.append(np.linalg.norm(tensor))
        tensor *= min(1.0, maximum / norms[-1])
    return np.linalg.norm(norms)


def clip_per_entry(gradient, maximum):
    """Your clipping cuts each entry off at the maximum, which turns the gradient: one factor for all entries keeps
    its direction."""
    norm = np.linalg.norm(gradient)
    np.clip(gradient, -maximum, maximum, out=gradient)
    return norm


def clip_short_gradients_too(gradient, maximum):
    """Your clipping makes every gradient as long as the maximum: one that is shorter must stay as it is."""
    norm = np.linalg.norm(gradient)
    gradient *= maximum / norm
    return norm


def clip_by_the_square(gradient, maximum):
    """Your clipping compares the maximum with the sum of the squares: the norm is its square root."""
    norm = np.vdot(gradient, gradient)
    gradient *= min(1.0, maximum / norm)
    return norm


def clip_returns_the_norm_after(gradient, maximum):
    """Your clipping returns the length after it was shortened: the length before shows whether training goes well."""
    gradient *= min(1.0, maximum / np.linalg.norm(gradient))
    return np.linalg.norm(gradient)


BUGS = (
    *planted("optimizer", "adamw", "adamw", bias_correction_missing, bias_correction_one_step_late),
    *planted("optimizer", "adamw", "adamw", decay_on_gains_and_biases, decay_coupled, decay_without_the_rate),
    *planted("optimizer", "adamw", "adamw", epsilon_inside_the_root, root_missing, betas_swapped, means_not_kept),
    *planted("optimizer", "sgd", "nesterov", look_ahead_missing),
    *planted("optimizer", "sgd", "momentum", momentum_as_a_mean, uphill),
    *planted("optimizer", "clip", "clip", clip_per_tensor, clip_per_entry, clip_short_gradients_too),
    *planted("optimizer", "clip", "clip", clip_by_the_square, clip_returns_the_norm_after),
)
