"""Bands that can fail, differences beside their spread, predictions, and figures with a text."""

import io
import wave

import matplotlib.pyplot as plt
import numpy as np
import pytest

from minigpt.course import Unexpected, difference, expect, hear, paired_difference, prediction, show, spread_table
from minigpt.course.lesson import QUICK, RESULTS


@pytest.fixture(autouse=True)
def full(monkeypatch):
    monkeypatch.delenv(QUICK, raising=False)
    monkeypatch.delenv(RESULTS, raising=False)


def test_a_band_excludes_what_it_is_held_against(capsys):
    expect("E00.loss", 1.2, above=1.0, below=1.5, against={"chance": 2.77})
    assert capsys.readouterr().out == "E00.loss = 1.2   (expected 1 to 1.5; chance 2.77)\n"
    with pytest.raises(ValueError, match=r"holds chance \(1.4\) as well"):
        expect("E00.loss", 1.2, above=1.0, below=1.5, against={"unigram": 2.0, "chance": 1.4})
    with pytest.raises(ValueError, match="has no band"):
        expect("E00.loss", 1.2, against={"chance": 2.77})
    with pytest.raises(ValueError, match="held against nothing"):
        expect("E00.loss", 1.2, above=1.0, below=1.5)
    expect("E00.rounding", 3e-12, below=1e-9)
    expect("E00.same", 3.0, equal=3)


@pytest.mark.parametrize("value", [0.99, 1.51, float("nan"), float("inf")])
def test_a_number_outside_of_its_band_is_refused(value):
    with pytest.raises(Unexpected, match=r"E00\.loss"):
        expect("E00.loss", value, above=1.0, below=1.5, against={"chance": 2.77})


def test_a_quick_run_may_be_too_small_for_a_band(monkeypatch):
    with pytest.raises(Unexpected):
        expect("E00.loss", 1.6, below=1.5, against={"chance": 2.77}, full_only=True)
    monkeypatch.setenv(QUICK, "1")
    expect("E00.loss", 1.6, below=1.5, against={"chance": 2.77}, full_only=True)
    with pytest.raises(Unexpected):
        expect("E00.loss", 1.6, below=1.5, against={"chance": 2.77})


def test_a_prediction_is_what_the_text_says(monkeypatch, capsys):
    prediction("E00.falls", "the loss falls", True)
    prediction("E00.rises", "the loss rises", False, text_says=False)
    said = capsys.readouterr().out
    assert "\nconfirmed: the loss falls\n" in said
    assert "\nnot confirmed: the loss rises\n" in said
    with pytest.raises(Unexpected):
        prediction("E00.falls", "the loss falls", False)
    with pytest.raises(Unexpected):
        prediction("E00.rises", "the loss rises", True, text_says=False)
    monkeypatch.setenv(QUICK, "1")
    prediction("E00.falls", "the loss falls", False)


def test_an_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    found = [difference(rng.normal(1.0, 0.3, 3), rng.normal(0.6, 0.3, 4)) for _ in range(4000)]
    covered = np.mean([one.low <= 0.4 <= one.high for one in found])
    assert 0.94 < covered < 0.96  # 0.95, give or take three standard errors
    assert abs(np.mean([one.mean for one in found]) - 0.4) < 0.015


def test_a_paired_interval_holds_the_truth_as_often_as_it_says_and_sees_more():
    rng, held, lengths = np.random.default_rng(6), [], []
    for _ in range(4000):
        common = rng.normal(0, 1.0, 3)  # what a seed does to both arms
        first, second = common + rng.normal(1.0, 0.1, 3), common + rng.normal(0.6, 0.1, 3)
        found, alone = difference(first, second, paired=True), difference(first, second)
        held.append(found.low < 0.4 < found.high)
        lengths.append((found.high - found.low, alone.high - alone.low))
    assert 0.935 < np.mean(held) < 0.965
    paired, pooled = np.mean(lengths, axis=0)
    assert paired < pooled / 3
    with pytest.raises(ValueError, match="3 and 2 values"):
        difference([1.0, 2.0, 3.0], [1.0, 2.0], paired=True)


def test_a_difference_is_one_only_beyond_the_spread():
    assert difference([2.41, 2.40, 2.42], [2.31, 2.30, 2.32]).is_one
    assert difference([2.31, 2.30, 2.32], [2.41, 2.40, 2.42]).is_one
    close = difference([2.41, 2.30, 2.36], [2.35, 2.40, 2.29])
    assert not close.is_one
    assert str(close).startswith("+0.010 (95% interval -")
    with pytest.raises(ValueError, match="give one a seed"):
        difference([2.41, 2.40], [2.31])


def test_pairs_leave_out_what_a_seed_does_to_both():
    rng = np.random.default_rng(1)
    seeds, noise = rng.normal(0, 5, (4000, 3)), rng.normal(0, 0.1, (2, 4000, 3))
    found = [paired_difference(*pair) for pair in zip(seeds + 0.4 + noise[0], seeds + noise[1], strict=True)]
    covered = np.mean([one.low <= 0.4 <= one.high for one in found])
    assert 0.94 < covered < 0.96  # 0.95, give or take three standard errors
    assert np.mean([one.high - one.low for one in found]) < 1  # that of seeds apart would be above 10
    assert not difference([1.0, 5.0, 9.0], [1.1, 5.15, 9.12]).is_one
    assert paired_difference([1.0, 5.0, 9.0], [1.1, 5.15, 9.12]).high < 0
    for wrong in (([1.0, 2.0], [1.0]), ([1.0], [2.0])):
        with pytest.raises(ValueError, match="make no pairs"):
            paired_difference(*wrong)


def test_alike_is_more_than_not_told_apart():
    near, unsure = difference([2.41, 2.40, 2.42], [2.41, 2.42, 2.40]), difference([2.9, 2.0, 2.4], [2.1, 2.8, 2.4])
    assert not near.is_one and not unsure.is_one
    assert near.within(0.05) and not unsure.within(0.05)
    assert not difference([2.91, 2.90, 2.92], [2.41, 2.42, 2.40]).within(0.45)
    assert not difference([2.41, 2.42, 2.40], [2.91, 2.90, 2.92]).within(0.45)


def test_a_table_of_seeds():
    shown = spread_table({"with": [1.0, 3.0, 2.0], "without": [4.0, 5.0, 9.0]}, name="arm", digits=1)
    assert [line.split()[-3:] for line in repr(shown).splitlines()[2:]] == [
        ["2.0", "1.0", "3.0"],
        ["6.0", "4.0", "9.0"],
    ]
    assert "mean of 3 seeds" in repr(shown)


def test_a_figure_is_closed_where_there_is_no_screen():
    plt.switch_backend("agg")
    show(plt.figure(), "an empty figure")
    assert not plt.get_fignums()


def test_a_sound_is_played_in_a_notebook_and_described_elsewhere():
    heard = hear(np.array([0.0, 0.5, -2.0]), 8_000, "a click <loud>")
    assert repr(heard) == "a click <loud>"
    page = heard._repr_html_()
    assert page.startswith('<audio controls src="data:audio/wav;base64,') and page.endswith("a click &lt;loud&gt;")
    with wave.open(io.BytesIO(heard.wave_file)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8_000, 1, 2)
        assert np.frombuffer(file.readframes(9), "<i2").tolist() == [0, 16384, -32767]
