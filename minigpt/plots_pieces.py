"""Figures of a GPT that is put together from pieces."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from minigpt.files import replacing
from minigpt.plot import BLACK, BLUE, GREEN, GREY, ORANGE, SKY, VERMILION

Place = tuple[float, float]
LAYERS = {  # box -> its middle and its piece; the residual stream rises at x = 0
    "embedding": ((0.0, 0.0), "embedding"),
    "norm 1": ((1.6, 1.35), "layer_norm"),
    "attention": ((1.6, 2.35), "attention"),
    "norm 2": ((1.6, 4.05), "layer_norm"),
    "network": ((1.6, 5.05), "gelu_tanh"),
    "final norm": ((0.0, 6.6), "layer_norm"),
    "cross entropy": ((0.0, 7.8), "cross_entropy"),
}


def two_curves(axes: Axes, curves: Mapping[str, Sequence[float]], baselines: Mapping[str, float]) -> None:
    """Losses against the step, the last curve thin and on top, so that two that agree are both seen."""
    widths = np.geomspace(7, 1.2, len(curves))
    for (name, losses), width, color in zip(curves.items(), widths, (SKY, VERMILION, ORANGE, BLUE), strict=False):
        axes.plot(range(1, len(losses) + 1), losses, color=color, linewidth=width, label=name)
    steps = max(map(len, curves.values()))
    for (name, value), style in zip(baselines.items(), ("--", ":", "-."), strict=False):
        axes.plot([0, steps], [value, value], color=GREY, linestyle=style, linewidth=1.2)
        axes.text(1.02 * steps, value, f"{name} {value:.2f}", va="center", color=GREY)
    axes.set(xlabel="step", ylabel="loss (nats per token)", xlim=(0, 1.25 * steps), ylim=(0, None))
    axes.legend(frameon=False, loc="lower left")
    axes.spines[["top", "right"]].set_visible(False)


def loss_curves(axes: Axes, curves: Mapping[str, np.ndarray], baseline: tuple[str, float], *, smooth: int) -> None:
    """Losses over the steps, the mean of the seeds and of each `smooth` steps; up to five lines, the first one thick.

    curves: name -> (seeds, steps). baseline: its name and value, a horizontal line.
    """
    styles = ((BLUE, "-", 4.0), (VERMILION, "-", 1.5), (ORANGE, "--", 1.5), (GREEN, "-", 1.5), (BLACK, ":", 1.5))
    for (name, losses), (color, line, width) in zip(curves.items(), styles, strict=False):
        mean = np.convolve(np.mean(losses, axis=0), np.ones(smooth) / smooth, "valid")
        axes.plot(np.arange(len(mean)) + smooth, mean, line, color=color, label=name, linewidth=width)
    name, value = baseline
    steps = np.shape(next(iter(curves.values())))[1]
    axes.axhline(value, color=GREY, linestyle=":", linewidth=1)
    axes.text(steps, value, name, color=GREY, ha="right", va="bottom")
    axes.set(xlabel="step", ylabel="training loss (nats), mean of the seeds")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)


def save_two_curves(curves: Mapping[str, Sequence[float]], baselines: Mapping[str, float], path: str | Path) -> None:
    """`two_curves` as a PNG, written whole or not at all."""
    figure = Figure(figsize=(8, 4.5), dpi=120, layout="constrained")
    two_curves(figure.subplots(), curves, baselines)
    FigureCanvasAgg(figure)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")


def pieces_map(axes: Axes, shapes: Mapping[str, tuple[int, ...]], lessons: Mapping[str, str]) -> None:
    """How the pieces of a GPT fit: one block beside its residual stream.

    shapes: of what goes along the arrows: tokens, stream, logits. lessons: piece -> where it is written.
    """
    for name, (middle, piece) in LAYERS.items():
        _box(axes, middle, f"{name}\nlesson {lessons[piece]}", lessons[piece] == lessons["block"])
    for low, high in (
        ((0, 0.35), (0, 6.25)),
        ((0, 6.95), (0, 7.25)),
        ((1.6, 1.7), (1.6, 2.0)),
        ((1.6, 4.4), (1.6, 4.7)),
    ):
        _arrow(axes, low, high)
    for height, turn, back in ((0.8, 1.35, 3.05), (3.5, 4.05, 5.75)):
        top = back - 0.35
        axes.plot([0, 0.85], [turn, turn], color=BLUE, linewidth=1.5)
        _arrow(axes, (0.85, turn), (0.95, turn))
        axes.plot([1.6, 1.6], [top, back], color=BLUE, linewidth=1.5)
        _arrow(axes, (1.6, back), (0.18, back))
        axes.text(0, back, "+", ha="center", va="center", bbox={"boxstyle": "circle", "fc": "white", "ec": BLUE})
        axes.text(-0.15, height, str(shapes["stream"]), ha="right", va="center", color=BLUE, fontsize=9)
    head = f"times the\nembedding's table\n{shapes['logits']}"
    axes.text(-0.8, 7.2, head, ha="right", va="center", color=BLUE, fontsize=9)
    _arrow(axes, (0, -0.95), (0, -0.35))
    axes.text(-0.15, -0.65, f"tokens {shapes['tokens']}", ha="right", va="center", color=BLUE, fontsize=9)
    axes.text(2.45, 3.2, f"one block\nlesson {lessons['block']}\n(two of them here)", va="center", fontsize=9)
    axes.add_patch(
        FancyBboxPatch((-1.15, 0.55), 3.5, 5.5, boxstyle="round,pad=0.02", fc="none", ec=GREY, linestyle="--")
    )
    axes.set(xlim=(-2.2, 3.9), ylim=(-1.1, 8.3))
    axes.axis("off")


def _box(axes: Axes, middle: Place, text: str, new: bool) -> None:
    x, y = middle
    box = FancyBboxPatch(
        (x - 0.65, y - 0.33), 1.3, 0.66, boxstyle="round,pad=0.02", fc=ORANGE if new else SKY, ec=BLACK
    )
    axes.add_patch(box)
    axes.text(x, y, text, ha="center", va="center", fontsize=8.5)


def _arrow(axes: Axes, start: Place, end: Place) -> None:
    axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": BLUE, "shrinkA": 0, "shrinkB": 0})
