"""Figures of layers (who looks at whom, how a sentence flows through a head and a network), and of sources."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from minigpt.plot import BLACK, BLUE, GREEN, GREY, ORANGE, SKY, VERMILION

Box = tuple[float, float, float, float]  # left, bottom, width, height, as shares of the figure
WORD_COLORS = (SKY, ORANGE, GREEN, VERMILION, BLUE, GREY)

PLACES: dict[str, Box] = {  # of the arrays that a sentence becomes on its way through a head
    "x": (0.07, 0.37, 0.10, 0.23),
    "query": (0.365, 0.67, 0.09, 0.19),
    "key": (0.365, 0.39, 0.09, 0.19),
    "value": (0.365, 0.07, 0.09, 0.19),
    "scores": (0.61, 0.53, 0.12, 0.23),
    "weights": (0.87, 0.53, 0.12, 0.23),
    "y": (0.87, 0.07, 0.09, 0.19),
}
FEED_FORWARD_PLACES: dict[str, Box] = {
    "x": (0.07, 0.16, 0.11, 0.58),
    "up": (0.285, 0.16, 0.18, 0.58),
    "hidden": (0.545, 0.16, 0.18, 0.58),
    "y": (0.885, 0.16, 0.11, 0.58),
}


def weight_table(axes: Axes, weights: np.ndarray, rows: Sequence[str], columns: Sequence[str], title: str) -> None:
    """A field for each weight, darker where it is larger, with the number in it.

    weights: (T, S), between 0 and 1; rows, columns: the T and the S words. Exact zeros have no number.
    """
    axes.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), weight in np.ndenumerate(weights):
        if weight:
            color = "white" if weight > 0.6 else BLACK
            axes.text(column, row, f"{weight:.2f}", ha="center", va="center", color=color, fontsize=8)
    axes.set_xticks(range(len(columns)), columns, rotation=45, ha="right")
    axes.set_yticks(range(len(rows)), rows)
    axes.set_title(title, fontsize=10)
    axes.tick_params(length=0)


def attention_flow(
    figure: Figure, words: Sequence[str], arrays: Mapping[str, np.ndarray], matrices: Mapping[str, np.ndarray]
) -> None:
    """Draw what one head makes of a sentence, with the shape of every array on its way.

    words: T of them. arrays: x (T, C), query, key, value and y (T, D), scores and weights (T, T), before the mask and
    after. matrices: those of query, key and value, (C, D).
    """
    for name, place in PLACES.items():
        _array(figure, place, name, arrays[name], words)
    for name, matrix in matrices.items():
        _arrow(figure, _right("x"), _left(name), f"W_{name[0]}  {matrix.shape}", GREY)
    length, width = arrays["query"].shape
    _arrow(figure, _right("query"), _left("scores", 0.04), f"q ({length}, {width})", BLUE)
    _arrow(figure, _right("key"), _left("scores", -0.04), f"k.T {arrays['key'].T.shape}", BLUE)
    _arrow(figure, _right("scores"), _left("weights", 0.0, 0.055), "mask,\nsoftmax", GREY)
    left, bottom, across, _ = PLACES["weights"]
    top = PLACES["y"][1] + PLACES["y"][3]
    _arrow(figure, (left + across / 2, bottom - 0.13), (left + across / 2, top + 0.05), "", VERMILION)
    _arrow(figure, _right("value"), _left("y", 0.0, 0.06), f"weights {arrays['weights'].shape} @ v", VERMILION)


def feed_forward_flow(
    figure: Figure, words: Sequence[str], arrays: Mapping[str, np.ndarray], matrices: Sequence[np.ndarray], bend: str
) -> None:
    """Draw what a feed-forward network makes of each word, with the shape of every array on its way.

    words: T of them. arrays: x and y (T, C), up and hidden (T, F), before the activation and after. matrices: the first
    (C, F) and the second (F, C). bend: the name of the activation.
    """
    places = FEED_FORWARD_PLACES
    for name, place in places.items():
        _array(figure, place, name, arrays[name], words if name in ("x", "y") else [])
    height = places["x"][1] + places["x"][3] / 2
    for start, end, text, room in (
        ("x", "up", f"W_1\n{matrices[0].shape}", 0.01),
        ("up", "hidden", bend, 0.01),
        ("hidden", "y", f"W_2\n{matrices[1].shape}", 0.06),
    ):
        left = places[start][0] + places[start][2] + 0.006
        _arrow(figure, (left, height), (places[end][0] - room, height), text, BLUE)


def hinge_sum(
    alone: Axes, together: Axes, line: np.ndarray, hinges: np.ndarray, curve: np.ndarray, knots: np.ndarray
) -> None:
    """Left each hinge with its factor, right their sum beside the curve that it follows.

    line, curve: (N,) places and the curve there; hinges: (N, units), each with its factor; knots: (units + 1, 2), the
    points at which the hinges sit and through which their sum goes, and a last one at the end. The sum begins at the
    first knot's height.
    """
    for hinge in hinges.T:
        alone.plot(line, hinge, color=BLUE if hinge.sum() > 0 else ORANGE, linewidth=1.4)
    alone.plot(knots[:-1, 0], np.zeros(len(knots) - 1), "|", color=GREY, markersize=10)
    alone.set(title=f"{hinges.shape[1]} hinges, each with its factor", xlabel="x")
    together.plot(line, curve, color=GREY, linewidth=4, alpha=0.4, label="the curve")
    together.plot(line, hinges.sum(axis=1) + knots[0, 1], color=VERMILION, label="the hinges, added")
    together.plot(*knots.T, "o", color=VERMILION, markersize=4)
    together.set(title="their sum", xlabel="x")
    together.legend(frameon=False)
    for axes in (alone, together):
        axes.spines[["top", "right"]].set_visible(False)


def head_rows(axes: Axes, owners: np.ndarray, words: Sequence[str], title: str) -> None:
    """Draw an array that was cut into heads, each number in the colour of the word from which it comes.

    owners: (H, T, D), the index of that word. A row that is right has one colour, that of the word beside it.
    """
    heads, length, width = owners.shape
    for (head, row, column), owner in np.ndenumerate(owners):
        left = head * (width + 1) + column
        axes.barh(row + 0.5, 1, left=left, height=1, color=WORD_COLORS[owner], edgecolor="white", linewidth=1.5)
        color = "white" if WORD_COLORS[owner] == BLUE else BLACK
        axes.text(left + 0.5, row + 0.5, words[owner], ha="center", va="center", color=color, fontsize=7)
    axes.set_xticks([head * (width + 1) + width / 2 for head in range(heads)], [f"head {h}" for h in range(heads)])
    axes.set_yticks(np.arange(length) + 0.5, words)
    axes.set(xlim=(0, heads * (width + 1) - 1), ylim=(length, 0))
    axes.set_title(title, fontsize=10)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def chain_of_sources(
    axes: Axes,
    boxes: Mapping[str, tuple[str, str, tuple[float, float]]],
    links: Sequence[tuple[str, str, str, str]],
) -> None:
    """Draw who draws on whom. boxes: name -> text, colour, centre. links: from, to, what stands beside it, its line."""
    places = {}
    for name, (text, color, (x, y)) in boxes.items():
        style: dict[str, Any] = {"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": color, "linewidth": 2}
        places[name] = axes.text(x, y, text, ha="center", va="center", bbox=style, fontsize=9, zorder=3)
    axes.set(xlim=(-0.1, 9.9), ylim=(-0.2, 3.0))
    axes.axis("off")
    for start, end, text, line in links:
        color = VERMILION if line == ":" else GREY
        arrow: dict[str, Any] = {"arrowstyle": "-|>", "linestyle": line, "color": color, "lw": 2}
        arrow |= {"patchA": places[start].get_bbox_patch(), "patchB": places[end].get_bbox_patch(), "shrinkB": 2}
        ends = [np.array(boxes[name][2]) for name in (start, end)]
        axes.annotate("", tuple(ends[1]), tuple(ends[0]), arrowprops=arrow, zorder=1)
        if text:
            middle = (ends[0] + ends[1]) / 2
            plate: dict[str, Any] = {"boxstyle": "round,pad=0.15", "facecolor": "white", "linewidth": 0}
            axes.text(
                float(middle[0]),
                float(middle[1]),
                text,
                ha="center",
                va="center",
                fontsize=8,
                color=color,
                bbox=plate,
                zorder=2,
            )


def _array(figure: Figure, place: Box, name: str, array: np.ndarray, words: Sequence[str]) -> None:
    """One array as a picture, with its name and shape above it."""
    axes = figure.add_axes(place)
    if name == "weights":
        axes.imshow(array, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    else:
        most = np.abs(array).max()
        axes.imshow(array, cmap="PuOr", vmin=-most, vmax=most, aspect="auto", interpolation="nearest")
    short = {"query": "q", "key": "k", "value": "v", "scores": "q @ k.T / sqrt(D)"}.get(name, name)
    axes.set_title(f"{short}  {array.shape}", fontsize=9)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_yticks(range(len(words)), words, fontsize=8)
    if name in ("scores", "weights"):
        axes.set_xticks(range(len(words)), words, rotation=60, ha="right", fontsize=8)
    axes.tick_params(length=0)


def _left(name: str, up: float = 0.0, room: float = 0.055) -> tuple[float, float]:
    """A point just left of an array and of the words beside it."""
    left, bottom, _, height = PLACES[name]
    return left - room, bottom + height / 2 + up


def _right(name: str) -> tuple[float, float]:
    left, bottom, width, height = PLACES[name]
    return left + width + 0.006, bottom + height / 2


def _arrow(figure: Figure, start: tuple[float, float], end: tuple[float, float], text: str, color: str) -> None:
    style: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 12, "color": color, "linewidth": 1.4}
    figure.add_artist(FancyArrowPatch(start, end, transform=figure.transFigure, **style))
    middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    plate: dict[str, Any] = {"boxstyle": "round,pad=0.15", "facecolor": "white", "linewidth": 0, "alpha": 0.9}
    figure.text(*middle, text, ha="center", va="center", fontsize=8, color=color, bbox=plate)
