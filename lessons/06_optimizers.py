# %% [markdown]
# # 06  From SGD to AdamW, and Muon
#
# **The claim.** None: the article says nothing about how parameters are updated. Yet every loss in it and in this
# course depends on it.
#
# **The question.** Given a gradient, how far should each number move, and why is "a little downhill" not enough?
#
# **You need.** Lesson 05: the gradient.
#
# **Time.** An hour to read; the code runs for about forty seconds.

# %%
import math

import matplotlib.pyplot as plt
import numpy as np

from minigpt import Call, Transformer, TransformerConfig
from minigpt.course import expect, quick, show, show_source, table
from minigpt.measure import uniform_nats, unigram_nats
from minigpt.objectives import causal_lm, loss, loss_and_gradient
from minigpt.optim import (
    adam,
    adam_rule,
    adamw,
    clip_by_global_norm,
    constant,
    muon,
    orthogonal,
    sgd,
    warmup_cosine,
    warmup_linear,
)
from minigpt.plot import BLACK, BLUE, GREEN, GREY, ORANGE, SKY, VERMILION
from minigpt.text import BatchSampler, CharacterTokenizer, load_corpus

# %% [markdown]
# ## A valley
#
# The simplest landscape that makes trouble is a long valley, steep across and flat along:
# $f(x, y) = \frac{1}{2}(x^2 + 50\, y^2)$. **Gradient descent** $p \leftarrow p - \eta\, g$ must take steps small enough
# for the steep direction, and then hardly moves along the flat one. **Momentum** adds up: $v \leftarrow \mu v + g$,
# $p \leftarrow p - \eta v$. Across the valley the gradients alternate and cancel; along it they add. **Adam** divides
# each entry by its own typical size, so that steep and flat directions move alike.
#
# An optimizer in this library is a pair of functions, `init` and `update`, over one flat vector:

# %%
show_source(sgd, docstring=False)

# %%
STEEPNESS = np.array([1.0, 50.0])


def walk(optimizer, rate, steps=60, start=(-9.0, 1.5)):
    """The places that an optimizer visits in the valley, (steps + 1, 2)."""
    place, path = np.array(start), [np.array(start)]
    state = optimizer.init(place)
    for _ in range(steps):
        optimizer.update(place, STEEPNESS * place, state, learning_rate=rate)
        path.append(place.copy())
    return np.array(path)


walks = {
    "gradient descent": (walk(sgd(), 0.035), VERMILION),
    "momentum": (walk(sgd(momentum=0.85), 0.015), BLUE),
    "Nesterov": (walk(sgd(momentum=0.85, nesterov=True), 0.015), SKY),
    "Adam": (walk(adam(), 0.7), GREEN),
}
grid = np.meshgrid(np.linspace(-10, 6, 100), np.linspace(-3, 3, 80))
height = 0.5 * (grid[0] ** 2 + 50 * grid[1] ** 2)
figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
axes.contour(*grid, height, levels=np.geomspace(1, 300, 9), colors=GREY, linewidths=0.5)
for name, (path, color) in walks.items():
    axes.plot(*path.T, ".-", color=color, label=name, linewidth=1, markersize=3)
axes.plot(0, 0, "*", color=BLACK, markersize=10)
axes.set(xlabel="flat direction", ylabel="steep direction", xlim=(-10, 6), ylim=(-3, 3))
axes.legend(frameon=False, loc="lower right")
show(figure)
left = {name: float(0.5 * np.sum(STEEPNESS * path[30] ** 2)) for name, (path, _) in walks.items()}
expect("L06.momentum_gain", left["gradient descent"] / left["momentum"], above=2)
table(["after 30 steps", "height above the lowest point"], [*left.items()])

# %% [markdown]
# *The star is the lowest point. Plain descent creeps; momentum overshoots a little and is there; Adam walks nearly
# straight, since to it the valley is round.*
#
# ## Adam, written out
#
# $$m \leftarrow \beta_1 m + (1-\beta_1) g, \quad v \leftarrow \beta_2 v + (1-\beta_2) g^2, \quad
# p \leftarrow p - \eta\, \frac{m / (1-\beta_1^t)}{\sqrt{v / (1-\beta_2^t)} + \epsilon}$$
#
# The divisions by $1 - \beta^t$ are the **bias correction**: both averages start at zero, so early on they are too
# small. Leave it out and the first steps are wrong by a factor that depends on both betas:

# %%
gradient, corrected, plain = 1.0, [], []
m = v = 0.0
for t in range(1, 41):
    m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
    corrected.append((m / (1 - 0.9**t)) / math.sqrt(v / (1 - 0.999**t)))
    plain.append(m / math.sqrt(v))
figure, axes = plt.subplots(figsize=(7, 2.8), layout="constrained")
axes.plot(range(1, 41), corrected, color=BLUE, label="with bias correction")
axes.plot(range(1, 41), plain, color=VERMILION, label="without")
axes.set(xlabel="step", ylabel="size of the step\n(in learning rates)", ylim=(0, None))
axes.legend(frameon=False)
axes.spines[["top", "right"]].set_visible(False)
show(figure)
expect("L06.corrected_first_step", corrected[0], above=0.999, below=1.001)
expect("L06.uncorrected_first_step", plain[0], above=3.0, below=3.3)

# %% [markdown]
# *Under a constant gradient every step should be one learning rate long. Without the correction the first is three, and
# they grow before they shrink.*
#
# The library's rule is the same three formulas, in place, since a large model has no room for copies:

# %%
show_source(adam_rule, docstring=False)

# %% [markdown]
#
# ## Decay, decoupled
#
# Weight decay pulls parameters towards zero. Add it to the gradient (as L2 does) and Adam divides it by the
# gradient's size like everything else: parameters with large gradients then hardly decay. **AdamW** takes it from the
# parameter directly (Loshchilov & Hutter, 2019). Two parameters that start at 1, with gradients that are pure noise,
# one large and one small:

# %%


def decayed(make, scale, steps=300):
    """Where a parameter ends that starts at 1 and gets noise of this size as gradient."""
    rng = np.random.default_rng(0)
    places = np.ones(200)
    optimizer = make()
    state = optimizer.init(places)
    for _ in range(steps):
        extra = 0.0 if make is decoupled else 0.1 * places
        optimizer.update(
            places, scale * rng.standard_normal(200) + extra, state, learning_rate=0.01
        )
    return float(places.mean())


def decoupled():
    """AdamW."""
    return adamw(weight_decay=0.1)


def coupled():
    """Adam; the decay is added to the gradient outside."""
    return adam()


rows = [
    (name, decayed(make, 10.0), decayed(make, 0.1))
    for name, make in (("AdamW", decoupled), ("Adam with L2", coupled))
]
table(["", "large gradients", "small gradients"], rows)

# %%
(_, large, small), (_, large_coupled, small_coupled) = rows
expect("L06.adamw_decays_alike", abs(large - small), below=0.1)
expect("L06.l2_does_not", large_coupled - small_coupled, above=0.2)

# %% [markdown]
# Decay is for matrices. A norm's gain is 1 for a reason, and a bias has no scale to keep small, so in this library
# vectors come last in the flat vector and `decayed=params.matrix_size` stops before them:

# %%
show_source(adamw, docstring=False)

# %% [markdown]
# ## Muon: orthogonal updates
#
# A gradient matrix is often dominated by a few directions. Muon (Jordan, 2024) replaces the momentum matrix by the
# nearest orthogonal one: all its singular values become about 1, so that rare directions move as much as common ones.
# No singular value decomposition is needed, only a few products (Newton-Schulz):

# %%
show_source(orthogonal, docstring=False)

# %%
rng = np.random.default_rng(0)
matrix = rng.standard_normal((48, 4)) @ rng.standard_normal((4, 64)) + 0.1 * rng.standard_normal(
    (48, 64)
)
before = np.linalg.svd(matrix, compute_uv=False)
after = np.linalg.svd(orthogonal(matrix), compute_uv=False)
figure, axes = plt.subplots(figsize=(7, 2.8), layout="constrained")
axes.semilogy(
    before / before[0], "o-", color=VERMILION, markersize=3, label="a gradient-like matrix"
)
axes.semilogy(after, "o-", color=BLUE, markersize=3, label="after orthogonal()")
axes.set(xlabel="number of the singular value", ylabel="singular value\n(largest = 1)")
axes.legend(frameon=False)
axes.spines[["top", "right"]].set_visible(False)
show(figure)
expect("L06.spread_before", before.max() / before.min(), above=50)
expect("L06.spread_after", after.max() / after.min(), below=3)

# %% [markdown]
# ## Clipping
#
# Now and then a batch has a huge gradient. Clipping shortens it. The right way takes **one factor for the whole
# vector**: the direction stays. Clipping each array by itself turns it.

# %%
parts = [rng.standard_normal(50) * scale for scale in (0.1, 1.0, 20.0)]
whole = np.concatenate(parts)
clipped = whole.copy()
clip_by_global_norm(clipped, 1.0)
each = np.concatenate([part / max(1.0, np.linalg.norm(part)) for part in parts])


def cosine(a, b):
    """1 if they point the same way."""
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


expect("L06.global_clip_keeps_direction", cosine(whole, clipped), above=0.999999)
expect("L06.clip_per_array_turns", cosine(whole, each), below=0.9)

# %% [markdown]
# ## Schedules
#
# The rate rises during a *warm-up*, while Adam's averages fill and the network finds its scale, and then falls, so
# that the last steps settle.

# %%
figure, axes = plt.subplots(figsize=(7, 2.6), layout="constrained")
schedules = {
    "constant": constant(1.0, warmup=20),
    "cosine": warmup_cosine(1.0, warmup=20, total=200),
    "linear": warmup_linear(1.0, warmup=20, total=200),
}
for (name, schedule), color in zip(schedules.items(), (GREY, BLUE, ORANGE), strict=True):
    axes.plot([schedule(step) for step in range(240)], color=color, label=name)
axes.set(xlabel="step", ylabel="rate, in peaks")
axes.legend(frameon=False)
axes.spines[["top", "right"]].set_visible(False)
show(figure)
expect("L06.first_rate", schedules["cosine"](0), above=0.0499, below=0.0501)

# %% [markdown]
# ## Where to start
#
# Before the first step comes the initialization. Matrices too large, and activations explode from layer to layer; too
# small, and every token looks the same. We draw the size of the residual stream through eight layers:

# %%
corpus = load_corpus("pydocs", progress=False)
documents = [
    corpus.documents[i] for i in np.random.default_rng(0).permutation(len(corpus.documents))
]
characters = CharacterTokenizer.train(documents)
text = characters.encode("\n\n".join(documents[:-200])[:600_000])
held_out = characters.encode("\n\n".join(documents[-200:])[:40_000])
starts = np.linspace(0, len(held_out) - 33, 200).astype(int)
windows = held_out[starts[:, None] + np.arange(33)].astype(int)
V = characters.vocabulary_size


def model_with(**choices):
    """A small transformer for the text."""
    sizes = {
        "vocabulary_size": V,
        "context": 32,
        "width": 48,
        "layers": 2,
        "heads": 4,
        "init_std": 0.06,
    }
    return Transformer(TransformerConfig(**{**sizes, **choices}))


figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
growth = {}
for std, color in ((0.005, ORANGE), (0.06, BLUE), (0.5, VERMILION)):
    deep = model_with(layers=8, init_std=std)
    seen = {}
    deep.forward(deep.init(np.random.default_rng(0)), windows[:20, :-1], Call(hook=seen.setdefault))
    sizes = [float(np.std(seen["embedding"]))]
    sizes += [float(np.std(seen[f"blocks.{layer}.residual_post"])) for layer in range(8)]
    axes.semilogy(range(9), sizes, "o-", color=color, label=f"init_std {std}")
    growth[std] = sizes[-1] / sizes[0]
axes.set(xlabel="after block", ylabel="size of the residual stream", xlim=(0, 11))
axes.legend(frameon=False, loc="center right")
axes.spines[["top", "right"]].set_visible(False)
show(figure)
expect("L06.growth_large", growth[0.5], above=2)
expect("L06.growth_usual", growth[0.06], below=5)

# %% [markdown]
# ## Which one learns fastest here?
#
# The same model, text and number of steps; every optimizer with the best rate of a small grid, found on one seed, then
# two seeds. Plus the same with initializations that are wrong.
#
# **Prediction.** Plain SGD is behind, Adam and AdamW are close together, Muon is at least as good. With all matrices
# zero nothing is learnt at all: the gradient of a product of zeros is zero, for ever.


# %%
def train(make, rate, seed, steps, **choices):
    """Held-out loss after training with the optimizer make(params)."""
    model = model_with(**choices)
    params = model.init(np.random.default_rng(seed))
    if choices.get("init_std") == 1e-12:
        params.flat[: params.matrix_size] = 0
    optimizer = make(params)
    state = optimizer.init(params.flat)
    sampler, schedule = (
        BatchSampler(text, 32, batch=16, seed=seed),
        warmup_cosine(rate, warmup=5, total=steps),
    )
    for step in range(steps):
        _, grads = loss_and_gradient(model, params, causal_lm(sampler.batch_at(step)))
        clip_by_global_norm(grads.flat, 1.0)
        optimizer.update(params.flat, grads.flat, state, learning_rate=schedule(step))
    return loss(model, params, causal_lm(windows))


optimizers = {
    "SGD": (lambda params: sgd(), (0.3, 1.0, 3.0)),
    "SGD, momentum": (lambda params: sgd(momentum=0.9), (0.1, 0.3, 1.0)),
    "Adam": (lambda params: adam(), (3e-3, 1e-2, 2e-2)),
    "AdamW": (lambda params: adamw(decayed=params.matrix_size), (3e-3, 1e-2, 2e-2)),
    "Muon": (lambda params: muon(params.block_matrices()), (3e-3, 1e-2, 3e-2)),
}
steps, trial, seeds = (10, 5, 1) if quick() else (300, 80, 2)
rows, reached = [], {}
for name, (make, rates) in optimizers.items():
    tried = {rate: train(make, rate, 7, trial) for rate in (rates[1:2] if quick() else rates)}
    best = min(tried, key=tried.get)
    reached[name] = float(np.mean([train(make, best, seed, steps) for seed in range(seeds)]))
    rows.append((name, f"{best:g}", reached[name]))
for name, std in (("AdamW, all matrices zero", 1e-12), ("AdamW, init_std 0.5", 0.5)):
    make = optimizers["AdamW"][0]
    reached[name] = train(make, 1e-2, 0, steps, init_std=std)
    rows.append((name, "0.01", reached[name]))
unigram = unigram_nats(text, held_out, V)
table(
    ["", "rate", "loss (nats)"], [*rows, ("unigram", "", unigram), ("uniform", "", uniform_nats(V))]
)

# %%
expect("L06.sgd_behind_adamw", reached["SGD"] - reached["AdamW"], above=-0.5 if quick() else 0.03)
expect("L06.adam_and_adamw", abs(reached["Adam"] - reached["AdamW"]), below=0.2)
expect("L06.muon", reached["Muon"] - reached["AdamW"], below=0.5 if quick() else 0.0)
expect("L06.zeros", abs(reached["AdamW, all matrices zero"] - uniform_nats(V)), below=1e-3)
expect(
    "L06.too_large",
    reached["AdamW, init_std 0.5"] - reached["AdamW"],
    above=-0.3 if quick() else 0.02,
)

# %% [markdown]
# Here SGD is behind by about a tenth of a nat, the two Adams are the same for all practical purposes, and Muon leads
# clearly. Initialization matters more than the choice among the first four.
#
# ## For the same time
#
# Equal steps flatter whatever has the dearer step. The table is of `minigpt train`'s own recipe (4 layers, width 128)
# and of others **for the same processor time** instead. It was not made by this notebook: one run takes minutes, so it
# was recorded once, with `python examples/benchmarks/recipe.py` in the project's folder. A tenth of the training
# documents judges; the held-out part, on which the README's number is measured, was not read for it.
#
# **Prediction.** Muon, which led above, leads here too.

# %%
recorded = {  # what is changed: (steps, milliseconds a step, bits per byte from each seed)
    "nothing: the default": (675, 291, (1.8975, 1.8942, 1.8972)),
    "vocabulary 1024": (900, 218, (1.9648, 1.9560, 1.9651)),
    "vocabulary 8192": (500, 405, (1.9123,)),
    "rate 0.006": (675, 293, (1.9119,)),
    "rate 0.002": (675, 294, (1.9289,)),
    "linear, to zero": (675, 291, (1.9027,)),
    "batch 8": (1000, 199, (1.8852,)),
    "Muon, rate 0.006": (530, 376, (1.9133,)),
    "GPT-2's blocks": (675, 284, (2.0438,)),
}
default = recorded["nothing: the default"][2]
rows = [
    (name, steps, ms, float(np.mean(bits)), float(np.mean(np.subtract(bits, default[: len(bits)]))))
    for name, (steps, ms, bits) in recorded.items()
]
table(["what is changed", "steps", "ms a step", "bits per byte", "worse by"], rows)

# %% [markdown]
# The prediction is not confirmed: Muon's step takes 29% longer at this size, and with the steps that are left it is not
# better than AdamW. That is at one rate, while AdamW had three; and more than the optimizer changes, since Muon brings
# its own momentum. The largest gain is none of the optimizer's: four times the vocabulary. Why is not shown here. In the
# same time it reads only 5% more text, but it also has 40% more parameters, which cost little.
#
# How far to trust it: the default's three seeds lie 0.003 apart, those of the smaller vocabulary 0.009. A difference of
# two runs varies more than a run, so a row of one seed says something only from about twice that spread on. Batches of
# 8 are a candidate with one seed, better by 0.012 where each run has one core. GPT-2's blocks come with GPT-2's small
# initial matrices, and with the rate that was found for the others.
#
# And the judge is too kind to all of them: its documents are neighbours of those that were trained on, so they share
# names and phrases. On the held-out part, which is further away, the larger vocabulary gains much less: the README tells.
#
# ## Verdict
#
# There is no claim to judge. What this lesson gives is the recipe behind the other lessons' numbers: AdamW without
# decay on vectors, clipping by the global norm, warm-up and cosine, and matrices of a sensible size.
#
# ## What this does not show
#
# * That this ranking holds elsewhere. A hundred steps on a model of sixty thousand parameters decide nothing about
#   large ones; rates were chosen from three.
# * What GPT-5.5 is trained with. That is undisclosed.
#
# ## Exercises
#
# Write them in `lessons/exercises/06_optimizers.py`, then `minigpt grade lessons/exercises/06_optimizers.py`.
#
# 1. `adamw_step(...)` (4 points): one step, with bias correction and decoupled decay.
# 2. `clip_by_global_norm(gradient, maximum)` (2 points).
# 3. `warmup_cosine(step, *, peak, warmup, total, final=0.1)` (3 points).
#
# ## Further reading
#
# * Polyak (1964); Sutskever et al. (2013), *On the importance of initialization and momentum*, ICML.
# * Kingma & Ba (2015), *Adam*, arXiv:1412.6980. Loshchilov & Hutter (2019), *Decoupled Weight Decay Regularization*,
#   arXiv:1711.05101; (2017), *SGDR*, arXiv:1608.03983.
# * Pascanu et al. (2013), *On the difficulty of training recurrent neural networks*, arXiv:1211.5063: clipping.
# * Jordan (2024), *Muon: an optimizer for hidden layers*.
