"""Figures of work that is shared out: a batch, a ring all-reduce, a batch size and its worth."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from minigpt.plot import BLACK, BLUE, GREEN, GREY, ORANGE, SKY, VERMILION


def shared_batch(axes: Axes, targets: np.ndarray, parameters: int, shape: tuple[int, ...]) -> None:
    """Workers side by side, each with rows of its own, drawn as long as they are, and all parameters.

    targets: (workers, rows), how many each row has. shape: of the tokens of one worker.
    """
    for worker, rows in enumerate(targets):
        left = 3.4 * worker
        for row, count in enumerate(rows):
            bottom = 4.55 - 0.45 * row
            length = 2.8 * count / targets.max()
            axes.add_patch(Rectangle((left + 0.1, bottom), length, 0.3, color=SKY))
            words = left + 0.15 + (length if length < 1.2 else 0)  # in the bar if they fit, else behind it
            axes.text(words, bottom + 0.14, f"{count} targets", va="center", fontsize=8)
        axes.add_patch(Rectangle((left, 1.9), 3.0, 1.4, facecolor="white", edgecolor=BLUE, lw=2))
        axes.text(left + 1.5, 2.6, f"all {parameters:,}\nparameters", ha="center", va="center", color=BLUE)
        axes.annotate("", (left + 1.5, 3.35), (left + 1.5, 4.0), arrowprops={"arrowstyle": "->"})
        axes.annotate("", (left + 1.5, 1.0), (left + 1.5, 1.85), arrowprops={"arrowstyle": "<->"})
        axes.text(left + 1.6, 1.42, f"({parameters},)", fontsize=8, va="center")
        axes.text(left + 1.6, 3.68, str(shape), fontsize=8, va="center")
        axes.text(left + 1.5, 5.1, f"worker {worker}", ha="center")
    width = 3.4 * len(targets) - 0.4
    axes.add_patch(Rectangle((0, 0.35), width, 0.6, color=ORANGE))
    axes.text(width / 2, 0.65, "sum of the gradients; each gets all of it", ha="center", va="center")
    axes.set(xlim=(-0.1, width + 0.1), ylim=(0.2, 5.5))
    axes.axis("off")


def ring_step(axes: Axes, holds: np.ndarray, step: int, size: int) -> None:
    """Ranks in a ring, each with its chunks, and what each passes on in this step of a ring all-reduce.

    holds: (ranks, ranks), how many ranks are summed in a chunk of a rank. size: numbers in a chunk.
    """
    ranks = len(holds)
    color = VERMILION if step < ranks - 1 else GREEN
    for rank in range(ranks):
        angle = np.pi / 2 - 2 * np.pi * rank / ranks
        x, y, sends = 2.0 * np.cos(angle), 2.0 * np.sin(angle), (rank - step) % ranks
        axes.text(x, y + 0.32, f"rank {rank}", ha="center", fontsize=9)
        for chunk, summed in enumerate(holds[rank]):
            done, left = summed == ranks, x + 0.36 * (chunk - ranks / 2)
            edge, width = (color, 3) if chunk == sends else ("white", 1)
            box = Rectangle((left, y - 0.18), 0.34, 0.34, fc=BLUE if done else SKY, ec=edge, linewidth=width)
            axes.add_patch(box)
            ink = "white" if done else BLACK
            axes.text(left + 0.17, y - 0.02, str(summed), ha="center", va="center", color=ink)
        start, end, middle = (angle - turn for turn in (0.42, 2 * np.pi / ranks - 0.42, np.pi / ranks))
        arrow = {"arrowstyle": "-|>", "color": color, "connectionstyle": "arc3,rad=-0.25", "lw": 2}
        tail, head = ((2.0 * np.cos(place), 2.0 * np.sin(place)) for place in (start, end))
        axes.annotate("", head, tail, arrowprops=arrow)
        place = (1.25 * np.cos(middle), 1.25 * np.sin(middle))
        axes.text(*place, f"chunk {sends}\n({size},)", ha="center", va="center", fontsize=8, color=color)
    axes.set(xlim=(-3, 3), ylim=(-2.7, 2.8), aspect="equal")
    axes.axis("off")


def kept_bytes(axes: Axes, kept: Mapping[str, Sequence[float]], moment: Sequence[float]) -> None:
    """A bar for each way, of what a worker keeps, part by part, and what it has for a moment.

    kept: part -> bytes per parameter, one a way. moment: the same of what is soon dropped.
    """
    base, ways = np.zeros(len(moment)), range(len(moment))
    for (name, values), color in zip(kept.items(), (BLUE, SKY, ORANGE), strict=True):
        axes.barh(ways, values, left=base, color=color, label=name, height=0.6)
        base = base + np.asarray(values)
    axes.barh(ways, moment, left=base, height=0.6, facecolor="white", edgecolor=GREY, hatch="///", label="for a moment")
    for way, total in enumerate(base):
        axes.text(total + moment[way] + 0.2, way, f"{total:g} kept", va="center")
    axes.set(yticks=ways, xlim=(0, 1.2 * max(base)))
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)


def batch_bargain(
    left: Axes, right: Axes, batches: Sequence[int], steps: np.ndarray, critical: float, fewest: float
) -> None:
    """Steps to a target against the batch size, left, and against the examples they cost, right.

    steps: (batches, seeds), measured. critical, fewest: of the fitted S = fewest (1 + critical / B).
    """
    fine = np.geomspace(batches[0] / 1.5, batches[-1] * 1.5, 200)
    halving, fit, middle = (
        fine[critical / fine > 0.6],
        fewest * (1 + critical / fine),
        np.exp(np.log(steps).mean(axis=1)),
    )
    left.loglog(halving, fewest * critical / halving, "--", color=GREY, label="every doubling halves")
    left.axhline(fewest, color=GREY, linestyle=":", label="more does not help")
    left.loglog(fine, fit, color=SKY, linewidth=2, label="fit")
    left.loglog(batches, steps[:, 0], "o", color=BLUE, markersize=4, label="measured, each seed")
    left.loglog(batches, steps[:, 1:], "o", color=BLUE, markersize=4)
    left.axvline(critical, color=ORANGE, linewidth=1.5, label="critical batch")
    left.set(xlabel="batch size (examples)", ylabel="steps to the target")
    left.set_xticks(batches, [str(batch) for batch in batches])
    left.legend(frameon=False, fontsize=8)
    right.loglog(fine * fit, fit, color=SKY, linewidth=2)
    right.loglog(batches * middle, middle, "o", color=BLUE)
    for batch, count in zip(batches, middle, strict=True):
        right.annotate(str(batch), (batch * count, count), xytext=(5, 4), textcoords="offset points")
    right.set(xlabel="examples: what it costs", ylabel="steps: how long it takes")
    ticks = [5_000, 10_000, 20_000, 40_000]
    right.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    for axes in (left, right):
        axes.set_yticks([100, 1000], ["100", "1,000"])
        axes.minorticks_off()
        axes.spines[["top", "right"]].set_visible(False)


def spans(axes: Axes, values: Mapping[tuple[int, int], np.ndarray]) -> None:
    """A thick line for the mean of the values over a span of steps, thin ones for each of them; logarithmic axes.

    values: (first, last) step -> one value a seed.
    """
    for (first, last), each in values.items():
        for value in each:
            axes.plot([max(first, 1), last], [value, value], color=VERMILION, linewidth=1.2, alpha=0.6)
        axes.plot([max(first, 1), last], [each.mean()] * 2, color=VERMILION, linewidth=4)
    axes.set(xlabel="training step", xscale="log", yscale="log")
    axes.set_xticks([1, 10, 100], ["1", "10", "100"])
    axes.set_yticks([3, 10, 30, 100], ["3", "10", "30", "100"])
    axes.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)


def speed_up(axes: Axes, workers: Sequence[int], speeds: Mapping[str, Sequence[float]], ceiling: float) -> None:
    """How many times as fast as one so many workers are: a line for each of four ways, the second broad."""
    styles = (("--", GREY, 1.5), ("-", SKY, 4.0), ("-", VERMILION, 1.5), ("-", GREEN, 1.5))
    for (name, values), (style, color, width) in zip(speeds.items(), styles, strict=True):
        axes.plot(workers, values, style, marker="o", ms=4, color=color, lw=width, label=name)
    axes.axhline(ceiling, color=SKY, linestyle=":", label="ceiling of bandwidth")
    axes.set(xscale="log", yscale="log", xlabel="workers, the batch being the same", ylabel="times as fast as one")
    axes.set_xticks(workers[::2], [str(count) for count in workers[::2]])
    axes.set_yticks([1, 10, 100], ["1", "10", "100"])
    axes.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
