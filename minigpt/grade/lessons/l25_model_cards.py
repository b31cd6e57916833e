"""The exercises of lesson 25, model cards."""

import numpy as np

from minigpt.grade.exercise import Exercise, Question, larger

NAMES = ("layers", "width", "heads", "context", "loss", "accuracy", "hash", "tokens", "corpus", "seed", "steps", "rate")


def draw_card(rng: np.random.Generator) -> Question:
    """A card with rows that are right, altered, made up and left out, in no order."""
    names = rng.permutation([f"{name} {n}" for name in NAMES for n in range(larger(rng, 1))]).tolist()
    found = {name: f"{rng.integers(10, 99)}.{rng.integers(0, 9)}0" for name in names}
    card = {}
    for name in rng.permutation(names).tolist():
        kind = rng.choice(["right", "altered", "left out", "made up", "trailing zero"], p=[0.4, 0.2, 0.15, 0.1, 0.15])
        if kind == "made up":
            del found[name]
        if kind != "left out":
            card[name] = found.get(name, "7.00")
        if kind == "altered":
            card[name] = "1" + card[name]
        elif kind == "trailing zero":
            card[name] = card[name].rstrip("0")
    return [card, found], {}


def wrong_rows(card, found):
    return sorted(name for name in card.keys() | found.keys() if card.get(name) != found.get(name))


def left_out_forgotten(card, found):
    """You look at the rows of the card alone; what the commands say and the card leaves out is missing there."""
    return sorted(name for name in card if card[name] != found.get(name))


def made_up_forgotten(card, found):
    """A row that no command gives does not hold: nobody can check it."""
    return sorted(name for name in found if card.get(name) != found[name])


def common_alone(card, found):
    """You compare only the rows that both have; what is made up, or left out, does not hold either."""
    return sorted(name for name in card.keys() & found.keys() if card[name] != found[name])


def right_ones(card, found):
    """Those are the rows that do hold."""
    return sorted(name for name in card.keys() & found.keys() if card[name] == found[name])


def not_sorted(card, found):
    """The names are asked for in the order of the alphabet."""
    return sorted(wrong_rows(card, found), reverse=True)


def as_numbers(card, found):
    """You compare numbers: 7.5 and 7.50 are written otherwise, and the second says more digits."""
    number = {True: float, False: str}
    value = lambda text: None if text is None else number[text.replace(".", "").isdigit()](text)  # noqa: E731
    return sorted(name for name in card.keys() | found.keys() if value(card.get(name)) != value(found.get(name)))


def draw_energy(rng: np.random.Generator) -> Question:
    return [float(rng.uniform(10, 1e5)), larger(rng, rng.integers(2, 9)), float(rng.uniform(5, 300)),
            float(rng.uniform(20, 900))], {}  # fmt: skip


def energy(seconds, cores, watts, grams):
    hours = seconds * cores * watts / 3_600_000
    return hours, hours * grams


def watt_hours(seconds, cores, watts, grams):
    """Those are watt hours; a kilowatt hour is a thousand of them."""
    hours = seconds * cores * watts / 3_600
    return hours, hours * grams


def one_core(seconds, cores, watts, grams):
    """You left out the cores: each of them takes its watts."""
    return energy(seconds, 1, watts, grams)


def by_minutes(seconds, cores, watts, grams):
    """An hour has 3600 seconds."""
    hours = seconds * cores * watts / 60_000
    return hours, hours * grams


def divided_among_cores(seconds, cores, watts, grams):
    """You divided by the cores; the seconds are those of the clock, and all cores work in each of them."""
    hours = seconds * watts / cores / 3_600_000
    return hours, hours * grams


def grams_of_watts(seconds, cores, watts, grams):
    """The grams are those of a kilowatt hour: multiply by the hours that you found, in kilowatt hours."""
    hours = energy(seconds, cores, watts, grams)[0]
    return hours, watts * grams / 1000


def kilograms(seconds, cores, watts, grams):
    """Those are kilograms; grams are asked for."""
    hours, heavy = energy(seconds, cores, watts, grams)
    return hours, heavy / 1000


def exchanged(seconds, cores, watts, grams):
    """You return the grams first; kilowatt hours come first."""
    hours, emitted = energy(seconds, cores, watts, grams)
    return emitted, hours


EXERCISES = (
    Exercise.of(
        wrong_rows,
        points=3,
        draw=draw_card,
        mistakes=(left_out_forgotten, made_up_forgotten, common_alone, right_ones, not_sorted, as_numbers),
    ),
    Exercise.of(
        energy,
        points=2,
        draw=draw_energy,
        mistakes=(watt_hours, one_core, by_minutes, divided_among_cores, grams_of_watts, kilograms, exchanged),
    ),
)
