"""How time and memory of one training step grow with context, width, layers and batch; drawn with fitted exponents.

An exponent of 1 means twice the size costs twice as much; 2, four times. They are fitted to the larger half of each
curve, where the fixed costs of small arrays no longer show. Run: python examples/benchmarks/growth.py --out growth.png
"""

import tracemalloc
from pathlib import Path

import numpy as np
from common import arguments_for, best_of, report
from matplotlib.figure import Figure

from minigpt import Transformer, TransformerConfig, objectives
from minigpt.files import replacing
from minigpt.machine import blas_threads, keep_freed_memory

BASE = {"context": 128, "width": 128, "layers": 2, "batch": 4}
AXES = {
    "context": (64, 128, 256, 512, 1024, 2048, 4096),
    "width": (64, 128, 256, 512, 1024),
    "layers": (1, 2, 4, 8, 16),
    "batch": (1, 2, 4, 8, 16, 32),
}
BLUE, VERMILION = "#0072B2", "#D55E00"


def step_of(context, width, layers, batch):
    """A function that computes one loss and gradient of a GPT-2 of these sizes."""
    config = TransformerConfig(
        vocabulary_size=256, context=context, width=width, layers=layers, heads=width // 32, position="rotary"
    )
    model = Transformer(config)
    params = model.init(np.random.default_rng(0))
    grads = params.zeros_like()
    windows = objectives.causal_lm(np.random.default_rng(1).integers(0, 256, (batch, context + 1)))
    return lambda: objectives.loss_and_gradient(model, params, windows, grads=grads)


def peak_bytes(step):
    """The most memory that arrays made during `step` take together."""
    tracemalloc.start()
    step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def exponent(sizes, values):
    """The slope of log value against log size over the larger half."""
    half = len(sizes) // 2
    return float(np.polyfit(np.log(sizes[half:]), np.log(values[half:]), 1)[0])


def measure(axis, rounds):
    """Sizes, seconds and megabytes along one axis."""
    seconds, megabytes = [], []
    for size in AXES[axis]:
        step = step_of(**{**BASE, axis: size})
        megabytes.append(peak_bytes(step) / 1e6)
        seconds.append(best_of(step, rounds))
    return {
        "axis": axis,
        "sizes": list(AXES[axis]),
        "seconds": seconds,
        "megabytes": megabytes,
        "time_exponent": exponent(AXES[axis], seconds),
        "memory_exponent": exponent(AXES[axis], megabytes),
    }


def draw(rows, path):
    """Two rows of log-log curves, time above memory."""
    figure = Figure(figsize=(12, 5.6), dpi=110, layout="constrained")
    panels = figure.subplots(2, len(rows), sharey="row")
    for column, row in enumerate(rows):
        for panel, quantity, slope, colour in (
            (panels[0][column], "seconds", "time_exponent", BLUE),
            (panels[1][column], "megabytes", "memory_exponent", VERMILION),
        ):
            panel.loglog(row["sizes"], row[quantity], "o-", color=colour)
            panel.set_title(f"{quantity} ~ {row['axis']}^{row[slope]:.2f}", fontsize=11)
            panel.set_xticks(row["sizes"], [str(size) for size in row["sizes"]], minor=False)
            panel.minorticks_off()
            panel.grid(alpha=0.3)
        panels[1][column].set_xlabel(row["axis"])
    panels[0][0].set_ylabel("seconds a step")
    panels[1][0].set_ylabel("peak megabytes")
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")


def main():
    parser = arguments_for(__doc__)
    parser.add_argument("--out", type=Path, default=Path("growth.png"), help="where to draw (default growth.png)")
    arguments = parser.parse_args()
    keep_freed_memory()
    with blas_threads(1):
        rows = [measure(axis, 1 if arguments.quick else 5) for axis in AXES]
    draw(rows, arguments.out)
    shown = (
        rows if arguments.json else [{k: v for k, v in row.items() if "exponent" in k or k == "axis"} for row in rows]
    )
    report(shown, arguments.json)


if __name__ == "__main__":
    main()
