"""Every attribution method under its name, to be asked for by menus, tables and tests."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from minigpt.explain.attribution import (
    Attribution,
    gradient,
    gradient_times_input,
    occlusion,
    smooth_gradient,
)
from minigpt.explain.integrated import integrated_gradients
from minigpt.explain.question import Question
from minigpt.explain.shapley import shapley


class Method(NamedTuple):
    """One of them."""

    explain: Callable[[Question, np.random.Generator], Attribution]
    sums: bool  # whether the scores sum to the difference from the baseline


METHODS = {
    "gradient": Method(lambda question, _rng: gradient(question), False),
    "gradient x input": Method(lambda question, _rng: gradient_times_input(question), False),
    "integrated gradients": Method(lambda question, _rng: integrated_gradients(question), True),
    "smooth gradient": Method(smooth_gradient, False),
    "occlusion": Method(lambda question, _rng: occlusion(question), False),
    "Shapley values": Method(shapley, True),
}
