# %% [markdown]
# # 02  Self-attention
#
# **The claim.** Self-attention lets the model weigh the elements of its input against each other (C10).
#
# **The question.** What exactly is weighed, by what, and which elements may take part? And does a model *use* the
# weighing?
#
# **You need.** Lesson 01: tokens, their vectors, batches, the loss in nats.
#
# **Time.** 95 minutes to read; the code runs in 14 s and takes 0.5 GB.

# %%
import math

import matplotlib.pyplot as plt
import numpy as np

from minigpt import Batch, Call, Transformer, TransformerConfig
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
from minigpt.model.attention import attention_block_forward
from minigpt.objectives import causal_lm, loss, loss_and_gradient
from minigpt.ops import (
    IGNORED,
    attention_backward,
    attention_forward,
    causal_mask,
    layer_norm_forward,
    softmax_forward,
)
from minigpt.optim import warmup_cosine
from minigpt.plot import BLUE, GREY, ORANGE, VERMILION
from minigpt.plots_layers import attention_flow, head_rows, weight_table
from minigpt.train import fit

# %% [markdown]
# ## One sentence
#
# > the keys to the cabinet **?**
#
# Does *is* follow, or *are*? The verb agrees with its subject, *keys*. The nearest noun, *cabinet*, is in the
# singular and misleads. So the model, which stands at *cabinet*, has to fetch something from three words before.
# Linguists test language models with such sentences (Linzen et al., 2016). We follow this one through the lesson.
#
# We make a small language of such sentences: *the NOUN to the NOUN is/are ADJECTIVE*. Both nouns are in the singular
# or in the plural, by chance. A model with *one layer* of attention and one head learns to predict each next word.

# %%
NOUNS = ["key", "cabinet", "door", "window", "letter", "box"]
WORDS = ["the", *NOUNS, "keys", "cabinets", "doors", "windows", "letters", "boxes", "to", "near"]
WORDS += ["behind", "is", "are", "old", "open", "small", "red"]
VERB = 4  # the position at which the model is asked for the verb: that of the second noun


def sentences(rng, count):
    """Sentences of seven words: (count, 7) numbers of words."""
    nouns, plural = rng.integers(1, 7, (2, count)), rng.integers(0, 2, (2, count))
    first, second = nouns + 6 * plural
    the, verb = np.zeros(count, int), WORDS.index("is") + plural[0]
    link, adjective = rng.integers(13, 16, count), rng.integers(18, 22, count)
    return np.stack([the, first, link, the, second, verb, adjective], axis=1)


def numbers(text):
    """The words of a text as a batch of one: (1, T)."""
    return np.array([[WORDS.index(word) for word in text.split()]])


for row in sentences(np.random.default_rng(0), 3):
    print(" ".join(WORDS[i] for i in row))

# %%
SEEDS, steps = range(3), 10 if quick() else 300
reader = Transformer(
    TransformerConfig(
        vocabulary_size=len(WORDS),
        context=8,
        width=24,
        layers=1,
        heads=1,
        head_width=16,
        init_std=0.1,
    )
)


def learn_to_read(seed, call):
    """A reader's parameters after `steps` batches of 32 sentences."""
    params = reader.init(np.random.default_rng(seed), dtype=np.float64)
    draw = np.random.default_rng(10 + seed)
    batches = (causal_lm(sentences(draw, 32)) for _ in range(steps))
    fit(reader, params, batches, warmup_cosine(1e-2, warmup=5, total=steps), call=call)
    return params


readers = [learn_to_read(seed, Call()) for seed in SEEDS]
params = readers[1]  # the clearest picture; the others are compared below
rows = []
for first in ("key", "keys"):
    for second in ("cabinet", "cabinets"):
        text = f"the {first} to the {second}"
        logits = reader.forward(params, numbers(text))[0][0, VERB]
        chance, _ = softmax_forward(logits)
        rows.append((text, *(float(chance[WORDS.index(verb)]) for verb in ("is", "are"))))
table(["so far", "p(is)", "p(are)"], rows)

# %% [markdown]
# The number of *keys* decides, and the number of *cabinet* does not. How does the model at *cabinet* know of *keys*?
#
# ## From an average to a weighted average
#
# The plainest way to hear the other words is to average their vectors. Every word then counts the same. It is better
# to let each position *choose* how much it takes from every other. The weights are positive and sum to 1:
#
# $$y_t = \sum_{s} w_{ts}\, v_s, \qquad \sum_s w_{ts} = 1$$
#
# Where do the weights come from? Each position makes three vectors from its own vector $x_t$, with three learnt
# matrices:
#
# * A **query** is the vector $q_t = x_t W_q$ with which position t asks.
# * A **key** is the vector $k_s = x_s W_k$ with which position s says what it has to offer.
# * A **value** is the vector $v_s = x_s W_v$ that position s hands over to those who look at it.
#
# Where query and key point the same way, the *score* $q_t \cdot k_s$ is high. The softmax of a row of scores gives
# that row's weights. **Self-attention** is attention whose queries, keys and values are all made from the same $x$.
#
# Here is one head, in plain NumPy, on our sentence and with the matrices that the model has learnt. Its input $x$ is
# the vector of each word, normalized; lesson 04 says why. The library's model calls a *hook* with the name and the
# value of each array that it computes; this hook notes them in `seen`.

# %%
words = ["the", "keys", "to", "the", "cabinet"]
seen = {}
reader.forward(params, numbers(" ".join(words)), Call(hook=seen.setdefault))
norm = "blocks.0.attention_norm"
x, _ = layer_norm_forward(seen["embedding"][0], params[f"{norm}.gain"], params[f"{norm}.bias"])


def learnt(name):
    """The matrix and the bias of one projection."""
    place = f"blocks.0.attention.{name}"
    return params[f"{place}.weight"], params[f"{place}.bias"]


(W_q, b_q), (W_k, b_k), (W_v, b_v), (W_o, b_o) = map(learnt, ("query", "key", "value", "output"))

q = x @ W_q + b_q  # (T, D): what each word asks
k = x @ W_k + b_k  # (T, D): what each word offers
v = x @ W_v + b_v  # (T, D): what each word hands over
scores = q @ k.T / math.sqrt(q.shape[1])  # (T, T): row t asks column s
past = np.tri(len(words), dtype=bool)  # True = may attend: itself and what came before
masked = np.where(past, scores, -np.inf)
exps = np.exp(masked - masked.max(axis=1, keepdims=True))  # exp(-inf) is 0
weights = exps / exps.sum(axis=1, keepdims=True)  # (T, T): each row sums to 1
y = weights @ v  # (T, D): each row an average of the rows of v
output = y @ W_o + b_o  # (T, C): back to the width of x

# %% [markdown]
# Is this what the library does? We compare with its operation, and with what the model itself computed.

# %%
ours, _ = attention_forward(q[None, None], k[None, None], v[None, None], mask=causal_mask(5))
inside = seen["blocks.0.attention.output"][0]
expect("L02.ten_lines_are_the_operation", np.abs(y - ours[0, 0]).max(), below=1e-12)
expect("L02.ten_lines_are_the_model", np.abs(output - inside).max(), below=1e-12)

# %%
figure = plt.figure(figsize=(9, 5.2))
arrays = {"x": x, "query": q, "key": k, "value": v, "scores": scores, "weights": weights, "y": y}
attention_flow(figure, words, arrays, {"query": W_q, "key": W_k, "value": W_v})
figure.suptitle("One sentence through one head: x makes the queries, the keys and the values")
show(
    figure,
    "Heat maps joined by arrows. x, 5 words by 24 numbers, goes through three matrices of 24 by 16 and becomes q, k "
    "and v, 5 by 16 each. q and the transposed k give scores, 5 by 5; mask and softmax turn them into weights, "
    "with nothing above the diagonal. Weights and v give y, 5 by 16.",
)

# %% [markdown]
# *Read the figure from left to right. Words mix in one place only: where the 5 by 5 weights meet the values. All else
# works on each word alone.*
#
# What does *cabinet* look at? With equal weights, each of the five words would get 0.2.

# %%
figure, axes = plt.subplots(figsize=(4.6, 3.2), layout="constrained")
weight_table(axes, weights, words, words, "cabinet looks at keys")
axes.set(xlabel="looked at (key)", ylabel="who looks (query)")
show(
    figure,
    "A table of 5 by 5 weights, empty above the diagonal. In the last row, cabinet, most of the weight lies on keys.",
)

# %%
on_subject, on_nearest = [], []
for one in readers:
    look = {}
    reader.forward(one, numbers(" ".join(words)), Call(hook=look.setdefault))
    row = look["blocks.0.attention.weights"][0, 0, VERB]  # of cabinet
    on_subject.append(float(row[1]))
    on_nearest.append(float(row[4]))
ratios = np.divide(on_subject, on_nearest)
expect(
    "L02.subject_over_nearest_noun",
    ratios.min(),
    above=2.0,
    against={"equal weights": 1.0},
    full_only=True,
)
spread_table(
    {"on keys": on_subject, "on cabinet": on_nearest, "equal weights": [0.2]},
    name="weight of cabinet",
)

# %% [markdown]
# We drew the clearest of three seeds. The others put less on *keys*, one of them hardly more than an average would,
# and all of them are right. What they share is that *keys* gets several times the weight of *cabinet*. So a weight is
# no measure of how sure a model is. Is the unequal weight needed at all? We come back to that with a control.
#
# ## Who may be weighed: the mask
#
# The article's sentence leaves something out. A model that predicts the next word must not see it. A **causal mask**
# lets each position see itself and what came before it. In this library a mask is a table of booleans, and `True`
# means "may attend". With True and False exchanged, everything still runs.

# %%
show_source(causal_mask, docstring=False)

# %% [markdown]
# (The second argument is for keys that were kept from earlier calls; in this lesson there are as many keys as
# queries.)
#
# The place of the mask matters. It must hide scores *before* softmax. Somebody who multiplies the weights by the mask
# *afterwards* gets rows that no longer sum to 1. Hidden words still take part, since they have made the other weights
# smaller.

# %%
open_weights, _ = softmax_forward(scores)
figure, panels = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained")
tables = (open_weights, open_weights * past, weights)
titles = ("no mask", "mask after softmax: too late", "mask before softmax")
for axes, picture, title in zip(panels, tables, titles, strict=True):
    weight_table(axes, picture, words, words, title)
show(
    figure,
    "Three tables of weights. Without a mask every field holds a number. Masked after softmax the upper triangle is "
    "empty, but rows sum to less than 1. Masked before softmax it is empty and each row sums to 1.",
)
expect("L02.weight_on_the_future", np.abs(weights[~past]).max(), equal=0)
expect("L02.weights_sum_to_one", np.abs(weights.sum(axis=1) - 1).max(), below=1e-12)
late = (open_weights * past).sum(axis=1)
expect("L02.sum_when_masked_late", late[:-1].max(), below=0.999, against={"a right row": 1.0})

# %% [markdown]
# Two slips are common. With `-inf` a row in which *everything* is masked becomes 0/0, which is NaN; the library uses
# -1e30 and gives such a row zeros. And a masked score of 0 hides nothing, since exp(0) is 1.
#
# ## Why divide by $\sqrt{D}$?
#
# Let the entries of $q$ and $k$ be independent, with mean 0 and variance 1. Their dot product is a sum of D products,
# so its variance is D: the wider the head, the larger the scores. Dividing by $\sqrt{D}$ brings the variance back to
# 1 (Vaswani et al., 2017, section 3.2.1). What would happen without it? We draw a query and eight keys, a thousand
# times, and look at the largest of the eight weights.
#
# **Prediction.** At D = 1,024 the largest weight is almost 1 without the division. With it, it does not depend on D.

# %%
widths, draws = (4, 16, 64, 256, 1024), 1000
largest = {"divided by sqrt(D)": [], "not divided": []}
learning = {"divided by sqrt(D)": [], "not divided": []}
draw = np.random.default_rng(1)
for width in widths:
    asks, offers = draw.standard_normal((draws, 1, width)), draw.standard_normal((draws, 8, width))
    dots = (asks @ offers.swapaxes(1, 2))[:, 0]  # (draws, 8)
    for name, divisor in (("divided by sqrt(D)", math.sqrt(width)), ("not divided", 1.0)):
        w, _ = softmax_forward(dots / divisor)
        largest[name].append(float(w.max(axis=1).mean()))
        learning[name].append(float((w * (1 - w)).sum(axis=1).mean()))  # slope of each weight
headers = ["D", *(f"{what}, {name}" for what in ("largest weight", "slope") for name in largest)]
table(headers, [*zip(widths, *largest.values(), *learning.values(), strict=True)])

# %%
one = draw.standard_normal((9, 1024))
dots = one[1:] @ one[0]
figure, panels = plt.subplots(1, 2, figsize=(8, 3), layout="constrained", sharey=True)
for axes, divisor, title in zip(
    panels,
    (1.0, 32.0),
    ("scores q . k: one key takes all", "q . k / 32: the others count, too"),
    strict=True,
):
    axes.bar(range(8), softmax_forward(dots / divisor)[0], color=BLUE)
    axes.set(xlabel="key", ylim=(0, 1.05))
    axes.set_title(title, fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
panels[0].set(ylabel="weight")
figure.suptitle("Softmax of eight scores at D = 1,024, without and with 1/sqrt(D)", fontsize=11)
show(
    figure,
    "Two bar charts of eight weights from the same query and keys of width 1,024. Without division one bar is near 1 "
    "and the rest are near 0. Divided by 32 the same bar is the highest, and others have a share.",
)
expect(
    "L02.largest_weight_undivided",
    largest["not divided"][-1],
    above=0.9,
    against={"divided": largest["divided by sqrt(D)"][-1]},
)
expect(
    "L02.largest_weight_divided",
    largest["divided by sqrt(D)"][-1],
    below=0.5,
    against={"undivided": largest["not divided"][-1]},
)
prediction(
    "L02.division_keeps_the_weights_even",
    "at D = 1,024 the largest of eight weights is above 0.9 undivided; divided, it is the same at all widths to 0.05",
    largest["not divided"][-1] > 0.9 and np.ptp(largest["divided by sqrt(D)"]) < 0.05,
)

# %% [markdown]
# The slope is $\sum_i w_i (1 - w_i)$, how much the weights move when the scores do. Without the division it goes
# towards zero as D grows. Learning needs that slope: where it is zero, nobody tells the query to look elsewhere. This
# is about *fresh* matrices. A model could learn smaller ones in time; the division saves it the trouble.
#
# ## The library's version
#
# It does the same for all heads of all sequences at once, and for 64 queries at a time, so that the scores stay in
# the processor's cache. The loop over `_weights` is the middle of the ten lines: scores, mask, softmax.

# %%
show_source(attention_forward, docstring=False)

# %% [markdown]
# ## Heads: cut, then swap
#
# One set of weights looks at one thing at a time. So a vector is cut into H parts, and each part attends with weights
# of its own. A **head** is attention on one part of the width, of size D, with queries, keys, values and weights of
# its own. The array goes from (B, T, H D) to (B, H, T, D).
#
# Many go wrong here. A reshape straight to (B, H, T, D) *runs* as well, and it mixes the words. We colour each number
# of our sentence, of width 6 for once, by the word that it belongs to:

# %%
owners = np.repeat(np.arange(5), 6).reshape(1, 5, 6)  # (B, T, C): which word each number is from
right = owners.reshape(1, 5, 2, 3).swapaxes(1, 2)  # (B, H, T, D): cut the width, then swap
wrong = owners.reshape(1, 2, 5, 3)  # the same shape, but...
figure, panels = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
head_rows(panels[0], right[0], words, "cut and swap: each row is one word's")
head_rows(panels[1], wrong[0], words, "reshape alone: rows of the wrong words")
show(
    figure,
    "Two pictures of two heads with five rows each. After cut and swap, each row holds three numbers of its own word. "
    "After a reshape alone, the row of keys holds numbers of the word before it, and head 1 begins with another word.",
)
astray = int((wrong != np.arange(5)[:, None]).any(axis=-1).sum())
print(f"{astray} of 10 rows hold numbers of the wrong word")
expect("L02.rows_of_the_wrong_word", astray, equal=8)

# %% [markdown]
# With the reshape, a head compares the wrong words, the causal mask hides the wrong ones, and the loss still falls.
# So a test must compare *numbers*, not only shapes. Two heads in a loop, against the library:

# %%
rng = np.random.default_rng(3)
x2, (W2_q, W2_k, W2_v) = rng.standard_normal((5, 6)), rng.standard_normal((3, 6, 6))
Q, K, V = x2 @ W2_q, x2 @ W2_k, x2 @ W2_v  # (T, H * D), H = 2, D = 3
by_hand = []
for columns in (slice(0, 3), slice(3, 6)):  # a head is D entries side by side
    s = np.where(past, Q[:, columns] @ K[:, columns].T / math.sqrt(3), -np.inf)
    e = np.exp(s - s.max(axis=1, keepdims=True))
    by_hand.append(e / e.sum(axis=1, keepdims=True) @ V[:, columns])
cut = [a.reshape(1, 5, 2, 3).swapaxes(1, 2) for a in (Q, K, V)]
both, _ = attention_forward(*cut, mask=past)  # (B, H, T, D)
together = both.swapaxes(1, 2).reshape(5, 6)  # back: the heads side by side
expect("L02.heads_by_hand", np.abs(np.concatenate(by_hand, axis=1) - together).max(), below=1e-12)

# %% [markdown]
# In the whole model, attention is these few lines: project, cut into heads, attend, put together, project.

# %%
show_source(attention_block_forward, docstring=False)

# %% [markdown]
# ## The leak probe
#
# A **leak** is any way in which a position learns of a token that comes after it. The shortest test for one: change a
# token. Every output before it must stay the same *to the last bit*. Every output from it on must move, or the test
# was blind.
#
# At how many places must one change a token? Suppose that one place leaks: in the second layer, position 5 also looks
# at position 7. We probe a random model with and without this leak, once at position 9 and then at every position.
#
# **Prediction.** The probe at position 9 passes both models. The probe at every position passes the right one alone.

# %%
LENGTH = 16
probed = Transformer(
    TransformerConfig(vocabulary_size=50, context=130, width=32, layers=2, heads=4, init_std=0.2)
)


def peek(name, x):
    """A leak: in the second layer, position 5 takes a tenth from position 7."""
    if name == "blocks.1.attention.weights":
        x = x.copy()
        x[:, :, 5] *= 0.9
        x[:, :, 5, 7] = 0.1
    return x


def changes(model, params, length, seed, call):
    """(T, T): the largest change of an output of position t (row) when the token at s (column) changes."""
    rng = np.random.default_rng(seed)
    before = np.tile(rng.integers(0, 50, length), (length, 1))  # a copy for each place
    after = before.copy()
    places = np.arange(length)
    after[places, places] = (after[places, places] + rng.integers(1, 50, length)) % 50
    moved = model.forward(params, after, call)[0] - model.forward(params, before, call)[0]
    return np.abs(moved).max(axis=-1).T


fresh = probed.init(np.random.default_rng(0))
right = changes(probed, fresh, LENGTH, 1, Call())
leaky = changes(probed, fresh, LENGTH, 1, Call(hook=peek))
figure, panels = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
for axes, moved, title in zip(panels, (right, leaky), ("causal", "with one leak"), strict=True):
    axes.imshow(moved > 0, cmap="Blues", vmin=0, vmax=1.3)
    axes.axvline(9, color=VERMILION, linewidth=1.2)
    axes.set(xlabel="token that is changed", xticks=range(0, 16, 2), yticks=range(0, 16, 2))
    axes.set_title(title, fontsize=10)
panels[0].set(ylabel="output that moves")
figure.suptitle(
    "Only the probe at every place finds the leak; the one at 9 (line) does not", fontsize=11
)
show(
    figure,
    "Two 16 by 16 tables; a field is blue if an output moves when a token is changed. In the causal model exactly the "
    "lower triangle is blue. With the leak the fields of output 5 for tokens 6 and 7 are blue, too, above the diagonal; "
    "the column of token 9 looks the same in both.",
)

# %%
future = np.triu(np.ones((LENGTH, LENGTH), bool), 1)
found = [(int(t), int(s)) for t, s in np.argwhere((leaky > 0) & future)]
print("the leak, as (output, token):", found)
expect("L02.change_before", right[future].max(), equal=0)
expect("L02.change_after", right[~future].min(), above=1e-5, against={"a blind probe": 0.0})
expect("L02.leaks_found", len(found), above=1, against={"a blind probe": 0})
prediction(
    "L02.one_place_is_not_enough",
    "the probe at position 9 sees no leak, the probe at every position does",
    not leaky[:9, 9].any() and bool(found),
)

# %% [markdown]
# Token 6 is seen as well: position 7 had heard of it in the first layer. A leak in one layer carries along all that
# its source knows.
#
# A probe shows what it asks for, and no more. So we ask for more: three models with random parameters, other tokens,
# and a text of 130 tokens. The library takes 64 queries at a time, and a mistake at the seam would show in long texts
# only.

# %%
worst, least = 0.0, np.inf
length = 66 if quick() else 130
for seed in SEEDS:
    moved = changes(probed, probed.init(np.random.default_rng(seed)), length, 20 + seed, Call())
    worst = max(worst, float(moved[np.triu(np.ones(moved.shape, bool), 1)].max()))
    least = min(least, float(moved[np.tri(length, dtype=bool)].min()))
expect("L02.change_before_anywhere", worst, equal=0)
expect("L02.change_after_anywhere", least, above=1e-7, against={"a blind probe": 0.0})

# %% [markdown]
# Random parameters matter, too. In a trained model a leak can hide behind a weight that happens to be zero.
#
# ## The way back
#
# Learning needs the gradient of everything. Lesson 05 derives it line by line. Here it is only *checked*, under a
# causal mask, against slopes that are measured: move one number a little, and see how far the answer moves.

# %%
shapes = (2, 3, 4, 7), (2, 3, 4, 7), (2, 3, 4, 7)  # B, H, T, D
arrays = [np.random.default_rng(i).standard_normal(shape) for i, shape in enumerate(shapes)]
report = check_gradient(attention_forward, attention_backward, *arrays, mask=causal_mask(4))
report.raise_if_wrong()
expect("L02.gradient_error", max(part.max_relative_error for part in report.arguments), below=1e-6)

# %% [markdown]
# ## Does a model use it? (experiment E07)
#
# The claim is that attention *weighs elements against each other*. Four kinds of attention, trained with the same
# data and steps, show what that adds. A hook that returns another array than it was given replaces it. Who replaces
# an array must replace its *gradient*, too, or the arm learns from the gradient of another function. On the way back
# the model calls the hook with each gradient, named with a `d` before the last part. We check this for each arm below.
#
# * **Learned.** As in the library.
# * **Content-blind.** Weights are learnt, but they are the same for every example of a batch: the scores are replaced
#   by their mean over the batch. Such weights can depend on *positions* and not on what stands there.
# * **Uniform.** Every allowed position has the same weight. This is the plain average.
# * **Deaf.** What attention gives is replaced by zero, so that no word hears another. This arm has the sentences
#   only.
#
# They meet two tasks. One is the verb of our sentences. We count the sentences in which the two nouns agree in number
# and those in which they differ, and report the *worse* of the two shares; chance is one half. Either alone would
# deceive. Somebody who goes by the nearer noun is always right where the nouns agree. Somebody who says its opposite
# is always right where they differ. The other is *recall*: eight tokens each hold a pair (key, value), as in
# "drawer 5 holds 3", in random order; the last token names a key, and the answer is its value. Chance is 1/8.
#
# **Prediction.** *Learned* is near 1 in both tasks. In the sentences the subject always stands at the same place, so
# *content-blind* is near 1 as well. In recall the pair can stand anywhere: *content-blind* is no better than
# *uniform* by more than 0.1, and *learned* is.

# %%
KEYS, VALUES, PAIRS = 10, 8, 8
QUESTION = KEYS * VALUES  # the first of the tokens that ask


def questions(rng, count):
    """Pairs of different keys with random values, a question about one of them, and the place of that pair."""
    keys = rng.permuted(np.tile(np.arange(KEYS), (count, 1)), axis=1)[:, :PAIRS]
    values = rng.integers(0, VALUES, (count, PAIRS))
    rows, which = np.arange(count), rng.integers(0, PAIRS, count)
    ask = QUESTION + keys[rows, which]
    tokens = np.hstack([keys * VALUES + values, ask[:, None]])
    targets = np.full(tokens.shape, IGNORED)
    targets[:, -1] = values[rows, which]
    return Batch(tokens, targets), which


def uniform(name, x):
    """The same weight for everything that the causal mask allows; what is constant has no gradient."""
    if name.endswith("attention.dweights"):
        return np.zeros_like(x)
    if not name.endswith("attention.weights"):
        return x
    allowed = causal_mask(x.shape[-1]).astype(x.dtype)
    return np.broadcast_to(allowed / allowed.sum(axis=-1, keepdims=True), x.shape)


def content_blind(name, x):
    """The same scores for every example, their mean over the batch; so each has the mean of the gradients."""
    if not name.endswith(("attention.scores", "attention.dscores")):
        return x
    return np.broadcast_to(x.mean(axis=0, keepdims=True), x.shape)


def deaf(name, x):
    """Nothing comes from attention, and no gradient goes back into it."""
    return np.zeros_like(x) if name.endswith(("attention.output", "attention.doutput")) else x


ARMS = {"learned": Call(), "content-blind": Call(hook=content_blind), "uniform": Call(hook=uniform)}
ALL = {**ARMS, "deaf": Call(hook=deaf)}


def slopes(call):
    """The slope of a fresh reader's loss along a random direction: by its gradient, and measured."""
    rng, e = np.random.default_rng(6), 1e-5
    params = reader.init(rng, dtype=np.float64)
    batch = causal_lm(sentences(rng, 8))
    along = rng.standard_normal(params.flat.shape)
    by_gradient = float(loss_and_gradient(reader, params, batch, call)[1].flat @ along)
    params.flat += e * along
    higher = loss(reader, params, batch, call)
    params.flat -= 2 * e * along
    return by_gradient, (higher - loss(reader, params, batch, call)) / (2 * e)


def in_the_forward_only(name, x):
    """What a hook that forgets the gradients would do."""
    return x if name.split(".")[-1].startswith("d") else content_blind(name, x)


off = {name: abs(np.subtract(*slopes(call))) for name, call in ALL.items()}
forgotten = abs(np.subtract(*slopes(Call(hook=in_the_forward_only))))
expect(
    "E07.gradients_are_of_the_arms",
    max(off.values()),
    below=1e-5,
    against={"a hook in the forward only": forgotten},
)

# %%
judged = sentences(np.random.default_rng(5), 200 if quick() else 4000)
agree = (judged[:, 1] > 6) == (judged[:, 4] > 6)  # in number: both nouns
verbs = {}
for name, call in ALL.items():
    verbs[name] = []
    for seed in SEEDS:
        one = readers[seed] if name == "learned" else learn_to_read(seed, call)
        right = reader.forward(one, judged, call)[0][:, VERB].argmax(axis=-1) == judged[:, VERB + 1]
        verbs[name].append(float(min(right[agree].mean(), right[~agree].mean())))
spread_table({**verbs, "chance": [0.5]}, name="the verb: share that is right")

# %%
expect(
    "E07.verb_uniform",
    min(verbs["uniform"]),
    above=0.95,
    against={"chance": 0.5, "the nearer noun": 0.0},
    full_only=True,
)
expect(
    "E07.verb_deaf",
    max(verbs["deaf"]),
    below=0.7,
    against={} if quick() else {"uniform": min(verbs["uniform"])},
    full_only=True,
)

# %% [markdown]
# We did not foresee the third row: the *plain average* is right about the verb as well. The average holds the numbers
# of both nouns; a model that stands at *cabinet* and knows its own number can take that off, and what is left is the
# subject's. *Deaf* shows that hearing the other words is needed. Weighing them is not. So a picture in which
# *cabinet* looks at *keys* shows what one model does, and not what the task needs. Recall is harder:

# %%
finder = Transformer(
    TransformerConfig(
        vocabulary_size=QUESTION + KEYS,
        context=PAIRS + 1,
        width=48,
        layers=2,
        heads=4,
        init_std=0.1,
    )
)
steps, asked = (5, 100) if quick() else (300, 2000)
test, asked_place = questions(np.random.default_rng(2), asked)


def recall(params, call):
    """The share of the test's questions that are answered right."""
    said = finder.forward(params, test, call)[0][:, -1].argmax(axis=-1)
    return float(np.mean(said == test.targets[:, -1]))


accuracies, losses, finders = {}, {}, {}
for name, call in ARMS.items():
    accuracies[name], losses[name], finders[name] = [], [], []
    for seed in SEEDS:
        params = finder.init(np.random.default_rng(seed))
        draw = np.random.default_rng(100 + seed)
        batches = (questions(draw, 32)[0] for _ in range(steps))
        rate = warmup_cosine(5e-3, warmup=5, total=steps)
        losses[name].append(fit(finder, params, batches, rate, call=call))
        finders[name].append(params)
        accuracies[name].append(recall(params, call))
shown = test.tokens[:, :-1] % VALUES  # the values of all pairs
often = (shown[:, :, None] == np.arange(VALUES)).sum(axis=1).argmax(axis=-1)
frequent = float(np.mean(often == test.targets[:, -1]))
spread_table(
    {**accuracies, "the most frequent value": [frequent], "chance": [1 / VALUES]},
    name="recall: share that is right",
)

# %%
gap = difference(accuracies["learned"], accuracies["uniform"])
blind_gap = difference(accuracies["content-blind"], accuracies["uniform"])
print("recall, learned less uniform:      ", gap)
print("recall, content-blind less uniform:", blind_gap)
expect(
    "E07.learned_accuracy",
    min(accuracies["learned"]),
    above=0.9,
    against={"chance": 1 / VALUES, "the most frequent value": frequent},
    full_only=True,
)
expect(
    "E07.uniform_accuracy",
    max(accuracies["uniform"]),
    below=0.6,
    against={"every answer": 1.0},
    full_only=True,
)
expect(
    "E07.content_blind_accuracy",
    max(accuracies["content-blind"]),
    below=0.6,
    against={"every answer": 1.0},
    full_only=True,
)
expect(
    "E07.verb_learned",
    min(verbs["learned"]),
    above=0.95,
    against={"chance": 0.5, "the nearer noun": 0.0},
    full_only=True,
)
expect(
    "E07.verb_content_blind",
    min(verbs["content-blind"]),
    above=0.95,
    against={"chance": 0.5, "the nearer noun": 0.0},
    full_only=True,
)
prediction(
    "E07.content_is_what_is_weighed",
    "recall needs weights that depend on content; the verb, at a fixed place, does not",
    min(verbs["learned"]) > 0.95
    and min(verbs["content-blind"]) > 0.95
    and min(accuracies["learned"]) > 0.9
    and blind_gap.high < 0.1
    and gap.low > 0.1,
)

# %%
figure, axes = plt.subplots(figsize=(7, 3.4), layout="constrained")
colors, widths = (
    (BLUE, ORANGE, VERMILION),
    (1.2, 3.0, 1.0),
)  # content-blind is broad: uniform lies on it
for (name, curves), color, width in zip(losses.items(), colors, widths, strict=True):
    for seed, values in enumerate(curves):
        smooth = np.convolve(values, np.ones(10) / 10, "valid")
        axes.plot(smooth, color=color, linewidth=width, label=name if seed == 0 else None)
guess = math.log(VALUES)
axes.axhline(guess, color=GREY, linestyle="--", linewidth=1)
axes.text(len(smooth), guess + 0.08, "guessing among the values", color=GREY, ha="right")
axes.set(xlabel="step", ylabel="loss (nats per answer)", ylim=(0, 5.2))
axes.set_title("Recall: only weights that depend on content find the pair", fontsize=10)
axes.legend(frameon=False)
axes.spines[["top", "right"]].set_visible(False)
show(
    figure,
    "Loss against step, three seeds for each arm. With learned attention the loss falls to zero. Content-blind and "
    "uniform attention stay together, a little below the dashed line of guessing among the values.",
)

# %% [markdown]
# *Uniform* is above chance, but not above somebody who always names the value that most pairs have: a plain average
# holds that much. Why is *learned* better? The reason is not that unequal weights are better as such, since
# *content-blind* weights may be unequal, too. What those lack is a look at what stands in each place.
#
# ## Which layer finds the pair?
#
# We ask twice. Where does the weight lie? We look at how much the heads of each layer put on the pair that was asked
# for. And which layer is needed? We look at how often the trained model is right when one layer alone is made
# uniform.
#
# **Prediction.** It is the first layer. A token holds its key *and* its value, so one look is enough.

# %%
on_pair, without = {}, {}
for layer in (0, 1):
    on_pair[f"layer {layer}, its best head"], without[f"layer {layer} made uniform"] = [], []
    for params in finders["learned"]:
        look = {}
        finder.forward(params, test, Call(hook=look.setdefault))
        by_head = look[f"blocks.{layer}.attention.weights"][np.arange(asked), :, -1, asked_place]
        on_pair[f"layer {layer}, its best head"].append(float(by_head.mean(axis=0).max()))

        def cut(name, x, layer=layer):
            return uniform(name, x) if name.startswith(f"blocks.{layer}.") else x

        without[f"layer {layer} made uniform"].append(recall(params, Call(hook=cut)))
spread_table({**on_pair, "equal weights": [1 / (PAIRS + 1)]}, name="weight on the right pair")

# %%
spread_table(
    {"both layers as learnt": accuracies["learned"], **without, "chance": [1 / VALUES]},
    name="share that is right",
)

# %%
first, second = without.values()
prediction(
    "E07.the_first_layer_finds_it",
    "the first layer alone is needed: without it recall falls below 0.5, without the second it stays above 0.9",
    max(first) < 0.5 and min(second) > 0.9,
)
expect(
    "E07.weight_on_the_pair",
    min(on_pair["layer 0, its best head"]),
    above=0.3,
    against={"equal weights": 1 / (PAIRS + 1)},
    full_only=True,
)

# %%
look = {}
example, place = questions(np.random.default_rng(3), 1)
finder.forward(finders["learned"][0], example, Call(hook=look.setdefault))
picture = np.vstack([look[f"blocks.{layer}.attention.weights"][0, :, -1] for layer in (0, 1)])
figure, axes = plt.subplots(figsize=(7.5, 3.2), layout="constrained")
image = axes.imshow(picture, cmap="Blues", vmin=0, vmax=1, aspect="auto")
axes.axvline(place[0], color=VERMILION, linewidth=1.2)
axes.axhline(3.5, color=GREY, linewidth=0.8)
axes.set(xlabel="place that is looked at (the line marks the pair that was asked for)")
axes.set_yticks(range(8), [f"layer {i // 4}, head {i % 4}" for i in range(8)])
axes.set_title("One question: only layer 0 has heads that look at the pair", fontsize=10)
figure.colorbar(image, label="weight")
show(
    figure,
    "The weights of the last position over 9 places, a row for each head of two layers. In layer 0 the fields at the "
    "place asked for are dark, in some rows darker than all others; in layer 1 the weight is spread over all places.",
)

# %% [markdown]
# A picture of weights says where a head looks. Only the table above it, in which the look is taken away, says that
# the look is *needed*.
#
# ## The strongest objection
#
# *"Weighing by content is not what makes a transformer work."* Tay et al. (2020) replaced the scores by random
# numbers or by learnt ones that no token can change, and several tasks suffered little. Our sentences are such a
# case: *content-blind* and the plain average are as good as *learned* there. Recall is the other case, and there
# *content-blind* is no better than a plain average. So the objection is right about some tasks, and cannot be right
# about all. It does not touch C10, which says what attention *lets* a model do.
#
# *"Then the weights explain the answer."* No. Whether they do is disputed (Jain & Wallace, 2019; Wiegreffe & Pinter,
# 2019). In our sentences the three seeds put very different weights on *keys* and are all right.
#
# ## Verdict
#
# **C10: supported in general, incomplete.** The sentence describes Vaswani et al. (2017). It omits the causal mask,
# which decides *which* elements may be weighed at all. It omits, too, that members of the GPT family restrict
# attention further: GPT-3 alternates dense and locally banded layers, gpt-oss has a window of 128 tokens in every
# other layer. What GPT-5.5 does is undisclosed.
#
# ## What this does not show
#
# * That attention is the only way to relate tokens. It is the one that this family uses.
# * That a high weight is an *explanation*. It says what was averaged, not what caused the answer.
# * That a model trained on real text learns agreement like this. Our sentences have one form and few words.
# * That a model without a leak is right. The probe tests who may look, and nothing else.
#
# ## Exercises
#
# Write them in `exercises/02_self_attention.py`, in this notebook's folder, then run there
# `minigpt grade exercises/02_self_attention.py`.
#
# 1. `causal_mask(length)` (2 points): who may attend to whom.
# 2. `split_heads(x, heads)` (3 points): from (B, T, C) to (B, H, T, D), without mixing tokens.
# 3. `attention_forward(query, key, value, *, mask=None)` (5 points): all of it, for every head.
#
# ## Further reading
#
# * Vaswani et al. (2017), *Attention Is All You Need*, arXiv:1706.03762, section 3.2.
# * Tay et al. (2020), *Synthesizer: Rethinking Self-Attention for Transformer Models*, arXiv:2005.00743.
# * Linzen, Dupoux & Goldberg (2016), *Assessing the Ability of LSTMs to Learn Syntax-Sensitive Dependencies*,
#   arXiv:1611.01368.
# * Brown et al. (2020), *Language Models are Few-Shot Learners*, arXiv:2005.14165: sparse layers in GPT-3.
# * Jain & Wallace (2019), *Attention is not Explanation*, arXiv:1902.10186; Wiegreffe & Pinter (2019), *Attention is
#   not not Explanation*, EMNLP 2019.
