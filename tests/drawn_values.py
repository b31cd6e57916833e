"""Values of every kind, for any place in a file that a program reads."""

import copy
import json

import numpy as np

ODD = [None, True, False, 0, -1, 1, 3, 10**9, 10**18, 10**400, -(10**30), 0.5, -2.5, 1e308, float("nan"), float("inf")]
ODD += ["", "x", "\ud800", "0", "../up", "x" * 300, [], [1], ["a", None], [[]], {}, {"a": 1}, {"step": [2]}]


def drawn_value(rng):
    """One of them, now and then inside of another."""
    value = copy.deepcopy(ODD[int(rng.integers(len(ODD)))])
    if rng.random() < 0.1:
        return [value, drawn_value(rng)] if rng.integers(2) else {"a": value}
    return value


def places(value, path=()):
    """Where anything stands in a JSON value."""
    found = [path] if path else []
    if isinstance(value, dict | list):
        keys = value if isinstance(value, dict) else range(min(len(value), 5))
        for key in keys:
            found += places(value[key], (*path, key))
    return found


def changed(value, rng):
    """The value with one to three of its parts replaced, dropped or added to."""
    value = json.loads(json.dumps(value))
    for _ in range(int(rng.integers(1, 4))):
        where = places(value)
        if not where:
            return value
        *outer, last = where[int(rng.integers(len(where)))]
        part = value
        for key in outer:
            part = part[key]
        if rng.random() < 0.15:
            del part[last]
        elif isinstance(part, dict) and rng.random() < 0.1:
            part["unknown"] = drawn_value(rng)
        else:
            part[last] = drawn_value(rng)
    return value


def damaged_text(text, rng):
    """A few characters of a text changed, cut or doubled."""
    for _ in range(int(rng.integers(1, 4))):
        place = int(rng.integers(len(text) + 1))
        piece = ["", "\n", ",", '"', "²", "1e999", "-", "\0", "nan", "x" * 50][int(rng.integers(10))]
        text = text[:place] + piece + text[place + int(rng.integers(0, 4)) :]
    return text


def seeds(count):
    """Generators, one a draw, so that a draw can be repeated alone."""
    return (np.random.default_rng([11, seed]) for seed in range(count))
