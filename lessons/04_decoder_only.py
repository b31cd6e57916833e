# %% [markdown]
# # 04  Decoder-only: the whole GPT
#
# **The claims.** The model is a transformer (C05) that builds on GPT-3 (C06), with a decoder-only design like its
# (C07).
#
# **The question.** What makes a stack of blocks a *decoder*? Can you tell from outside what is inside? And is "similar
# to GPT-3" saying much?
#
# **You need.** Lesson 02, attention; lesson 03, the feed-forward network.
#
# **Time.** 115 minutes to read; the code runs in 46 s and takes 0.5 GB.

# %%
from concurrent.futures import ThreadPoolExecutor

import matplotlib.pyplot as plt
import numpy as np

from minigpt import Batch, Call, Transformer, TransformerConfig, preset
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
from minigpt.infer import KeyValuePast, Sampling, generate_text
from minigpt.measure import uniform_nats, unigram_nats
from minigpt.model.block import block_forward
from minigpt.model.stack import begin_forward
from minigpt.objectives import causal_lm, loss
from minigpt.ops import IGNORED, cross_entropy_forward, layer_norm_forward, rms_norm_forward
from minigpt.optim import warmup_cosine
from minigpt.plot import BLUE, GREEN, GREY, VERMILION
from minigpt.plots_stack import residual_stream
from minigpt.text import BatchSampler, CharacterTokenizer, load_corpus
from minigpt.train import fit

# %% [markdown]
# ## A model to look into
#
# We train a small GPT on Python's documentation, one character a token. It is built as GPT-2 is, from two *blocks*; the
# next section says what a block is. (`fit` trains it, as in lessons 02 and 03. How a model is trained is the subject of
# lessons 05 and 06. `init_std` is the size of the random numbers with which its parameters begin.) Then we give it the
# beginning of a sentence and look at what happens on the way to its answer.

# %%
corpus = load_corpus("pydocs", progress=False)
documents = [
    corpus.documents[i] for i in np.random.default_rng(0).permutation(len(corpus.documents))
]
characters = CharacterTokenizer.train(documents)
V = characters.vocabulary_size
text = characters.encode("\n\n".join(documents[:-200])[:900_000])
held_out = characters.encode("\n\n".join(documents[-200:])[:40_000])
starts = np.linspace(0, len(held_out) - 33, 60 if quick() else 300).astype(int)
windows = held_out[starts[:, None] + np.arange(33)].astype(int)
unigram = unigram_nats(text, held_out, V)

gpt = Transformer(
    TransformerConfig(vocabulary_size=V, context=32, width=64, layers=2, heads=4, init_std=0.06)
)


def trained(seed):
    """The parameters of a trained GPT."""
    params = gpt.init(np.random.default_rng(seed))
    sampler, steps = BatchSampler(text, 32, batch=12, seed=seed), 20 if quick() else 350
    batches = (causal_lm(sampler.batch_at(step)) for step in range(steps))
    fit(gpt, params, batches, warmup_cosine(4e-3, warmup=10, total=steps))
    return params


workers = ThreadPoolExecutor(2)  # trainings that do not need each other run side by side
gpts = list(workers.map(trained, range(3)))
params = gpts[0]
learnt = loss(gpt, params, causal_lm(windows))
expect("L04.example_loss", learnt, below=2.6, against={"unigram": unigram}, full_only=True)
SENTENCE = "The function retur"
tokens = characters.encode(SENTENCE)[None].astype(int)  # (1, T)
print(f"{SENTENCE!r} has {tokens.size} characters: {tokens[0, :6]} ...")

# %% [markdown]
# ## The residual stream
#
# The **residual stream** is the vector of width C that each token has from the embedding to the last layer, and to
# which every part of the model adds. A **block** is one attention and one feed-forward network, each of which reads
# the residual stream and adds its result to it. Nothing is overwritten. Attention is the only part that brings
# something from another position.
#
# The parts do not read the stream as it is. A *norm* first brings every vector to one length. A block is **pre-norm**
# if the norm stands before each part, in the branch, as in GPT-2. A block is **post-norm** if the norm stands on the
# stream, after each sum, as in the transformer of 2017 and in GPT-1.

# %%
seen = {}
gpt.forward(params, tokens, Call(hook=seen.setdefault))
shapes = {
    "stream": seen["blocks.0.residual_post"].shape,
    "weights": seen["blocks.0.attention.weights"].shape,
    "hidden": seen["blocks.0.feed_forward.hidden"].shape,
}
figure, axes = plt.subplots(2, 1, figsize=(8, 4.8), layout="constrained")
for panel, place, message in zip(
    axes,
    ("pre", "post"),
    ("Pre-norm: nothing stands on the stream", "Post-norm: every sum is normalized on the stream"),
    strict=True,
):
    residual_stream(panel, shapes, norm_place=place)
    panel.set_title(message, fontsize=11)
show(
    figure,
    "Two drawings of a block, one above the other. In each a thick arrow, the residual stream, runs from left to "
    "right; attention and the feed-forward network branch off below it and are added back. In the upper one the norms "
    "stand in the branches, in the lower one on the stream after each sum.",
)

# %% [markdown]
# *The thick arrow is the stream; shapes are (texts, positions, width) of the run above, and (texts, heads, queries,
# keys) for the weights.*
#
# ## A block in about ten lines
#
# Here is a block of GPT-2 in plain NumPy. `p` maps names to arrays. First what it is made of: layer norm, the
# activation GELU in its form with tanh (lesson 03), a linear layer, and the cut into heads (lesson 02).

# %%


def norm(x, p, name):
    """Layer norm: mean 0 and variance 1 for each position, then a learnt gain and bias."""
    centred = x - x.mean(axis=-1, keepdims=True)
    std = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
    return p[f"{name}.gain"] * centred / std + p[f"{name}.bias"]


def linear(x, p, name):
    """(B, T, C) -> (B, T, F)."""
    return x @ p[f"{name}.weight"] + p[f"{name}.bias"]


def gelu(x):
    """x times a smooth step."""
    return x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2


def heads(x, count=4):
    """(B, T, C) -> (B, H, T, D)."""
    return x.reshape(*x.shape[:2], count, -1).swapaxes(1, 2)


def block(x, p, name):
    """x: the stream, (B, T, C). Returns the stream after the block."""
    T, C = x.shape[1:]
    read = norm(x, p, f"{name}.attention_norm")
    q, k, v = (heads(linear(read, p, f"{name}.attention.{n}")) for n in ("query", "key", "value"))
    scores = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])  # (B, H, T, T)
    scores = np.where(np.tri(T, dtype=bool), scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = weights / weights.sum(axis=-1, keepdims=True)
    found = (weights @ v).swapaxes(1, 2).reshape(-1, T, C)
    x = x + linear(found, p, f"{name}.attention.output")
    hidden = gelu(linear(norm(x, p, f"{name}.feed_forward_norm"), p, f"{name}.feed_forward.up"))
    return x + linear(hidden, p, f"{name}.feed_forward.down")


# %% [markdown]
# And the whole GPT is four lines around it. The stream begins as the sum of two table rows: one for the token, one for
# its position. At the end it is compared with the row of every token of the vocabulary. These products are the
# logits. (Embedding and head are one table: it is *tied*.)

# %%


def whole_gpt(tokens, p, layers):
    """(B, T) -> the scores of the next token, (B, T, V)."""
    x = p["token_embedding.weight"][tokens] + p["position_embedding.weight"][: tokens.shape[1]]
    for layer in range(layers):
        x = block(x, p, f"blocks.{layer}")
    return norm(x, p, "final_norm") @ p["token_embedding.weight"].T


exact = gpt.init(np.random.default_rng(0), dtype=np.float64)
exact.flat[...] = params.flat  # the trained numbers, in double precision
ours = whole_gpt(tokens, exact, layers=2)
theirs, _ = gpt.forward(exact, tokens)
expect("L04.whole_gpt", np.abs(ours - theirs).max(), below=1e-9)
between = {}
gpt.forward(exact, tokens, Call(hook=between.setdefault))
one_block = block(between["embedding"], exact, "blocks.0")
expect("L04.one_block", np.abs(one_block - between["blocks.0.residual_post"]).max(), below=1e-9)

# %% [markdown]
# Both agree with the library to rounding. The library's block does the same. It also keeps what the backward needs
# (the caches), may drop numbers at random (dropout), and has a second attention for models with two stacks:

# %%
show_source(block_forward, docstring=False)

# %% [markdown]
# ## What the model would say on the way
#
# Every part adds to one stream, and the head reads that stream. So the head can be asked early: what would the model
# answer if it ended here? (This reading was made known as the *logit lens*.) Each cell is the likeliest next character
# at that place of the stream, and its colour the probability of the character that follows in fact.

# %%
stages = {
    "embedding": "embedding",
    "+ attention 1": "blocks.0.residual_mid",
    "+ feed-forward 1": "blocks.0.residual_post",
    "+ attention 2": "blocks.1.residual_mid",
    "+ feed-forward 2": "blocks.1.residual_post",
}
following = characters.encode(SENTENCE[1:] + "n").astype(int)
right, best = [], []
for name in stages.values():
    logits = norm(between[name], exact, "final_norm") @ exact["token_embedding.weight"].T
    p = np.exp(logits[0] - logits[0].max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)  # (T, V)
    right.append(p[np.arange(len(following)), following])
    best.append([characters.decode([i]) for i in p.argmax(axis=-1)])
figure, axes = plt.subplots(figsize=(8, 3), layout="constrained")
image = axes.imshow(right, cmap="Blues", vmin=0, vmax=1, aspect="auto")
for row, letters in enumerate(best):
    for column, letter in enumerate(letters):
        shown = {" ": "␣", "\n": "↵"}.get(letter, letter)
        color = "white" if right[row][column] > 0.6 else "black"
        axes.text(column, row, shown, ha="center", va="center", color=color)
axes.set_xticks(range(len(SENTENCE)), [{" ": "␣"}.get(c, c) for c in SENTENCE])
axes.set_yticks(range(len(stages)), list(stages))
axes.set_xlabel("what was read so far, up to this character")
axes.set_title("After the first feed-forward network most of the answer is there")
figure.colorbar(image, label="probability of the\nright next character")
show(
    figure,
    "A grid of letters: rows are five places along the residual stream, columns the characters of the sentence. Each "
    "cell holds the likeliest next character if the model ended there. In the two upper rows that is the letter just "
    "read, and the cells are pale. In the three lower rows, which are alike, many cells hold the right next letter and "
    "are dark.",
)

# %% [markdown]
# After the embedding the answer is the character itself, since embedding and head are one table. The first feed-forward
# network turns it into what follows: after "retur" the answer is "n".
#
# One sentence of one model is an example. So we ask early in the same way over the held-out text, and of three models
# that differ by their seed:

# %%


def asked_early(params):
    """The mean log-probability of the right next character at each stage, over the held-out text."""
    places, found = {}, []
    gpt.forward(params, windows[:, :-1], Call(hook=places.setdefault))
    for name in stages.values():
        x, _ = layer_norm_forward(
            places[name], params["final_norm.gain"], params["final_norm.bias"]
        )
        nats, _ = cross_entropy_forward(x @ params["token_embedding.weight"].T, windows[:, 1:])
        found.append(-float(nats))
    return found


by_seed = np.array([asked_early(one) for one in gpts])
spread_table(dict(zip(stages, by_seed.T, strict=True)), name="asked after")

# %%
embedded, one_block_only, both_blocks = by_seed.mean(axis=0)[[0, 2, 4]]
first_block, second_block = one_block_only - embedded, both_blocks - one_block_only
expect(
    "L04.right_at_the_end",
    both_blocks,
    above=-2.6,
    below=0,
    against={"right after the embedding": embedded, "unigram": -unigram},
    full_only=True,
)
expect(
    "L04.second_block_adds",
    second_block,
    above=0.01,
    below=0.3,
    against={"the first block": first_block},
    full_only=True,
)

# %% [markdown]
# The first block adds more than two nats, the second less than a tenth. (To ask after the first block is to cut the
# second off.) So at this size and in so few steps nearly all that the head reads was there after one block.

# %% [markdown]
# ## The norm, and the order of the words
#
# **Layer norm** takes the mean of a vector away, divides by its standard deviation, and applies a learnt gain and bias.
# **RMS norm** only divides by the root mean square of the vector and applies a gain. With both the length of a vector
# does not matter: a vector seven times as long gives the same.

# %%
row = np.random.default_rng(0).standard_normal((1, 64)) * 5 + 3
gain = np.ones(64)
layer, rms = layer_norm_forward(row, gain)[0], rms_norm_forward(row, gain)[0]
expect("L04.layer_norm_mean", abs(layer.mean()), below=1e-6)
expect("L04.rms_norm_size", abs(np.sqrt((rms * rms).mean()) - 1), below=1e-6)
longer = (layer_norm_forward(7 * row, gain)[0] - layer, rms_norm_forward(7 * row, gain)[0] - rms)
expect("L04.scale_does_not_matter", np.abs(longer).max(), below=1e-6)

# %% [markdown]
# Attention is a sum over keys, and a sum has no order. So positions are told: by a learnt vector for each position
# (GPT-2), by *sinusoidal positions*, a fixed pattern of sines of many wavelengths (2017), or by *rotary positions*,
# which turn queries and keys by an angle that grows with the position (lesson 02 has the scores that they enter).
#
# Must they be told? Without a mask, yes: shuffle the words, and the answer at the last position is the same. Under a
# causal mask it is less simple. The first position sees one key, the second two. After *one* layer the last position
# still has a sum over all words. But the words themselves now know what came before them, so after *two* layers the
# order shows. We shuffle all tokens but the last, and watch the last answer of fresh models that are told no
# positions.
#
# **Prediction.** The answer moves in one case of four: two layers with a causal mask.

# %%
rng = np.random.default_rng(3)
plain = rng.integers(0, 40, (1, 12))
shuffled = np.concatenate([rng.permutation(plain[:, :-1], axis=1), plain[:, -1:]], axis=1)
moves = {}
for architecture in ("encoder", "decoder"):
    for layers in (1, 2):
        config = TransformerConfig(
            vocabulary_size=40,
            context=12,
            width=48,
            layers=layers,
            heads=4,
            init_std=0.15,
            position="none",
            architecture=architecture,
        )
        blind = Transformer(config)
        fresh = blind.init(np.random.default_rng(0), dtype=np.float64)
        first, second = (blind.forward(fresh, t)[0][0, -1] for t in (plain, shuffled))
        moves[architecture, layers] = float(np.abs(first - second).max())
names = {"encoder": "everything is seen", "decoder": "causal mask"}
table(
    ["mask", "layers", "largest change of the last answer"],
    [(names[kind], layers, f"{value:.1e}") for (kind, layers), value in moves.items()],
)

# %%
unmoved = max(value for case, value in moves.items() if case != ("decoder", 2))
expect("L04.order_unseen", unmoved, below=1e-9)
expect(
    "L04.order_seen_by_two_causal_layers",
    moves["decoder", 2],
    above=1e-3,
    against={"no order": 0.0},
)
prediction(
    "L04.order_prediction",
    "only two layers with a causal mask feel the order",
    unmoved < 1e-9 and moves["decoder", 2] > 1e-3,
)

# %% [markdown]
# So a decoder can do without being told positions. Irie et al. (2019) found that deep language models for speech
# recognition do not need them, and Haviv et al. (2022) that models of up to 1.3 billion parameters do about as well
# without. We shall see how ours does.
#
# This is where the library's stream begins:

# %%
show_source(begin_forward, docstring=False)

# %% [markdown]
# ## Counting parameters
#
# There is no mystery in the size of a published model. In a block of GPT-2, attention has four matrices of $C^2$, and
# the feed-forward network two of $4 C^2$: $12 C^2$ together. The biases are $4 C$ in attention and $5 C$ in the
# feed-forward network, and two norms with a gain and a bias have $4 C$: $13 C$ together. Outside of the blocks the
# token table has $V C$, the positions $T C$, the last norm $2 C$.

# %%
known = {
    "gpt2": 124_439_808,
    "gpt2-medium": 354_823_168,
    "gpt2-large": 774_030_080,
    "gpt2-xl": 1_557_611_200,
}
rows = []
for name, published in known.items():
    config = preset(name)
    shapes = Transformer(config).shapes().values()
    counted = sum(int(np.prod(shape)) for shape in shapes)
    C, L, words, T = config.width, config.layers, config.vocabulary_size, config.context
    formula = L * (12 * C * C + 13 * C) + (words + T) * C + 2 * C
    rows.append((name, L, C, f"{counted:,}", f"{formula:,}"))
    expect(f"L04.{name}", counted - published, equal=0)
table(["model", "layers", "width", "counted from shapes", "by the formula"], rows)

# %% [markdown]
# ## What makes it a decoder (experiment E04)
#
# A **decoder-only** model is one stack of blocks under a causal mask, whose every position is asked for the next token.
# That is a statement about dependencies, and two tests decide it. (i) Change token 12: which logits move? (ii) Compute
# the logits token by token, with the keys and values of earlier tokens kept, and compare with one pass over the whole
# text. What is kept is called the *key-value cache*.
#
# The control is *the same parameters* without the causal mask.
#
# **Prediction.** Causal: exactly 0 before the change, and the cache agrees to rounding. Without the mask: the change
# is felt everywhere, and kept keys and values are *stale*, since every new token changes the old ones in all layers
# but the first.

# %%
sizes = {
    "vocabulary_size": 40,
    "context": 24,
    "width": 48,
    "layers": 3,
    "heads": 4,
    "init_std": 0.15,
}
decoder = Transformer(TransformerConfig(**sizes))
sees_all = Transformer(TransformerConfig(**sizes, architecture="encoder"))
same = decoder.init(np.random.default_rng(0))
drawn = np.random.default_rng(1).integers(0, 40, (1, 24))
changed = drawn.copy()
changed[0, 12] = (changed[0, 12] + 1) % 40


def moved(model, params=same, **beside):
    """The largest change of a logit at each position. beside: what else the model reads."""
    before, after = (model.forward(params, Batch(t, **beside))[0] for t in (drawn, changed))
    return np.abs(after - before).max(axis=(0, 2))


def one_at_a_time(model):
    """Logits when each token is computed once, from the kept keys and values of those before it."""
    call = Call(past=KeyValuePast(model.config, 1, 24))
    return np.concatenate([model.forward(same, drawn[:, [t]], call)[0] for t in range(24)], axis=1)


figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
for offset, (name, model, color) in enumerate(
    (("causal", decoder, BLUE), ("without the mask", sees_all, VERMILION))
):
    axes.bar(np.arange(24) + 0.4 * offset - 0.2, moved(model), width=0.4, color=color, label=name)
axes.axvline(11.5, color=GREY, linestyle="--", linewidth=1)
axes.set(xlabel="position (token 12 was changed)", ylabel="largest change of a logit")
axes.set_title("Under a causal mask a change is felt from its place on, and never before")
axes.legend(frameon=False)
axes.spines[["top", "right"]].set_visible(False)
show(
    figure,
    "Bars for 24 positions: how far the logits move when token 12 is changed. The causal model's bars are absent to the "
    "left of position 12 and present from there on; those of the model without the mask are present everywhere.",
)
mismatch = {
    model: np.abs(one_at_a_time(model) - model.forward(same, drawn)[0]).max()
    for model in (decoder, sees_all)
}
expect("E04.causal_change_before_edit", moved(decoder)[:12].max(), equal=0)
expect(
    "E04.causal_change_after_edit", moved(decoder)[12:].min(), above=1e-4, against={"not felt": 0.0}
)
expect(
    "E04.bidirectional_change_before_edit",
    moved(sees_all)[:12].min(),
    above=1e-5,
    against={"causal": moved(decoder)[:12].max()},
)
expect(
    "E04.causal_cache_mismatch",
    mismatch[decoder],
    below=1e-4,
    against={"without the mask": mismatch[sees_all]},
)
expect(
    "E04.bidirectional_cache_mismatch",
    mismatch[sees_all],
    above=1e-2,
    against={"causal": mismatch[decoder]},
)
prediction(
    "E04.prediction",
    "the causal stack passes both tests, the same numbers without the mask fail both",
    moved(decoder)[:12].max() == 0 and mismatch[decoder] < 1e-4 and mismatch[sees_all] > 1e-2,
)

# %% [markdown]
# These dependencies decide whether a model can write efficiently: a causal stack computes each token once. GPT-2's
# code of 2019 keeps keys and values already.
#
# ## Can you tell what is inside? (experiment E02)
#
# Suppose that you see only how well a model predicts. We make a text by a grammar with a short memory: the next of 12
# tokens depends on the one before it and on the one four before. A two-layer transformer reads it. Its rivals are
# tables that count what followed the last 1 to 5 tokens, each used alone. (Every count begins at a tenth, so that
# nothing is impossible.) A last rival is told the secret: its table counts what followed the pair of the last token
# and the fourth last.
#
# **Prediction.** The transformer beats all tables that count everything up to some distance. The table of the pair is
# no transformer and does at least as well.

# %%
KINDS = 12
RULE = np.random.default_rng(42).dirichlet(np.full(KINDS, 0.15), size=(KINDS, KINDS))


def grammar(seed, length):
    """A text of the grammar, (length,)."""
    rng = np.random.default_rng(seed)
    cumulative, draws = RULE.cumsum(axis=-1), rng.random(length)
    made = rng.integers(0, KINDS, 4).tolist()
    for draw in draws:
        following = np.searchsorted(cumulative[made[-1], made[-4]], draw)
        made.append(min(int(following), KINDS - 1))
    return np.array(made[4:])


def count_loss(looks_back, learnt, test):
    """Nats per token of a table of what followed the tokens so many places back, such as (1, 4)."""
    longest = max(looks_back)

    def states(text):
        parts = [text[longest - back : len(text) - back] for back in looks_back]
        return sum(part * KINDS**i for i, part in enumerate(parts))

    size = KINDS ** (len(looks_back) + 1)
    counts = np.bincount(states(learnt) * KINDS + learnt[longest:], minlength=size)
    chances = counts.reshape(-1, KINDS) + 0.1
    chances /= chances.sum(axis=1, keepdims=True)
    return float(-np.log(chances[states(test), test[longest:]]).mean())


def reader_loss(learnt, test, seed, steps):
    """Nats per token of a transformer trained on `learnt`, where it can see four tokens or more."""
    config = TransformerConfig(
        vocabulary_size=KINDS, context=16, width=48, layers=2, heads=4, init_std=0.08
    )
    reader = Transformer(config)
    params = reader.init(np.random.default_rng(seed))
    sampler = BatchSampler(learnt, 16, batch=12, seed=seed)
    batches = (causal_lm(sampler.batch_at(step)) for step in range(steps))
    fit(reader, params, batches, warmup_cosine(6e-3, warmup=20, total=steps))
    asked = causal_lm(test[: len(test) // 17 * 17].reshape(-1, 17))
    enough = np.where(np.arange(16) < 4, IGNORED, asked.targets)
    return loss(reader, params, asked._replace(targets=enough))


def floor_loss(test):
    """What the grammar itself leaves open, nats per token."""
    chances = RULE[test[3:], test[:-3]]
    return float(-(chances * np.log(chances + 1e-12)).sum(axis=-1).mean())


tables = {f"counts of the last {k}": range(1, k + 1) for k in range(1, 6)}
tables["counts of the pair (1, 4)"] = (1, 4)
lengths = (22, 30) if quick() else (300, 1200)
short, long = readers = [f"transformer, {steps:,} steps" for steps in lengths]
nats = {name: [] for name in (*tables, *readers, "the grammar itself")}
seeds = range(1 if quick() else 3)
texts = [(grammar(10 * seed, 40_000), grammar(10 * seed + 1, 20_000)) for seed in seeds]
for read, test in texts:
    for name, looks_back in tables.items():
        nats[name].append(count_loss(looks_back, read, test))
    nats["the grammar itself"].append(floor_loss(test))
jobs = [(name, steps, seed) for name, steps in zip(readers, lengths, strict=True) for seed in seeds]
values = workers.map(lambda job: reader_loss(*texts[job[2]], job[2], job[1]), jobs)
for (name, *_), value in zip(jobs, values, strict=True):
    nats[name].append(value)
spread_table({"uniform": [uniform_nats(KINDS)] * len(nats[short]), **nats}, name="predictor")

# %%
mean = {name: float(np.mean(values)) for name, values in nats.items()}
best_count = min(mean[f"counts of the last {k}"] for k in range(1, 6))
pair = mean["counts of the pair (1, 4)"]
expect(
    "E02.best_count_loss",
    best_count,
    above=1.5,
    below=2.0,
    against={"pair": pair, "uniform": uniform_nats(KINDS)},
)
expect(
    "E02.transformer_loss",
    mean[long],
    above=1.0,
    below=1.6,
    against={"best table of the last tokens": best_count},
    full_only=True,
)
expect(
    "E02.gap_that_more_steps_leave",
    (mean[long] - pair) / (mean[short] - pair),
    above=0.05,
    below=0.5,
    against={"the steps change nothing": 1.0, "no gap": 0.0},
    full_only=True,
)
expect(
    "E02.pair_count_loss",
    pair,
    above=1.0,
    below=1.3,
    against={"best table of the last tokens": best_count},
)
expect(
    "E02.floor",
    mean["the grammar itself"],
    above=1.0,
    below=1.3,
    against={"best table": best_count},
)
if not quick():
    for name in readers:
        apart = difference(nats[name], nats["counts of the pair (1, 4)"])
        print(f"{name}, minus pair: {apart}")
prediction(
    "E02.prediction",
    "the table of the pair is as good as the transformer or better; other tables are worse",
    pair <= mean[long] and mean[short] < best_count,
)

# %% [markdown]
# The tables of the last 1 to 5 stay well above what can be known: they are too short, or too large to be filled from
# this text. The transformer is far better. So a loss tells "better than counting everything". But the table of the
# pair, a few lines of `bincount`, is better still, and comes within about a hundredth of what can be known. By how
# much it is ahead says little: after four times as many steps most of the transformer's gap is gone. What is left, a
# few hundredths, is still more than the seeds differ.
#
# *A loss does not tell a name.* The gap between a transformer and its rivals shows how much they know about where to
# look, and how long they have read, not what they are made of.
#
# From outside there is more to see than a loss: how long an answer takes, how that grows with the text, how long a text
# may be at all. Those are hints, too, and many designs share them.
#
# ## Is it "similar to GPT-3"? (experiment E03)
#
# Between 2017 and 2023 the recipe changed in every part:

# %%
table(
    ["recipe", "norm", "place", "activation", "positions", "biases"],
    [
        ("2017 transformer", "layer", "post", "ReLU", "sines", "in the feed-forward"),
        ("GPT-2 (and GPT-3)", "layer", "pre", "GELU", "learnt", "yes"),
        ("since Llama, 2023", "RMS", "pre", "SwiGLU", "rotary", "no"),
    ],
)

# %% [markdown]
# Which of the changes matter? We start from GPT-2's recipe and change one factor at a time, then all that a recipe
# changes. Width, depth, text, number of steps and learning rate are the same, with three seeds each. One detail of
# 2017 is easily lost: sines have the size of one, and fresh embeddings here about 0.06. So the paper multiplies
# embeddings by $\sqrt{C}$. An arm without that factor shows what it is for. (Our arm of 2017 has biases everywhere,
# like GPT-2.)
#
# A few arms are controls. GPT-2's table of positions begins at random, like everything. So there is an arm without
# positions, and one whose table begins at zero. Post-norm is also tried with a longer *warm-up*, the steps at the
# beginning in which the learning rate grows from zero: 50 instead of 10.
#
# **Prediction.** GPT-2's and the modern recipe differ by more than the seeds do. Post-norm is behind wherever it is
# used: in GPT-2's recipe, with scaled embeddings, and in that of 2017.
#
# The arms of a seed read the same batches. So every difference below is taken seed by seed, and its 95% interval is
# that of these three numbers.

# %%
sines = {"position": "sinusoidal", "scale_embedding": True}
swiglu = {"activation": "silu", "gated": True, "feed_forward_width": 128}
arms = {
    "GPT-2": {},
    "GPT-2, post-norm": {"norm_place": "post"},
    "GPT-2, post-norm, embeddings scaled": {"norm_place": "post", "scale_embedding": True},
    "GPT-2, sines": sines,
    "GPT-2, sines, not scaled": {"position": "sinusoidal"},
    "GPT-2, embeddings scaled": {"scale_embedding": True},
    "GPT-2, no positions": {"position": "none"},
    "GPT-2, RMS norm": {"norm": "rms"},
    "GPT-2, SwiGLU": swiglu,
    "GPT-2, rotary": {"position": "rotary"},
    "2017": {**sines, "norm_place": "post", "activation": "relu"},
    "2023": {
        "norm": "rms",
        "position": "rotary",
        "bias": False,
        **swiglu,
        "feed_forward_width": 132,
    },
    "GPT-2, positions from zero": {},
    "GPT-2, warm-up of 50": {},
    "GPT-2, post-norm, warm-up of 50": {"norm_place": "post"},
}
late = 11 if quick() else 50
training = {
    "GPT-2, positions from zero": {"from_zero": ("position_embedding.weight",)},
    "GPT-2, warm-up of 50": {"warmup": late},
    "GPT-2, post-norm, warm-up of 50": {"warmup": late},
}


def train_arm(choices, seed, steps, warmup=10, from_zero=()):
    """Held-out loss after training, nats per character; the number of parameters. from_zero: arrays."""
    sizes = {"vocabulary_size": V, "context": 32, "width": 48, "layers": 2, "heads": 4}
    model = Transformer(TransformerConfig(**sizes, init_std=0.06, **choices))
    params = model.init(np.random.default_rng(seed))
    for name in from_zero:
        params[name][...] = 0
    sampler = BatchSampler(text, 32, batch=8, seed=seed)
    batches = (causal_lm(sampler.batch_at(step)) for step in range(steps))
    fit(model, params, batches, warmup_cosine(4e-3, warmup=warmup, total=steps))
    return loss(model, params, causal_lm(windows)), params.flat.size


steps, seeds = (12, 1) if quick() else (150, 3)
jobs = [(name, seed) for name in arms for seed in range(seeds)]
values = workers.map(
    lambda job: train_arm(arms[job[0]], job[1], steps, **training.get(job[0], {})), jobs
)
results = dict(zip(jobs, values, strict=True))
final = {name: [results[name, seed][0] for seed in range(seeds)] for name in arms}
parameters = {name: results[name, 0][1] for name in arms}
spread_table(
    {**final, "unigram": [unigram] * seeds, "uniform": [uniform_nats(V)] * seeds}, name="recipe"
)

# %%
order = sorted(final, key=lambda name: np.mean(final[name]), reverse=True)
figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
for height, name in enumerate(order):
    color = BLUE if name == "GPT-2" else VERMILION if name in ("2017", "2023") else GREY
    axes.plot(final[name], [height] * seeds, "o", color=color, markersize=4)
    axes.plot(np.mean(final[name]), height, "|", color=color, markersize=16)
axes.axvline(np.mean(final["GPT-2"]), color=BLUE, linewidth=1, linestyle="--")
axes.axvline(unigram, color=GREEN, linewidth=1, linestyle=":")
axes.text(unigram, len(order) - 2, "unigram ", color=GREEN, ha="right")
axes.set_yticks(range(len(order)), order)
axes.set_xlabel(f"held-out loss after {steps} steps, one dot a seed (nats per character)")
axes.set_title(f"After {steps} steps learnt positions cost, and rotary ones help")
axes.spines[["top", "right"]].set_visible(False)
show(
    figure,
    "Held-out losses of fifteen arms, one row each, sorted. Most lie close to GPT-2's dashed line. The recipe of 2023 and "
    "GPT-2 with rotary positions are well below it; GPT-2 without positions, or with positions that begin at zero, lies "
    "about halfway. Sines that are not scaled, and post-norm with a short warm-up, lie far above.",
)

# %%
if not quick():
    rows = [
        (name, parameters[name], *difference(final[name], final["GPT-2"], paired=True))
        for name in list(final)[1:]
    ]
else:
    rows = [(name, parameters[name], np.mean(final[name]), 0.0, 0.0) for name in list(final)[1:]]
table(["recipe", "parameters", "loss minus GPT-2's", "95% from", "to"], rows)

# %% [markdown]
# GPT-2's recipe is not the right thing to compare with for every arm. Here are the pairs that differ by one factor (the
# fourth and the last by more).

# %%
pairs = {
    "no positions, not learnt ones": ("GPT-2, no positions", "GPT-2"),
    "learnt from zero, not from random": ("GPT-2, positions from zero", "GPT-2"),
    "rotary, not no positions": ("GPT-2, rotary", "GPT-2, no positions"),
    "the rest of 2023, beside rotary": ("2023", "GPT-2, rotary"),
    "post-norm": ("GPT-2, post-norm", "GPT-2"),
    "post-norm, warm-up of 50": ("GPT-2, post-norm, warm-up of 50", "GPT-2, warm-up of 50"),
    "post-norm, embeddings scaled": (
        "GPT-2, post-norm, embeddings scaled",
        "GPT-2, embeddings scaled",
    ),
    "post-norm and ReLU, with sines": ("2017", "GPT-2, sines"),
}
by_pair = {
    what: [a - b for a, b in zip(final[one], final[other], strict=True)]
    for what, (one, other) in pairs.items()
}
change = {what: float(np.mean(values)) for what, values in by_pair.items()}
rows = []
for what, (one, other) in pairs.items():
    interval = (0.0, 0.0) if quick() else difference(final[one], final[other], paired=True)[1:]
    rows.append((what, change[what], *interval, min(by_pair[what]), max(by_pair[what])))
table(["what is changed", "loss", "95% from", "to", "lowest seed", "highest seed"], rows)

# %%
means = {name: float(np.mean(values)) for name, values in final.items()}
without_factor = 1.0 if quick() else means["GPT-2, sines, not scaled"] - means["GPT-2"]
expect(
    "E03.gap_2019_2023",
    means["GPT-2"] - means["2023"],
    above=0.1,
    against={"no difference": 0.0},
    full_only=True,
)
expect(
    "E03.rotary_alone",
    means["GPT-2"] - means["GPT-2, rotary"],
    above=0.1,
    against={"no difference": 0.0},
    full_only=True,
)
expect(
    "E03.rotary_against_none",
    -change["rotary, not no positions"],
    above=0.05,
    below=0.16,
    against={
        "no difference": 0.0,
        "rotary against learnt": 1.0 if quick() else means["GPT-2"] - means["GPT-2, rotary"],
    },
    full_only=True,
)
expect(
    "E03.random_table_costs",
    -max(by_pair["learnt from zero, not from random"]),
    above=0.02,
    against={"no difference": 0.0},
    full_only=True,
)
expect(
    "E03.zero_table_against_none",
    abs(means["GPT-2, positions from zero"] - means["GPT-2, no positions"]),
    below=0.04,
    against={} if quick() else {"random table": means["GPT-2"] - means["GPT-2, no positions"]},
    full_only=True,
)
expect(
    "E03.post_norm_with_warmup",
    change["post-norm, warm-up of 50"],
    below=0.3,
    against={"short warm-up": 1.0 if quick() else change["post-norm"]},
    full_only=True,
)
expect(
    "E03.recipe_of_2017",
    abs(means["2017"] - means["GPT-2"]),
    below=0.1,
    against={"without the factor": without_factor},
    full_only=True,
)
expect(
    "E03.factor_left_out",
    means["GPT-2, sines, not scaled"] - means["GPT-2, sines"],
    above=0.3,
    against={"no difference": 0.0},
    full_only=True,
)
sizes_of = [parameters[name] for name in ("2017", "GPT-2", "2023")]
expect(
    "E03.parameters_apart",
    max(sizes_of) / min(sizes_of),
    below=1.03,
    against={"one more table": 1 + V * 48 / min(sizes_of)},
)
prediction(
    "E03.recipes_differ",
    "GPT-2's and the modern recipe differ by more than the seeds",
    not quick() and difference(final["GPT-2"], final["2023"], paired=True).low > 0,
)
post_norm_costs = [
    change[what]
    for what in ("post-norm", "post-norm, embeddings scaled", "post-norm and ReLU, with sines")
]
prediction(
    "E03.post_norm_costs_everywhere",
    "post-norm is behind by a tenth of a nat or more wherever it is used",
    min(post_norm_costs) > 0.1,
    text_says=False,
)

# %% [markdown]
# The two recipes differ by far more than the seeds. The other arms say where that comes from: from the positions, and
# in two parts. Something over a third of the gap goes when GPT-2's recipe is told *no* positions. A table that begins
# at zero does the same, in every seed. So what costs is not that positions are learnt, but that their table begins as
# noise as large as the embeddings, which 150 steps do not undo. *Rotary positions*, which have no table, take the
# rest: a tenth of a nat beside no positions, in every seed. RMS norm and SwiGLU cannot be told from GPT-2 at this size
# and in so few steps. (Lesson 03 has compared activations for longer.) The shares depend on the number of steps. In a
# trial with 400 instead of 150 the learnt table cost nothing any more, and the lead of rotary positions was larger:
# try it.
#
# The second prediction is not confirmed. In GPT-2's recipe post-norm costs about half a nat, and its seeds lie far
# apart. With embeddings multiplied by $\sqrt{C}$, or with a warm-up of 50 steps, a tenth of a nat or less is left. It
# has the same sign in every seed, so the place may cost a little; three seeds do not decide it. And the recipe of
# 2017, which has the factor, cannot be told from GPT-2's. So the half nat is not the place of the norm by itself: it
# is that place with small embeddings and a short warm-up. The sines say the same of the factor: without it they drown
# the letters, and the model hardly gets past the unigram loss. Whoever leaves the factor out of a recipe of 2017
# measures that, and not the place of the norm.
#
# The model that is told no positions is not behind the one that learns them, as Haviv et al. found. It is behind the
# one with rotary positions.
#
# ## The strongest objection
#
# *"A model that answers word by word, and never changes a word that it has said, must be decoder-only. So C07 can be
# seen from outside."* An encoder-decoder, such as the transformer of 2017 or T5 (Raffel et al., 2020), has a second
# stack that reads the question with sight of both sides. Its writing stack is causal. Does test (i) see the
# difference? We give one a fixed question and change token 12 of what it has written.
#
# **Prediction.** It passes, exactly as the decoder-only model does.

# %%
both = Transformer(TransformerConfig(**sizes, architecture="encoder-decoder"))
two_stacks = both.init(np.random.default_rng(0))
question = np.random.default_rng(2).integers(0, 40, (1, 10))
felt = moved(both, two_stacks, source=question)
expect("E04.encoder_decoder_change_before_edit", felt[:12].max(), equal=0)
expect(
    "E04.encoder_decoder_change_after_edit", felt[12:].min(), above=1e-4, against={"not felt": 0.0}
)
prediction(
    "E04.objection",
    "an encoder-decoder passes test (i) on what it writes",
    felt[:12].max() == 0 and felt[12:].min() > 1e-4,
)

# %% [markdown]
# The test tells a causal stack from one that is not. It does not say that there is no other stack beside it. For that
# one must change the *question* and see the positions inside of it, which no service shows. So C07 stays likely for
# another reason: every model of the family whose code is public has one causal stack.
#
# *"Similar to GPT-3 only means the skeleton."* Read so, C06 is true of nearly every language model since 2019, and says
# next to nothing about this one.
#
# ## It writes
#
# The model of the first cells goes on with its sentence. A language model gives probabilities, and something must
# choose. **Sampling** draws the next token at random, with the probabilities that the model gives. **Temperature** is
# a number by which the logits are divided before the softmax: below 1 the likely gets likelier. **Top-k sampling**
# draws from the k likeliest tokens only, whose probabilities are made to sum to 1 again.

# %%
logits = whole_gpt(tokens, exact, layers=2)[0, -1]
rows = []
p = np.exp(logits - logits.max())
cold = np.exp((logits - logits.max()) / 0.7)
likeliest = np.argsort(-logits)[:5]
for i in likeliest:
    one = (p[i] / p.sum(), cold[i] / cold.sum(), p[i] / p[likeliest].sum())
    rows.append((repr(characters.decode([int(i)])), *map(float, one)))
table([f"after {SENTENCE!r}", "probability", "at temperature 0.7", "of the top 5"], rows)

# %%
pieces = generate_text(
    gpt,
    params,
    characters,
    SENTENCE,
    200,
    sampling=Sampling(0.7),
    rng=np.random.default_rng(1),
    past_the_end=True,
)
print(SENTENCE + "".join(pieces))

# %% [markdown]
# It has learnt the look of words and of a page. Few of its words are words, and there is no sense.
#
# ## Verdict
#
# * **C05, a transformer:** unverifiable from outside and very likely; true of GPT-1, 2, 3, of GPT-4
#   ("Transformer-style") and of gpt-oss.
# * **C06, builds on GPT-3:** contradicted in emphasis. The card compares with versions 5.1 to 5.4. Between GPT-3 and
#   5.5 lie instruction tuning, RLHF, images, and reasoning by reinforcement learning (training by a reward for good
#   answers, lesson 09). The open family member, gpt-oss, has RMS norm, rotary positions, SwiGLU in a mixture of experts
#   (several networks in a block, of which each token uses a few, lesson 10), and grouped-query attention with sliding windows. (It
#   keeps biases in its linear layers, unlike Llama.)
# * **C07, decoder-only:** not in the card; unverifiable, and likely. GPT-1's and GPT-2's code applies a
#   lower-triangular mask; gpt-oss is causal.
#
# ## What this does not show
#
# * That the modern recipe is better at every size or with other rates. Ours has sixty thousand parameters, few steps and
#   one learning rate, which suits some arms better than others.
# * That the old place of the norm is harmless in deep models. Xiong et al. (2020) show large gradients near the output
#   of post-norm models at the start, and that such models need a warm-up; ours have two layers and a short one. GPT-2's
#   paper gives no reason for the move but the likeness to residual networks of images.
# * Anything about GPT-5.5's own architecture, which is undisclosed.
#
# ## Exercises
#
# Write them in `exercises/04_decoder_only.py`, in this notebook's folder, then run there
# `minigpt grade exercises/04_decoder_only.py`.
#
# 1. `rms_norm_forward(x, gain, *, epsilon=1e-5)` (3 points).
# 2. `parameter_count(layers, width, vocabulary, context)` (3 points): GPT-2's, exactly.
# 3. `sample_top_k(logits, k, uniform)` (4 points): one of the k likeliest tokens.
#
# ## Further reading
#
# * Radford et al. (2018, 2019), GPT-1 and GPT-2; Brown et al. (2020), *Language Models are Few-Shot Learners*,
#   arXiv:2005.14165.
# * Elhage et al. (2021), *A Mathematical Framework for Transformer Circuits*: the residual stream as a channel that parts
#   read and write.
# * nostalgebraist (2020), *interpreting GPT: the logit lens*.
# * Xiong et al. (2020), *On Layer Normalization in the Transformer Architecture*, arXiv:2002.04745: pre and post.
# * Irie et al. (2019), *Language Modeling with Deep Transformers*, arXiv:1905.04226; Haviv et al. (2022), *Transformer
#   Language Models without Positional Encodings Still Learn Positional Information*, arXiv:2203.16634; Irie (2024), *Why
#   Are Positional Encodings Nonessential for Deep Autoregressive Transformers?*: one layer needs them, two do not.
# * Raffel et al. (2020), *Exploring the Limits of Transfer Learning*, arXiv:1910.10683: T5.
# * Touvron et al. (2023), *LLaMA*, arXiv:2302.13971. OpenAI (2025), *gpt-oss*, arXiv:2508.10925.
