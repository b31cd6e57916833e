# %% [markdown]
# # 03  The feed-forward network
#
# **The claim.** In every layer there is a feed-forward network: two linear layers with a ReLU between them (C11).
#
# **The question.** What does it do, and how would you find out which activation a model has?
#
# **You need.** Lesson 02: attention, which moves information *between* positions.
#
# **Time.** Three quarters of an hour to read; the code runs for about a minute.

# %%
import matplotlib.pyplot as plt
import numpy as np

from minigpt import Call, Transformer, TransformerConfig
from minigpt.check import check_gradient
from minigpt.course import expect, quick, show, show_source, table
from minigpt.measure import uniform_nats, unigram_nats
from minigpt.model.feed_forward import feed_forward_forward
from minigpt.objectives import causal_lm, loss
from minigpt.ops import (
    gated_backward,
    gated_forward,
    gelu_backward,
    gelu_forward,
    relu_backward,
    relu_forward,
    silu_backward,
    silu_forward,
)
from minigpt.optim import warmup_cosine
from minigpt.plot import BLUE, GREEN, GREY, VERMILION
from minigpt.text import BatchSampler, CharacterTokenizer, load_corpus
from minigpt.train import fit

# %% [markdown]
# ## Each position on its own
#
# Attention lets positions exchange what they know. The feed-forward network then works on **each position alone**: a
# linear layer makes it wider (usually four times), an *activation* bends it, a second linear layer brings it back.
#
# $$y = W_2\; a(W_1 x + b_1) + b_2$$
#
# In most models two thirds of all parameters of a block are here. The library's version; the gated form comes below:

# %%
show_source(feed_forward_forward, docstring=False)

# %% [markdown]
# ## Why bend at all?
#
# Without an activation two linear layers are *one*: $W_2 (W_1 x) = (W_2 W_1)\, x$. The feed-forward width would buy nothing.

# %%
rng = np.random.default_rng(0)
first, second, x = (rng.standard_normal(s) for s in ((8, 32), (32, 8), (5, 8)))
two_layers, one_layer = x @ first @ second, x @ (first @ second)
expect("L03.two_linear_layers_are_one", np.abs(two_layers - one_layer).max(), below=1e-12)

# %% [markdown]
# ## Four activations
#
# * **ReLU** (2010): $\max(x, 0)$. What is negative becomes exactly zero.
# * **GELU** (2016): $x \cdot P(\text{a normal number} < x)$. A ReLU with a soft corner.
# * **SiLU**: $x \cdot \sigma(x)$, almost the same curve.
# * **SwiGLU** (Shazeer, 2020): *two* first matrices; one, through SiLU, is a gate for the other:
#   $\text{silu}(W_g x) \odot W_u x$.

# %%
points = np.linspace(-4, 4, 401)
figure, panels = plt.subplots(1, 2, figsize=(7.5, 3.2), layout="constrained")
curves = {
    "ReLU": (relu_forward, relu_backward, VERMILION),
    "GELU": (gelu_forward, gelu_backward, BLUE),
    "SiLU": (silu_forward, silu_backward, GREEN),
}
for name, (forward, backward, color) in curves.items():
    y, cache = forward(points)
    panels[0].plot(points, y, color=color, label=name)
    panels[1].plot(points, backward(np.ones_like(points), cache), color=color)
panels[0].set(title="activation", xlabel="x", ylim=(-0.6, 4))
panels[1].set(title="derivative", xlabel="x")
panels[0].legend(frameon=False)
for axes in panels:
    axes.axhline(0, color=GREY, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
show(figure)

# %% [markdown]
# *Left: three curves that differ near zero only. Right: their slopes. ReLU's jumps; those of the others dip below 0 and
# rise above 1 for a while.*
#
# Their backwards, checked against numbers at once:

# %%
numbers = np.concatenate([rng.uniform(-3, -0.1, 10), rng.uniform(0.1, 3, 10)])
pairs = {
    "ReLU": (relu_forward, relu_backward, (numbers,)),
    "GELU": (gelu_forward, gelu_backward, (numbers,)),
    "SiLU": (silu_forward, silu_backward, (numbers,)),
    "SwiGLU": (gated_forward, gated_backward, (numbers, numbers[::-1].copy())),
}
worst = {}
for name, (forward, backward, arrays) in pairs.items():
    report = check_gradient(forward, backward, *arrays)
    report.raise_if_wrong()
    worst[name] = max(part.max_relative_error for part in report.arguments)
expect("L03.gradient_error", max(worst.values()), below=1e-6)
table(["activation", "relative error"], [(name, f"{e:.0e}") for name, e in worst.items()])

# %%
show_source(gated_backward, docstring=False)

# %% [markdown]
# ## Which one is it? (experiment E08)
#
# Four models learn the same real text, letter by letter: ReLU, GELU, SwiGLU and none at all (the identity). SwiGLU has
# three matrices instead of two, so its feed-forward width is two thirds, and all four have the same number of parameters to
# a few in a thousand. Three seeds each.
#
# **Prediction.** By *loss*, ReLU and GELU cannot be told apart at this size. By looking *inside*, at the hidden units,
# they can, at a glance: ReLU makes exact zeros.

# %%
corpus = load_corpus("pydocs", progress=False)
documents = [
    corpus.documents[i] for i in np.random.default_rng(0).permutation(len(corpus.documents))
]
characters = CharacterTokenizer.train(documents)
tokens = characters.encode("\n\n".join(documents[:-200])[:600_000])
test = characters.encode("\n\n".join(documents[-200:])[:40_000])
windows = test[np.linspace(0, len(test) - 33, 300).astype(int)[:, None] + np.arange(33)].astype(int)
arms = {
    "ReLU": {"activation": "relu"},
    "GELU": {"activation": "gelu"},
    "SwiGLU": {"activation": "silu", "gated": True, "feed_forward_width": 128},
    "none": {"activation": "identity"},
}
steps, seeds = (15, range(2)) if quick() else (400, range(3))
sizes = {
    "vocabulary_size": characters.vocabulary_size,
    "context": 32,
    "width": 48,
    "layers": 2,
    "heads": 4,
    "init_std": 0.06,
}
losses, zeros, counts, hidden = {}, {}, {}, {}
for name, choice in arms.items():
    model = Transformer(TransformerConfig(**sizes, **choice))
    losses[name] = []
    for seed in seeds:
        params = model.init(np.random.default_rng(seed))
        sampler = BatchSampler(tokens, 32, batch=16, seed=seed)
        batches = (causal_lm(sampler.batch_at(step)) for step in range(steps))
        fit(model, params, batches, warmup_cosine(4e-3, warmup=5, total=steps))
        losses[name].append(loss(model, params, causal_lm(windows)))
    seen = {}
    model.forward(params, windows[:, :-1], Call(hook=seen.setdefault))
    hidden[name] = seen["blocks.1.feed_forward.hidden"]
    zeros[name] = float(np.mean(hidden[name] == 0))
    counts[name] = params.flat.size
means = {name: float(np.mean(values)) for name, values in losses.items()}
spreads = {name: float(np.std(values, ddof=1)) for name, values in losses.items()}
rows = [(name, counts[name], means[name], spreads[name], zeros[name]) for name in arms]
rows += [
    ("unigram", "", unigram_nats(tokens, test, characters.vocabulary_size), "", ""),
    ("uniform", "", uniform_nats(characters.vocabulary_size), "", ""),
]
table(["activation", "parameters", "loss (nats)", "sd of seeds", "exact zeros"], rows)

# %%
expect("L03.parameters_apart", max(counts.values()) / min(counts.values()), below=1.01)
expect("E08.relu_gelu_gap", abs(means["ReLU"] - means["GELU"]), below=0.08)
expect("E08.relu_zeros", zeros["ReLU"], above=0.3)
expect("E08.gelu_zeros", zeros["GELU"], below=0.01)
expect("E08.swiglu_zeros", zeros["SwiGLU"], below=0.01)
expect("E08.without_activation", means["none"] - means["GELU"], above=-0.1 if quick() else 0.02)

# %%
figure, panels = plt.subplots(1, 2, figsize=(7.5, 3.2), layout="constrained")
for place, (name, values) in enumerate(losses.items()):
    panels[0].plot([place] * len(values), values, "o", color=BLUE, alpha=0.6)
    panels[0].plot([place - 0.2, place + 0.2], [means[name]] * 2, color=BLUE, linewidth=2)
panels[0].set(xticks=range(4), xticklabels=arms, ylabel="held-out loss (nats per character)")
panels[1].bar(range(4), zeros.values(), color=[VERMILION, BLUE, BLUE, BLUE])
panels[1].set(
    xticks=range(4), xticklabels=arms, ylabel="hidden units that are exactly 0", ylim=(0, 1)
)
for axes in panels:
    axes.spines[["top", "right"]].set_visible(False)
show(figure)

# %% [markdown]
# *Left, a dot for each seed and a bar for the mean: the three activations lie within a few hundredths of a nat, about
# as far apart as seeds are from each other. Right: nothing could be clearer.*
#
# So the article's statement is one that could be *decided at once* by anyone who can look at activations, and hardly
# at all by anyone who sees answers only. A null result for the loss is a result: **which** activation it is matters
# little here; having **none** costs more than any difference among the three.
#
# ## Verdict
#
# **C11: contradicted for the family; unverifiable for GPT-5.5.** ReLU is the recipe of 2017 (Vaswani et al., and
# Tensor2Tensor's code). GPT-1's code defaults to GELU, GPT-2's calls `gelu`, BERT's default is `gelu`; T5 v1.1 replaced
# ReLU by a gated form; gpt-oss has SwiGLU inside a layer of 128 experts, so that neither "two linear layers" nor "one
# network in each layer" holds. GPT-5.5's activation is undisclosed.
#
# ## What this does not show
#
# * That activations never matter for quality. Shazeer (2020) reports gains for gated forms at scale, and offers no
#   explanation beyond "divine benevolence".
# * What the hidden units *mean*. That is a field of its own.
#
# ## Exercises
#
# Write them in `lessons/exercises/03_feed_forward.py`, then `minigpt grade lessons/exercises/03_feed_forward.py`.
#
# 1. `relu_forward(x)` and `relu_backward(dy, cache)` (2 points).
# 2. `gelu_tanh_backward(dy, cache)` (4 points): GPT-2's GELU; the forward is given.
# 3. `gated_forward(gate, up)` and `gated_backward(dy, cache)` (4 points): SwiGLU.
#
# ## Further reading
#
# * Vaswani et al. (2017), *Attention Is All You Need*, arXiv:1706.03762, section 3.3.
# * Hendrycks & Gimpel (2016), *Gaussian Error Linear Units*, arXiv:1606.08415.
# * Shazeer (2020), *GLU Variants Improve Transformer*, arXiv:2002.05202.
# * OpenAI (2025), *gpt-oss model card*, arXiv:2508.10925, and its reference code.
