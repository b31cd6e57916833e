"""The drawings say the numbers that they are given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from minigpt.plots_parallel import batch_bargain, kept_bytes, ring_step, shared_batch, spans, speed_up


@pytest.fixture
def panels():
    figure, panels = plt.subplots(1, 2)
    yield panels
    plt.close(figure)


def words(axes):
    return [text.get_text() for text in axes.texts]


def test_each_worker_has_its_rows_and_all_parameters(panels):
    shared_batch(panels[0], np.array([[2, 3], [5, 8], [13, 21]]), 12_345, (2, 21))
    said = words(panels[0])
    assert [word for word in said if "targets" in word] == [f"{count} targets" for count in (2, 3, 5, 8, 13, 21)]
    assert said.count("all 12,345\nparameters") == said.count("(2, 21)") == 3


def test_a_ring_shows_what_is_summed_and_what_is_passed_on(panels):
    holds = np.array([[1, 3, 2], [2, 1, 3], [3, 2, 1]])
    ring_step(panels[0], holds, 2, 50)
    said = words(panels[0])
    assert [int(word) for word in said if word.isdigit()] == holds.ravel().tolist()
    assert [word for word in said if word.startswith("chunk")] == [f"chunk {n}\n(50,)" for n in (1, 2, 0)]


def test_bars_are_labelled_with_what_is_kept(panels):
    kept_bytes(panels[0], {"a": [4, 1], "b": [2, 0.5], "c": [1, 1]}, [0, 3])
    assert words(panels[0]) == ["7 kept", "2.5 kept"]


def test_points_lie_on_the_fit_that_made_them(panels):
    batches, critical, fewest = (2, 16, 128), 20.0, 50.0
    steps = np.array([[fewest * (1 + critical / batch)] * 2 for batch in batches])
    batch_bargain(*panels, batches, steps, critical, fewest)
    measured, fit = (
        next(line for line in panels[1].lines if (line.get_marker() == "o") == dots) for dots in (True, False)
    )
    expected = np.interp(measured.get_xdata(), fit.get_xdata(), fit.get_ydata())
    np.testing.assert_allclose(measured.get_ydata(), expected, rtol=1e-3)
    assert words(panels[1]) == ["2", "16", "128"]


def test_a_span_has_a_line_for_each_seed_and_one_for_their_mean(panels):
    spans(panels[0], {(0, 10): np.array([3.0, 5.0]), (10, 40): np.array([20.0, 30.0])})
    assert [line.get_ydata()[0] for line in panels[0].lines] == [3, 5, 4, 20, 30, 25]


def test_speeds_have_a_line_each_and_a_ceiling(panels):
    speeds = {name: [1.0, 1.5, factor] for name, factor in (("a", 4.0), ("b", 3.0), ("c", 1.2), ("d", 2.0))}
    speed_up(panels[0], [1, 2, 4], speeds, 7.0)
    assert [line.get_label() for line in panels[0].lines] == [*speeds, "ceiling of bandwidth"]
    assert [max(line.get_ydata()) for line in panels[0].lines] == [4, 3, 1.5, 2, 7]
