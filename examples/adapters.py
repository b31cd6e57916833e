"""A model that has read Python's documentation learns to write Python's source code, with few new numbers.

First all numbers learn from the documentation. Then they are frozen, and beside each matrix of the blocks a low-rank
adapter learns from the source code of asyncio. Taken off, it leaves the model as it was. About a minute.
Run: python examples/adapters.py
"""

import asyncio
import json
from pathlib import Path

import numpy as np

from minigpt import Transformer, objectives, preset
from minigpt.adapt import ATTENTION, low_rank_adapters, merge
from minigpt.infer import Sampling, generate_text
from minigpt.model import Overlay
from minigpt.optim import warmup_cosine
from minigpt.text import BatchSampler, CharacterTokenizer, load_corpus
from minigpt.train import fit
from minigpt.train.provenance import provenance

RANK, BASE_STEPS, STEPS = 4, 600, 300

print(json.dumps(provenance([], Path(__file__).name)))
prose = load_corpus("pydocs")
files = [path.read_text(encoding="utf-8") for path in sorted(Path(asyncio.__file__).parent.glob("*.py"))]
tokenizer = CharacterTokenizer.train([*prose.documents, *files])
model = Transformer(preset("tiny", vocabulary_size=tokenizer.vocabulary_size))


def batches(documents, steps, rows=12):
    """Windows of a text, to predict each next character."""
    sampler = BatchSampler(tokenizer.encode("\n\n".join(documents)), model.config.context, batch=rows, seed=0)
    return [objectives.causal_lm(sampler.batch_at(step)) for step in range(steps)]


(held_out_prose,) = batches(prose.validation, 1, rows=200)
(held_out_code,) = batches(files[-6:], 1, rows=200)


def report(name, weights):
    """Losses on text that was not trained on, in nats per character."""
    losses = [objectives.loss(model, weights, batch) for batch in (held_out_prose, held_out_code)]
    print(f"{name:36} prose {losses[0]:.2f}   code {losses[1]:.2f}")


base = model.init(np.random.default_rng(0))
fit(model, base, batches(prose.training, BASE_STEPS), warmup_cosine(3e-3, warmup=50, total=BASE_STEPS))
report(f"base, {base.flat.size:,} numbers", base)

# An adapter adds x @ down @ up to x @ W. At first `up` is zero, so nothing changes.
layers = (*ATTENTION, "feed_forward.up", "feed_forward.down")
adapters = low_rank_adapters(model, np.random.default_rng(1), rank=RANK, layers=layers)
both = Overlay(base, adapters)
schedule = warmup_cosine(1e-2, warmup=20, total=STEPS)
fit(model, both, batches(files[:-6], STEPS), schedule)
report(f"with adapters, {adapters.flat.size:,} more", both)

# Merged into the matrices they cost nothing more.
report("adapters merged", merge(base, adapters))
report("adapters taken off", base)

# What it costs to do without: all numbers learn the new text, and the old one is forgotten.
tuned = base.copy()
fit(model, tuned, batches(files[:-6], STEPS), warmup_cosine(3e-3, warmup=20, total=STEPS))
report("instead, all numbers trained", tuned)

for name, weights in {"base": base, "with adapters": both}.items():
    pieces = generate_text(
        model, weights, tokenizer, "    def ", 200, sampling=Sampling(0.6), rng=np.random.default_rng(1)
    )
    print(f"\n{name} writes:\n\n    def {''.join(pieces)}")
