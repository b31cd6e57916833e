# %% [markdown]
# # 05  Backpropagation, line by line
#
# **The claim.** None. The article does not say how a model learns. But every experiment of this course rests on
# gradients written by hand, so here they are derived, and each derived line is checked at once against a number.
#
# **The question.** How does one get, from "the loss is 3.2", to "this weight should be a little smaller", and how do
# you know that you did it right?
#
# **You need.** Lessons 02 to 04: the operations of the forward pass.
#
# **Time.** An hour and a half to read; the code runs in about ten seconds.

# %%
import inspect

import matplotlib.pyplot as plt
import numpy as np

from minigpt import TransformerConfig
from minigpt.check import OPERATIONS, PLANTED, check_gradient, check_model, find_case
from minigpt.course import expect, quick, show, show_source, table
from minigpt.ops import (
    attention_backward,
    attention_forward,
    causal_mask,
    cross_entropy_backward,
    cross_entropy_forward,
    embedding_backward,
    embedding_forward,
    layer_norm_backward,
    layer_norm_forward,
    linear_backward,
    softmax_backward,
    softmax_forward,
)
from minigpt.plot import BLUE, VERMILION

# %% [markdown]
# ## One number
#
# Let $y = x^2$ and loss $= 3y$. Moving $x$ by a little moves $y$ by $2x$ times that, and the loss by 3 times that. The
# **chain rule** multiplies: $\frac{d\,loss}{dx} = 3 \cdot 2x$. Backpropagation is this, from the loss backwards, with
# arrays. In the code $\frac{d\,loss}{dx}$ is called `dx`, always.
#
# A backward gets `dy`, the gradient of the loss by its *output*, and returns the gradient by each *input*. It never
# needs to know the loss.
#
# ## The number to check against
#
# Derivatives can be measured without any mathematics: nudge one entry up and down, and see how much
# $L = \sum dy \cdot y$ changes.
#
# $$\frac{dL}{dx_i} \approx \frac{L(x_i + \epsilon) - L(x_i - \epsilon)}{2\epsilon}$$

# %%


def numeric(function, x, dy, step=1e-5):
    """The gradient of sum(dy * function(x)) by x, one entry at a time."""
    slope = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        kept = x[index]
        x[index] = kept + step
        above = np.sum(dy * function(x))
        x[index] = kept - step
        slope[index] = (above - np.sum(dy * function(x))) / (2 * step)
        x[index] = kept
    return slope


def error(yours, right):
    """The largest difference, relative to the largest entry."""
    return float(np.abs(yours - right).max() / np.abs(right).max())


# %% [markdown]
# How large should the step be? Too large, and the curve bends; too small, and rounding eats the difference. In
# float32 there is hardly a good place at all, which is why gradients are checked in float64.

# %%
steps = 10.0 ** -np.arange(0, 13)
point = np.random.default_rng(0).standard_normal(20)
figure, axes = plt.subplots(figsize=(7, 3.4), layout="constrained")
best = {}
for dtype, color in ((np.float64, BLUE), (np.float32, VERMILION)):
    x = point.astype(dtype)
    right = np.cos(point)
    slopes = [(np.sin(x + dtype(s)) - np.sin(x - dtype(s))) / dtype(2 * s) for s in steps]
    errors = [max(error(slope.astype(float), right), 1e-17) for slope in slopes]
    best[dtype.__name__] = min(errors)
    axes.loglog(steps, errors, "o-", color=color, label=dtype.__name__)
axes.set(xlabel="step", ylabel="relative error of the derivative of sin")
axes.legend(frameon=False)
axes.spines[["top", "right"]].set_visible(False)
show(figure)
expect("L05.best_error_float64", best["float64"], below=1e-9)
expect("L05.best_error_float32", best["float32"], above=1e-6, below=1e-2)

# %% [markdown]
# *A valley in each: left of it rounding, right of it the bend of the curve. float32's valley is a million times higher.*
#
# ## Linear
#
# $y_{nf} = \sum_c x_{nc} w_{cf} + b_f$. One $x_{nc}$ touches every $y_{nf}$ of its row, each through $w_{cf}$. So
#
# $$dx_{nc} = \sum_f dy_{nf}\, w_{cf}, \qquad dw_{cf} = \sum_n x_{nc}\, dy_{nf}, \qquad db_f = \sum_n dy_{nf}$$
#
# or, as matrices, $dx = dy\, w^T$ and $dw = x^T dy$. The bias is added to *every* row, so its gradient is a **sum over
# rows**. Whatever is used many times in the forward is summed in the backward: remember this sentence.

# %%
rng = np.random.default_rng(1)
x, w, b = rng.standard_normal((4, 3)), rng.standard_normal((3, 5)), rng.standard_normal(5)
dy = rng.standard_normal((4, 5))
errors = {
    "dx = dy @ w.T": error(dy @ w.T, numeric(lambda x: x @ w + b, x, dy)),
    "dw = x.T @ dy": error(x.T @ dy, numeric(lambda w: x @ w + b, w, dy)),
    "db = dy.sum(axis=0)": error(dy.sum(axis=0), numeric(lambda b: x @ w + b, b, dy)),
}
expect("L05.linear", max(errors.values()), below=1e-7)
table(["derived line", "relative error"], [(line, f"{e:.0e}") for line, e in errors.items()])

# %%
show_source(linear_backward, docstring=False)

# %% [markdown]
# (`weight_gradient` is $x^T dy$; a weight that is frozen gets none. N is the number of all rows, of all texts together.)
#
# ## Softmax
#
# $p_i = e^{x_i} / \sum_j e^{x_j}$. Every $x_j$ moves every $p_i$: $\frac{\partial p_i}{\partial x_j} = p_i(\delta_{ij} - p_j)$.
# Multiply by $dy$ and sum:
#
# $$dx_j = p_j \Big(dy_j - \sum_i dy_i\, p_i\Big)$$
#
# A popular mistake is $dx = p(1-p)\,dy$, the diagonal alone. Adding the same number to all $x$ changes nothing, so the
# gradient must **sum to zero** over a row. This is a structural zero: it costs nothing to check.

# %%
x, dy = rng.standard_normal((3, 6)), rng.standard_normal((3, 6))
p = softmax_forward(x)[0]
dx = p * (dy - (dy * p).sum(axis=-1, keepdims=True))
truth = numeric(lambda x: softmax_forward(x)[0], x, dy)
expect("L05.softmax", error(dx, truth), below=1e-7)
expect("L05.softmax_diagonal_alone", error(p * (1 - p) * dy, truth), above=0.05)
expect("L05.softmax_row_sums", np.abs(dx.sum(axis=-1)).max(), below=1e-12)

# %%
show_source(softmax_backward, docstring=False)

# %% [markdown]
# ## Layer norm, and why ones prove nothing
#
# $n = (x - \mu)/\sigma$, $y = g\,n + b$. Every $x_i$ moves its own $n_i$, but also the row's mean and the row's
# standard deviation. Three paths, three terms, with $h = dy \cdot g$:
#
# $$dx = \frac{1}{\sigma}\Big(h \;-\; \overline{h} \;-\; n\,\overline{h\,n}\Big)$$

# %%
x, g, b = 3 * rng.standard_normal((4, 6)), rng.uniform(0.5, 1.5, 6), rng.standard_normal(6)
dy = rng.standard_normal((4, 6))
sigma = np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)
n = (x - x.mean(axis=-1, keepdims=True)) / sigma
truth = numeric(lambda x: layer_norm_forward(x, g, b)[0], x, dy)


def three_terms(dy, g):
    """Both paths through the statistics."""
    h = dy * g
    return (h - h.mean(axis=-1, keepdims=True) - n * (h * n).mean(axis=-1, keepdims=True)) / sigma


def two_terms(dy, g):
    """The path through the standard deviation forgotten."""
    h = dy * g
    return (h - h.mean(axis=-1, keepdims=True)) / sigma


expect("L05.layer_norm", error(three_terms(dy, g), truth), below=1e-7)
expect("L05.layer_norm_two_terms", error(two_terms(dy, g), truth), above=0.05)
expect("L05.layer_norm_row_sums", np.abs(three_terms(dy, g).sum(axis=-1)).max(), below=1e-12)

# %% [markdown]
# Now the trap. Many tests take `dy = ones`, because then the loss is simply `y.sum()`, and gains of 1, because that is
# how they start. Let us test the *wrong* backward, with two terms, in this way.
#
# **Prediction.** It passes.

# %%
ones = np.ones_like(dy)
flat = numeric(lambda x: layer_norm_forward(x, np.ones(6), b)[0], x, ones)
expect("L05.wrong_under_ones", np.abs(two_terms(ones, np.ones(6)) - flat).max(), below=1e-8)

# %% [markdown]
# With ones, both the true gradient and the wrong one are zero: each row of $n$ sums to zero whatever $x$ is. **A test
# with an upstream gradient of ones cannot see a layer norm that is wrong.** So every check here draws a random one,
# gains away from 1, biases away from 0, and sizes that all differ.

# %%
show_source(layer_norm_backward, docstring=False)

# %% [markdown]
# ## Cross-entropy
#
# $loss = -\log p_{target}$ with $p$ the softmax of the logits. The two derivatives melt into one of the nicest lines
# there are: what the model said minus what it should have said.
#
# $$d\,logits = \frac{p - \text{onehot}(target)}{N}$$

# %%
logits, targets = rng.standard_normal((4, 7)), np.array([2, 0, 6, 2])
derived = (softmax_forward(logits)[0] - np.eye(7)[targets]) / 4
truth = numeric(lambda x: cross_entropy_forward(x, targets)[0], logits, 1.0)
expect("L05.cross_entropy", error(derived, truth), below=1e-7)
ours = cross_entropy_backward(1.0, cross_entropy_forward(logits, targets)[1])
expect("L05.cross_entropy_library", np.abs(ours - derived).max(), below=1e-15)

# %% [markdown]
# ## Embedding
#
# The forward picks rows of a table. The backward puts each gradient back into its row, and a token that occurs twice
# gets **both**. `table[tokens] += dy` in NumPy keeps only the last: it is the commonest bug here.

# %%
tokens, weight = np.array([[1, 3, 1, 0]]), rng.standard_normal((5, 2))
dy = rng.standard_normal((1, 4, 2))
truth = numeric(lambda w: w[tokens], weight, dy)
last_wins = np.zeros_like(weight)
last_wins[tokens] += dy
derived = embedding_backward(dy, embedding_forward(tokens, weight)[1])
expect("L05.embedding", error(derived, truth), below=1e-7)
expect("L05.embedding_last_wins", error(last_wins, truth), above=0.05)
expect("L05.unused_rows", np.abs(derived[[2, 4]]).max(), equal=0)

# %% [markdown]
# ## Attention
#
# Read the forward from its end, one line at a time.
#
# | forward | backward |
# | :--- | :--- |
# | $y = w\,v$ | $dv = w^T dy$, $\;dw = dy\,v^T$ |
# | $w = \text{softmax}(s)$ | $ds = w\,(dw - \sum dw\,w)$ |
# | $s = q\,k^T / \sqrt{D}$ | $dq = ds\,k / \sqrt{D}$, $\;dk = ds^T q / \sqrt{D}$ |
#
# Where the mask forbids, $w = 0$, so $ds = 0$ by itself: nothing flows to the future.

# %%
q, k, v = (rng.standard_normal(shape) for shape in ((1, 1, 4, 3), (1, 1, 5, 3), (1, 1, 5, 3)))
mask, dy = causal_mask(4, 5), rng.standard_normal((1, 1, 4, 3))
s = np.where(mask, q @ k.swapaxes(-1, -2) / np.sqrt(3), -1e30)
w = softmax_forward(s)[0]
dv = w.swapaxes(-1, -2) @ dy
dw = dy @ v.swapaxes(-1, -2)
ds = w * (dw - (dw * w).sum(axis=-1, keepdims=True))
dq = ds @ k / np.sqrt(3)
dk = ds.swapaxes(-1, -2) @ q / np.sqrt(3)
errors = {
    "dq": error(dq, numeric(lambda q: attention_forward(q, k, v, mask=mask)[0], q, dy)),
    "dk": error(dk, numeric(lambda k: attention_forward(q, k, v, mask=mask)[0], k, dy)),
    "dv": error(dv, numeric(lambda v: attention_forward(q, k, v, mask=mask)[0], v, dy)),
}
expect("L05.attention", max(errors.values()), below=1e-6)
expect("L05.masked_scores", np.abs(ds[..., ~mask]).max(), equal=0)

# %% [markdown]
# The library's version, and its check. If a sign in it were wrong, the next cell would fail.

# %%
library = attention_backward(dy, attention_forward(q, k, v, mask=mask)[1])
difference = max(np.abs(a - b).max() for a, b in zip(library, (dq, dk, dv), strict=True))
expect("L05.attention_library", difference, below=1e-12)
check_gradient(attention_forward, attention_backward, q, k, v, mask=mask).raise_if_wrong()
show_source(attention_backward, docstring=False)

# %% [markdown]
# ## Two more rules, and the whole model
#
# * **Residual**: $y = x + f(x)$. Two paths, so $dx = dy + f'(dy)$. The straight path is why deep stacks train.
# * **Tied embedding**: one table, used twice, as embedding and as head; its gradient is the sum of both.
#
# Put together they are the whole backward. A check of every array of a whole transformer, each along a random
# direction and at a few entries:

# %%
small = TransformerConfig(
    vocabulary_size=13, context=7, width=30, layers=2, heads=6, feed_forward_width=11
)
report = check_model(small, samples=1 if quick() else 4)
report.raise_if_wrong()
expect("L05.arrays_checked", len(report.arguments), above=30)
expect("L05.model_error", max(a.max_relative_error for a in report.arguments), below=1e-6)
key_bias = [a for a in report.arguments if a.name.endswith("key.bias")]
expect("L05.key_bias", max(abs(a.numeric) for a in key_bias), below=1e-8)

# %% [markdown]
# The gradient of a *key's bias* is exactly zero: it shifts all scores of a query alike, and softmax does not see a
# shift. A check by relative error alone would stumble over it; that is why there is an absolute tolerance too.
#
# ## The museum of planted bugs
#
# A test is worth what it refuses. The library holds more than a hundred plausible mistakes, and its checks must
# refuse every one. Here they are by operation; all are tried now.

# %%
exhibits = [bug for bug in PLANTED if bug.kind in ("backward", "forward", "optimizer")]
exhibits = exhibits[::6] if quick() else exhibits
refused = {}
for bug in exhibits:
    refused.setdefault(bug.operation, []).append(bug.refusal() is not None)
expect("L05.bugs", len(PLANTED), above=100)
expect(
    "L05.refused", np.mean([answer for answers in refused.values() for answer in answers]), equal=1
)
table(
    ["operation", "mistakes", "refused"],
    [(name, len(a), sum(a)) for name, a in sorted(refused.items())],
)

# %% [markdown]
# Two exhibits deserve a closer look. Both were shipped in public by hand-written NumPy GPTs, **and both passed their
# projects' own tests**, which compared shapes only. In one, the gradient of the keys is never transposed. In the
# other, the gradient of the values uses the weights from *before* dropout.


# %%
def by_words(*words):
    """The planted bug of attention whose explanation holds these words."""
    return next(
        bug
        for bug in PLANTED
        if bug.operation == "attention"
        and bug.kind == "backward"
        and all(word in f"{bug.name} {bug.explanation}".lower() for word in words)
    )


def harm(bug):
    """The relative error of each gradient that the bug gets wrong."""
    arrays, options = find_case(bug.case).inputs()
    forward, backward = OPERATIONS[bug.operation]
    y, cache = forward(*arrays, **options)
    upstream = np.random.default_rng(0).standard_normal(y.shape)
    right = backward(upstream, cache)
    wrong = bug.gradients(arrays, options, upstream)
    return max(
        float(np.linalg.norm(a - b) / np.linalg.norm(b)) if a.shape == b.shape else 1.0
        for a, b in zip(wrong, right, strict=True)
    )


shipped = [by_words("key", "transpos"), by_words("before dropout")]
rows = [(bug.name, harm(bug), bug.explanation) for bug in shipped]
expect("L05.shipped_error", min(row[1] for row in rows), above=0.05)
table(["exhibit", "relative error", "what it is"], rows)

# %%
print(inspect.getsource(shipped[0].wrong))
print("the check says:", shipped[0].refusal())

# %% [markdown]
# How wrong may a gradient be and training still seem to work? Quite wrong: a descent direction is anything that points
# roughly downhill. The loss falls, more slowly and to a worse place, and nobody knows. That is why the number is
# checked, and not the curve.

# %%
sizes = []
for bug in [bug for bug in PLANTED if bug.kind == "backward"]:
    try:
        sizes.append(harm(bug))
    except (ValueError, TypeError):  # a wrong number of gradients has no size
        continue
# A few mistakes give the right numbers the first time, and spoil an input or the cache for the next.
sizes = [size for size in sizes if size > 1e-12]
figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
axes.hist(np.clip(sizes, 1e-2, 10), bins=np.logspace(-2, 1, 25), color=BLUE)
axes.set(xscale="log", xlabel="relative error of the worst gradient", ylabel="planted bugs")
axes.spines[["top", "right"]].set_visible(False)
show(figure)
expect("L05.smallest_harm", min(sizes), above=0.1)

# %% [markdown]
# *All are large: even the smallest is a hundred thousand times what the checker tolerates.*
#
# ## Verdict
#
# There is no claim to judge. But whatever this course says about training, it says with gradients that equal numerical
# derivatives to a millionth, in every operation and in whole models, and PyTorch's to ten digits (in the tests).
#
# ## What this does not show
#
# * That a *forward* is right. A wrong forward can have a perfectly right backward; the forward is compared with a
#   reference separately.
# * That there is no bug left. It shows that a hundred plausible ones would have been seen.
#
# ## Exercises
#
# Write them in `lessons/exercises/05_backprop.py`, then `minigpt grade lessons/exercises/05_backprop.py`. The forwards
# are given.
#
# 1. `linear_backward(dy, cache)` (3 points).
# 2. `softmax_backward(dy, cache)` (4 points).
# 3. `layer_norm_backward(dy, cache)` (5 points).
# 4. `attention_backward(dy, cache)` (5 points).
#
# ## Further reading
#
# * Rumelhart, Hinton & Williams (1986), *Learning representations by back-propagating errors*, Nature 323.
# * Baydin, Pearlmutter, Radul & Siskind (2018), *Automatic Differentiation in Machine Learning: a Survey*, JMLR 18.
# * Ba, Kiros & Hinton (2016), *Layer Normalization*, arXiv:1607.06450.
