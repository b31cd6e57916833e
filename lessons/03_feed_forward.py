# %% [markdown]
# # 03  The feed-forward network
#
# **The claim.** In every layer there is a feed-forward network: two linear layers with a ReLU between them (C11).
#
# **The question.** What does it do, and how would you find out which activation a model has?
#
# **You need.** Lesson 02: attention, which moves information *between* positions.
#
# **Time.** 70 minutes to read; the code runs in 20 s and takes 0.4 GB.

# %%
import math

import matplotlib.pyplot as plt
import numpy as np

from minigpt import Call, Transformer, TransformerConfig
from minigpt.check import check_gradient
from minigpt.course import (
    difference,
    expect,
    prediction,
    quick,
    show,
    show_source,
    spread_table,
    table,
)
from minigpt.measure import uniform_nats, unigram_nats
from minigpt.model.feed_forward import feed_forward_forward
from minigpt.objectives import causal_lm, loss
from minigpt.ops import (
    gated_backward,
    gated_forward,
    gelu_backward,
    gelu_forward,
    linear_forward,
    relu_backward,
    relu_forward,
    silu_backward,
    silu_forward,
)
from minigpt.optim import warmup_cosine
from minigpt.plot import BLUE, GREEN, GREY, VERMILION
from minigpt.plots_layers import feed_forward_flow, hinge_sum
from minigpt.text import BatchSampler, CharacterTokenizer, load_corpus
from minigpt.train import fit

# %% [markdown]
# ## A model that reads letter by letter
#
# We need a model to look into. Four small transformers learn Python's documentation, character by character, from
# three seeds each. They differ in one thing, what stands between the two linear layers. The comparison comes further
# down; first we take the one with ReLU apart.

# %%
corpus = load_corpus("pydocs", progress=False)
documents = [
    corpus.documents[i] for i in np.random.default_rng(0).permutation(len(corpus.documents))
]
characters = CharacterTokenizer.train(documents)
tokens = characters.encode("\n\n".join(documents[:-200])[:600_000])
test = characters.encode("\n\n".join(documents[-200:])[:40_000])
starts = np.linspace(0, len(test) - 33, 20 if quick() else 300).astype(int)
windows = test[starts[:, None] + np.arange(33)].astype(int)
ARMS = {
    "ReLU": {"activation": "relu"},
    "GELU": {"activation": "gelu"},
    "SwiGLU": {"activation": "silu", "gated": True, "feed_forward_width": 128},
    "none": {"activation": "identity"},
}
RATE = 4e-3  # the learning rate at its peak: how far each step goes (lesson 06)
steps, seeds = (5, range(2)) if quick() else (250, range(3))
sizes = {
    "vocabulary_size": characters.vocabulary_size,
    "context": 32,
    "width": 48,
    "layers": 2,
    "heads": 4,
    "init_std": 0.06,
}


def trained(name, seed, rate):
    """A model with the activation `name`, and its parameters after `steps` batches of 8 windows."""
    model = Transformer(TransformerConfig(**sizes, **ARMS[name]))
    params = model.init(np.random.default_rng(seed))
    sampler = BatchSampler(tokens, 32, batch=8, seed=seed)
    batches = (causal_lm(sampler.batch_at(step)) for step in range(steps))
    fit(model, params, batches, warmup_cosine(rate, warmup=5, total=steps))
    return model, params


models = {name: [trained(name, seed, RATE) for seed in seeds] for name in ARMS}

# %% [markdown]
# ## Each position on its own
#
# Attention lets positions exchange what they know. A **feed-forward network** is a function of one position's vector
# alone, and the same at every position. It comes after attention in each layer. A linear layer makes the vector
# wider, usually four times. An activation bends it. A second linear layer makes it as narrow as before.
#
# $$y = a(x\, W_1 + b_1)\, W_2 + b_2$$
#
# A **hidden unit** is one of the numbers between the two layers of a feed-forward network: there is one for each
# column of its first matrix. An **activation** is the function that is applied to each hidden unit by itself. Here it
# is ReLU, $a(u) = \max(u, 0)$. In plain NumPy, on five letters of the held-out text and with what the model has
# learnt:

# %%
model, params = models["ReLU"][0]
place = "blocks.1.feed_forward"
W_1, b_1 = params[f"{place}.up.weight"], params[f"{place}.up.bias"]
W_2, b_2 = params[f"{place}.down.weight"], params[f"{place}.down.bias"]
letters = characters.encode("tuple")[None].astype(int)
seen = {}
model.forward(params, letters, Call(hook=seen.setdefault))
x = seen["blocks.1.residual_mid"][0]
gain, bias = (params[f"blocks.1.feed_forward_norm.{part}"] for part in ("gain", "bias"))
x = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
x = x * gain + bias  # normalized; lesson 04 says why

up = x @ W_1 + b_1  # (T, F): wider
hidden = np.maximum(up, 0)  # (T, F): bent
y = hidden @ W_2 + b_2  # (T, C): as narrow as before
wrong = {"without its biases": float(np.abs(np.maximum(x @ W_1, 0) @ W_2 - y).max())}
expect(
    "L03.three_lines_are_the_model",
    np.abs(y - seen[f"{place}.output"][0]).max(),
    below=1e-5,
    against=wrong,
)
alone = np.maximum(x[2] @ W_1 + b_1, 0) @ W_2 + b_2  # the third letter without the others
expect(
    "L03.each_position_on_its_own",
    np.abs(alone - seen[f"{place}.output"][0, 2]).max(),
    below=1e-5,
    against=wrong,
)

# %%
figure = plt.figure(figsize=(9, 2.7))
arrays = {"x": x, "up": up, "hidden": hidden, "y": y}
feed_forward_flow(figure, list("tuple"), arrays, (W_1, W_2), "ReLU")
figure.suptitle(
    "Five letters through the network: wider, bent, narrower; no row mixes with another"
)
show(
    figure,
    "Four heat maps joined by arrows: x, 5 letters by 48 numbers; after W_1, 5 by 192; after ReLU the same with every "
    "negative number gone; after W_2, y, 5 by 48 again.",
)

# %% [markdown]
# The library's version. The gated form comes below.

# %%
show_source(feed_forward_forward, docstring=False)

# %% [markdown]
# In a layer like GPT-2's two thirds of the parameters are here: the network's matrices hold $8 C^2$, those of attention
# $4 C^2$.

# %%
count = {part: 0 for part in ("feed_forward.", "attention.")}
for name in params:
    for part in count:
        if name.startswith("blocks.1.") and part in name and name.endswith("weight"):
            count[part] += params[name].size
share = count["feed_forward."] / sum(count.values())
expect("L03.share_of_weights", share, above=0.66, below=0.67, against={"a half": 0.5})

# %% [markdown]
# ## Why bend at all?
#
# Without an activation two linear layers are *one*: $(x W_1) W_2 = x\, (W_1 W_2)$. The greater width would buy
# nothing.

# %%
rng = np.random.default_rng(0)
first, second, some = (rng.standard_normal(s) for s in ((8, 32), (32, 8), (5, 8)))
expect(
    "L03.two_linear_layers_are_one",
    np.abs(some @ first @ second - some @ (first @ second)).max(),
    below=1e-12,
)

# %% [markdown]
# ## Hinges
#
# What does the bending buy? Take a network with one number in and one number out. Each hidden unit is $\max(wx+b,0)$.
# A **hinge** is a line that is flat on one side of a point and has a slope on the other. The second layer adds up
# hinges, each with a factor. So a ReLU network draws a line of straight pieces, and each unit adds one bend.
#
# We can write the weights down. To go through given points, each hinge sits at a point and adds the *change of slope*
# that is needed there. No training is involved.

# %%


def hinges(xs, ys):
    """The two layers of a ReLU network through the points (xs, ys): one hinge in each but the last."""
    slopes = np.diff(ys) / np.diff(xs)
    first, first_bias = np.ones((1, len(slopes))), -xs[:-1]  # hinge i begins at xs[i]
    second, second_bias = np.diff(slopes, prepend=0)[:, None], ys[:1]
    return first, first_bias, second, second_bias


def network(x, first, first_bias, second, second_bias):
    """x: (N, 1) -> (N, 1)."""
    return np.maximum(x @ first + first_bias, 0) @ second + second_bias


line = np.linspace(0, 2 * np.pi, 801)[:, None]
knots = np.linspace(0, 2 * np.pi, 9)
layers = hinges(knots, np.sin(knots))
drawn = network(line, *layers)
expect(
    "L03.hinges_go_through_the_points",
    np.abs(drawn[:, 0] - np.interp(line[:, 0], knots, np.sin(knots))).max(),
    below=1e-12,
)
bent, _ = relu_forward(linear_forward(line, layers[0], layers[1])[0])
library, _ = linear_forward(bent, layers[2], layers[3])
expect("L03.hinges_are_the_library", np.abs(drawn - library).max(), below=1e-12)

# %%
figure, panels = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
each = np.maximum(line @ layers[0] + layers[1], 0) * layers[2][:, 0]  # (N, 8)
points = np.stack([knots, np.sin(knots)], axis=1)
hinge_sum(*panels, line[:, 0], each, np.sin(line[:, 0]), points)
figure.suptitle("A ReLU network adds up hinges to a curve")
show(
    figure,
    "Left: eight lines that are zero up to a point of their own and then rise or fall. Right: their sum, a line of "
    "eight straight pieces that follows the curve of a sine.",
)

# %% [markdown]
# **Prediction.** Twice as many hinges leave a quarter of the error, since a straight piece misses a curve by an
# amount that goes with the square of its length. And ReLU hinges can draw *GELU*, too.

# %%
curves = {"sin": (np.sin, 0.0, 2 * np.pi), "GELU": (lambda x: gelu_forward(x)[0], -4.0, 4.0)}
errors = {}
for name, (curve, low, high) in curves.items():
    points = np.linspace(low, high, 4001)
    for count in (8, 16, 32, 64):
        knots = np.linspace(low, high, count + 1)
        drawn = network(points[:, None], *hinges(knots, curve(knots)))[:, 0]
        errors[name, count] = float(np.abs(drawn - curve(points)).max())
table(
    ["hinges", *(f"largest error for {name}" for name in curves)],
    [(count, *(errors[name, count] for name in curves)) for count in (8, 16, 32, 64)],
    digits=4,
)

# %%
ratios = [errors[name, n] / errors[name, 2 * n] for name in curves for n in (16, 32)]
for what, ratio in (("smallest", min(ratios)), ("largest", max(ratios))):
    expect(f"L03.error_ratio_{what}", ratio, above=3.5, below=4.5, against={"half the error": 2.0})
prediction(
    "L03.twice_the_hinges",
    "twice as many hinges leave a quarter of the error, to an eighth of that",
    all(3.5 < ratio < 4.5 for ratio in ratios),
)

# %% [markdown]
# With many inputs a hinge is a fold along a line, a plane, and so on: each unit splits the space of vectors in two,
# and answers on one side only. That any continuous function can be approached like this, given enough units, is known
# since Leshno et al. (1993), for every activation that is not a polynomial. It says nothing on how many units, or on
# whether training finds them.
#
# ## Keys and values
#
# There is another way to read the same formula. Write it unit by unit:
#
# $$y = b_2 + \sum_i a(x \cdot k_i + b_{1,i})\; v_i$$
#
# where $k_i$ is column i of $W_1$ and $v_i$ is row i of $W_2$. Each unit compares $x$ with its key, and hands over
# its value in proportion. That is almost attention (Geva et al., 2021). Two things differ: keys and values are learnt
# once and do not come from the text, and there is no softmax, so any number of units can answer.

# %%
unit_by_unit = b_2 + sum(
    np.maximum(x @ W_1[:, i] + b_1[i], 0)[:, None] * W_2[i] for i in range(W_1.shape[1])
)
expect("L03.sum_of_values", np.abs(unit_by_unit - y).max(), below=1e-5, against=wrong)

# %% [markdown]
# If so, a value should say something about the *next* letter in those places in which its key answers. We read a
# value as letters: its product with each letter's vector in the output table. Then we take, of each unit, the ten
# places of the held-out text at which it answers most strongly, and ask how often the letter that follows is among
# the three that its value raises most.
#
# *What else could give a high share?* Frequent letters: a value that raises the space is right often, whatever its
# key. So the control gives each key the value of *another* unit.
#
# **Prediction.** The share is higher with a unit's own value than with another's, on all seeds.

# %%
inputs, targets = windows[:, :-1], windows[:, 1:]


def keys_and_values(model, params, rng):
    """Of the last block: how often a value's three letters hold the next one, for its own key and for another's."""
    seen = {}
    model.forward(params, inputs, Call(hook=seen.setdefault))
    hidden = seen[f"{place}.hidden"].reshape(-1, W_1.shape[1])  # (places, F)
    values = params[f"{place}.down.weight"] * params["final_norm.gain"]
    raised = (values @ params["token_embedding.weight"].T).argsort(axis=1)[:, -3:]  # (F, 3)
    strongest = hidden.argsort(axis=0)[-10:]  # (10, F): places
    follows = targets.reshape(-1)[strongest]  # (10, F)
    others = rng.permutation(len(raised))
    own, another = (
        (follows[:, :, None] == r).any(axis=-1).mean() for r in (raised, raised[others])
    )
    return float(own), float(another), strongest, raised, hidden


read = [keys_and_values(*one, np.random.default_rng(7)) for one in models["ReLU"]]
own, another = [one[0] for one in read], [one[1] for one in read]
spread_table(
    {"its own value": own, "the value of another unit": another},
    name="share of places at which the next letter is raised",
)

# %%
print("own less another:", difference(own, another))
prediction(
    "E08.values_speak_of_what_follows",
    "a unit's value raises the letter that follows where its key answers, more than another unit's value does",
    difference(own, another).low > 0,
)

# %% [markdown]
# The table shows some of the units for which that holds best, with the twelve characters before each of their
# strongest places and the letters that their values raise:

# %%
_, _, strongest, raised, hidden = read[0]
hits = (targets.reshape(-1)[strongest][:, :, None] == raised).any(axis=-1).mean(axis=0)
rows = []
for unit in hits.argsort(kind="stable")[::-1][:6]:
    texts = []
    for position in strongest[::-1, unit][:3]:
        row, column = divmod(int(position), inputs.shape[1])
        texts.append(repr(characters.decode(inputs[row, max(0, column - 11) : column + 1])))
    letters = " ".join(repr(characters.decode([i])) for i in raised[unit][::-1])
    rows.append((f"unit {unit}", ", ".join(texts), letters))
table(["", "its key answers after", "its value raises"], rows)

# %% [markdown]
# Beware: these are the best of 192, chosen for being readable. The table above it, over *all* units and with its
# control, is the evidence.
#
# ## Four activations
#
# * **ReLU** is $\max(x, 0)$ (Nair & Hinton, 2010): what is negative becomes exactly zero.
# * **GELU** is $x \cdot P(\text{a standard normal number} < x)$, a ReLU with a soft corner (Hendrycks & Gimpel,
#   2016).
# * **SiLU** is $x \cdot \sigma(x)$, with $\sigma(x) = 1 / (1 + e^{-x})$.
# * **SwiGLU** has *two* first matrices, and one of them, through SiLU, is a gate for the other: $\text{silu}(x W_g)
#   \odot x W_u$ (Shazeer, 2020).
#
# Two of them by hand, beside the library's. For GELU the chance is left to the standard library's `erf`, and the inputs of
# SwiGLU are what two first matrices made of one $x$:


# %%
def gelu(x):
    """(N,) -> (N,)."""
    below = [0.5 * (1 + math.erf(one / math.sqrt(2))) for one in x]  # P(standard normal < x)
    return x * np.array(below)


def swiglu(gate, up):
    """silu(gate) times up. Both (N, F)."""
    silu = gate / (1 + np.exp(-gate))
    return silu * up


some = np.linspace(-5, 5, 101)
expect("L03.gelu_by_hand", np.abs(gelu(some) - gelu_forward(some)[0]).max(), below=1e-6)
gate, up = (rng.standard_normal((5, 8)) @ rng.standard_normal((8, 12)) for _ in range(2))
expect(
    "L03.swiglu_by_hand", np.abs(swiglu(gate, up) - gated_forward(gate, up)[0]).max(), below=1e-9
)

# %%
points = np.linspace(-4, 4, 8001)
figure, panels = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
curves = {
    "ReLU": (relu_forward, relu_backward, VERMILION),
    "GELU": (gelu_forward, gelu_backward, BLUE),
    "SiLU": (silu_forward, silu_backward, GREEN),
}
drawn = {}
for name, (forward, backward, color) in curves.items():
    drawn[name], cache = forward(points)
    panels[0].plot(points, drawn[name], color=color, label=name)
    panels[1].plot(points, backward(np.ones_like(points), cache), color=color)
panels[0].set(title="activation", xlabel="x", ylim=(-0.6, 4))
panels[1].set(title="derivative", xlabel="x")
panels[0].legend(frameon=False)
for axes in panels:
    axes.axhline(0, color=GREY, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
figure.suptitle("Three activations differ near zero; ReLU's slope jumps")
show(
    figure,
    "Left: three curves that are near 0 on the left and near x on the right. Right: their slopes. That of ReLU jumps "
    "from 0 to 1; those of GELU and SiLU dip below 0 and rise above 1 for a while.",
)

# %%
pairs = (("GELU", "ReLU"), ("GELU", "SiLU"), ("SiLU", "ReLU"))
apart = {pair: float(np.abs(drawn[pair[0]] - drawn[pair[1]]).max()) for pair in pairs}
table(["curves", "largest distance"], [(f"{a} and {b}", d) for (a, b), d in apart.items()])

# %% [markdown]
# GELU is nearer to ReLU than to SiLU, though SiLU *looks* like its twin: corners catch the eye, distances do not.

# %%
expect(
    "L03.gelu_to_relu",
    apart["GELU", "ReLU"],
    above=0.169,
    below=0.171,
    against={"GELU to SiLU": apart["GELU", "SiLU"]},
)

# %% [markdown]
# Each activation has a *backward*, which computes its slope, and we check it against *central differences*: slopes that
# are measured by a small step to both sides (lesson 05).

# %%
points = np.concatenate([rng.uniform(-3, -0.1, 10), rng.uniform(0.1, 3, 10)])
pairs = {
    "ReLU": (relu_forward, relu_backward, (points,)),
    "GELU": (gelu_forward, gelu_backward, (points,)),
    "SiLU": (silu_forward, silu_backward, (points,)),
    "SwiGLU": (gated_forward, gated_backward, (points, points[::-1].copy())),
}
worst = {}
for name, (forward, backward, given) in pairs.items():
    report = check_gradient(forward, backward, *given)
    report.raise_if_wrong()
    worst[name] = max(part.max_relative_error for part in report.arguments)
expect("L03.gradient_error", max(worst.values()), below=1e-6)
show_source(gated_backward, docstring=False)

# %% [markdown]
# ## Which one is it? (experiment E08)
#
# Now the four models. SwiGLU has three matrices instead of two, so its network is narrower, 128 instead of 192, and
# all four have the same number of parameters to a few in a thousand. Text, steps and seeds are the same.
#
# What else could make one activation look better? The *learning rate*, which says how far a step of training moves the
# parameters (lesson 06): one activation may like a larger step than the other. So
# ReLU, GELU and none are compared at two more rates, half of the first and one and a half times it. What having none
# costs must be measured at the *same* rate as the gap that it is compared with.
#
# **Prediction.** By *loss*, whether there is ReLU or GELU matters less than whether there is any activation, at every
# rate. By looking *inside*, at the hidden units, the two can be told apart at once: ReLU makes exact zeros.


# %%
def held_out(model, params):
    """Nats per character of the held-out text."""
    return loss(model, params, causal_lm(windows))


losses = {name: [held_out(*one) for one in runs] for name, runs in models.items()}
unigram = unigram_nats(tokens, test, characters.vocabulary_size)
uniform = uniform_nats(characters.vocabulary_size)
spread_table({**losses, "unigram": [unigram], "uniform": [uniform]}, name="held-out loss (nats)")

# %%
at_rate = {RATE: losses}
for rate in (RATE / 2, 1.5 * RATE):
    at_rate[rate] = {
        name: [held_out(*trained(name, seed, rate)) for seed in seeds]
        for name in ("ReLU", "GELU", "none")
    }
gaps = {rate: difference(one["GELU"], one["ReLU"]) for rate, one in at_rate.items()}
costs = {rate: difference(one["none"], one["ReLU"]) for rate, one in at_rate.items()}
table(
    ["learning rate", "GELU less ReLU (nats)", "none less ReLU (nats)"],
    [(f"{rate:g}", str(gaps[rate]), str(costs[rate])) for rate in sorted(gaps)],
)

# %%
print("GELU less SwiGLU:", difference(losses["GELU"], losses["SwiGLU"]))
zeros, counts = {}, {}
for name, runs in models.items():
    zeros[name] = []
    for model, params in runs:
        seen = {}
        model.forward(params, inputs, Call(hook=seen.setdefault))
        zeros[name].append(float(np.mean(seen[f"{place}.hidden"] == 0)))
        counts[name] = params.flat.size
spread_table(zeros, name="share of hidden units that are exactly 0")

# %%
widest = max(abs(gap.mean) for gap in gaps.values())
bounds = max(max(abs(gap.low), abs(gap.high)) for gap in gaps.values())
cheapest = min(cost.mean for cost in costs.values())
print(f"the largest gap is {widest:.3f}; gaps up to {bounds:.3f} are not excluded")
pairs = np.concatenate([np.subtract(one["GELU"], one["ReLU"]) for one in at_rate.values()])
print(f"GELU is behind in {(pairs > 0).sum()} of {len(pairs)} pairs of the same seed and rate")
print(f"the least that having none costs is {cheapest:.3f}, as a mean")
expect(
    "L03.parameters_apart",
    max(counts.values()) / min(counts.values()),
    below=1.01,
    against={"a third more": 4 / 3},
)
expect(
    "E08.relu_gelu_gap",
    widest,
    below=0.06,
    against={} if quick() else {"what having none costs": costs[RATE].mean},
    full_only=True,
)
expect(
    "E08.without_activation",
    costs[RATE].low,
    above=0.001,
    against={"no cost": 0.0},
    full_only=True,
)
expect("E08.relu_zeros", min(zeros["ReLU"]), above=0.3, against={"the others": max(zeros["GELU"])})
for name in ("GELU", "SwiGLU"):
    expect(
        f"E08.{name.lower()}_zeros",
        max(zeros[name]),
        below=0.01,
        against={"ReLU": min(zeros["ReLU"])},
    )
prediction(
    "E08.smaller_than_none",
    "whether ReLU or GELU matters less than whether there is any activation, at every rate",
    all(abs(gaps[rate].mean) < costs[rate].mean for rate in gaps),
)

# %%
figure, panels = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
for at, (name, values) in enumerate(losses.items()):
    panels[0].plot([at] * len(values), values, "o", color=BLUE, alpha=0.6)
    panels[0].plot([at - 0.2, at + 0.2], [np.mean(values)] * 2, color=BLUE, linewidth=2)
    panels[1].plot(
        [at] * len(values), zeros[name], "o", color=VERMILION if name == "ReLU" else BLUE
    )
panels[0].set(ylabel="held-out loss (nats per character)", title="by loss: the three overlap")
panels[1].set(ylabel="share of exact zeros", ylim=(-0.05, 1), title="by looking inside: no doubt")
for axes in panels:
    axes.set_xticks(range(4), ARMS)
    axes.spines[["top", "right"]].set_visible(False)
figure.suptitle("Loss hardly tells activations apart; the hidden units do", fontsize=11)
show(
    figure,
    "Left: held-out loss of four arms, a dot for each seed and a bar for the mean. ReLU, GELU and SwiGLU overlap, "
    "none is higher, though its lowest dot is among those of GELU. Right: the share of hidden units that are exactly "
    "zero, more than a half with ReLU and zero with the others.",
)

# %% [markdown]
# So the article's statement is one that could be *decided at once* by anyone who can look at activations, and
# hardly at all by anyone who sees answers only. Mind what the zeros say: that *something* cuts off at zero. They
# tell ReLU from these three, and not from its square, say, which Primer has (So et al., 2021); for that one needs
# the values.
#
# Read the loss for what it is. Each interval of the second column holds zero: taken by themselves, three seeds
# cannot tell ReLU from GELU. That is not the same as *no difference*: the line that begins with "the largest gap"
# says how large a gap they leave open. And the two arms of a pair read the same batches, so that what is hard about
# a seed is taken off. GELU is behind in every pair. They are no independent votes, since the seeds are the same at
# all rates; but after so few steps ReLU seems to be a little ahead. Such a gap is no way to find out from outside
# what a model has: nobody has its twin with the other activation. *None* is behind at every rate, by several times
# as much; at the highest rate its interval holds zero, too, since seeds differ most there.
#
# ## The strongest objection
#
# *"ReLU is alive, so the article may well be right."* It is alive. OPT has it, and Mirzadeh et al. (2023) put it back
# into models that had another activation, with little loss, because zeros need no computation and so save time. That
# ReLU is old is no argument against it, and we use none of that kind. The verdict rests on the code and papers of the
# *family*: each member whose code is public has something else. For GPT-5.5 nothing is public.
#
# *"GELU and ReLU are nearly the same, so the statement is nearly right."* By loss, nearly, as measured above. But the
# statement is about which function stands there, and it is wrong about the count of linear layers as well where a
# gate is used.
#
# ## Verdict
#
# **C11: contradicted for the family; unverifiable for GPT-5.5.** ReLU is the recipe of 2017 (Vaswani et al., and
# Tensor2Tensor's code). GPT-1's code defaults to GELU, GPT-2's calls `gelu`, BERT's default is `gelu`; T5 v1.1
# replaced ReLU by a gated form. gpt-oss has SwiGLU inside a layer of 128 *experts*, networks of which each token uses a
# few (lesson 10), so that neither "two linear layers"
# nor "one network in each layer" holds. GPT-5.5's activation is undisclosed.
#
# ## What this does not show
#
# * That activations never matter for quality. Shazeer (2020) reports gains for gated forms, and offers no explanation
#   beyond "divine benevolence".
# * That a small gap is no gap. Three seeds of a small model at 250 steps cannot see one below what the table leaves
#   open.
# * What a hidden unit *means*. That its value fits its key better than another's does is a tendency over all units.
#
# ## Exercises
#
# Write them in `exercises/03_feed_forward.py`, in this notebook's folder, then run there
# `minigpt grade exercises/03_feed_forward.py`.
#
# 1. `relu_forward(x)` and `relu_backward(dy, cache)` (2 points).
# 2. `gelu_tanh_backward(dy, cache)` (4 points): GPT-2's GELU; the forward is given.
# 3. `gated_forward(gate, up)` and `gated_backward(dy, cache)` (4 points): SwiGLU.
#
# A backward takes `dy`, how much the loss changes when each entry of y does. It returns how much the loss changes
# when each entry of x does: `dy` times the derivative of the activation at x, entry by entry. Two arguments have a
# gradient each.
#
# ## Further reading
#
# * Vaswani et al. (2017), *Attention Is All You Need*, arXiv:1706.03762, section 3.3.
# * Geva, Schuster, Berant & Levy (2021), *Transformer Feed-Forward Layers Are Key-Value Memories*, arXiv:2012.14913.
# * Hendrycks & Gimpel (2016), *Gaussian Error Linear Units*, arXiv:1606.08415.
# * Shazeer (2020), *GLU Variants Improve Transformer*, arXiv:2002.05202.
# * So et al. (2021), *Primer: Searching for Efficient Transformers for Language Modeling*, arXiv:2109.08668.
# * Mirzadeh et al. (2023), *ReLU Strikes Back: Exploiting Activation Sparsity in Large Language Models*,
#   arXiv:2310.04564.
# * Leshno, Lin, Pinkus & Schocken (1993), *Multilayer feedforward networks with a nonpolynomial activation function
#   can approximate any function*, Neural Networks 6.
# * OpenAI (2025), *gpt-oss model card*, arXiv:2508.10925, and its reference code.
