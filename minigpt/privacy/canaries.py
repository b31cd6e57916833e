"""Sentences with a secret number, planted to measure how well a model remembers what it has read once, or often.

Carlini et al. (2019), "The Secret Sharer", arXiv:1802.08232, section 4: how likely does the model find the planted
number, among all numbers that might have stood there? Exposure is log2(numbers) - log2(rank). A number that was never
planted is as likely to have any rank, so its exposure is 1.44 bits on average, among many: these are the controls.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.files import read_json, write_json
from minigpt.measure.choices import choice_nats
from minigpt.values import TEXT, about, read, whole

FORMAT = "minigpt canaries 1"
DIGITS = 6
SYLLABLES = ("ba", "de", "fi", "go", "ku", "la", "me", "ni", "po", "ru", "sa", "te", "vi", "wo", "zu", "ky")
MOST_SENTENCES, MOST_PLANTED = 10_000, 1_000_000  # there are 65,536 names
PLACE = 0.8  # of the text: what comes later may be held out from training


class Canary(NamedTuple):
    """A sentence: its beginning, the secret that follows it, and how often it was planted."""

    beginning: str
    secret: str
    times: int

    @property
    def sentence(self) -> str:
        """As it stands in the text, on a line of its own."""
        return f"{self.beginning}{self.secret}."


def make_canaries(times: Sequence[int], each: int, rng: np.random.Generator) -> list[Canary]:
    """`each` canaries for every number of `times`, of people who do not exist, no two alike."""
    sentences, planted = each * len(times), each * sum(times)
    if each < 1 or not times or min(times) < 0:
        raise UserError(f"{each} canaries planted {list(times)} times cannot be made; give at least 1, and 0 or more")
    if sentences > MOST_SENTENCES or planted > MOST_PLANTED:
        raise UserError(
            f"{sentences:,} sentences planted {planted:,} times are too many; at most {MOST_SENTENCES:,} are made, and "
            f"planted {MOST_PLANTED:,} times together"
        )
    names: dict[str, None] = {}
    while len(names) < sentences:
        names["".join(rng.choice(SYLLABLES, 4)).capitalize()] = None
    secrets = (f" {number:0{DIGITS}d}" for number in rng.integers(0, 10**DIGITS, len(names)))
    often = (count for count in times for _ in range(each))
    return [
        Canary(f"The secret number of {name} is", secret, count)
        for name, secret, count in zip(names, secrets, often, strict=True)
    ]


def plant(text: str, canaries: Sequence[Canary], rng: np.random.Generator) -> str:
    """The text with every canary as a line of its own, as often as it says, at random ends of lines.

    All stand in its first four fifths. `UserError` if a canary is in the text already, or it has no line there.
    """
    there = next((canary for canary in canaries if canary.beginning in text), None)
    if there is not None:
        raise UserError(f"{there.beginning!r} is in the text already; plant into the text as it was")
    lines = text.splitlines(keepends=True)
    ends = np.cumsum([len(line) for line in lines])
    places = int(np.searchsorted(ends, PLACE * len(text)))
    if places < 1:
        raise UserError("the text has no end of a line in its first four fifths; plant into one with more lines")
    planted: dict[int, list[str]] = {}
    for canary in canaries:
        for place in rng.integers(0, places, canary.times).tolist():
            planted.setdefault(place, []).append(f"{canary.sentence}\n")
    return "".join(line + "".join(planted.get(number, ())) for number, line in enumerate(lines))


def write_canaries(path: str | Path, canaries: Sequence[Canary]) -> None:
    """Write them as JSON: what `read_canaries` reads."""
    write_json(path, {"format": FORMAT, "canaries": [canary._asdict() for canary in canaries]})


def read_canaries(path: str | Path) -> list[Canary]:
    """The canaries of a file. `UserError` names what does not fit."""
    with about(path, "give the file that `minigpt corpus plant` wrote"):
        value = read_json(path)
        if value.get("format") != FORMAT or not isinstance(value.get("canaries"), list) or not value["canaries"]:
            raise UserError(f"it is no list of canaries with the format {FORMAT!r}")
        return [_read(entry) for entry in value["canaries"]]


def _read(entry: Any) -> Canary:
    if not isinstance(entry, dict) or set(entry) != set(Canary._fields):
        raise UserError(f"a canary has {', '.join(Canary._fields)} and nothing else, not {entry!r:.60}")
    canary = Canary(read(entry, "beginning", TEXT), read(entry, "secret", TEXT), read(entry, "times", whole(0)))
    if not canary.beginning or not canary.secret.strip().isdigit() or len(canary.secret) > 19:
        raise UserError(f"the secret {canary.secret!r:.30} is no space with up to 18 digits after it")
    return canary


def chance(others: int) -> float:
    """The mean exposure, in bits, of a number that was never planted: the mean over all ranks, 1.44 among many."""
    ranks = others + 1
    return math.log2(ranks) - math.lgamma(ranks + 1) / (ranks * math.log(2))  # lgamma(n + 1) is log n!


def exposure(
    model: Any, params: Any, tokenizer: Any, canary: Canary, *, others: int, rng: np.random.Generator
) -> float:
    """How much likelier than others the model finds the secret, in bits: log2(others + 1) - log2(rank).

    others: how many random numbers of as many digits it is compared with; the result is from 0 to log2(others + 1), so
    more of them show more. Of equally likely ones the secret comes last.
    """
    digits = len(canary.secret.strip())
    numbers = rng.integers(0, 10**digits, others).tolist()
    compared = [f" {number:0{digits}d}" for number in numbers]
    nats = choice_nats(model, params, tokenizer, [canary.beginning], [canary.secret, *compared])[0]
    same = np.array([secret == canary.secret for secret in compared])
    rank = 1 + np.count_nonzero((nats[1:] >= nats[0]) & ~same)
    return math.log2(others + 1) - math.log2(rank)
