"""Figures of texts: what is marked in them, what changes with the number of copies, and which texts are compared."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from minigpt.plot import BLACK, BLUE, GREY, SKY, VERMILION

Mark = tuple[int, int, str]  # from, to, colour
Chance = Callable[[np.ndarray], np.ndarray]


def marked_texts(
    axes: Axes, texts: Mapping[str, str], marks: Mapping[str, Sequence[Mark]], *, size: float = 11
) -> None:
    """Write texts, a line each, in letters of one width, the marked places on a ground of their colour.

    texts: name -> a text of one line. marks: name -> the places that are marked, none of which overlap.
    """
    width = max(map(len, texts.values()))
    axes.set(xlim=(0, width), ylim=(len(texts) - 0.35, -0.65), xticks=[])
    for row, (name, text) in enumerate(texts.items()):
        for start, end, color in marks.get(name, ()):
            axes.barh(row, end - start, left=start, height=0.62, color=color, alpha=0.45, linewidth=0)
        for place, letter in enumerate(text):
            axes.text(
                place + 0.5, row, letter, ha="center", va="center", family="monospace", fontsize=size, color=BLACK
            )
    axes.set_yticks(range(len(texts)), list(texts), fontsize=9)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def seed_lines(axes: Axes, places: Sequence[float], arms: Mapping[str, tuple[np.ndarray, str]]) -> None:
    """A line for each arm through the means of its seeds, and a dot for every seed.

    places: (N,) of the horizontal axis. arms: name -> ((seeds, N) values, colour).
    """
    for name, (values, color) in arms.items():
        axes.plot(places, values.mean(axis=0), "-", color=color, linewidth=1.8, label=name)
        for row in values:
            axes.plot(places, row, ".", color=color, markersize=5)
    axes.spines[["top", "right"]].set_visible(False)


def compared_curve(axes: Axes, curves: Mapping[str, Chance], points: np.ndarray, threshold: float) -> None:
    """The chance that two texts are compared, by how alike they are: predicted for bands, and measured.

    curves: name -> chance for each likeness, the first drawn strongly. points: (N, 2), likeness and measured share.
    """
    likeness = np.linspace(0, 1, 201)
    for number, (name, chance) in enumerate(curves.items()):
        color, width = (BLUE, 2.0) if number == 0 else (SKY, 1.2)
        style = ("-", "--", ":")[number % 3]
        axes.plot(likeness, chance(likeness), linestyle=style, label=name, color=color, linewidth=width)
    axes.plot(*points.T, "o", color=VERMILION, markersize=5, label="measured")
    axes.axvline(threshold, color=GREY, linewidth=1)
    axes.text(threshold + 0.01, 0.02, "threshold", color=GREY, fontsize=9)
    axes.set(xlabel="likeness of two texts", ylabel="share of pairs that are compared", xlim=(0, 1), ylim=(-0.03, 1.05))
    axes.legend(frameon=False, loc="upper left")
    axes.spines[["top", "right"]].set_visible(False)
