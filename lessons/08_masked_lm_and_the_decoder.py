# %% [markdown]
# # 08  Masked language modelling and the decoder
#
# **The claims.** An encoder takes part in training the model, for masked language modelling (C09); masked language
# modelling is one of its objectives (C17).
#
# **The question.** The same article calls the model decoder-only. Can both be true? What goes wrong if an objective and
# a mask do not fit each other, and what would have to be said for the sentence to make sense?
#
# **You need.** Lesson 02, attention; lesson 04, the decoder; lesson 07, the encoder.
#
# **Time.** An hour and a half to read; the code runs for about a minute.

# %%
from functools import partial

import matplotlib.pyplot as plt
import numpy as np

from minigpt import Batch, Call, Transformer, TransformerConfig, UserError
from minigpt.course import expect, quick, show, show_source, table
from minigpt.infer import Sampling, generate
from minigpt.measure import uniform_nats, unigram_nats
from minigpt.objectives import (
    TRAINS,
    causal_lm,
    loss,
    loss_and_gradient,
    masked_lm,
    prefix_lm,
    scored,
    sequence_to_sequence,
)
from minigpt.ops import IGNORED, cross_entropy_forward, softmax_forward
from minigpt.optim import adamw, warmup_cosine
from minigpt.plot import BLUE, GREEN, GREY, ORANGE, VERMILION
from minigpt.text import CharacterTokenizer, load_corpus
from minigpt.train import fit

# %% [markdown]
# ## Two objectives
#
# **Next token** (GPT): read $x_1 \dots x_t$, say $x_{t+1}$, at every $t$ at once. The answer at $t$ is the *input* at
# $t + 1$. What keeps it from being copied is the causal mask, which hides every input after $t$.
#
# **Masked token** (BERT): choose 15% of the tokens, put a special token `[MASK]` in their place, say what stood there.
# The answer is removed from the input, so no mask is needed inside the model, and both sides may be read.
#
# Either way the answer must be hidden. *One hides it in the attention, the other in the text.* This is the whole
# lesson: what follows is four ways to see that the two cannot be exchanged at will.

# %%
show_source(causal_lm, docstring=False)

# %%
show_source(masked_lm, docstring=False)

# %% [markdown]
# Two objectives, two kinds of sight: four combinations. A row is an output that is asked something, a column is an
# input. Light blue: the input can be seen from there. The ring marks where the *answer* stands in the text.

# %%
L = 6
sees_before = np.tril(np.ones((L, L)))
sees_all = np.ones((L, L))
hidden = [2, 4]
figure, panels = plt.subplots(2, 2, figsize=(7.2, 7.4), layout="constrained")
cases = (
    ("next token, causal\n(GPT)", sees_before, False, "honest"),
    ("next token, bidirectional", sees_all, False, "the answer is in view: a leak"),
    ("masked token, causal", sees_before, True, "half of the text is out of view"),
    ("masked token, bidirectional\n(BERT)", sees_all, True, "honest"),
)
for axes, (title, sight, masked, remark) in zip(panels.flat, cases, strict=True):
    asked = hidden if masked else range(L)
    picture = np.full((L, L), np.nan)
    picture[list(asked)] = sight[list(asked)]
    axes.imshow(picture, cmap="Blues", vmin=0, vmax=3)
    for row in asked:
        answer = row if masked else row + 1
        if answer < L:
            axes.scatter(answer, row, s=260, facecolors="none", edgecolors=VERMILION, linewidths=2)
    names = [f"$x_{i + 1}$" if not (masked and i in hidden) else "MASK" for i in range(L)]
    axes.set_xticks(range(L), names, fontsize=8)
    axes.set_yticks(range(L), [f"{i + 1}" for i in range(L)], fontsize=8)
    axes.set_title(title, fontsize=10)
    axes.set(xlabel=remark, ylabel="output")
    axes.set_xticks(np.arange(-0.5, L), minor=True)
    axes.set_yticks(np.arange(-0.5, L), minor=True)
    axes.grid(which="minor", color="white")
    axes.tick_params(which="both", length=0)
show(figure)

# %% [markdown]
# *Top left: every ring lies on white, the answer is out of view. Top right: every ring but the last lies on blue.
# Bottom: the rings lie on MASK, where the answer is no longer to be found; at the left everything to the right of it is
# out of view as well.* (Output 6 of the upper row is asked about $x_7$, which is not in the text.)
#
# ## One set of weights, two masks
#
# Is a decoder a different machine from an encoder? We make both from one configuration, and give both **the same
# parameters**.
#
# **Prediction.** With one block, the last position says exactly the same in both, to the last bit: it sees everything
# either way. All others differ. With two blocks the last differs as well, since it looks at positions that differ.

# %%
TWO = ("decoder", "encoder")


def make(architecture, **sizes):
    """A small model with a language head."""
    defaults = {"context": 24, "width": 48, "layers": 2, "heads": 4, "init_std": 0.1}
    return Transformer(TransformerConfig(architecture=architecture, **{**defaults, **sizes}))


def difference(layers):
    """Largest difference of a logit between the two, at each of eight positions, the weights being the same."""
    decoder, encoder = (make(kind, vocabulary_size=20, layers=layers) for kind in TWO)
    assert decoder.shapes() == encoder.shapes()
    params = decoder.init(np.random.default_rng(0))
    tokens = np.random.default_rng(1).integers(0, 20, (1, 8))
    both = [model.forward(params, tokens)[0] for model in (decoder, encoder)]
    return np.abs(both[0] - both[1])[0].max(axis=1)


one_block, two_blocks = difference(1), difference(2)
expect("L08.one_block_last_position", one_block[-1], equal=0)
expect("L08.one_block_others", one_block[:-1].min(), above=1e-3)
expect("L08.two_blocks_last_position", two_blocks[-1], above=1e-3)

# %% [markdown]
# So a decoder is not a machine that lacks something. It is the same weights under another mask, and the question is
# only which mask goes with which objective. The library has an opinion:

# %%
examples = np.random.default_rng(0).integers(0, 16, (2, 17))
attempts = {
    "encoder": causal_lm(examples),
    "decoder": masked_lm(examples, np.random.default_rng(0), mask=16, vocabulary_size=16),
}
for kind, batch in attempts.items():
    model = make(kind, vocabulary_size=17)
    try:
        loss(model, model.init(np.random.default_rng(0)), batch)
    except UserError as error:
        print(f"{error}\n")

# %% [markdown]
# Opinions can be tested. `against_advice=True` lets us try.
#
# ## Experiment E06a: the leak
#
# The text is **random**: sixteen tokens, all equally likely, each independent of the others. Nothing can be learnt from
# the past, so no honest model gets below $\ln 16 = 2.773$ nats per token. Anything lower is cheating. We train the same
# model (one block, one head, so that we can look inside) twice on next-token prediction, causal and bidirectional.
#
# **Prediction.** Causal: 2.77. Bidirectional: about 0 where the next token is in view, 2.77 at the last position, where
# it is not. Then, used as one writes, with only the *past* given: worse than guessing, since what it has learnt to look
# at is not there.

# %%
SIZE, LENGTH = 16, 16
anyway = partial(loss_and_gradient, against_advice=True)
steps = 110 if quick() else 400


def train(model, batches, steps, *, seed=0, params=None):
    """Parameters after training on `steps` batches, made by batches(rng)."""
    params = model.init(np.random.default_rng(seed)) if params is None else params.copy()
    rng = np.random.default_rng(seed + 1)
    rate = warmup_cosine(3e-3, warmup=min(20, steps), total=steps)
    fit(model, params, (batches(rng) for _ in range(steps)), rate, score=anyway)
    return params


def random_text(rng, count=32):
    return causal_lm(rng.integers(0, SIZE, (count, LENGTH + 1)))


def nats(model, params, batch):
    """The loss at each position, the mean over the batch: (T,)."""
    logits, _ = model.forward(params, batch)
    columns = ((logits[:, [t]], batch.targets[:, [t]]) for t in range(logits.shape[1]))
    return np.array([cross_entropy_forward(*column)[0] for column in columns])


def nats_of_prefixes(model, params, batch):
    """The same, when nothing after the position is given, as in writing: (T,)."""
    prefixes = (Batch(batch.tokens[:, :t], batch.targets[:, :t]) for t in range(1, LENGTH + 1))
    return np.array([nats(model, params, prefix)[-1] for prefix in prefixes])


models = {kind: make(kind, vocabulary_size=SIZE, layers=1, heads=1) for kind in TWO}
leak = {kind: train(model, random_text, steps) for kind, model in models.items()}
fresh = random_text(np.random.default_rng(5), 500)
given = {kind: nats(models[kind], leak[kind], fresh) for kind in TWO}
alone = {kind: nats_of_prefixes(models[kind], leak[kind], fresh) for kind in TWO}
floor = np.log(SIZE)
table(
    ["nats per token", "causal", "bidirectional"],
    [
        ("whole text given, next token in view", "-", float(given["encoder"][:-1].mean())),
        ("whole text given, next token not in view", *(float(given[k][-1]) for k in TWO)),
        ("only the past given, as in writing", *(float(alone[k].mean()) for k in TWO)),
        ("floor, and uniform", float(floor), float(floor)),
    ],
)

# %%
expect("E06a.causal_loss", given["decoder"].mean(), above=2.7, below=2.85)
expect("E06a.bidirectional_loss", given["encoder"][:-1].mean(), below=0.05)
expect("E06a.bidirectional_last", given["encoder"][-1], above=2.7)
expect("E06a.bidirectional_writing", alone["encoder"].mean(), above=3.0)


# %%
def attention_of(kind, tokens):
    """The weights of the only head for one text: (T, T)."""
    kept = {}
    models[kind].forward(leak[kind], tokens, Call(hook=kept.setdefault))
    return kept["blocks.0.attention.weights"][0, 0]


maps = {kind: attention_of(kind, fresh.tokens[:1]) for kind in TWO}
figure, (curves, left, right) = plt.subplots(
    1, 3, figsize=(9.6, 3.1), layout="constrained", width_ratios=[1.5, 1, 1]
)
places = np.arange(1, LENGTH + 1)
curves.plot(places, given["decoder"], "o-", color=BLUE, markersize=4, label="causal")
curves.plot(places, given["encoder"], "o-", color=VERMILION, markersize=4, label="bidirectional")
curves.axhline(floor, color=GREY, linestyle="--", linewidth=1)
curves.text(1, floor - 0.05, "ln 16, the floor", color=GREY, va="top")
curves.set(xlabel="position", ylabel="loss (nats per token)", ylim=(-0.1, 3.4))
curves.set_xticks([1, 4, 8, 12, 16])
curves.legend(frameon=False, loc="center")
curves.spines[["top", "right"]].set_visible(False)
for axes, kind, name in ((left, "decoder", "causal"), (right, "encoder", "bidirectional")):
    axes.imshow(maps[kind], cmap="Blues", vmin=0, vmax=1)
    axes.set_title(f"attention, {name}", fontsize=10)
    axes.set(xlabel="looks at", ylabel="position", xticks=[0, 5, 10, 15], yticks=[0, 5, 10, 15])
show(figure)
expect("E06a.attention_to_answer", np.diag(maps["encoder"], k=1).mean(), above=0.8)

# %% [markdown]
# *Left: the causal loss lies on the floor; the bidirectional one is 0 but for the last position. Right: why. The
# bidirectional model has learnt one thing, to look one step ahead and to copy.*
#
# A loss of 0.00 on random text: by the training curve the best language model ever made. It knows nothing, and asked to
# write it does worse than a die. So "an encoder trained on the next token" is not a weak form of training; it is none.
# This is why BERT *had* to mask: its authors say that with sight of both sides a word could "indirectly see itself".
#
# ## Experiment E06b: half blind
#
# Now the other way round: mask tokens, but keep the causal mask. Texts are pairs $(a, b)$, with $a = b + 5 \bmod 16$ and
# random $b$; pairs are independent. We mask some of the $a$: their answer follows from their **right** neighbour. As a
# control we mask $b$, whose answer follows from the **left**.
#
# **Prediction.** Bidirectional: both perfect. Causal: the left control perfect, the right one at chance, 1/16. The
# weights could do it; the mask forbids it.

# %%
MASK, PAIRS = SIZE, 6
steps = 50 if quick() else 200


def pairs(rng, count):
    """Texts of six pairs: (count, 12)."""
    b = rng.integers(0, SIZE, (count, PAIRS))
    return np.stack([(b + 5) % SIZE, b], axis=2).reshape(count, 2 * PAIRS)


def hide(rng, side, count=32):
    """Mask two in five of the tokens that follow from their neighbour on this side."""
    text = pairs(rng, count)
    place = np.arange(2 * PAIRS) % 2 == (0 if side == "right" else 1)
    chosen = place & (rng.random(text.shape) < 0.4)
    seen, asked = np.where(chosen, MASK, text), np.where(chosen, text, IGNORED)
    return Batch(seen, asked, objective="masked_lm")


def accuracy(model, params, batch):
    """Share of the tokens that are asked for and right."""
    said = model.forward(params, batch)[0][..., :SIZE].argmax(axis=-1)
    asked = batch.targets != IGNORED
    return float((said == batch.targets)[asked].mean())


right = {}
for side in ("right", "left"):
    for kind in TWO:
        model = make(kind, vocabulary_size=SIZE + 1)
        params = train(model, partial(hide, side=side), steps)
        right[side, kind] = accuracy(model, params, hide(np.random.default_rng(7), side, 1000))
table(
    ["share right; the answer follows from", "causal", "bidirectional", "chance"],
    [(f"the {side}", *(right[side, kind] for kind in TWO), 1 / SIZE) for side in ("right", "left")],
)

# %%
expect("E06b.causal_accuracy_right", right["right", "decoder"], below=0.12)
expect("E06b.bidirectional_accuracy_right", right["right", "encoder"], above=0.95)
expect("E06b.causal_accuracy_left", right["left", "decoder"], above=0.95)
expect("E06b.bidirectional_accuracy_left", right["left", "encoder"], above=0.95)

# %% [markdown]
# Masking *within* a decoder thus gives up the one thing that masking is for. What remains is predicting some tokens
# from the left, with holes in the past: next-token prediction with fewer questions and a damaged text.
#
# ## Experiment E06c: what a pass teaches
#
# How expensive is masking? BERT asks about 15% of the tokens, GPT about all of them; one reads that the signal is
# therefore 1/0.15 = 6.7 times weaker. We measure it. One rule: the second half of a text is the first, each token
# replaced through a fixed random table of 64. Causal models learn from next tokens, encoders from masked ones, at 15%
# and 40%, until they apply the rule in nine of ten cases.
#
# **Prediction.** Masking needs more passes than next-token prediction, but fewer than 6.7 times as many, for *labels are
# not information*: the first half is random, so half of the causal model's labels teach nothing.

# %%
WORDS, HALF = (8, 4) if quick() else (64, 8)


def steps_to_learn(kind, rate, seed):
    """Steps and labels until nine of ten are right, looked at every five steps."""
    table_of = np.random.default_rng(100 + seed).permutation(WORDS)
    rng = np.random.default_rng(seed)

    def texts(rng, count):
        first = rng.integers(0, WORDS, (count, HALF))
        return np.hstack([first, table_of[first]])

    def learnt(model, params):
        test = texts(np.random.default_rng(55), 100)
        if kind == "decoder":
            said = model.forward(params, test)[0][:, HALF - 1 : -1, :WORDS].argmax(axis=-1)
            return np.mean(said == test[:, HALF:]) > 0.9
        place = np.arange(100), HALF + np.arange(100) % HALF
        seen = test.copy()
        seen[place] = WORDS
        return (
            np.mean(model.forward(params, seen)[0][place][:, :WORDS].argmax(-1) == test[place])
            > 0.9
        )

    model = make(kind, vocabulary_size=WORDS + 1, width=64)
    params, optimizer, labels = model.init(rng), adamw(), 0
    state = optimizer.init(params.flat)
    for step in range(1, 1000):
        text = texts(rng, 32)
        if kind == "decoder":
            batch = causal_lm(text)
        else:
            batch = masked_lm(text, rng, mask=WORDS, vocabulary_size=WORDS, rate=rate)
        labels += scored(batch).targets
        _, grads = loss_and_gradient(model, params, batch)
        optimizer.update(params.flat, grads.flat, state, learning_rate=3e-3)
        if step % 5 == 0 and learnt(model, params):
            return step, labels
    raise AssertionError("the rule was not learnt in 1,000 steps")


arms = {
    "next token": ("decoder", 1.0),
    "masked, 15%": ("encoder", 0.15),
    "masked, 40%": ("encoder", 0.4),
}
learnt = {
    name: np.array([steps_to_learn(*arm, seed) for seed in range(1 if quick() else 3)])
    for name, arm in arms.items()
}
passes = {
    name: found[:, 0].mean() / learnt["next token"][:, 0].mean() for name, found in learnt.items()
}
table(
    ["objective", "steps, each seed", "labels, mean", "passes, next token = 1"],
    [
        (
            name,
            ", ".join(map(str, found[:, 0])),
            f"{found[:, 1].mean():,.0f}",
            f"{passes[name]:.1f}",
        )
        for name, found in learnt.items()
    ],
)

# %%
labels = {name: found[:, 1].mean() for name, found in learnt.items()}
expect("E06c.passes_ratio", passes["masked, 15%"], above=1.5, below=7)
expect("E06c.passes_ratio_40", passes["masked, 40%"], above=1.1, below=7)
expect("E06c.labels_ratio", labels["masked, 15%"] / labels["next token"], below=0.9)

# %% [markdown]
# About three times the passes, and *fewer labels*. Masking is not wasteful by nature; each masked token has more to go
# by. But per pass through the network, which is what one pays for, next-token prediction asks more questions.
#
# ## Experiment E06d: writing with a masked model
#
# Suppose the encoder has been trained well. Can it write? It has one way: append `[MASK]`, fill it in, append the next.
# We train both on the same characters (Python's documentation), with the same size and the same number of steps, and
# ask both for the last character of unseen windows, given all before it. The masked model also gets three times the
# steps, since E06c says that it needs them.
#
# **Prediction.** Both beat the unigram baseline. The causal model is well ahead, and still ahead of the masked model
# with three times its training: that has seldom met a text that stops where the gap is.

# %%
corpus = load_corpus("pydocs", progress=False)
order = np.random.default_rng(0).permutation(len(corpus.documents))
documents = [corpus.documents[i] for i in order]
characters = CharacterTokenizer.train(documents)
letters = characters.encode("\n\n".join(documents[:-200])[:600_000])
unseen = characters.encode("\n\n".join(documents[-200:])[:40_000])
V, WINDOW = characters.vocabulary_size, 16 if quick() else 32
steps = 14 if quick() else 400


def windows(tokens, starts, length=WINDOW):
    return tokens[starts[:, None] + np.arange(length)].astype(int)


def next_characters(rng):
    return causal_lm(windows(letters, rng.integers(0, len(letters) - WINDOW, 32), WINDOW + 1))


def masked_characters(rng):
    text = windows(letters, rng.integers(0, len(letters) - WINDOW, 32))
    return masked_lm(text, rng, mask=V, vocabulary_size=V)


test = windows(unseen, np.linspace(0, len(unseen) - WINDOW, 40 if quick() else 1000).astype(int))
wanted = np.full_like(test, IGNORED)
wanted[:, -1] = test[:, -1]
with_mask = test.copy()
with_mask[:, -1] = V
# The decoder is asked for the last character at the place before it, the encoder at the place itself.
last_by_decoder, last_by_encoder = Batch(test[:, :-1], wanted[:, 1:]), Batch(with_mask, wanted)

sizes = {"vocabulary_size": V + 1, "context": WINDOW, "width": 64, "init_std": 0.05}
decoder, encoder = (make(kind, **sizes) for kind in TWO)
wrote = train(decoder, next_characters, steps)
filled = train(encoder, masked_characters, steps)
filled_long = train(encoder, masked_characters, 3 * steps)
causal_nats = loss(decoder, wrote, last_by_decoder)
masked_nats = loss(encoder, filled, last_by_encoder)
long_nats = loss(encoder, filled_long, last_by_encoder)
unigram = unigram_nats(letters, unseen, V)
table(
    ["nats per character, left to right", "", "bits per character"],
    [
        (name, value, value / np.log(2))
        for name, value in (
            ("causal", causal_nats),
            ("masked, append a mask", masked_nats),
            ("masked, three times the steps", long_nats),
            ("unigram", unigram),
            ("uniform", uniform_nats(V)),
        )
    ],
)

# %%
expect("E06d.causal_nats", causal_nats, above=1.5, below=3.5 if quick() else 2.2)
expect("E06d.masked_minus_causal", masked_nats - causal_nats, above=-0.2 if quick() else 0.2)
expect("E06d.masked_long_minus_causal", long_nats - causal_nats, above=-0.2 if quick() else 0.1)
expect("E06d.unigram_minus_masked", unigram - masked_nats, above=-0.5 if quick() else 0.2)


# %% [markdown]
# The same in print. Each continues the same beginning by 160 characters, at temperature 0.7:


# %%
def write_with_masks(params, beginning, count, rng, temperature=0.7):
    """Append a mask, fill it in, and so on. Nothing can be kept from step to step: every state may change."""
    text = list(beginning)
    for _ in range(count):
        seen = np.array([*text[-(WINDOW - 1) :], V])[None]
        logits = encoder.forward(params, seen)[0][0, -1, :V]
        p, _ = softmax_forward(logits / temperature)
        text.append(int((p.cumsum() < rng.random()).sum().clip(max=V - 1)))
    return text[len(beginning) :]


beginning = characters.encode("If the argument is given, the method returns ")[1 - WINDOW :]
by_decoder = generate(
    decoder,
    wrote,
    beginning,
    20 if quick() else 160,
    sampling=Sampling(temperature=0.7),
    rng=np.random.default_rng(3),
)
by_masks = write_with_masks(filled, beginning, 20 if quick() else 160, np.random.default_rng(3))
for name, ids in (("causal", by_decoder), ("masked", by_masks)):
    kept = [int(i) for i in ids if i < V]
    print(f"--- {name}\n{characters.decode(np.array([*beginning, *kept]))}\n")

# %% [markdown]
# ## What does the encoder's training give the decoder?
#
# The claim says that an encoder takes part in training, but not how what it learns gets into the decoder. The weights
# have the same shapes, so let us try the nearest thing: train as an encoder, then **turn the causal mask on**.
#
# **Prediction.** As it is, it is useless for the next token, worse than unigram: it was trained to say what stands
# *here*. If it is trained on, with next tokens, it starts better than from nothing (spelling is spelling), but worse
# than if those first steps had been next-token steps too.

# %%
short = steps // 4
switched = loss(decoder, filled, last_by_decoder)
tuned = loss(decoder, train(decoder, next_characters, short, params=filled), last_by_decoder)
scratch = loss(decoder, train(decoder, next_characters, short), last_by_decoder)
expect("L08.switched_minus_unigram", switched - unigram, above=-0.5 if quick() else 0.1)
expect("L08.scratch_minus_tuned", scratch - tuned, above=-0.5 if quick() else 0.0)
expect("L08.tuned_minus_causal", tuned - causal_nats, above=-0.5 if quick() else 0.1)
table(
    ["trained", "steps", "nats per character"],
    [
        ("masked, then the causal mask turned on", f"{steps}", switched),
        ("... and then trained on next characters", f"{steps} + {short}", tuned),
        ("next characters alone, from nothing", f"{short}", scratch),
        ("next characters alone", f"{steps}", causal_nats),
        ("unigram", "-", unigram),
    ],
)

# %%
figure, axes = plt.subplots(figsize=(7.6, 3.2), layout="constrained")
bars = (
    (f"next characters, {steps} steps", causal_nats, BLUE),
    (f"masked, {3 * steps} steps", long_nats, ORANGE),
    (f"masked, {steps} steps", masked_nats, ORANGE),
    (f"masked {steps}, then next {short}", tuned, GREEN),
    (f"next characters, {short} steps", scratch, BLUE),
    (f"masked {steps}, causal mask on", switched, VERMILION),
)
axes.barh(
    [name for name, _, _ in bars], [value for _, value, _ in bars], color=[c for _, _, c in bars]
)
for row, (_, value, _) in enumerate(bars):
    axes.text(value + 0.03, row, f"{value:.2f}", va="center")
axes.axvline(unigram, color=GREY, linestyle="--", linewidth=1)
axes.text(unigram + 0.03, -0.42, "unigram", color=GREY, va="bottom")
axes.invert_yaxis()
axes.set(xlabel="loss on the next character, left to right (nats)")
axes.spines[["top", "right"]].set_visible(False)
show(figure)

# %% [markdown]
# *Shorter is better.* Turning on the mask passes nothing on by itself (red). What helps is to train again with the
# decoder's own objective (green), and then the model is a decoder trained on next tokens, as documented, with an odd
# beginning.
#
# ## What would be consistent?
#
# The sentence can be mended, in three ways that exist. We give all of them the question that the causal model could not
# answer in E06b: one $a$ is missing, and it follows from its right neighbour.
#
# 1. **A separate encoder** (lesson 07): it reads the damaged text in both directions, and a decoder beside it writes the
#    missing token. Consistent, but not decoder-only.
# 2. **A prefix LM**: one stack; the damaged text is a prefix whose tokens see each other, and the missing token comes
#    after it. Consistent, but no encoder: one set of weights, two kinds of sight.
# 3. **Fill-in-the-middle**: an ordinary causal decoder; the *text* is rearranged so that the gap comes last.
#    Consistent and decoder-only, but no encoder and no masked language modelling.
#
# **Prediction.** All three answer perfectly.

# %%
SEPARATOR, PREFIX, SUFFIX, MIDDLE = 17, 18, 19, 20
steps = 15 if quick() else 300


def gaps(rng, count):
    """Texts of six pairs, the place of the missing token, and what it is."""
    place = 2 * rng.integers(0, PAIRS, count)
    text = pairs(rng, count)
    return text, place, text[np.arange(count), place]


def damaged(text, place):
    seen = text.copy()
    seen[np.arange(len(text)), place] = MASK
    return seen


def for_two_stacks(rng, count=64):
    text, place, missing = gaps(rng, count)
    return sequence_to_sequence(
        list(damaged(text, place)), list(missing[:, None]), start=SEPARATOR, padding=PREFIX
    )


def for_prefix(rng, count=64):
    text, place, missing = gaps(rng, count)
    row = np.hstack([damaged(text, place), np.full((count, 1), SEPARATOR), missing[:, None]])
    return prefix_lm(row, np.full(count, 2 * PAIRS + 1))


def for_decoder(rng, count=64):
    rows = [
        [PREFIX, *text[:place], SUFFIX, *text[place + 1 :], MIDDLE, missing]
        for text, place, missing in zip(*gaps(rng, count), strict=True)
    ]
    batch = causal_lm(np.array(rows))
    targets = np.full_like(batch.targets, IGNORED)
    targets[:, -1] = batch.targets[:, -1]
    return batch._replace(targets=targets)


ways = {
    "a separate encoder": ("encoder-decoder", 1, for_two_stacks),
    "a prefix LM": ("decoder", 2, for_prefix),
    "fill-in-the-middle": ("decoder", 2, for_decoder),
}
answers = {}
for name, (kind, layers, batches) in ways.items():
    model = make(kind, vocabulary_size=21, layers=layers)
    params = train(model, batches, steps)
    answers[name] = accuracy(model, params, batches(np.random.default_rng(7), 1000))
floor_of_answers = 0.02 if quick() else 0.9
expect("L08.separate_encoder", answers["a separate encoder"], above=floor_of_answers)
expect("L08.prefix_lm", answers["a prefix LM"], above=floor_of_answers)
expect("L08.fill_in_the_middle", answers["fill-in-the-middle"], above=floor_of_answers)

# %%
table(
    ["", "share right", "has an encoder", "is decoder-only", "masks tokens"],
    [
        ("masked LM in a decoder", right["right", "decoder"], "no", "yes", "yes"),
        ("masked LM in an encoder (BERT)", right["right", "encoder"], "yes", "no", "yes"),
        ("a separate encoder (BART, T5)", answers["a separate encoder"], "yes", "no", "yes"),
        ("a prefix LM (UL2, GLM)", answers["a prefix LM"], "no", "in part", "yes"),
        ("fill-in-the-middle", answers["fill-in-the-middle"], "no", "yes", "no"),
        ("chance", 1 / SIZE, "", "", ""),
    ],
)

# %% [markdown]
# **No row has "yes" three times.** That is the conflict in one table: masked language modelling asks for sight of both
# sides, a decoder-only model has none, and the ways round it give up one of the three.
#
# And here is which objective the library lets train what. Every "-" comes with its reason, two of which you have read
# above:

# %%
kinds = ("decoder", "encoder", "encoder-decoder")
table(
    ["objective", *kinds],
    [
        (name, *("yes" if reasons[kind] is None else "-" for kind in kinds))
        for name, reasons in TRAINS.items()
    ],
)

# %% [markdown]
# ## Verdict
#
# * **C09, an encoder for masked language modelling: not in the card, and contradicted by the family.** No code and no
#   card of GPT-1, GPT-2, GPT-3 or gpt-oss has an encoder or a mask token, and BERT presents itself as what GPT is *not*,
#   on exactly this point. With a decoder-only design it is inconsistent unless one adds how the two are joined.
# * **C17, trained by masked language modelling: not in the card, and contradicted by the family.** It is BERT's
#   objective; GPT-4 is documented as predicting the next token.
# * For GPT-5.5 both are *undisclosed*: documented for other models, never for a GPT. That is unsupported, not disproved.
#
# ## What this does not show
#
# * That masking is a bad objective. For *reading* (search, classification, comparing sentences) encoders trained so are
#   still the usual choice, and Wettig et al. (2022) find rates of 40% better than 15%.
# * That masked models cannot write at all. Trained for it, over all rates of masking, they can: *masked diffusion*
#   models write in any order (Nie et al., 2025). They are then not decoder-only.
# * Any size of effect at scale. Our models have about a hundred thousand parameters and saw a minute of training. The
#   leak and the blindness are not effects of size, they follow from the mask; the *amounts* in E06c and E06d are ours,
#   and in E06c they change with the task (were the two of a pair always neighbours, the ratio would be far larger).
# * That the masked model lost in E06d because of its sight. It was also asked 7 times fewer questions per step; the
#   third row of that table allows for it in part only.
#
# ## Exercises
#
# Write each function in `exercises/08_masked_lm_and_the_decoder.py`, in this notebook's folder, then run there
# `minigpt grade exercises/08_masked_lm_and_the_decoder.py`.
#
# 1. `mask_tokens(tokens, chosen, fate, random, mask, ignored)` (4 points): BERT's 80/10/10, the dice being given.
# 2. `masked_loss(logits, targets, ignored)` (3 points): the loss over what was asked for, and over nothing else.
# 3. `one_masked_each(tokens, mask)` (2 points): what an encoder has to read to say how likely a text is, token by token.
# 4. `leaks(sight, answers)` (3 points): given who sees what and where the answers stand, which outputs can cheat?
#
# ## Further reading
#
# * Devlin, Chang, Lee, Toutanova (2018), *BERT*, arXiv:1810.04805, section 3.1 and appendix A.1.
# * Radford et al. (2018), *Improving Language Understanding by Generative Pre-Training*, equation 1; OpenAI (2023),
#   *GPT-4 Technical Report*, arXiv:2303.08774, section 1.
# * Wettig, Gao, Zhong, Chen (2022), *Should You Mask 15% in Masked Language Modeling?*, arXiv:2202.08005.
# * Salazar, Liang, Nguyen, Kirchhoff (2020), *Masked Language Model Scoring*, arXiv:1910.14659: exercise 3.
# * Raffel et al. (2020), *T5*, arXiv:1910.10683, section 3.2: masks, architectures and objectives compared. Tay et al.
#   (2022), *UL2*, arXiv:2205.05131. Du et al. (2021), *GLM*, arXiv:2103.10360.
# * Bavarian et al. (2022), *Efficient Training of Language Models to Fill in the Middle*, arXiv:2207.14255.
# * Nie et al. (2025), *Large Language Diffusion Models*, arXiv:2502.09992.
