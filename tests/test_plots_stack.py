"""The drawings say the shapes and the numbers that they are given."""

import matplotlib.pyplot as plt
import pytest

from minigpt.plots_stack import computational_graph, residual_stream


@pytest.fixture
def axes():
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def words(axes):
    return [text.get_text() for text in axes.texts]


def place(axes, word):
    """Where each box with this word stands: (x, y)."""
    return [text.get_position() for text in axes.texts if text.get_text() == word]


@pytest.mark.parametrize("norm_place", ["pre", "post"])
def test_a_block_is_drawn_beside_its_stream(axes, norm_place):
    shapes = {"stream": (2, 7, 12), "weights": (2, 3, 7, 7), "hidden": (2, 7, 48)}
    residual_stream(axes, shapes, norm_place=norm_place)
    shown = " ".join(words(axes))
    for shape in shapes.values():
        assert str(shape) in shown
    (_, sum_height), *_ = place(axes, "+")
    norms = place(axes, "norm")
    assert len(norms) == len(place(axes, "+")) == 2
    assert all((height == sum_height) == (norm_place == "post") for _, height in norms)


def test_a_graph_shows_each_value_above_its_gradient(axes):
    places = {"x": (0.0, 1.0), "y": (2.0, 0.0)}
    computational_graph(axes, places, [("x", "y")], {"x": 3.25, "y": 6.5}, {"x": 2.0})
    (x, above), *_ = place(axes, "3.25")
    (_, below), *_ = place(axes, "2")
    assert x == 0 and above > 1 > below
    assert "6.5" in words(axes) and len([word for word in words(axes) if word]) == 5
