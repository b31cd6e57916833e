"""Figures of explanations: scores on a text, and which method finds a cause that is known."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from minigpt.plot import BLACK, BLUE, GREY, ORANGE


def scores_on_text(axes: Axes, words: Sequence[str], rows: Mapping[str, np.ndarray], *, cause: int) -> None:
    """A row for each method, a square for each position, the darker the higher its share of the row's largest score.

    words: (T,) what stands at each position. rows: method -> (T,) scores, of which sizes are shown. cause: the position
    that is framed.
    """
    shares = np.stack([np.abs(scores) / max(float(np.abs(scores).max()), 1e-12) for scores in rows.values()])
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.add_patch(Rectangle((cause - 0.5, -0.5), 1, len(rows), fill=False, edgecolor=ORANGE, linewidth=2.5))
    for row, values in enumerate(shares):
        axes.text(int(values.argmax()), row, "x", ha="center", va="center", color="white", fontsize=9)
    axes.set_xticks(range(len(words)), words, fontsize=8)
    axes.set_yticks(range(len(rows)), rows, fontsize=9)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def found_by_method(
    axes: Axes, found: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, arms: tuple[str, str]
) -> None:
    """Of each method two rows of dots, one for each arm: a dot for each seed's share, and a line at their mean."""
    looks = ((BLUE, "o", -0.16), (ORANGE, "s", 0.16))
    for place, values in enumerate(found.values()):
        for shares, (color, marker, shift) in zip(values, looks, strict=True):
            axes.plot(shares, [place + shift] * len(shares), marker, color=color, markersize=5, alpha=0.7)
            axes.plot([np.mean(shares)] * 2, [place + shift - 0.14, place + shift + 0.14], color=BLACK, linewidth=1.4)
    for arm, (color, marker, _) in zip(arms, looks, strict=True):
        axes.plot([], [], marker, color=color, label=arm)
    axes.set_yticks(range(len(found)), found, fontsize=9)
    axes.invert_yaxis()
    axes.set(xlim=(-0.04, 1.04), xlabel="share of texts whose highest score is at the cause")
    axes.grid(axis="x", color=GREY, alpha=0.3)
    axes.tick_params(axis="y", length=0)
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncol=2)
    axes.spines[["top", "right", "left"]].set_visible(False)


def head_map(axes: Axes, scores: np.ndarray, title: str) -> None:
    """(L, H) scores of heads between 0 and 1, a square for each, with its number in it."""
    axes.imshow(scores, cmap="Blues", vmin=0, vmax=1)
    for (layer, head), score in np.ndenumerate(scores):
        color = "white" if score > 0.6 else BLACK
        axes.text(head, layer, f"{score:.2f}", ha="center", va="center", color=color, fontsize=9)
    axes.set_xticks(range(scores.shape[1]))
    axes.set_yticks(range(scores.shape[0]))
    axes.set(xlabel="head", ylabel="layer", title=title)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
