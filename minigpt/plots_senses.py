"""Figures of what an image and a sound become before a transformer reads them."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from minigpt.plot import BLACK, BLUE, GREY, VERMILION

ROUND = (300, 700, 1100, 2300, 4000, 7000)  # Hz that are named beside a spectrogram


def cut_image(axes: Axes, image: np.ndarray, side: int) -> None:
    """An image, (Y, X), with the lines along which it is cut into squares of `side` pixels, numbered as one reads."""
    axes.imshow(image, cmap="gray_r")
    height, width = image.shape
    for row in range(height // side):
        for column in range(width // side):
            corner = (column * side - 0.5, row * side - 0.5)
            axes.add_patch(Rectangle(corner, side, side, fill=False, edgecolor=VERMILION, linewidth=1.2))
            number = row * (width // side) + column
            plate = {"facecolor": "white", "linewidth": 0, "pad": 0.8}
            axes.text(corner[0] + 0.6, corner[1] + 0.6, str(number), color=BLUE, fontsize=7, va="top", bbox=plate)
    axes.set_axis_off()


def rows_of_numbers(axes: Axes, rows: np.ndarray, *, across: str, down: str, ticks: int = 1) -> None:
    """An array of two axes as grey squares: each row is what one token holds. ticks: every so manieth row is named."""
    axes.imshow(rows, cmap="gray_r", aspect="auto", interpolation="nearest")
    axes.set(xlabel=across, ylabel=down)
    axes.set_yticks(range(0, len(rows), ticks))
    axes.tick_params(labelsize=8)


def spectrogram(axes: Axes, frames: np.ndarray, seconds: float, hertz: Sequence[float]) -> None:
    """(F, M) log-mel frames: time to the right, bands upwards. hertz: the middle of each band."""
    axes.imshow(frames.T, origin="lower", aspect="auto", cmap="magma", extent=(0, seconds, -0.5, frames.shape[1] - 0.5))
    named = [round_number for round_number in ROUND if hertz[0] <= round_number <= hertz[-1]]
    axes.set_yticks(np.interp(named, hertz, np.arange(len(hertz))), [f"{round_number:,}" for round_number in named])
    axes.set(xlabel="seconds", ylabel="frequency, Hz")


def seed_bars(
    axes: Axes, arms: Mapping[str, Sequence[float]], *, lines: Mapping[str, float], most: float = 1.0
) -> None:
    """A bar for each arm in the order given, as long as the mean of its seeds; a dot for each seed. lines: others.

    The mean stands at the right end, in a column, so that no dot is taken for what it says.
    """
    for row, (_, values) in enumerate(arms.items()):
        axes.barh(row, float(np.mean(values)), color=BLUE, height=0.62)
        axes.plot(values, [row] * len(values), "o", color=BLACK, markersize=3.5)
        axes.text(1.05 * most, row, f"{np.mean(values):.2f}", va="center", fontsize=9)
    for (name, value), style in zip(lines.items(), cycle(("--", ":", "-.", (0, (6, 1)))), strict=False):
        axes.axvline(value, color=GREY, linestyle=style, linewidth=1.4, label=f"{name} {value:.3g}")
    axes.set_yticks(range(len(arms)), list(arms), fontsize=9)
    axes.set(xlim=(0, 1.15 * most), ylim=(len(arms) - 0.5, -0.6))
    axes.spines[["top", "right"]].set_visible(False)
    if lines:
        columns = len(lines) if len(lines) < 4 else 2
        axes.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=columns)
