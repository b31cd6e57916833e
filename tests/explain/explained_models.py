"""One question for every architecture that minigpt.check knows, and what tests of explanations share."""

import numpy as np

from minigpt import Transformer
from minigpt.check import CONFIGS
from minigpt.check.model import random_batch, random_params
from minigpt.explain import ask

HEADLESS = [name for name, config in CONFIGS.items() if config.head == "none"]
WITH_HEAD = [name for name in CONFIGS if name not in HEADLESS]


def one_row(batch):
    """The second row of a batch of two, in which nothing is padding of the tokens; the source's, if any, neither."""
    arrays = {name: value[1:] for name, value in batch._asdict().items() if isinstance(value, np.ndarray)}
    return batch._replace(**{**arrays, "present": None, "source_present": None})


def start(name, *, seed=0, dtype=np.float64):
    """Model, parameters and one input."""
    rng = np.random.default_rng(seed)
    model = Transformer(CONFIGS[name])
    params = random_params(model, rng)
    return model, params if dtype == np.float64 else params.astype(dtype), one_row(random_batch(model.config, rng))


def question_of(name, *, seed=0, dtype=np.float64):
    """A question: the difference of two answers, or a direction of one without a head."""
    model, params, batch = start(name, seed=seed, dtype=dtype)
    if model.config.head == "none":
        direction = np.random.default_rng(3).standard_normal(model.config.width)
        return ask(model, params, batch, direction, position="mean")
    return ask(model, params, batch, 1, against=0, position=-1)
