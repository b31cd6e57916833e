"""Figures of texts show what they are given."""

import numpy as np
from matplotlib.figure import Figure

from minigpt.plot import seed_lines
from minigpt.plots_corpus import cleaning, compared_curve, marked_texts


def axes():
    return Figure().subplots()


def test_every_letter_has_its_place_and_marks_lie_under_theirs():
    panel = axes()
    marked_texts(panel, {"a": "ab c", "b": "xyz"}, {"b": [(1, 3, "red")]})
    letters = {(text.get_text(), *text.get_position()) for text in panel.texts if text.get_text().strip()}
    assert letters == {("a", 0.5, 0), ("b", 1.5, 0), ("c", 3.5, 0), ("x", 0.5, 1), ("y", 1.5, 1), ("z", 2.5, 1)}
    (mark,) = panel.patches
    assert (mark.get_x(), mark.get_width(), mark.get_y() + mark.get_height() / 2) == (1, 2, 1)
    assert [label.get_text() for label in panel.get_yticklabels()] == ["a", "b"]


def test_a_line_of_means_and_a_dot_for_each_seed():
    panel = axes()
    seed_lines(panel, [1, 5], {"arm": (np.array([[1.0, 2.0], [3.0, 8.0], [5.0, 2.0]]), "red")})
    line, *dots = panel.lines
    assert line.get_xydata().tolist() == [[1, 3], [5, 4]]
    assert [one.get_ydata().tolist() for one in dots] == [[1, 2], [3, 8], [5, 2]]


def test_curves_are_the_chances_that_are_given_and_points_are_drawn():
    panel, points = axes(), np.array([[0.2, 0.1], [0.7, 0.6]])
    compared_curve(panel, {"square": np.square, "itself": lambda x: x}, points, 0.8)
    square, itself, measured = panel.lines[:3]
    assert np.allclose(square.get_ydata(), square.get_xdata() ** 2) and np.allclose(*itself.get_data())
    assert measured.get_xydata().tolist() == points.tolist()
    assert [text.get_text() for text in panel.get_legend().get_texts()] == ["square", "itself", "measured"]


def test_a_picture_of_a_cleaning_draws_what_is_given(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("minigpt.plots_corpus.compared_curve", lambda *given: drawn.append(given[1:]))
    report = {
        "input": {"documents": 50},
        "filters": [{"name": "short", "documents": 5}],
        "duplicates": {"threshold": 0.7, "curve": [{"likeness": 0.2, "measured": 0.1}]},
    }
    cleaning(report, np.square, tmp_path / "one.png")
    cleaning({**report, "duplicates": {}}, None, tmp_path / "none.png")
    ((curves, points, threshold),) = drawn
    assert (curves, points.tolist(), threshold) == ({"predicted": np.square}, [[0.2, 0.1]], 0.7)
    assert all((tmp_path / name).read_bytes()[:4] == b"\x89PNG" for name in ("one.png", "none.png"))
