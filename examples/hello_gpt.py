"""From text to written text, with nothing between you and the library: a GPT in forty lines.

It reads Python's own documentation letter by letter and learns to write more of it, in about a minute.
Run: python examples/hello_gpt.py
"""

import numpy as np

from minigpt import Transformer, objectives, preset
from minigpt.infer import Sampling, generate_text
from minigpt.optim import adamw, clip_by_global_norm, warmup_cosine
from minigpt.text import BatchSampler, CharacterTokenizer, load_corpus

STEPS = 600

# Text becomes numbers: every character has one.
corpus = load_corpus("pydocs")
tokenizer = CharacterTokenizer.train(corpus.documents)
tokens = tokenizer.encode("\n\n".join(corpus.training))

# A transformer of four layers, and the numbers in it that will be learnt.
model = Transformer(preset("tiny", vocabulary_size=tokenizer.vocabulary_size))
params = model.init(np.random.default_rng(0))
print(f"{len(tokens):,} characters to read, {params.flat.size:,} numbers to learn")

# Learning: look at a few windows of text, predict each next character, move every number a little downhill.
sampler = BatchSampler(tokens, model.config.context, batch=12, seed=0)
optimizer = adamw(decayed=params.matrix_size)
state = optimizer.init(params.flat)
learning_rate = warmup_cosine(3e-3, warmup=50, total=STEPS)
for step in range(STEPS):
    batch = objectives.causal_lm(sampler.batch_at(step))
    loss, grads = objectives.loss_and_gradient(model, params, batch)
    clip_by_global_norm(grads.flat, 1.0)
    optimizer.update(params.flat, grads.flat, state, learning_rate=learning_rate(step))
    if step % 100 == 0:
        print(f"step {step:4}  {loss:.2f} nats per character")

# Writing: draw the next character from what the model expects, again and again.
print("\nWhat it writes:\n")
rng = np.random.default_rng(1)
for piece in generate_text(model, params, tokenizer, "The function ", 300, sampling=Sampling(0.8), rng=rng):
    print(piece, end="", flush=True)
print()
