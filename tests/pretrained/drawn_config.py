"""Configurations of published families with every setting drawn at random, so that no default hides a mistake."""

import numpy as np

from minigpt.pretrained.families.family import Family, Setting

MOST_TOKENS = 47  # of a vocabulary
LENGTH = 9  # of the longest text that a drawn model must read


def drawn_config(family: Family, rng: np.random.Generator) -> dict:
    """Their config.json, without the class."""
    heads, groups = int(rng.choice([4, 6])), int(rng.choice([1, 2]))
    values = {
        "vocabulary_size": int(rng.integers(37, MOST_TOKENS)),
        "context": int(rng.integers(LENGTH + 2, LENGTH + 9)),
        "width": 24,
        "heads": heads,
        "encoder.heads": int(rng.choice([2, 3])),
        "key_value_heads": heads // groups,
        "head_width": int(rng.choice([4, 6, 10])),
        "layers": int(rng.integers(1, 4)),
        "encoder.layers": int(rng.integers(1, 4)),
        "feed_forward_width": int(rng.integers(17, 40)),
        "encoder.feed_forward_width": int(rng.integers(17, 40)),
        "image": [int(rng.integers(1, 4)), int(rng.integers(7, 12)), int(rng.integers(7, 12))],
        "patch": [int(rng.integers(2, 4)), int(rng.integers(2, 5))],
        "encoder.context": int(rng.integers(3, 8)),
        "encoder.input_width": int(rng.integers(2, 6)),
        "segments": int(rng.integers(1, 4)),
        "norm_epsilon": float(10 ** rng.uniform(-6, -1)),
        "rotary_theta": float(rng.uniform(50, 500)),
        "rotary_scaling": None,  # test_rotary_scaling.py has all kinds
        "init_std": float(rng.uniform(0.1, 0.5)),
        "padding": int(rng.integers(1, 3)),
        "window": int(rng.integers(2, LENGTH - 1)),
        "head_bias": None,  # transformers knows no such word; the array tells
    }
    theirs = {setting.theirs: _drawn(setting, values, rng) for setting in family.settings}
    return {**family.after({**theirs, **family.constants}), "model_type": family.name}


def _drawn(setting: Setting, values: dict, rng: np.random.Generator):
    if setting.words is not None:
        return str(rng.choice(sorted(setting.words)))
    return values[setting.ours] if setting.ours in values else bool(rng.integers(2))
