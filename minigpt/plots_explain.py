"""Figures of explanations: scores on a text, and which method finds a cause that is known."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.patches import Rectangle

from minigpt.explain.explanation import Explanation, place_name
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


def draw_explanation(found: Explanation, path: str | Path) -> None:
    """Draw an explanation into a PNG: of each method a bar for each position; blue speaks for it, orange against it."""
    told = {one.method: one.by_place for one in found.scores if not one.refused} | {"attention rollout": found.rolled}
    tallest = sum(len(words) for words in found.labels.values())
    figure = Figure(figsize=(3.4 * len(told), 1.4 + 0.21 * tallest), dpi=110, layout="constrained")
    heights = [len(words) for words in found.labels.values()]
    grid = figure.subplots(len(found.labels), len(told), squeeze=False, height_ratios=heights)
    for row, (place, words) in zip(grid, found.labels.items(), strict=True):
        for axes, (method, scores) in zip(row, told.items(), strict=True):
            _bars(axes, words, scores.get(place, np.zeros(len(words))), f"{method}\n{place_name(place, found.labels)}")
    figure.suptitle(f"what speaks for {_drawable(repr(found.target))}".replace("$", r"\$"), fontsize=11)
    FigureCanvasAgg(figure).print_png(path)


def _drawable(text: str) -> str:
    """Characters that the font lacks are spelled out, such as \\u65e5."""
    font = get_font(findfont(FontProperties()))
    return "".join(c if font.get_char_index(ord(c)) else c.encode("ascii", "backslashreplace").decode() for c in text)


def _bars(axes: Axes, words: Sequence[str], scores: np.ndarray, title: str) -> None:
    axes.barh(range(len(words)), scores, color=[BLUE if score >= 0 else ORANGE for score in scores], height=0.75)
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set_yticks(range(len(words)), [_drawable(repr(word))[:20].replace("$", r"\$") for word in words], fontsize=8)
    axes.set_title(title, fontsize=10)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=8)
    axes.spines[["top", "right", "left"]].set_visible(False)
