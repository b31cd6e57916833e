# %% [markdown]
# # 02  Self-attention
#
# **The claim.** Self-attention lets the model weigh the elements of its input against each other (C10).
#
# **The question.** What exactly is weighed, by what, and which elements may take part? And does a model really *use*
# the weighing?
#
# **You need.** Lesson 01: tokens, batches, the loss in nats.
#
# **Time.** An hour to read; the code runs in about twenty seconds.

# %%
import math

import matplotlib.pyplot as plt
import numpy as np

from minigpt import Batch, Call, Transformer, TransformerConfig
from minigpt.check import check_gradient
from minigpt.course import expect, quick, show, show_source, table
from minigpt.model.attention import attention_block_forward
from minigpt.ops import (
    IGNORED,
    attention_backward,
    attention_forward,
    causal_mask,
    softmax_forward,
)
from minigpt.optim import warmup_cosine
from minigpt.plot import BLUE, GREY, VERMILION
from minigpt.train import fit

# %% [markdown]
# ## From an average to a weighted average
#
# A token alone says little: *bank* needs its neighbours. The plainest way to let it hear them is to average the
# vectors of all tokens up to it. Every token then counts the same. Better: let each position *choose* how much it
# takes from every other, with weights that are positive and sum to 1.
#
# $$y_t = \sum_{s} w_{ts}\, v_s, \qquad \sum_s w_{ts} = 1$$
#
# Where do the weights come from? Every position asks a question, its **query** $q_t$, and every position shows what
# it has to offer, its **key** $k_s$. Where they point the same way, the score $q_t \cdot k_s$ is high. Softmax turns
# scores into weights:
#
# $$w_{ts} = \frac{\exp(q_t \cdot k_s / \sqrt{D})}{\sum_{s'} \exp(q_t \cdot k_{s'} / \sqrt{D})}$$

# %%
rng = np.random.default_rng(0)
query, key, value = (rng.standard_normal((5, 8)) for _ in range(3))  # five tokens, width D = 8
scores = query @ key.T / math.sqrt(8)  # (T, S)
weights, _ = softmax_forward(scores)
y = weights @ value  # (T, D): each row an average of the rows of value
expect("L02.weights_sum_to_one", np.abs(weights.sum(axis=1) - 1).max(), below=1e-12)

# %% [markdown]
# ## Why divide by $\sqrt{D}$?
#
# If the entries of $q$ and $k$ have variance 1, their dot product has variance $D$: the wider the head, the larger the
# scores. Softmax of large scores puts all weight on one token, and then its gradient is almost zero. Dividing by
# $\sqrt{D}$ keeps the variance at 1 (Vaswani et al., 2017, section 3.2.1).

# %%
widths = 2 ** np.arange(1, 11)
draw = np.random.default_rng(1)
variances = []
for width in widths:
    q, k = draw.standard_normal((2, 2000, width))
    dots = (q * k).sum(axis=1)
    variances.append((dots.var(), (dots / math.sqrt(width)).var()))
raw, scaled = np.array(variances).T
figure, axes = plt.subplots(figsize=(7, 3.4), layout="constrained")
axes.loglog(widths, raw, "o-", color=VERMILION)
axes.loglog(widths, scaled, "o-", color=BLUE)
axes.text(widths[-1], raw[-1], "q . k  ", color=VERMILION, ha="right", va="bottom")
axes.text(widths[-1], scaled[-1] * 1.2, "q . k / sqrt(D)", color=BLUE, ha="right", va="bottom")
axes.set(xlabel="width of a head, D", ylabel="variance of the scores")
axes.spines[["top", "right"]].set_visible(False)
show(figure)
expect("L02.variance_growth", raw[-1] / widths[-1], above=0.8, below=1.2)
expect("L02.scaled_variance", scaled[-1], above=0.8, below=1.2)

# %% [markdown]
# *Unscaled, the variance grows in step with the width (slope 1 on these axes); scaled, it stays at 1.*
#
# ## Who may be weighed: the mask
#
# The article's sentence leaves something out. A model that predicts the next token must not see it. So a **causal
# mask** allows each position itself and what came before. In this library a mask is a table of booleans, and `True`
# means "may attend". Get this the wrong way round and everything still runs.

# %%
show_source(causal_mask, docstring=False)

# %%
mask = causal_mask(5)
masked, _ = softmax_forward(np.where(mask, scores, -1e30))
figure, panels = plt.subplots(1, 3, figsize=(7.5, 2.8), layout="constrained")
for axes, picture, title in zip(
    panels, (weights, mask, masked), ("every token", "the mask", "past only"), strict=True
):
    axes.imshow(picture, cmap="Blues", vmin=0, vmax=1)
    axes.set(title=title, xlabel="looks at (key)", xticks=range(5), yticks=range(5))
panels[0].set(ylabel="position (query)")
show(figure)
expect("L02.weight_on_the_future", np.abs(masked[~mask]).max(), equal=0)

# %% [markdown]
# *Darker is more. Under the mask the triangle above the diagonal is exactly empty, and each row sums to 1 again.*
#
# Now the library's own code. It does what you just saw, for all heads of all sequences at once, and a piece of the
# queries at a time so that the scores stay in the processor's cache.

# %%
show_source(attention_forward, docstring=False)

# %% [markdown]
# ## Heads: reshape and transpose
#
# One set of weights can look at one thing at a time. So the width C is cut into H **heads** of width D = C / H, each
# with its own weights. The array goes from (B, T, C) to (B, H, T, D). Here many go wrong, because a reshape to
# (B, H, T, D) *runs* as well, and mixes tokens into heads. We number every entry by its token:

# %%
tokens_of = np.repeat(np.arange(4), 6).reshape(1, 4, 6)  # (B, T, C): entry = which token it is from
right = tokens_of.reshape(1, 4, 2, 3).swapaxes(1, 2)  # (B, H, T, D): cut the width, then swap
wrong = tokens_of.reshape(1, 2, 4, 3)  # the same shape, but...
table(
    ["row of head 0", "cut and swap", "reshape alone"],
    [(t, str(right[0, 0, t]), str(wrong[0, 0, t])) for t in range(4)],
)

# %%
pure = [len(set(row.tolist())) == 1 and row[0] == t for t, row in enumerate(wrong[0, 0])]
expect("L02.rows_of_the_right_token", sum(pure), equal=1)

# %% [markdown]
# With the reshape, row 1 of head 0 holds token 0, row 2 holds token 1: the head compares the wrong tokens, the causal
# mask hides the wrong ones, and the loss still falls, only less. This is why a test must compare *numbers* and not
# only shapes.
#
# ## The leak probe
#
# Here is the strongest test of a causal model, and the shortest. Change one token; every output before it must stay
# the same **to the last bit**, every output from it on may move.
#
# **Prediction.** Exactly 0 before, more than 0 from there on.

# %%
config = TransformerConfig(
    vocabulary_size=50, context=16, width=32, layers=2, heads=4, init_std=0.2
)
model = Transformer(config)
params = model.init(np.random.default_rng(0))
tokens = np.random.default_rng(1).integers(0, 50, (1, 16))
changed = tokens.copy()
changed[0, 9] = (changed[0, 9] + 1) % 50
moved = np.abs(model.forward(params, changed)[0] - model.forward(params, tokens)[0]).max(
    axis=(0, 2)
)
figure, axes = plt.subplots(figsize=(7, 2.6), layout="constrained")
axes.bar(range(16), moved, color=[GREY if t < 9 else BLUE for t in range(16)])
axes.set(xlabel="position", ylabel="largest change\nof a logit", title="token 9 was changed")
axes.spines[["top", "right"]].set_visible(False)
show(figure)
expect("L02.change_before", moved[:9].max(), equal=0)
expect("L02.change_after", moved[9:].min(), above=1e-4)

# %% [markdown]
# ## The way back
#
# Learning needs the gradient of everything. Lesson 05 derives it line by line; here it is only *checked*: every
# gradient against central differences, under a causal mask, with a random upstream gradient. If a sign in the
# library were wrong, this cell would fail and so would the lesson.

# %%
shapes = (2, 3, 4, 7), (2, 3, 5, 7), (2, 3, 5, 7)  # B, H, T or S, D: all different
arrays = [np.random.default_rng(i).standard_normal(shape) for i, shape in enumerate(shapes)]
report = check_gradient(attention_forward, attention_backward, *arrays, mask=causal_mask(4, 5))
report.raise_if_wrong()
expect("L02.gradient_error", max(part.max_relative_error for part in report.arguments), below=1e-6)
table(
    ["gradient of", "entries", "largest relative error"],
    [(part.name, part.entries, f"{part.max_relative_error:.1e}") for part in report.arguments],
)

# %% [markdown]
# ## Does a model use it? (experiment E07)
#
# Fourteen tokens each hold a pair (key, value), such as *"drawer 5 holds 3"*. The last token names a key; the answer is
# its value. Chance is 1/8. Two arms with the same data and steps: in one the attention **learns** its weights; in the
# other they are **frozen to uniform**, through `call.hook`, which lets us replace any activation by name.
#
# **Prediction.** The learning one is near 1. The frozen one is above chance, since an average still holds a bag of all
# pairs, and clearly lower.

# %%
KEYS, VALUES, PAIRS = 16, 8, 14
QUESTION = KEYS * VALUES  # the first of the tokens that ask


def questions(rng, count):
    """Pairs of different keys with random values, and a question about one of them."""
    keys = rng.permuted(np.tile(np.arange(KEYS), (count, 1)), axis=1)[:, :PAIRS]
    values = rng.integers(0, VALUES, (count, PAIRS))
    rows, which = np.arange(count), rng.integers(0, PAIRS, count)
    asked = QUESTION + keys[rows, which]
    tokens = np.hstack([keys * VALUES + values, asked[:, None]])
    targets = np.full(tokens.shape, IGNORED)
    targets[:, -1] = values[rows, which]
    return Batch(tokens, targets)


def uniform(name, x):
    """The same weight for everything that the causal mask allows."""
    if not name.endswith("attention.weights"):
        return x
    allowed = causal_mask(x.shape[-1]).astype(x.dtype)
    return np.broadcast_to(allowed / allowed.sum(axis=-1, keepdims=True), x.shape)


finder = Transformer(
    TransformerConfig(vocabulary_size=144, context=15, width=48, layers=2, heads=4, init_std=0.1)
)
steps = 40 if quick() else 500
accuracies, losses, learnt = {}, {}, {}
for name, call in {"learned": Call(), "uniform": Call(hook=uniform)}.items():
    learnt[name] = finder.init(np.random.default_rng(0))
    draw = np.random.default_rng(1)
    batches = (questions(draw, 64) for _ in range(steps))
    rate = warmup_cosine(3e-3, warmup=20, total=steps)
    losses[name] = fit(finder, learnt[name], batches, rate, call=call)
    asked = questions(np.random.default_rng(2), 2000)
    said = finder.forward(learnt[name], asked, call)[0][:, -1].argmax(axis=-1)
    accuracies[name] = float(np.mean(said == asked.targets[:, -1]))
table(["attention", "accuracy"], [*accuracies.items(), ("chance", 1 / VALUES)])

# %%
expect("E07.learned_accuracy", accuracies["learned"], above=0.08 if quick() else 0.9)
expect("E07.uniform_accuracy", accuracies["uniform"], above=0.08, below=0.6)

# %%
figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
for (name, values), color in zip(losses.items(), (BLUE, VERMILION), strict=True):
    axes.plot(np.convolve(values, np.ones(10) / 10, "valid"), color=color, label=name)
axes.axhline(math.log(VALUES), color=GREY, linestyle="--", linewidth=1)
axes.text(0, math.log(VALUES) + 0.05, "guessing among the values", color=GREY, va="bottom")
axes.set(xlabel="step", ylabel="loss (nats per answer)", ylim=(0, 5.2))
axes.legend(frameon=False)
axes.spines[["top", "right"]].set_visible(False)
show(figure)

# %% [markdown]
# *The frozen model learns which tokens are answers at all, and little more. The other one finds the right pair.*
#
# And what does the trained model look at? The weights of the question, the last position, for one example, in every
# head of both layers:

# %%
seen = {}
finder.forward(
    learnt["learned"],
    questions(np.random.default_rng(3), 1),
    Call(hook=seen.setdefault),
)
example = questions(np.random.default_rng(3), 1)
asked_for = np.flatnonzero(example.tokens[0, :-1] // VALUES == example.tokens[0, -1] - QUESTION)[0]
picture = np.vstack([seen[f"blocks.{layer}.attention.weights"][0, :, -1] for layer in (0, 1)])
figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
image = axes.imshow(picture, cmap="Blues", vmin=0, vmax=1, aspect="auto")
axes.axvline(asked_for, color=VERMILION, linewidth=1)
axes.set(
    xlabel="pair that is looked at (the line marks the one that was asked for)",
    yticks=range(8),
    yticklabels=[f"layer {i // 4}, head {i % 4}" for i in range(8)],
)
figure.colorbar(image, label="weight")
show(figure)

# %% [markdown]
# *Where the line meets a dark field, a head has found the pair.* Beware of reading more than that into such pictures;
# a later lesson builds a model whose weights *cannot* point at the cause of its answer.
#
# In the whole model, attention is these few lines: project, cut into heads, attend, put together, project.

# %%
show_source(attention_block_forward, docstring=False)

# %% [markdown]
# ## Verdict
#
# **C10: supported in general, incomplete.** The sentence describes Vaswani et al. (2017). It omits the causal mask,
# which decides *which* elements may be weighed at all, and that members of the GPT family restrict attention further:
# GPT-3 alternates dense and locally banded layers, gpt-oss has a window of 128 tokens in every other layer. What
# GPT-5.5 does is undisclosed.
#
# ## What this does not show
#
# * That attention is the only way to relate tokens. It is the one that this family uses.
# * That a high weight is an *explanation*. It says what was averaged, not what caused the answer.
# * Anything about large models: ours has sixty thousand parameters and one task.
#
# ## Exercises
#
# Write them in `lessons/exercises/02_self_attention.py`, then `minigpt grade lessons/exercises/02_self_attention.py`.
#
# 1. `causal_mask(queries, keys)` (2 points): who may attend to whom.
# 2. `split_heads(x, heads)` (3 points): from (B, T, C) to (B, H, T, D), without mixing tokens.
# 3. `attention_forward(query, key, value, *, mask=None)` (5 points): all of it, for every head.
#
# ## Further reading
#
# * Vaswani et al. (2017), *Attention Is All You Need*, arXiv:1706.03762, section 3.2.
# * Brown et al. (2020), *Language Models are Few-Shot Learners*, arXiv:2005.14165: sparse layers in GPT-3.
# * Jain & Wallace (2019), *Attention is not Explanation*, arXiv:1902.10186; Wiegreffe & Pinter (2019), *Attention is
#   not not Explanation*, EMNLP 2019.
