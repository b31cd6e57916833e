"""Figures of explanations show the numbers that they are given."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from minigpt.plots_explain import found_by_method, head_map, scores_on_text


def test_scores_are_shares_of_the_largest_and_the_cause_is_framed():
    panel = Figure().subplots()
    scores_on_text(panel, ["a", "b", "c"], {"one": np.array([0, -4, 1.0]), "two": np.array([2.0, 0, 1])}, cause=1)
    assert np.allclose(panel.images[0].get_array(), [[0, 1, 0.25], [1, 0, 0.5]])
    (frame,) = panel.patches
    assert (frame.get_x(), frame.get_width(), frame.get_height()) == (0.5, 1, 2)
    assert [text.get_position() for text in panel.texts] == [(1, 0), (0, 1)]
    assert [label.get_text() for label in panel.get_xticklabels()] == ["a", "b", "c"]


def test_every_seed_is_a_dot_and_the_mean_a_line():
    panel = Figure().subplots()
    found_by_method(panel, {"one": ([0.2, 0.4], [1.0]), "two": ([0.0], [0.5])}, arms=("near", "far"))
    dots = [line.get_xdata() for line in panel.lines if line.get_marker() in "os" and len(line.get_xdata())]
    assert [list(each) for each in dots] == [[0.2, 0.4], [1.0], [0.0], [0.5]]
    means = [line.get_xdata()[0] for line in panel.lines if line.get_marker() == "None"]
    assert means == pytest.approx([0.3, 1.0, 0.0, 0.5])
    assert [text.get_text() for text in panel.get_legend().get_texts()] == ["near", "far"]


def test_heads_have_their_numbers():
    panel = Figure().subplots()
    head_map(panel, np.array([[0.1, 0.92], [0.5, 0.0]]), "induction")
    assert [text.get_text() for text in panel.texts] == ["0.10", "0.92", "0.50", "0.00"]
    assert panel.get_title() == "induction"
