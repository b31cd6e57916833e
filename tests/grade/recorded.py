"""What the plain exercises ask and what the right and the wrong functions answer, as numbers: recorded.json.

A hint is told for the answer that it goes with, so neither may change unnoticed. After a change that is meant, record
anew and look at the difference: python tests/grade/recorded.py
"""

import json
import sys
import zlib
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("recorded.json")
QUESTIONS = 12


def number(value) -> float:
    """One number for a value within values: another value gives, but for rounding and by chance, another number."""
    if isinstance(value, dict):
        return number([[key, value[key]] for key in sorted(value, key=repr)])
    if isinstance(value, set):
        return number(sorted(value, key=repr))
    if isinstance(value, list | tuple):
        return sum(np.cos(place + 1) * number(one) for place, one in enumerate(value)) + len(value)
    if isinstance(value, str | bytes):
        return zlib.crc32(value.encode() if isinstance(value, str) else value) / 2**32
    if value is None:
        return 0.125
    flat = np.asarray(value, np.float64).ravel()
    flat = np.where(np.isfinite(flat), flat, 77.0)
    return float(flat @ np.cos(np.arange(1, flat.size + 1))) + flat.size


def record(exercise) -> dict[str, float]:
    """Of some questions: themselves, and the answers of every function."""
    rng = np.random.default_rng(3)
    asked = [exercise.draw(rng) for _ in range(QUESTIONS)]
    functions = {"right": exercise.right, **{mistake.__name__: mistake for mistake in exercise.mistakes}}
    answers = {name: number([f(*given, **options) for given, options in asked]) for name, f in functions.items()}
    return {"questions": number(asked), **answers}


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[2])]
    from minigpt.grade import EXERCISES

    found = {exercise.name: record(exercise) for exercise in EXERCISES.values() if exercise.right}
    FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
