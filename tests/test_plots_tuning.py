"""Figures of fine-tuning show the numbers that they are given."""

import numpy as np
from matplotlib.figure import Figure

from minigpt.plot import BLUE
from minigpt.plots_tuning import (
    adapter_flow,
    confusion_table,
    reliability,
    surprise_of_texts,
    trade_off,
)


def axes():
    return Figure().subplots()


def test_an_adapter_has_the_shapes_of_the_run():
    panel = axes()
    shapes = {"x": (2, 7), "weight": (7, 5), "down": (7, 3), "narrow": (2, 3), "up": (3, 5), "y": (2, 5)}
    adapter_flow(panel, shapes)
    said = " ".join(text.get_text() for text in panel.texts)
    assert all(str(shape) in said for shape in shapes.values())


def test_the_more_a_piece_surprises_the_darker_it_is():
    panel = axes()
    surprise_of_texts(panel, [("one", ["a", "bc", "def"], np.array([0.0, 4.0, 9.0]))], most=8)
    light = [sum(patch.get_facecolor()[:3]) for patch in panel.patches]
    assert light == sorted(light, reverse=True)
    assert [patch.get_width() for patch in panel.patches] == [1, 2, 3]


def test_a_path_ends_in_a_dot_and_what_is_learnt_lies_to_the_right():
    panel, path = axes(), np.array([[1.0, 4.0], [1.5, 2.0]])
    trade_off(panel, {"all": path}, {"all": BLUE}, dashed=["all"])
    line, dot = panel.lines
    assert (dot.get_xdata()[0], dot.get_ydata()[0]) == (2.0, 1.5) and line.get_linestyle() == "--"
    assert panel.get_xlim()[0] > panel.get_xlim()[1]


def test_answers_lie_where_their_confidence_and_their_share_of_right_ones_are():
    panel = axes()
    shares = np.array([[0.9, 0.1]] * 4 + [[0.4, 0.6]] * 2)
    reliability(panel, shares, np.array([0, 0, 0, 1, 1, 0]))
    places = panel.collections[0].get_offsets()
    np.testing.assert_allclose(places, [[0.6, 0.5], [0.9, 0.75]])


def test_a_confusion_table_has_the_true_class_in_the_row():
    panel = axes()
    confusion_table(panel, np.array([1, 1, 0]), np.array([0, 1, 0]), ["no", "yes"])
    said = {text.get_position(): text.get_text() for text in panel.texts}
    assert said == {(0, 0): "1", (1, 0): "1", (0, 1): "0", (1, 1): "1"}
