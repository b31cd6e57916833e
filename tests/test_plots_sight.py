"""Figures of sight show what the tables say."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.figure import Figure

from minigpt.plots_sight import boxes_and_arrows, layer_paths, score_bars, sight_table, way_through_layers


def axes():
    return Figure().subplots()


def test_an_answer_that_no_layer_may_look_at_comes_round_by_a_neighbour():
    sight = ~np.eye(6, k=1, dtype=bool)  # each position sees all but the next
    assert way_through_layers(sight, 1, source=3, target=2) is None
    way = way_through_layers(sight, 2, source=3, target=2)
    assert way[0] == 3 and way[-1] == 2 and way[1] not in (2, 3)


@pytest.mark.parametrize("layers", [1, 2, 4])
def test_a_way_exists_where_a_power_of_the_sight_says_so_and_each_step_is_allowed(layers):
    rng = np.random.default_rng(layers)
    sight = (rng.random((5, 5)) < 0.25) | np.eye(5, dtype=bool)
    reach = np.linalg.matrix_power(sight.astype(int), layers) > 0
    for target, source in np.ndindex(5, 5):
        way = way_through_layers(sight, layers, source=source, target=target)
        assert (way is not None) == reach[target, source]
        if way is not None:
            assert len(way) == layers + 1 and way[0] == source and way[-1] == target
            assert all(sight[above, below] for below, above in pairwise(way))


def test_hidden_fields_are_hatched_and_rows_that_are_not_asked_are_empty():
    panel, sight = axes(), np.tri(3, 4, dtype=bool)
    sight_table(panel, sight, list("abcd"), asked=[0, 2], answers={2: 3})
    hatched = {(p.get_x() + 0.5, p.get_y() + 0.5) for p in panel.patches if p.get_hatch()}
    assert hatched == {(1, 0), (2, 0), (3, 0), (3, 2)}
    assert len(panel.patches) == 8
    assert panel.collections[0].get_offsets().tolist() == [[3, 2]]


def test_the_way_is_drawn_thick_only_where_there_is_one():
    for layers, thick in ((1, 0), (2, 1)):
        panel = axes()
        layer_paths(panel, ~np.eye(4, k=1, dtype=bool), layers, list("abcd"), source=2, target=1)
        assert sum(line.get_linewidth() > 2 for line in panel.lines) == thick


def test_bars_are_sorted_and_have_a_dot_for_each_seed():
    panel = axes()
    arms = {"long": [3.0, 3.5], "short": [1.0, 1.2], "middle": [2.0, 2.0]}
    score_bars(panel, arms, dict.fromkeys(arms, "red"), line=("chance", 2.5))
    assert [label.get_text() for label in panel.get_yticklabels()] == ["short", "middle", "long"]
    assert [bar.get_width() for bar in panel.patches] == pytest.approx([1.1, 2.0, 3.25])
    assert sum(len(line.get_xdata()) for line in panel.lines if line.get_marker() == "o") == 6


def test_boxes_lie_within_the_axes():
    panel = axes()
    boxes_and_arrows(panel, {"a": ("A", "red", (0, 0)), "b": ("B", "blue", (3, 2))}, [("a", "b", "goes", "red")])
    assert panel.get_xlim() == (-1, 4) and panel.get_ylim() == (-0.6, 2.6)
    assert {text.get_text() for text in panel.texts} == {"A", "B", "goes", ""}
