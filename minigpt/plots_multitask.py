"""Figures of models that learn many tasks: what a row is, who does what, whether neighbours help."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from minigpt.plot import BLACK, BLUE, GREY, ORANGE
from minigpt.plots_sight import boxes_and_arrows

Shape = tuple[int, ...]


def rows_of_tokens(axes: Axes, rows: Sequence[tuple[Sequence[str], Sequence[str]]], *, prefix: int) -> None:
    """Rows, each a line of boxes: what the model reads, and below what it is to write there, if anything.

    rows: tokens and targets of each, an empty target where none is asked for. prefix: how many tokens are the prefix.
    """
    for number, (tokens, targets) in enumerate(rows):
        top = 2.6 * number
        for place, (token, target) in enumerate(zip(tokens, targets, strict=True)):
            color = ORANGE if place < prefix else BLUE
            axes.add_patch(Rectangle((place - 0.45, top), 0.9, 0.8, facecolor=color, alpha=0.25, edgecolor=color))
            axes.text(place, top + 0.4, token, ha="center", va="center", fontsize=9)
            if target:
                axes.text(place, top + 1.5, target, ha="center", va="center", fontsize=9, weight="bold")
                axes.annotate(
                    "", (place, top + 1.3), (place, top + 0.85), arrowprops={"arrowstyle": "->", "color": GREY}
                )
    width = max(len(tokens) for tokens, _ in rows)
    axes.text(-0.6, 0.4, "reads", ha="right", va="center", fontsize=9, color=GREY)
    axes.text(-0.6, 1.5, "writes", ha="right", va="center", fontsize=9, color=GREY)
    axes.set(xlim=(-1.6, width - 0.4), ylim=(2.6 * len(rows) - 0.6, -0.2))
    axes.axis("off")


def score_matrix(
    axes: Axes,
    seeds: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    spread: bool = True,
    rule_after: int | None = None,
) -> None:
    """How well each model does each task: the mean of the seeds, darker for more.

    seeds: (seeds, models, tasks), at most 1. spread: also the lowest and the highest. rule_after: a white line below so
    many rows.
    """
    means = seeds.mean(axis=0)
    axes.imshow(means, cmap="Blues", vmin=0, vmax=1.6, aspect="auto")
    for row, column in np.ndindex(means.shape):
        some, place = seeds[:, row, column], row - 0.13 if spread else row
        axes.text(column, place, f"{means[row, column]:.2f}", ha="center", va="center", fontsize=10)
        if spread:
            text = f"{some.min():.2f} to {some.max():.2f}"
            axes.text(column, row + 0.22, text, ha="center", va="center", fontsize=8, color=BLACK)
    if rule_after is not None:
        axes.axhline(rule_after - 0.5, color="white", linewidth=5)
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def crossed_points(
    axes: Axes, groups: Mapping[str, Sequence[tuple[np.ndarray, np.ndarray]]], colors: Mapping[str, str]
) -> None:
    """Marks at the means of seeds, each with a cross from the lowest to the highest; a colour and shape for each group.

    groups: name -> a pair of (seeds,) for each dot, of the horizontal axis and of the vertical one.
    """
    for (name, points), shape in zip(groups.items(), cycle("osDX^v"), strict=False):
        for number, (x, y) in enumerate(points):
            axes.plot([x.min(), x.max()], [y.mean()] * 2, color=colors[name], linewidth=1, alpha=0.5)
            axes.plot([x.mean()] * 2, [y.min(), y.max()], color=colors[name], linewidth=1, alpha=0.5)
            axes.plot(x.mean(), y.mean(), shape, color=colors[name], markersize=7, label=None if number else name)
    axes.axhline(0, color=GREY, linestyle=":", linewidth=1)
    axes.axvline(0, color=GREY, linestyle=":", linewidth=1)
    axes.legend(frameon=False, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)


def shared_stack(axes: Axes, shapes: Mapping[str, tuple[Shape, Shape]], *, middle: str, end: str) -> None:
    """Inputs with first layers of their own, and what they share. shapes: reader -> of what it reads and of what comes.

    middle, end: what stands in the two boxes that all share.
    """
    boxes: dict[str, tuple[str, str, tuple[float, float]]] = {
        "blocks": (middle, BLUE, (6.4, 0.0)),
        "head": (end, BLUE, (9.4, 0.0)),
    }
    arrows = [("blocks", "head", "", BLUE)]
    for number, (reader, (read, made)) in enumerate(shapes.items()):
        height = (len(shapes) - 1) / 2 - number
        boxes[reader] = (f"{reader}\n{read}", BLACK, (0.0, height))
        boxes[f"{reader} first"] = ("its own\nfirst layer", ORANGE, (3.0, height))
        arrows += [(reader, f"{reader} first", "", ORANGE), (f"{reader} first", "blocks", f"{made}", ORANGE)]
    boxes_and_arrows(axes, boxes, arrows)
