"""Drawings of what a model is made of: a block beside the residual stream, and a graph with its gradients."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from minigpt.plot import BLUE, GREY, VERMILION

Shape = tuple[int, ...]
Point = tuple[float, float]

STREAM, BRANCH = 1.0, 0.0  # heights of the residual stream and of what reads from it
PAPER = "#EAF2F8"  # behind the words in a box


def residual_stream(axes: Axes, shapes: Mapping[str, Shape], *, norm_place: str) -> None:
    """Draw one block beside its residual stream, from left to right, with the shapes of the arrays on the arrows.

    shapes: of `stream`, `weights` (of attention) and `hidden` (of the feed-forward network), as a run had them.
    norm_place: "pre" puts the norm before each part, "post" onto the stream after each sum.
    """
    pre = norm_place == "pre"
    end = 11.9
    _arrow(axes, (-0.5, STREAM), (end, STREAM), color=BLUE, width=5)
    axes.text(-0.5, STREAM + 0.17, f"stream {_shape(shapes['stream'])}", color=BLUE, fontsize=9, va="bottom")
    parts = (
        ("attention", f"weights {_shape(shapes['weights'])}"),
        ("feed-forward", f"hidden {_shape(shapes['hidden'])}"),
    )
    for start, (name, inside) in zip((0.6, 6.1), parts, strict=True):
        _part(axes, start, name, inside, _shape(shapes["stream"]), pre=pre)
    axes.set(xlim=(-0.6, end + 0.1), ylim=(-0.55, 1.75))
    axes.axis("off")


def _part(axes: Axes, start: float, name: str, inside: str, shape: str, *, pre: bool) -> None:
    """One part of a block: it reads the stream at `start` and adds to it 3.6 to the right."""
    add, middle = start + 3.6, start + (2.5 if pre else 1.9)
    axes.plot([start, start, add, add], [STREAM, BRANCH, BRANCH, STREAM], color=GREY, linewidth=1.5, zorder=1)
    _arrow(axes, (start, BRANCH), (start + (0.75 if pre else 1.2), BRANCH))
    _arrow(axes, (add, BRANCH), (add, STREAM - 0.12))
    if pre:
        _box(axes, (start + 1.1, BRANCH), "norm", VERMILION)
    else:
        _box(axes, (add + 0.95, STREAM), "norm", VERMILION)
    _box(axes, (middle, BRANCH), name, GREY)
    axes.text(middle, BRANCH - 0.3, inside, ha="center", va="top", fontsize=8, color=GREY)
    axes.text(add + 0.08, (BRANCH + STREAM) / 2, shape, fontsize=8, color=GREY, va="center")
    axes.text(add, STREAM, "+", ha="center", va="center", fontsize=11, bbox=_circle(), zorder=4)


def computational_graph(
    axes: Axes,
    places: Mapping[str, Point],
    edges: Sequence[tuple[str, str]],
    values: Mapping[str, float],
    gradients: Mapping[str, float],
) -> None:
    """Draw a graph of numbers: above each node its value (forward), below it the gradient of the loss (backward).

    places: (x, y) of each node, named as it is shown. edges: pairs of names, from an argument to what is made of it.
    """
    for source, target in edges:
        _arrow(axes, places[source], places[target], shrink=19)
    for name, (x, y) in places.items():
        axes.text(x, y, name, ha="center", va="center", fontsize=10, bbox=_circle(), zorder=4)
        axes.text(x, y + 0.2, f"{values[name]:.4g}", ha="center", va="bottom", fontsize=10, color=BLUE)
        if name in gradients:
            axes.text(x, y - 0.2, f"{gradients[name]:.4g}", ha="center", va="top", fontsize=10, color=VERMILION)
    xs, ys = zip(*places.values(), strict=True)
    axes.set(xlim=(min(xs) - 0.6, max(xs) + 0.6), ylim=(min(ys) - 0.7, max(ys) + 0.7))
    axes.axis("off")


def _arrow(axes: Axes, start: Point, end: Point, *, color: str = GREY, width: float = 1.5, shrink: float = 0.0) -> None:
    style = {"arrowstyle": "-|>", "color": color, "linewidth": width, "shrinkA": shrink, "shrinkB": shrink}
    axes.annotate("", end, start, arrowprops=style, zorder=1)


def _box(axes: Axes, middle: Point, text: str, color: str) -> None:
    style = {"boxstyle": "round,pad=0.35", "facecolor": PAPER, "edgecolor": color}
    axes.text(*middle, text, ha="center", va="center", fontsize=9, bbox=style, zorder=4)


def _circle() -> dict[str, str]:
    return {"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": GREY}


def _shape(shape: Shape) -> str:
    """`(1, 18, 64)`."""
    return f"({', '.join(map(str, shape))})"
