"""Figures of images and sounds show the numbers that they are given."""

import numpy as np
from matplotlib.figure import Figure

from minigpt.plots_senses import cut_image, rows_of_numbers, seed_bars, spectrogram


def axes():
    return Figure().subplots()


def test_patches_are_numbered_as_one_reads():
    panel = axes()
    cut_image(panel, np.zeros((4, 6)), 2)
    assert [text.get_text() for text in panel.texts] == ["0", "1", "2", "3", "4", "5"]
    corners = [(patch.get_x(), patch.get_y()) for patch in panel.patches]
    assert corners == [(x - 0.5, y - 0.5) for y in (0, 2) for x in (0, 2, 4)]


def test_rows_are_shown_as_they_are():
    panel, rows = axes(), np.random.default_rng(0).random((5, 7))
    rows_of_numbers(panel, rows, across="pixels", down="patch", ticks=2)
    np.testing.assert_array_equal(panel.images[0].get_array(), rows)
    assert panel.get_yticks().tolist() == [0, 2, 4] and panel.get_xlabel() == "pixels"


def test_time_goes_to_the_right_and_pitch_up():
    panel, frames = axes(), np.random.default_rng(0).random((30, 8))
    spectrogram(panel, frames, 0.3, np.arange(8) * 1000.0)
    np.testing.assert_array_equal(panel.images[0].get_array(), frames.T)
    assert panel.images[0].origin == "lower" and panel.images[0].get_extent()[1] == 0.3
    assert panel.get_yticklabels()[-1].get_text() == "7,000"


def test_a_bar_is_the_mean_and_has_a_dot_for_each_seed():
    panel = axes()
    seed_bars(panel, {"one": [0.2, 0.4], "two": [0.9, 0.9, 0.6]}, lines={"chance": 0.1})
    assert [patch.get_width() for patch in panel.patches] == [np.mean([0.2, 0.4]), np.mean([0.9, 0.9, 0.6])]
    dots = [line.get_xdata().tolist() for line in panel.lines if line.get_marker() == "o"]
    assert dots == [[0.2, 0.4], [0.9, 0.9, 0.6]]
    assert [text.get_text() for text in panel.get_legend().get_texts()] == ["chance 0.1"]
