"""The first thing to try with any new model: can it learn sixteen sentences by heart?

If the loss of one batch does not go to zero, something is wrong, and more data will not help.
Run: python examples/overfit_one_batch.py
"""

import numpy as np

from minigpt import Transformer, objectives, preset
from minigpt.optim import adamw

rng = np.random.default_rng(0)
model = Transformer(preset("tiny", vocabulary_size=50))
params = model.init(rng)
optimizer = adamw(decayed=params.matrix_size)
state = optimizer.init(params.flat)

# Sixteen "sentences" of random tokens. Nothing can be learnt from their kind, only each of them.
batch = objectives.causal_lm(rng.integers(0, 50, (16, 33)))

for step in range(301):
    loss, grads = objectives.loss_and_gradient(model, params, batch)
    if step % 50 == 0:
        print(f"step {step:3}  loss {loss:.4f}  (guessing: {np.log(50):.4f})")
    optimizer.update(params.flat, grads.flat, state, learning_rate=3e-3)

print("learnt by heart" if loss < 0.1 else "something is wrong")
