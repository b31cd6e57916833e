"""Exact and near duplicates: signatures beside likeness, the S-curve, what is found beside all pairs."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigpt import UserError
from minigpt.corpus import Bands, Overlap, bands_for, exact_pairs, find_duplicates, jaccard, shingles
from minigpt.corpus.curve import measured_curve
from minigpt.corpus.duplicates import NONE, first_of_each
from minigpt.corpus.shingles import normalized


def words(rng, count, vocabulary=5000):
    return [f"w{number}" for number in rng.integers(0, vocabulary, count)]


def edited(rng, text, share):
    """The text with so many of its words replaced."""
    return " ".join(word if rng.random() > share else f"n{rng.integers(10**6)}" for word in text.split())


def family(rng, count, copies):
    """Texts and edited copies of them, in any order."""
    texts = [" ".join(words(rng, rng.integers(30, 120))) for _ in range(count)]
    texts += [edited(rng, texts[rng.integers(count)], rng.uniform(0, 0.12)) for _ in range(copies)]
    return [texts[place] for place in rng.permutation(len(texts))]


def plain_shingles(text, size):
    """As a set of strings."""
    parts = normalized(text).split()
    return {" ".join(parts[start : start + size]) for start in range(max(1, len(parts) - size + 1))} if parts else set()


@given(st.lists(st.sampled_from(["a", "b", "é", "Ab", "漢字", "1,5", "—"]), max_size=30), st.integers(1, 6))
def test_shingles_are_as_many_as_different_runs_of_words(parts, size):
    text = " ".join(parts)
    other = " ".join(parts[3:] + parts[:5])
    one, two = plain_shingles(text, size), plain_shingles(other, size)
    assert len(shingles(text, size)) == len(one)
    assert jaccard(shingles(text, size), shingles(other, size)) == pytest.approx(
        len(one & two) / max(1, len(one | two))
    )


def test_layout_case_and_punctuation_do_not_count():
    assert np.array_equal(shingles("The Fox, the HEN\nand   an egg."), shingles("the fox the hen and an egg"))
    assert len(shingles("?!")) == 0 and len(shingles("one two")) == 1
    assert len(shingles("我们今天去北京看朋友", 5)) == 6  # each character is a word there


@given(st.text(st.characters(max_codepoint=127)))
def test_plain_letters_are_taken_apart_as_all_others(text):
    assert f"{normalized(text)} é".strip() == normalized(f"{text} é")


def test_signatures_agree_as_often_as_sets_are_alike():
    rng = np.random.default_rng(3)
    bands = Bands(200, 10)
    for share in (0.02, 0.1, 0.3):
        text = " ".join(words(rng, 300))
        one, other = shingles(text), shingles(edited(rng, text, share))
        agree = np.mean(bands.signature(one) == bands.signature(other))
        assert abs(agree - jaccard(one, other)) < 4 * 0.5 / np.sqrt(2000)
    assert np.array_equal(bands.signature(one), bands.signature(one[::-1]))


def test_the_s_curve_is_met():
    rng = np.random.default_rng(5)
    curve = measured_curve([" ".join(words(rng, 100)) for _ in range(30)], bands_for(0.8), rng)
    assert sum(point["pairs"] for point in curve) == 1200
    assert {point["predicted"] > 0.9 for point in curve} == {True, False}
    for point in curve:
        deviation = np.sqrt(max(point["predicted"] * (1 - point["predicted"]), 0.01) / point["pairs"])
        assert abs(point["measured"] - point["predicted"]) < 4 * deviation


def test_bands_are_as_narrow_as_the_threshold_allows():
    assert (bands_for(0.8).bands, bands_for(0.8).rows) == (21, 6)
    for threshold in (0.2, 0.5, 0.8, 0.95):
        bands = bands_for(threshold)
        assert bands.chance(threshold) >= 0.99 > Bands(128 // (bands.rows + 1), bands.rows + 1).chance(threshold)
    with pytest.raises(UserError, match=r"from 0\.1 to 1"):
        bands_for(0)


def test_exact_pairs_are_those_of_all_pairs():
    rng = np.random.default_rng(7)
    sets = [shingles(text) for text in family(rng, 25, 60)] + [np.zeros(0, np.uint64)] * 2
    for threshold in (0.5, 0.8, 1.0):
        all_ = {
            (one, other)
            for one, other in itertools.combinations(range(len(sets)), 2)
            if jaccard(sets[one], sets[other]) >= threshold
        }
        assert exact_pairs(sets, threshold) == all_ and (all_ or threshold == 1)


def test_what_is_taken_out_is_like_something_that_is_kept_and_nothing_kept_is():
    texts = family(np.random.default_rng(11), 60, 240)
    found = find_duplicates(texts, 0.8)
    sets = [shingles(text) for text in texts]
    for place in np.flatnonzero(found.near != NONE):
        first = found.near[place]
        assert first < place and found.kept[first]
        assert found.likeness[place] == jaccard(sets[first], sets[place]) >= 0.8
    left = [set_ for set_, stays in zip(sets, found.kept, strict=True) if stays]
    assert len(exact_pairs(left, 0.8)) <= 1  # the chance to miss one is 0.002
    assert found.near.max() > 0 and found.compared < len(texts) ** 2 / 20


def test_planted_copies_are_found_and_nothing_else():
    rng = np.random.default_rng(13)
    originals = [" ".join(words(rng, 80)) for _ in range(200)]
    copies = [originals[place].title() + "!" for place in rng.integers(0, 200, 40)]
    near = [edited(rng, originals[place], 0.015) for place in rng.integers(0, 200, 40)]
    near = [text for text in near if max(jaccard(shingles(text), shingles(one)) for one in originals) >= 0.8]
    found = find_duplicates([*originals, *copies, *near], 0.8)
    assert np.flatnonzero(found.kept).tolist() == [*range(200)]
    assert (found.exact[200:240] != NONE).all() and len(near) > 20
    assert find_duplicates([*originals, *near], 1.5).kept.sum() == len({*originals, *near})


def test_texts_without_words_are_no_duplicates_of_each_other():
    found = find_duplicates(["?!", "...", "?!", "one", ""], 0.8)
    assert found.kept.tolist() == [True, True, False, True, True]
    assert find_duplicates([], 0.8).kept.tolist() == []


@given(st.lists(st.integers(0, 4), max_size=12))
def test_the_first_of_equals_is_the_first(numbers):
    digests = np.array([[number, 7] for number in numbers], np.uint64).reshape(-1, 2)
    first = [numbers.index(number) for number in numbers]
    assert first_of_each(digests).tolist() == [NONE if one == place else one for place, one in enumerate(first)]


def test_a_question_of_a_test_is_found_in_a_long_page():
    rng = np.random.default_rng(17)
    questions = [" ".join(words(rng, count)) for count in (40, 60, 6, 13, 3)]
    overlap = Overlap(questions)
    page = " ".join(words(rng, 3000))
    assert overlap.held(page) == [] and overlap.shares("nothing of it at all in here") == {}
    for number, question in enumerate(questions[:4]):
        assert overlap.held(f"{page} {question.upper()}, {page}") == [number]
    assert overlap.held(page + questions[4]) == []  # three words may stand anywhere
    half = " ".join(questions[1].split()[:30])  # 18 of its 48 runs of 13 words
    assert overlap.shares(half) == {1: pytest.approx(18 / 48)}
    assert overlap.held(half) == [] and overlap.held(half, 0.3) == [1]
