"""The ledger against this machine: memory and seconds of a training step, predicted and measured, at three sizes.

Memory is predicted from the configuration alone (`minigpt.measure.ledger`). Seconds are the step's operations at the
speed of a large matrix product, plus every byte that is moved at the speed of copying: two numbers measured here, none
fitted. Run: python examples/benchmarks/ledger.py [--quick] [--json]
"""

import statistics
import tracemalloc
from pathlib import Path

import numpy as np
from common import arguments_for, best_of, measure_sgemm, report, seconds_of

from minigpt import TransformerConfig
from minigpt.machine import blas_threads
from minigpt.measure import scale
from minigpt.measure.ledger import NUMBER, predict
from minigpt.objectives import causal_lm
from minigpt.parallel import launch
from minigpt.parallel.grid import make_grid
from minigpt.parallel.ranks import Ranks
from minigpt.train import RunFolder, TrainSettings

SIZES = {  # name -> configuration, rows of a batch
    "0.8M": (TransformerConfig(vocabulary_size=256, context=64, width=128, layers=4, heads=4), 12),
    "10.8M": (TransformerConfig(vocabulary_size=256, context=256, width=384, layers=6, heads=6), 8),
    "124M (GPT-2)": (TransformerConfig(vocabulary_size=50257, context=64, width=768, layers=12, heads=12), 4),
}
PASSES = 4  # an activation is written and read in the forward, and again in the backward
ADAM = 7  # numbers moved in an update: parameter, gradient and two moments read, all but the gradient written


def measure_copy() -> float:
    """Bytes a second, read and written, that copying a large array reaches."""
    array = np.ones(1 << 25, np.float32)
    return 2 * array.nbytes / best_of(array.copy)


def measured(comm, config: TransformerConfig, rows: int, rounds: int) -> tuple[float, float]:
    """Bytes at the fullest moment of a step, and the median of its seconds."""
    windows = np.random.default_rng(0).integers(0, config.vocabulary_size, (rows, config.context + 1))
    folder, batches = RunFolder(Path("nowhere"), config, TrainSettings(batch=rows), {}), [causal_lm(windows)]

    def step():
        engine.gradient(batches, 0)
        engine.update(1e-4)

    tracemalloc.start()
    engine = Ranks(folder, make_grid(comm))
    step()
    tracemalloc.reset_peak()
    step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak, statistics.median(seconds_of(step, rounds))


def main():
    """One row for each size."""
    arguments = arguments_for(__doc__).parse_args()
    rows = []
    with blas_threads(1):
        peak, bandwidth = measure_sgemm(), measure_copy()
        for name, (config, batch) in SIZES.items():
            layout = scale.Layout(micro_batch=batch, recompute=False)
            ledger = predict(config, layout, batch)
            ((held, seconds),) = launch(measured, 1, config, batch, 3 if arguments.quick else 9)
            products = scale.step_flops(config, batch, recompute=False) / peak
            moved = PASSES * (ledger.activations + ledger.logits) + ADAM * NUMBER * scale.count_parameters(config)
            predicted = products + moved / bandwidth
            rows.append(
                {
                    "size": name,
                    "predicted_megabytes": ledger.total / 1e6,
                    "measured_megabytes": held / 1e6,
                    "memory_ratio": ledger.total / held,
                    "products_seconds": products,
                    "moving_seconds": moved / bandwidth,
                    "measured_seconds": seconds,
                    "time_ratio": predicted / seconds,
                }
            )
    report(rows, arguments.json)


if __name__ == "__main__":
    main()
