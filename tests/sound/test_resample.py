"""Resampling: tones against their closed form."""

import numpy as np
import pytest

from minigpt.sound import RATE, Resampler, reader_of

RATES = (8_000, 11_025, 22_050, 32_000, 44_100, 48_000, 96_000, 44_099, 12_345)


def tone(rate, hertz, seconds=0.3):
    return np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate + 0.3).astype(np.float32)


@pytest.mark.parametrize("rate", RATES)
def test_a_tone_is_the_same_tone_at_another_rate(rate):
    hertz = 0.42 * min(rate, RATE)  # 84 % of what the lower rate can hold
    found, wanted = Resampler(rate, RATE).all_of(tone(rate, hertz)), tone(RATE, hertz)
    assert len(found) == -(-len(tone(rate, hertz)) * RATE // rate)
    middle = slice(800, -800)
    count = min(len(found), len(wanted))
    np.testing.assert_allclose(found[:count][middle], wanted[:count][middle], atol=1e-3)


@pytest.mark.parametrize(("rate", "hertz"), [(44_100, 9_000), (48_000, 15_000), (22_050, 8_600)])
def test_what_the_new_rate_cannot_hold_is_gone_and_not_folded_down(rate, hertz):
    assert np.abs(Resampler(rate, RATE).all_of(tone(rate, hertz))[800:-800]).max() < 1e-3


@pytest.mark.parametrize("rate", [8_000, 44_100, 44_099])
def test_pieces_are_parts_of_the_whole(rate):
    samples = np.random.default_rng(0).standard_normal(rate // 2).astype(np.float32)
    resampler = Resampler(rate, RATE)
    whole = resampler.all_of(samples)
    for start, count in ((0, 1), (777, 1_000), (len(whole) - 5, 5)):
        np.testing.assert_allclose(
            resampler.read(reader_of(samples), start, count), whole[start : start + count], atol=1e-5
        )
    assert not resampler.read(reader_of(samples), len(whole) + 500, 9).any()


def test_the_same_rate_changes_nothing():
    samples = np.random.default_rng(0).standard_normal(500).astype(np.float32)
    np.testing.assert_array_equal(Resampler(RATE, RATE).all_of(samples), samples)
