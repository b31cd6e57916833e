"""Every figure. Colours are those of Okabe & Ito (2008), which people with any colour vision can tell apart."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from minigpt.files import replacing
from minigpt.parallel.schedule import Event

BLACK, ORANGE, SKY, GREEN, BLUE, VERMILION, GREY = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#0072B2",
    "#D55E00",
    "#7F7F7F",
)

Curve = list[tuple[int, float]]  # (step, value)


def loss_curve(
    curves: dict[str, Curve],
    baselines: dict[str, float],
    path: str | Path,
    *,
    accuracy: tuple[str, dict[str, float]] | None = None,
) -> None:
    """Draw the training and validation loss against the step, beside horizontal lines for `baselines`, into a PNG.

    curves: `loss` and `validation_loss`, in nats per token, and `validation_accuracy`, as `read_metrics` gives them.
    baselines: name -> nats per token. accuracy: what it is and its baselines, for a second panel; None: no panel.
    """
    figure = Figure(figsize=(8, 4.8 if accuracy is None else 7.2), dpi=120, layout="constrained")
    panels = figure.subplots(1 if accuracy is None else 2, sharex=True, squeeze=False)[:, 0]
    axes = panels[0]
    steps, losses = np.array(curves["loss"]).T
    axes.plot(steps, losses, color=SKY, linewidth=0.8, alpha=0.6)
    axes.plot(steps, _smooth(losses), color=BLUE, linewidth=1.8, label="training (smoothed)")
    _validated(axes, curves["validation_loss"], baselines, "{:.2f}")
    axes.set(ylabel="loss (nats per token)" if accuracy is None else "loss (nats)", ylim=(0, None))
    axes.legend(frameon=False, loc="lower left")
    if accuracy is not None:
        label, guessed = accuracy
        _validated(panels[1], curves["validation_accuracy"], guessed, "{:.3f}")
        panels[1].set(ylabel=label, ylim=(0, None))
    panels[-1].set(xlabel="step", xlim=(0, steps[-1] * 1.03))
    FigureCanvasAgg(figure)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")


def _validated(axes: Axes, curve: Curve, baselines: dict[str, float], form: str) -> None:
    """One panel's validation curve with its last value, and lines for what guessing reaches."""
    steps, values = np.array(curve).T
    axes.plot(steps, values, "o-", color=VERMILION, markersize=4, linewidth=1.5, label="validation")
    axes.annotate(
        form.format(values[-1]),
        (steps[-1], values[-1]),
        xytext=(0, 10),
        textcoords="offset points",
        ha="center",
        color=VERMILION,
    )
    for (name, value), style in zip(baselines.items(), ("--", ":", "-."), strict=False):
        axes.axhline(value, color=GREY, linestyle=style, linewidth=1.2)
        axes.text(steps[-1], value, f"{name} {form.format(value)}", ha="right", va="bottom", color=GREY)
    axes.spines[["top", "right"]].set_visible(False)


def pipeline_timeline(axes: Axes, events: Sequence[Event]) -> None:
    """Draw what each pipeline stage did and when, as `minigpt.parallel.schedule.timeline` tells it: a row for a stage,
    forwards light and backwards dark, with the number of the micro-batch; white is idle."""
    for event in events:
        forward = event.action == "forward"
        axes.barh(
            event.stage, event.end - event.start, left=event.start, color=SKY if forward else BLUE, edgecolor="white"
        )
        middle = (event.start + event.end) / 2
        color = "black" if forward else "white"
        axes.text(middle, event.stage, str(event.micro + 1), ha="center", va="center", color=color, fontsize=8)
    stages = 1 + max(event.stage for event in events)
    axes.set_yticks(range(stages), [f"stage {stage + 1}" for stage in range(stages)])
    axes.set_xlim(0, max(event.end for event in events))
    axes.invert_yaxis()
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False)


def seed_lines(
    axes: Axes, places: Sequence[float], arms: Mapping[str, tuple[np.ndarray, str]], *, style: str = "-"
) -> None:
    """A line for each arm through the means of its seeds, and a dot for every seed.

    places: (N,) of the horizontal axis. arms: name -> ((seeds, N) values, colour). style: of the lines.
    """
    for name, (values, color) in arms.items():
        axes.plot(places, values.mean(axis=0), style, color=color, linewidth=1.8, label=name)
        for row in values:
            axes.plot(places, row, ".", color=color, markersize=5)
    axes.spines[["top", "right"]].set_visible(False)


def audited(report: dict[str, Any], path: str | Path) -> None:
    """Draw an audit, as `minigpt.privacy.audit_run` gives it, into a PNG: points with their 95% intervals."""
    panels: list[tuple[str, list[tuple[str, dict[str, float], str]], float | None]] = [
        (
            "told apart from held-out text\n(dotted: chance)",
            [
                (name, found["area"], GREY if name == "without the model" else BLUE)
                for name, found in report["membership"].items()
            ],
            0.5,
        ),
        (
            f"share written to the end\nafter {report['given']} tokens",
            [
                (name, report["extraction"][key]["whole"], color)
                for key, name, color in (("seen", "trained on", BLUE), ("unseen", "held out", GREY))
            ],
            None,
        ),
    ]
    if "canaries" in report:
        rows = [
            (f"planted {row['times']} times", row["exposure"], BLUE if row["times"] else GREY)
            for row in report["canaries"]
        ]
        panels.append(("exposure of a planted number, bits\n(dotted: never planted)", rows, report["canaries_chance"]))
    figure = Figure(figsize=(4.4 * len(panels), 3.2), dpi=120, layout="constrained")
    for axes, (title, rows, chance) in zip(figure.subplots(1, len(panels)), panels, strict=True):
        for place, (_, found, color) in enumerate(rows):
            axes.plot([found["low"], found["high"]], [place, place], color=color, linewidth=2)
            axes.plot(found["value"], place, "o", color=color, markersize=6)
        if chance is not None:
            axes.axvline(chance, color=BLACK, linestyle=":", linewidth=1)
        axes.set_yticks(range(len(rows)), [name for name, *_ in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.locator_params("x", nbins=5)  # more labels than that would run into one another
        axes.set_title(title, fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
    FigureCanvasAgg(figure)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")


def _smooth(values: np.ndarray, width: int = 15) -> np.ndarray:
    """The mean of each value and its neighbours, `width` in all; fewer at the ends."""
    ones = np.ones(min(width, len(values)))
    return np.convolve(values, ones, "same") / np.convolve(np.ones(len(values)), ones, "same")
