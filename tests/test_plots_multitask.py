"""Figures of many tasks say what they are given."""

import matplotlib.pyplot as plt
import numpy as np

from minigpt.plots_multitask import crossed_points, rows_of_tokens, score_matrix, shared_stack


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_rows_say_what_is_read_and_what_is_written():
    axes = plt.figure().add_subplot()
    rows_of_tokens(axes, [(["copy", "a", "b"], ["", "b", "c"]), (["sort", "x", "y"], ["", "", "z"])], prefix=1)
    assert [text for text in texts(axes) if text] == [
        "copy",
        "a",
        "b",
        "b",
        "c",
        "sort",
        "x",
        "y",
        "z",
        "reads",
        "writes",
    ]
    colors = [patch.get_edgecolor() for patch in axes.patches]
    assert colors[0] == colors[3] != colors[1] == colors[2]
    plt.close("all")


def test_a_matrix_says_means_and_spread():
    axes = plt.figure().add_subplot()
    score_matrix(axes, np.array([[[1.0, 0.5]], [[0.5, 0.25]]]), ["one"], ["left", "right"])
    assert texts(axes) == ["0.75", "0.50 to 1.00", "0.38", "0.25 to 0.50"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["left", "right"]
    plt.close("all")


def test_a_matrix_may_leave_the_spread_out():
    axes = plt.figure().add_subplot()
    score_matrix(axes, np.array([[[1.0, 0.5]], [[0.5, -0.25]]]), ["one"], ["left", "right"], spread=False)
    assert texts(axes) == ["0.75", "0.12"]
    plt.close("all")


def test_points_stand_at_the_means_of_seeds():
    axes = plt.figure().add_subplot()
    crossed_points(axes, {"a": [(np.array([0.0, 2.0]), np.array([1.0, 3.0]))] * 2}, {"a": "black"})
    across, up, dot = axes.lines[:3]
    assert list(across.get_xdata()) == [0, 2] and list(across.get_ydata()) == [2, 2]
    assert list(up.get_xdata()) == [1, 1] and list(up.get_ydata()) == [1, 3]
    assert (dot.get_xdata()[0], dot.get_ydata()[0]) == (1, 2)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a"]
    plt.close("all")


def test_a_stack_has_a_first_layer_for_each_reader():
    axes = plt.figure().add_subplot()
    shared_stack(axes, {"text": ((24,), (24, 64)), "image": ((16, 49), (16, 64))}, middle="blocks", end="head")
    said = texts(axes)
    assert sum("first layer" in text for text in said) == 2 and {"blocks", "head", "(24, 64)"} <= set(said)
    plt.close("all")
