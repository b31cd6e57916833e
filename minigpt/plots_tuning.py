"""Figures of models that are trained on: adapters, what is learnt against what is forgotten, classifiers."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from minigpt.measure.classes import confusion
from minigpt.plot import BLACK, BLUE, GREY, ORANGE
from minigpt.plots_sight import boxes_and_arrows

Shape = tuple[int, ...]


def adapter_flow(axes: Axes, shapes: Mapping[str, Shape]) -> None:
    """A frozen matrix and the adapter beside it. shapes: of x, weight, down, narrow (between them), up and y."""
    boxes = {
        "x": (f"x\n{shapes['x']}", BLACK, (0.0, 0.0)),
        "weight": (f"weight, frozen\n{shapes['weight']}", GREY, (3.4, 0.8)),
        "down": (f"down, learns\n{shapes['down']}", ORANGE, (2.2, -0.8)),
        "up": (f"up, learns\n{shapes['up']}", ORANGE, (4.7, -0.8)),
        "sum": ("+", BLACK, (6.6, 0.0)),
        "y": (f"y\n{shapes['y']}", BLACK, (8.2, 0.0)),
    }
    boxes_and_arrows(
        axes,
        boxes,
        [
            ("x", "weight", "", GREY),
            ("x", "down", "", ORANGE),
            ("down", "up", f"{shapes['narrow']}", ORANGE),
            ("weight", "sum", f"{shapes['y']}", GREY),
            ("up", "sum", f"{shapes['y']}", ORANGE),
            ("sum", "y", "", BLACK),
        ],
    )


def surprise_of_texts(axes: Axes, rows: Sequence[tuple[str, Sequence[str], np.ndarray]], *, most: float) -> None:
    """Texts piece by piece, the darker the more bits a model was surprised. rows: name, pieces, (pieces,) bits.

    most: the bits of the darkest colour.
    """
    shades = colormaps["Oranges"]
    for row, (_, pieces, bits) in enumerate(rows):
        place = 0
        for piece, bit in zip(pieces, bits, strict=True):
            share = min(1.0, float(bit) / most)
            axes.add_patch(Rectangle((place, row - 0.36), len(piece), 0.72, facecolor=shades(0.75 * share), ec="white"))
            text = piece.replace("\n", " ")
            axes.text(place + len(piece) / 2, row, text, ha="center", va="center", fontsize=8, family="monospace")
            place += len(piece)
    longest = max(sum(map(len, pieces)) for _, pieces, _ in rows)
    axes.set(xlim=(0, longest), ylim=(len(rows) - 0.5, -0.5), xticks=[])
    axes.set_yticks(range(len(rows)), [name for name, _, _ in rows], fontsize=9)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def trade_off(
    axes: Axes, paths: Mapping[str, np.ndarray], colors: Mapping[str, str], *, dashed: Sequence[str] = ()
) -> None:
    """What is forgotten against what is learnt, a line for each way to train, from its first step to a dot at its last.

    paths: name -> (points, 2), the loss on the old text and on the new one. dashed: names whose lines are dashed.
    """
    for name, path in paths.items():
        style = "--" if name in dashed else "-"
        axes.plot(path[:, 1], path[:, 0], style, color=colors[name], linewidth=1.6, label=name)
        axes.plot(*path[-1, ::-1], "o", color=colors[name], markersize=6)
    axes.invert_xaxis()
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def reliability(axes: Axes, probabilities: np.ndarray, targets: np.ndarray, *, bins: int = 5) -> None:
    """How often answers of a confidence are right, in bins of equal width, beside the line where both are equal.

    probabilities: (N, 2), of two classes, so that confidence begins at a half; targets: (N,). The size of a dot says
    how many answers it stands for.
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == targets
    which = np.minimum(((confidence - 0.5) * 2 * bins).astype(int), bins - 1)
    present = np.unique(which)
    x, y, sizes = (
        np.array([measure(which == one) for one in present])
        for measure in (lambda at: confidence[at].mean(), lambda at: right[at].mean(), np.mean)
    )
    axes.plot([0.5, 1], [0.5, 1], color=GREY, linestyle="--", linewidth=1)
    axes.plot(x, y, color=BLUE, linewidth=1)
    axes.scatter(x, y, s=20 + 400 * sizes, color=BLUE, alpha=0.8)
    axes.set(xlim=(0.48, 1.03), ylim=(0.3, 1.05), xlabel="confidence", aspect="equal")
    axes.spines[["top", "right"]].set_visible(False)


def confusion_table(axes: Axes, said: np.ndarray, targets: np.ndarray, labels: Sequence[str]) -> None:
    """How often an example of a class, the row, was said to be of another, the column. said, targets: (N,) integers."""
    counts = confusion(said, targets, len(labels))
    axes.imshow(counts / counts.sum(axis=1, keepdims=True), cmap="Blues", vmin=0, vmax=1.6)
    for row, column in np.ndindex(counts.shape):
        axes.text(column, row, str(counts[row, column]), ha="center", va="center")
    axes.set_xticks(range(len(labels)), labels)
    axes.set_yticks(range(len(labels)), labels)
    axes.set(xlabel="said", ylabel="true")
    axes.tick_params(length=0)
