"""Attention in tiles beside the plain form: time of a forward and backward, and the memory of one layer that trains.

The layer, with --heads of width 64, takes --length positions, a cosine for a target, and an update of AdamW. What the
plain form would take is told and not tried: its weights and their gradient, and the mask.
Run: python examples/benchmarks/long_attention.py [--length 16384] [--heads 8] [--quick] [--json]
"""

import math
import time

import numpy as np
from common import answer_of, arguments_for, peak_memory, report

from minigpt import Batch, Call, Transformer, TransformerConfig, optim
from minigpt.machine import blas_threads, keep_freed_memory
from minigpt.ops import MaskRule, attention, blockwise_attention_backward, blockwise_attention_forward

HEADS, WIDTH = 8, 64  # of the times; the layer has --heads
LENGTHS = (512, 2048, 4096)


def processor_seconds(function, rounds):
    """The least processor time of some calls: other programs on the machine do not count."""
    seconds = []
    for _ in range(rounds):
        start = time.process_time()
        function()
        seconds.append(time.process_time() - start)
    return min(seconds)


def plain(query, key, value, dy, rule):
    """All weights of 64 queries at a time; where there are more than four million they are made again."""
    _, cache = attention.attention_forward(query, key, value, mask=rule.array())
    attention.attention_backward(dy, cache)


def tiled(query, key, value, dy, rule):
    """In tiles."""
    _, cache = blockwise_attention_forward(query, key, value, mask=rule)
    blockwise_attention_backward(dy, cache)


def compare_times(length, rounds):
    """One row of the table."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((1, HEADS, length, WIDTH)).astype(np.float32) for _ in range(4)]
    rule = MaskRule(np.arange(length), np.arange(length))
    ours, theirs = (processor_seconds(lambda form=form: form(*arrays, rule), rounds) for form in (tiled, plain))
    return {"length": length, "tiled_seconds": ours, "plain_seconds": theirs, "tiled / plain": ours / theirs}


def train_layer(length, heads):
    """Seconds and bytes of a step of one layer with all its parts, beyond what the imports take."""
    config = TransformerConfig(
        vocabulary_size=64, context=length, width=heads * WIDTH, layers=1, heads=heads, position="rotary"
    )
    model, before = Transformer(config), peak_memory() or 0.0
    params = model.init(np.random.default_rng(0))
    tokens = np.random.default_rng(1).integers(0, 64, (1, length))
    optimizer = optim.adamw()
    state, start = optimizer.init(params.flat), time.perf_counter()
    logits, cache = model.forward(params, Batch(tokens), Call())
    grads = model.backward(params, cache, np.cos(logits) / logits.size)
    optimizer.update(params.flat, grads.flat, state, learning_rate=1e-3)
    return {"seconds": time.perf_counter() - start, "bytes": peak_memory() or math.nan, "imports": before}


def main():
    """Times at several lengths, then the layer in a process of its own."""
    parser = arguments_for(__doc__)
    parser.add_argument("--length", type=int, default=16384, help="positions of the layer that trains")
    parser.add_argument("--heads", type=int, default=8, help="of the layer, each 64 wide")
    arguments = parser.parse_args()
    keep_freed_memory()
    if arguments.contestant:
        with blas_threads(1):
            report([train_layer(arguments.length, arguments.heads)], True)
        return
    with blas_threads(1):
        rows = [compare_times(length, 1 if arguments.quick else 5) for length in LENGTHS]
    report(rows, arguments.json)
    (layer,) = answer_of(__file__, "layer", "--length", str(arguments.length), "--heads", str(arguments.heads))
    weights = 4 * arguments.heads * arguments.length**2
    report(
        [
            {
                "length": arguments.length,
                "step_seconds": layer["seconds"],
                "resident_GB": layer["bytes"] / 1e9,
                "plain_weights_GB": weights / 1e9,
                "plain_with_gradient_and_mask_GB": (2 * weights + arguments.length**2) / 1e9,
            }
        ],
        arguments.json,
    )


if __name__ == "__main__":
    main()
