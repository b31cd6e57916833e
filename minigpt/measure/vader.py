"""Sentiment by rules: words that people rated, and what stands around them.

Hutto & Gilbert (2014), "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text", ICWSM; the
rules are those of its release 3.3.2, without pictographs and coarse idioms. There, what "but" does also reaches words
that are rated alike, wherever they stand; here it depends on the place alone, as in the paper.
"""

import math
import string
from collections.abc import Mapping
from pathlib import Path

from minigpt.errors import UserError
from minigpt.text.fetch import Package

VADER = Package(
    "vadersentiment",
    "3.3.2",
    "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    "vaderSentiment-3.3.2",
    2.3,
    "MIT",
    source=True,
)
LEXICON = Path("vaderSentiment") / "vader_lexicon.txt"  # inside of the package
BOOST, CAPITALS, NEGATED = 0.293, 0.733, -0.74
EXCLAMATION, QUESTION, MANY_QUESTIONS = 0.292, 0.18, 0.96
WIDE = 15  # of the sum that becomes a number between -1 and 1
NEARNESS = (1.0, 0.95, 0.9)  # how much of a booster is left one, two and three words later
NEGATING = """
aint arent cannot cant couldnt darent didnt doesnt dont hadnt hasnt havent isnt mightnt mustnt neither neednt never none
nope nor not nothing nowhere oughtnt shant shouldnt uhuh uh-uh wasnt werent without wont wouldnt rarely seldom despite
"""
BOOSTING = """
absolutely amazingly awfully completely considerable considerably decidedly deeply enormous enormously entirely
especially exceptional exceptionally extreme extremely fabulously fully greatly hella highly hugely incredible
incredibly intensely major majorly more most particularly purely quite really remarkably so substantially thoroughly
total totally tremendous tremendously uber unbelievably unusually utter utterly very
"""
DAMPING = """
almost barely hardly kinda kindof kind-of less little marginal marginally occasional occasionally partly scarce scarcely
slight slightly somewhat sorta sortof sort-of
"""
NEGATIONS = frozenset(NEGATING.split())
BOOSTERS = dict.fromkeys(BOOSTING.split(), BOOST)
BOOSTERS |= dict.fromkeys([*DAMPING.split(), "just enough", "kind of", "sort of"], -BOOST)
IDIOMS = {"the bomb": 3, "bus stop": 0, "yeah right": -2, "kiss of death": -1.5, "to die for": 3, "beating heart": 3.5}
SO = ("so", "this")


def read_lexicon(folder: Path) -> dict[str, float]:
    """Word -> its mean rating from -4 to 4, from the folder of the package `VADER`."""
    try:
        lines = (folder / LEXICON).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UserError(f"{folder / LEXICON} could not be read ({error.strerror}); remove {folder}") from None
    return {word: float(rating) for word, rating, *_ in (line.split("\t") for line in lines if line.strip())}


def vader(text: str, lexicon: Mapping[str, float]) -> float:
    """The sentiment of a text, from -1 to 1; at least 0.05 is positive, at most -0.05 negative."""
    words = [_bare(token) for token in text.split()]
    low = [word.lower() for word in words]
    shouts = 0 < sum(map(str.isupper, words)) < len(words)  # some, but not all
    ratings = [_rating(words, low, place, shouts, lexicon) for place in range(len(words))]
    if "but" in low:
        turn = low.index("but")
        ratings = [rating * (0.5 if place < turn else 1.5) for place, rating in enumerate(ratings)]
    total, questions = sum(ratings), text.count("?")
    if total:
        emphasis = EXCLAMATION * min(4, text.count("!"))
        emphasis += QUESTION * questions if questions in (2, 3) else MANY_QUESTIONS if questions > 3 else 0
        total += math.copysign(emphasis, total)
    return total / math.sqrt(total * total + WIDE)


def _bare(token: str) -> str:
    """A word without the signs around it; what would be too short then is an emoticon, and stays."""
    bare = token.strip(string.punctuation)
    return token if len(bare) <= 2 else bare


def _rating(words: list[str], low: list[str], place: int, shouts: bool, lexicon: Mapping[str, float]) -> float:
    """What a word adds: its rating in the lexicon, changed by what stands before it."""
    word, after = low[place], low[place + 1 : place + 2]
    if word not in lexicon or word in BOOSTERS or (word == "kind" and after == ["of"]):
        return 0.0
    value = lexicon[word]
    if word == "no" and after and after[0] in lexicon:  # it negates the next word instead
        value = 0.0
    if "no" in low[max(0, place - 2) : place] or (low[max(0, place - 3) : place][::2] in (["no", "or"], ["no", "nor"])):
        value = lexicon[word] * NEGATED
    if shouts and words[place].isupper():
        value += CAPITALS if value > 0 else -CAPITALS
    for back, nearness in enumerate(NEARNESS, 1):
        if place < back or low[place - back] in lexicon:
            continue
        value += nearness * _boost(words[place - back], value, shouts)
        value *= _negation(low, place, back)
        if back == len(NEARNESS):
            value = _idiom(low, place, value)
    least = place > 0 and low[place - 1] == "least" and low[max(0, place - 2)] not in ("at", "very")
    return value * NEGATED if least else value


def _boost(word: str, value: float, shouts: bool) -> float:
    """What a booster or a dampener before a word of this rating adds to it."""
    if word.lower() not in BOOSTERS:
        return 0.0
    loud = CAPITALS if shouts and word.isupper() else 0.0
    return BOOSTERS[word.lower()] * (-1 if value < 0 else 1) + (loud if value > 0 else -loud)


def _negation(low: list[str], place: int, back: int) -> float:
    """The factor that the word so far before the rated one puts on it."""
    word, between = low[place - back], low[place - back + 1 : place]
    if between and (
        (word == "never" and between[0] in ("so", "this")) or (back == 3 and between[-1] in ("so", "this"))
    ):
        return 1.25
    if word == "without" and "doubt" in between:
        return 1.0
    return NEGATED if word.replace("'", "") in NEGATIONS or "n't" in word else 1.0


def _idiom(low: list[str], place: int, value: float) -> float:
    """The rating of an idiom in the place of the word's own; and what two or three words before it boost."""
    ends = [
        (place - 1, place),
        (place - 2, place),
        (place - 2, place - 1),
        (place - 3, place - 1),
        (place - 3, place - 2),
    ]
    phrases = [" ".join(low[first : last + 1]) for first, last in ends]
    value = next((IDIOMS[phrase] for phrase in phrases if phrase in IDIOMS), value)
    for more in (1, 2):
        value = IDIOMS.get(" ".join(low[place : place + more + 1]), value) if place + more < len(low) else value
    return value + sum(BOOSTERS.get(phrase, 0.0) for phrase in phrases[2:])
