"""Figures of texts: what is marked in them, which of them are compared, and what a cleaning took."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from minigpt.files import replacing
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


def cleaning(report: dict[str, Any], chance: Chance | None, path: str | Path) -> None:
    """Draw what each filter of a cleaning took and, if near duplicates were looked for, the S-curve, into a PNG.

    report: as `minigpt.corpus.clean` gives it. chance: that its bands compare two texts, for each likeness; None where
    none were looked for.
    """
    filters, curve = report["filters"][:15], report["duplicates"].get("curve")
    figure = Figure(figsize=(10 if curve else 6, 4.2), dpi=120, layout="constrained")
    panels = figure.subplots(1, 2 if curve else 1, squeeze=False)[0]
    shares = [100 * entry["documents"] / report["input"]["documents"] for entry in filters]
    bars = panels[0].barh([entry["name"] for entry in filters], shares, color=BLUE)
    panels[0].bar_label(bars, [f"{share:.2f} %" for share in shares], padding=3, fontsize=8)
    panels[0].invert_yaxis()
    panels[0].set(xlabel="documents taken out (%)", xlim=(0, 1.25 * max([*shares, 1e-3])))
    panels[0].spines[["top", "right"]].set_visible(False)
    if curve and chance is not None:
        points = np.array([(point["likeness"], point["measured"]) for point in curve])
        compared_curve(panels[1], {"predicted": chance}, points, report["duplicates"]["threshold"])
    FigureCanvasAgg(figure)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")
