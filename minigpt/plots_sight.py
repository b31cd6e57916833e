"""Figures of sight: which output sees which input, the ways that lead through layers, and how texts flow."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from minigpt.plot import BLACK, BLUE, GREY, SKY, VERMILION

LIGHT = "#C8C8C8"
Box = tuple[str, str, tuple[float, float]]  # text, colour, centre


def sight_table(
    axes: Axes,
    sight: np.ndarray,
    inputs: Sequence[str],
    *,
    outputs: Sequence[str] = (),
    asked: Sequence[int] | None = None,
    answers: Mapping[int, int] | None = None,
) -> None:
    """A field for each output (row) and input (column): blue if it is seen, hatched if it is hidden.

    sight: (T, S) booleans. inputs, outputs: names of S columns and T rows; without outputs the rows have numbers.
    asked: the rows that are asked something; the others stay empty. None: all. answers: row -> the column in which its
    answer stands, which gets a ring.
    """
    rows = range(len(sight)) if asked is None else asked
    for row in rows:
        for column, seen in enumerate(sight[row]):
            left, bottom = column - 0.5, row - 0.5
            style: dict[str, Any] = {"facecolor": SKY} if seen else {"facecolor": "white", "hatch": "////"}
            edge = "white" if seen else LIGHT
            axes.add_patch(Rectangle((left, bottom), 1, 1, edgecolor=edge, linewidth=1, **style))
    for row, column in (answers or {}).items():
        axes.scatter(column, row, s=170, facecolors="none", edgecolors=VERMILION, linewidths=2.2, zorder=3)
    long = max(map(len, inputs)) > 2
    axes.set_xticks(range(len(inputs)), inputs, rotation=45 * long, ha="right" if long else "center", fontsize=9)
    axes.set_yticks(range(len(sight)), outputs or [str(row + 1) for row in range(len(sight))], fontsize=9)
    axes.set(xlim=(-0.6, sight.shape[1] - 0.4), ylim=(len(sight) - 0.4, -0.6), aspect="equal")
    axes.tick_params(length=0)
    axes.spines[:].set_color(LIGHT)


def way_through_layers(sight: np.ndarray, layers: int, *, source: int, target: int) -> list[int] | None:
    """Positions by which input `source` reaches output `target`, one a level from below; None if no way leads there.

    sight: (T, T) booleans, the same in each layer. Of several ways, one that stays near the target.
    """
    ways: dict[int, list[int]] = {source: [source]}
    for _ in range(layers):
        found: dict[int, list[int]] = {}
        for here in sorted(ways, key=lambda place: abs(place - target)):
            for above in np.flatnonzero(sight[:, here]).tolist():
                found.setdefault(above, [*ways[here], above])
        ways = found
    return ways.get(target)


def layer_paths(axes: Axes, sight: np.ndarray, layers: int, words: Sequence[str], *, source: int, target: int) -> None:
    """Draw who looks at whom in each layer, inputs below and outputs above, and the way from `source` to `target`.

    sight: (T, T) booleans, the same in each layer. The input is ringed, the output is square; where a way leads from
    the one to the other it is drawn thick.
    """
    for level in range(layers):
        for above, below in np.argwhere(sight):
            axes.plot([below, above], [level, level + 1], color=LIGHT, linewidth=0.8, zorder=1)
    for level in range(layers + 1):
        axes.scatter(range(len(sight)), [level] * len(sight), s=70, color="white", edgecolors=GREY, zorder=2)
    way = way_through_layers(sight, layers, source=source, target=target)
    if way is not None:
        axes.plot(way, range(layers + 1), color=VERMILION, linewidth=3, zorder=3)
    axes.scatter(source, 0, s=190, facecolors="none", edgecolors=VERMILION, linewidths=2.2, zorder=4)
    axes.scatter(target, layers, s=90, marker="s", color=BLUE, zorder=4)
    axes.set_xticks(range(len(words)), words, rotation=45, ha="right", fontsize=9)
    names = ["input", *(f"after layer {layer}" for layer in range(1, layers)), "output"]
    axes.set_yticks(range(layers + 1), names, fontsize=9)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def boxes_and_arrows(axes: Axes, boxes: Mapping[str, Box], arrows: Sequence[tuple[str, str, str, str]]) -> None:
    """Draw boxes joined by arrows. boxes: name -> text, colour, centre. arrows: from, to, text on it, colour.

    The axes take the room of the boxes' centres and a margin; sizes of text are those of a figure of 10 by 5 inches.
    """
    places = {}
    for name, (text, color, (x, y)) in boxes.items():
        style: dict[str, Any] = {"boxstyle": "round,pad=0.45", "facecolor": "white", "edgecolor": color, "linewidth": 2}
        places[name] = axes.text(x, y, text, ha="center", va="center", bbox=style, fontsize=9, zorder=3)
    xs, ys = zip(*(box[2] for box in boxes.values()), strict=True)
    axes.set(xlim=(min(xs) - 1, max(xs) + 1), ylim=(min(ys) - 0.6, max(ys) + 0.6))
    axes.axis("off")
    for start, end, text, color in arrows:
        arrow: dict[str, Any] = {"arrowstyle": "-|>", "color": color, "lw": 1.8, "shrinkB": 2}
        arrow |= {"patchA": places[start].get_bbox_patch(), "patchB": places[end].get_bbox_patch()}
        ends = [np.array(boxes[name][2]) for name in (start, end)]
        axes.annotate("", tuple(ends[1]), tuple(ends[0]), arrowprops=arrow, zorder=1)
        if text:
            plate: dict[str, Any] = {"boxstyle": "round,pad=0.1", "facecolor": "white", "linewidth": 0}
            x, y = (ends[0] + ends[1]) / 2
            axes.text(x, y, text, ha="center", va="center", fontsize=8, bbox=plate, zorder=2)


def score_bars(
    axes: Axes, arms: Mapping[str, Sequence[float]], colors: Mapping[str, str], *, line: tuple[str, float]
) -> None:
    """A bar for each arm, the shortest on top, as long as the mean of its seeds, with a dot for each seed.

    arms: name -> a value a seed. colors: of the same names. line: what is drawn for comparison, and its value.
    """
    names = sorted(arms, key=lambda name: float(np.mean(arms[name])))
    for row, name in enumerate(names):
        mean = float(np.mean(arms[name]))
        axes.barh(row, mean, color=colors[name], height=0.7)
        axes.plot(arms[name], [row] * len(arms[name]), "o", color=BLACK, markersize=3)
        axes.text(max(*arms[name], mean) + 0.05, row, f"{mean:.2f}", va="center", fontsize=9)
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.axvline(line[1], color=GREY, linestyle="--", linewidth=1.2)
    axes.text(line[1] + 0.03, -0.75, f"{line[0]} {line[1]:.2f}", color=GREY, va="center", fontsize=9)
    axes.set_ylim(len(names) - 0.4, -1.1)
    axes.spines[["top", "right"]].set_visible(False)
