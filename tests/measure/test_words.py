"""Wrong words of a transcript: put in, left out, replaced."""

import pytest

from minigpt.measure.words import words_of, wrong_words


def test_words_have_no_capitals_and_no_signs():
    assert words_of('And Mr. John-Paul, he said: "don\'t!"') == ["and", "mister", "john", "paul", "he", "said", "don't"]
    assert words_of("Press 1, or 12; 8500 is the 2nd.") == ["press", "one", "or", "twelve", "is", "the", "nd"]
    assert words_of("") == []


@pytest.mark.parametrize(
    ("said", "wanted", "wrong"),
    [
        ("a b c", "a b c", 0),
        ("a c", "a b c", 1),
        ("a b x c", "a b c", 1),
        ("a x c", "a b c", 1),
        ("", "a b", 2),
        ("b c d a", "a b c d", 2),
        ("x y", "a b c", 3),
    ],
)
def test_the_fewest_changes_count(said, wanted, wrong):
    assert wrong_words(said.split(), wanted.split()) == wrong_words(wanted.split(), said.split()) == wrong
