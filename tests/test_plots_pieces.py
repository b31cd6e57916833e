"""The drawings of a GPT in pieces show the losses that they are given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from minigpt.plots_pieces import loss_curves


@pytest.fixture
def axes():
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def test_losses_are_means_of_seeds_and_of_steps(axes):
    losses = np.array([[4.0, 3.0, 2.0, 1.0], [6.0, 5.0, 4.0, 3.0]])  # (seeds, steps)
    loss_curves(axes, {"right": losses, "wrong": losses + 1}, ("unigram", 3.4), smooth=2)
    right, wrong, unigram = axes.lines
    assert np.allclose(right.get_ydata(), [4.5, 3.5, 2.5]) and np.allclose(wrong.get_ydata(), [5.5, 4.5, 3.5])
    assert right.get_xdata().tolist() == [2, 3, 4]  # a mean stands at its last step
    assert set(unigram.get_ydata()) == {3.4}
    assert right.get_linewidth() > wrong.get_linewidth()
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["right", "wrong"]
    assert [text.get_text() for text in axes.texts] == ["unigram"]
