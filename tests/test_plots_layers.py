"""The drawings of layers say the shapes, words and weights that they are given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from minigpt.plots_layers import (
    attention_flow,
    chain_of_sources,
    feed_forward_flow,
    head_rows,
    hinge_sum,
    weight_table,
)

WORDS = ["a", "bird", "sings"]


@pytest.fixture
def figure():
    figure = plt.figure()
    yield figure
    plt.close(figure)


def said(figure):
    """All text in a figure."""
    texts = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        texts += [axes.get_title(), *(text.get_text() for text in axes.texts)]
    return " ".join(texts)


def test_a_head_is_drawn_with_the_shapes_of_its_arrays(figure):
    rng = np.random.default_rng(0)
    shapes = {"x": (3, 7), "scores": (3, 3), "weights": (3, 3)} | dict.fromkeys(("query", "key", "value", "y"), (3, 5))
    arrays = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    attention_flow(figure, WORDS, arrays, {name: np.ones((7, 5)) for name in ("query", "key", "value")})
    assert all(part in said(figure) for part in ("x  (3, 7)", "q  (3, 5)", "weights  (3, 3)", "k.T (5, 3)"))
    assert said(figure).count("(7, 5)") == 3


def test_a_feed_forward_network_is_drawn_with_the_shapes_of_its_arrays(figure):
    shapes = {"x": (3, 4), "up": (3, 9), "hidden": (3, 9), "y": (3, 4)}
    arrays = {name: np.ones(shape) for name, shape in shapes.items()}
    feed_forward_flow(figure, WORDS, arrays, (np.ones((4, 9)), np.ones((9, 4))), "GELU")
    assert all(part in said(figure) for part in ("up  (3, 9)", "(4, 9)", "(9, 4)", "GELU"))


def test_a_weight_that_is_exactly_zero_has_no_number(figure):
    weights = np.array([[1.0, 0.0, 0.0], [0.25, 0.75, 0.0], [0.125, 0.25, 0.625]])
    weight_table(figure.add_subplot(), weights, WORDS, WORDS, "title")
    assert sorted(text.get_text() for text in figure.axes[0].texts) == ["0.12", "0.25", "0.25", "0.62", "0.75", "1.00"]


def test_each_number_of_a_head_bears_its_word(figure):
    owners = np.arange(3).reshape(1, 3, 1).repeat(2, axis=0).repeat(4, axis=2)  # (H, T, D)
    axes = figure.add_subplot()
    head_rows(axes, owners, WORDS, "title")
    assert sorted(text.get_text() for text in axes.texts) == sorted(WORDS * 8)
    assert len({patch.get_facecolor() for patch in axes.patches}) == 3


def test_sources_are_boxes_and_links(figure):
    axes = figure.add_subplot()
    boxes = {"card": ("The card", "green", (1, 2)), "text": ("The text", "red", (5, 2))}
    chain_of_sources(axes, boxes, [("card", "text", "no quote", ":")])
    assert {"The card", "The text", "no quote"} <= {text.get_text() for text in axes.texts}
    assert sum(getattr(text, "arrow_patch", None) is not None for text in axes.texts) == 1


def test_hinges_are_drawn_one_by_one_and_added(figure):
    alone, together = figure.subplots(1, 2)
    line = np.linspace(0, 3, 31)
    knots = np.array([[0.0, 2.0], [1.0, 3.0], [3.0, 1.0]])
    hinges = np.stack([line, -2 * np.maximum(line - 1, 0)], axis=1)  # up by 1, then down by 1
    hinge_sum(alone, together, line, hinges, np.sin(line), knots)
    assert alone.get_title() == "2 hinges, each with its factor"
    first, second, marks = (one.get_ydata() for one in alone.lines)
    assert np.array_equal(first, hinges[:, 0]) and np.array_equal(second, hinges[:, 1]) and len(marks) == 2
    curve, added, points = (one.get_ydata() for one in together.lines)
    assert np.array_equal(curve, np.sin(line)) and np.array_equal(points, knots[:, 1])
    assert np.allclose(added, np.interp(line, *knots.T))
