"""Figures of writing cheaply: what is read from memory for a token."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from minigpt.plot import BLUE, ORANGE


def bytes_read(axes: Axes, rows: Sequence[tuple[str, float, float]]) -> None:
    """A bar for each way to write: megabytes of weights, then of keys and values, that are read for one token.

    rows: name, bytes of weights, bytes of keys and values.
    """
    names = [name for name, _, _ in rows]
    weights = [own / 1e6 for _, own, _ in rows]
    cache = [kept / 1e6 for _, _, kept in rows]
    axes.barh(names, weights, color=BLUE, label="weights")
    axes.barh(names, cache, left=weights, color=ORANGE, hatch="///", edgecolor="white", label="keys and values")
    longest = max(one + other for one, other in zip(weights, cache, strict=True))
    for place, (one, other) in enumerate(zip(weights, cache, strict=True)):
        axes.text(one + other + 0.01 * longest, place, f"{one:.0f} + {other:.0f} MB", va="center", fontsize=9)
    axes.invert_yaxis()
    axes.set(xlabel="megabytes read for one token", xlim=(0, 1.22 * longest))
    axes.legend(frameon=False, loc="lower right")
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right"]].set_visible(False)
