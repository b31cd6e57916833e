"""The exercises of lesson 00, reading the article."""

import re

import numpy as np

from minigpt.grade.exercise import Exercise, Question, larger


def draw_hedges(rng: np.random.Generator) -> Question:
    words = np.array(["can", "may", "reported to", "described as", "about", "likely", "we", "models", "significant"])
    sides = [
        " ".join(rng.choice(words, larger(rng, 7))) + rng.choice([".", " CAN.", " About!", " maybe"]) for _ in range(2)
    ]
    return [*sides, ["can", "may", "reported to", "described as", "about", "likely"]], {}


def dropped_hedges(summary, body, hedges):
    def has(text, hedge):
        return re.search(rf"(?<!\w){re.escape(hedge)}(?!\w)", text.lower())

    return [hedge for hedge in hedges if has(summary, hedge) and not has(body, hedge)]


def parts_of_words(summary, body, hedges):
    """You look for the hedge anywhere, even inside of another word: "can" is not in "significant"."""
    return [hedge for hedge in hedges if hedge in summary.lower() and hedge not in body.lower()]


def letter_case(summary, body, hedges):
    """You compare capital letters with small ones; a hedge at the beginning of a sentence is one too."""
    return [h for h in hedges if re.search(rf"(?<!\w){h}(?!\w)", summary) and not re.search(rf"(?<!\w){h}(?!\w)", body)]


def draw_stated(rng: np.random.Generator) -> Question:
    facts = set(range(1, 1 + int(rng.integers(0, 6))))
    stated = [
        set(rng.choice(9, rng.integers(0, 4), replace=False).tolist()) for _ in range(larger(rng, rng.integers(0, 7)))
    ]
    return [stated, facts], {}


def traced_and_covered(stated, facts):
    hits = sum(bool(numbers & facts) for numbers in stated)
    found = facts & set().union(*stated)
    return hits / len(stated) if stated else 0.0, len(found) / len(facts) if facts else 0.0


def exchanged(stated, facts):
    """You returned the share that is covered before the share that is traced."""
    return traced_and_covered(stated, facts)[::-1]


def counts_facts_twice(stated, facts):
    """A fact that two claims state counts once in the share that is covered."""
    traced, _ = traced_and_covered(stated, facts)
    return traced, sum(len(n & facts) for n in stated) / len(facts) if facts else 0.0


EXERCISES = (
    Exercise.of(dropped_hedges, points=2, draw=draw_hedges, mistakes=(parts_of_words, letter_case)),
    Exercise.of(traced_and_covered, points=2, draw=draw_stated, mistakes=(exchanged, counts_facts_twice)),
)
