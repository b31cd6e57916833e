# %% [markdown]
# # 01  From text to tokens
#
# **The claim.** The model was trained on a *massive* corpus of text (C21).
#
# **The question.** What is text to a model? What does "nats per token" mean? And how much text is much?
#
# **You need.** Lesson 00: how to read a claim.
#
# **Time.** 85 minutes to read; the code runs in 24 s and takes 0.2 GB.

# %%
import math
import sysconfig
import zlib
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from minigpt import Call, Transformer, TransformerConfig
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
from minigpt.measure import bigram_nats, compressed_bits_per_byte, uniform_nats, unigram_nats
from minigpt.objectives import causal_lm, loss
from minigpt.ops import embedding_forward
from minigpt.plot import BLUE, GREEN, GREY, ORANGE, SKY, VERMILION
from minigpt.text import BatchSampler, BytePairTokenizer, CharacterTokenizer, load_corpus
from minigpt.text.bpe_train import learn_merges
from minigpt.train import fit

# %% [markdown]
# We follow one sentence from text to the numbers that a model reads:
#
# > The parser raises SyntaxError.
#
# ## Text is bytes
#
# A file holds bytes, numbers from 0 to 255. UTF-8 says how characters become bytes: an English letter is one byte, an
# accented one two, most Asian characters three, an emoji four.

# %%
SENTENCE = "The parser raises SyntaxError."
words = ("cat", "café", "猫", "🐈", SENTENCE[:10])
table(
    ["text", "characters", "bytes", "as numbers"],
    [(w, len(w), len(w.encode()), str(list(w.encode()))) for w in words],
)

# %% [markdown]
# A **token** is one of the pieces in which a model reads and writes text; each has a number, its id. A **vocabulary**
# is the list of all tokens. With the 256 bytes as vocabulary one can write *anything*. That is the safest vocabulary,
# and it gives the longest texts.
#
# ## Byte-pair encoding, by hand
#
# Common sequences deserve a token of their own. **Byte-pair encoding** finds common sequences greedily: it counts all
# pairs of neighbours, makes the most frequent pair a new token, and starts again (Sennrich et al., 2016).
#
# First the text is cut into pieces, here before each space. Merges stay inside of a piece. Watch six of them:

# %%
TEXT = "low lower lowest slow slower"


def most_frequent(pieces):
    """The most frequent pair of neighbours, and how often it occurs; of equals, the one of smallest ids."""
    counts = {}
    for ids in pieces:
        for pair in pairwise(ids):
            counts[pair] = counts.get(pair, 0) + 1
    pair = max(counts, key=lambda p: (counts[p], -p[0], -p[1]))
    return pair, counts[pair]


def merged(ids, pair, new):
    """The ids with each occurrence of the pair replaced by the new token, from the left."""
    out, i = [], 0
    while i < len(ids):
        hit = tuple(ids[i : i + 2]) == pair
        out.append(new if hit else ids[i])
        i += 2 if hit else 1
    return out


def merge_by_hand(pieces, merges):
    """The pairs that are merged in turn, and the pieces after each merge; bytes first, then tokens 256, 257, ..."""
    states, pairs = [(None, pieces)], []
    for new in range(256, 256 + merges):
        pair, count = most_frequent(pieces)
        pieces = [merged(ids, pair, new) for ids in pieces]
        pairs.append(pair)
        states.append((count, pieces))
    return pairs, states


spaced = [piece if i == 0 else " " + piece for i, piece in enumerate(TEXT.split(" "))]
pairs, states = merge_by_hand([list(piece.encode()) for piece in spaced], 6)
names = {i: chr(i) for i in range(256)}
for new, (left, right) in enumerate(pairs, 256):
    names[new] = names[left] + names[right]
rows = []
for step, (count, pieces) in enumerate(states):
    what = (
        f"{names[255 + step]!r}, {count} {'time' if count == 1 else 'times'}" if step else "bytes"
    )
    spelled = "|".join("|".join(names[i] for i in ids) for ids in pieces)
    rows.append((what, sum(map(len, pieces)), spelled))
table(["merged", "tokens", "text"], rows)

# %%
counts = {}
for piece in spaced:
    counts[piece.encode()] = counts.get(piece.encode(), 0) + 1
expect("L01.merges_are_the_library", pairs == learn_merges(counts, 6), equal=1)
expect("L01.tokens_before", rows[0][1], equal=28)
expect("L01.tokens_after", rows[-1][1], equal=10)

# %%
figure, axes = plt.subplots(figsize=(9, 3), layout="constrained")
shades = (SKY, ORANGE, GREEN, VERMILION, BLUE, GREY)
for row, (_, pieces) in enumerate(states):
    left = 0
    for ids in pieces:
        for i in ids:
            color = "#eeeeee" if i < 256 else shades[i - 256]
            axes.barh(row, len(names[i]), left=left, color=color, edgecolor="white", linewidth=2)
            middle = left + len(names[i]) / 2
            spelling, ink = names[i].replace(" ", "_"), "white" if color == BLUE else "black"
            axes.text(middle, row, spelling, color=ink, ha="center", va="center", fontsize=9)
            left += len(names[i])
axes.set_yticks(range(7), ["bytes", *(f"{names[256 + i]!r}".replace(" ", "_") for i in range(6))])
axes.set(xticks=[], ylim=(6.5, -0.5), ylabel="merged so far")
axes.set_title("Six merges: the text stays the same, its tokens grow", fontsize=10)
axes.spines[:].set_visible(False)
show(
    figure,
    "The text 'low lower lowest slow slower' in seven rows. In the first each letter is a box of its own; in each row a "
    "new pair of boxes has grown together, coloured by its merge, until the last row has ten boxes.",
)

# %% [markdown]
# Nobody told the program that *low* is a word; nor does it know that *lowe* is none. The library does the same, and
# brings its counts up to date instead of counting anew, so that thousands of merges on megabytes are possible.
# (`_Text` keeps the pieces and their counts. A *heap* is a list that gives its smallest entry first, here the pair with
# the highest count.)

# %%
show_source(learn_merges, docstring=False)

# %% [markdown]
# What are the cuts for? Without them the text is one piece, and a merge may cross words:

# %%
uncut, _ = merge_by_hand([list(TEXT.encode())], 6)
spelled = dict(names)
for new, (left, right) in enumerate(uncut, 256):
    spelled[new] = spelled[left] + spelled[right]
print([spelled[256 + i] for i in range(6)])
expect("L01.crossing_merges", sum(" " in spelled[256 + i][1:] for i in range(6)), equal=1)

# %% [markdown]
# The sixth is now the end of one word with the beginning of another. In a large text, "the cat" and "the dog" would
# each want a token.
#
# ## A vocabulary from real text
#
# Our text is Python's own documentation, which every reader of this has: English with some code. **Held-out** text is
# text that a model does not learn from, and is tested on. Some whole documents are held out.

# %%
# A quick run reads the files of one package instead, which takes no time.
small_text = Path(sysconfig.get_path("stdlib"), "asyncio")
corpus = load_corpus(small_text if quick() else "pydocs", progress=False)
order = np.random.default_rng(0).permutation(len(corpus.documents))
documents = [corpus.documents[i] for i in order]
apart = "\n\n".join(documents[-len(documents) // 10 :])
held_out = apart[: 20_000 if quick() else 60_000]
seen = "\n\n".join(documents[: -len(documents) // 10])[: 120_000 if quick() else 600_000]
sizes = (300, 512) if quick() else (300, 512, 1024, 2048)
merges = BytePairTokenizer.train(
    [seen], sizes[-1]
).merges  # a small vocabulary has the first of them
tokenizers = {size: BytePairTokenizer(merges[: size - 257]) for size in sizes}  # bytes, end of text
bytes_per_token = {
    size: len(held_out.encode()) / len(tokenizer.encode(held_out))
    for size, tokenizer in tokenizers.items()
}
figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
axes.semilogx([257, *sizes], [1.0, *bytes_per_token.values()], "o-", base=2, color=BLUE)
axes.set(xlabel="tokens in the vocabulary", ylabel="bytes per token (held-out text)")
axes.set_xticks([257, *sizes], [257, *sizes])
axes.minorticks_off()
axes.set_title("More tokens make a text shorter, and each new one adds less", fontsize=10)
axes.spines[["top", "right"]].set_visible(False)
show(
    figure,
    "Bytes per token of held-out text against the size of the vocabulary, on a logarithmic axis, from 1 with the bytes "
    "alone upwards; the curve is steepest at its beginning, so that each new token adds less than those before it.",
)
expect(
    "L01.bytes_per_token",
    bytes_per_token[512],
    above=1.5,
    below=2.6,
    against={"bytes": 1.0},
    full_only=True,
)

# %% [markdown]
# A larger vocabulary also needs a larger table of vectors (below), each row of which is met less often. GPT-2 chose
# 50,257. Here is our sentence in tokens. What is common in the documentation is one token; *Syntax* is not, and falls
# into pieces. After it, bytes drawn at random must come back as they were:

# %%
tokenizer = tokenizers[sizes[-1]]
ids = tokenizer.encode(SENTENCE)
table(["token", "id"], [(repr(tokenizer.decode([i])), int(i)) for i in ids])

# %%
anything = np.random.default_rng(1).integers(0, 256, 5000, dtype=np.uint8).tobytes()
lossless = tokenizer.decode_bytes(tokenizer.encode(anything)) == anything
expect("L01.lossless_on_random_bytes", lossless, equal=1)

# %% [markdown]
# One token is special: *end of text* stands between documents and belongs to no text. A text that merely *spells* it
# does not become it.

# %%
spelled_ids = tokenizer.encode("<|endoftext|>")
meant = tokenizer.encode("<|endoftext|>", allow_special=True)
print(f"spelled: {len(spelled_ids)} tokens; meant: {len(meant)} token, number {meant[0]}")
expect("L01.special_token", len(meant), equal=1)

# %% [markdown]
# ## From an id to a vector
#
# An id is a name, not an amount: token 300 is not twice token 150. So a model does not calculate with ids. An
# **embedding** is the vector of C learnt numbers that stands for a token in a model. The vectors are the rows of a
# table, (V, C), where V is the size of the vocabulary. To embed a token is to read its row.
#
# A **one-hot vector** is 1 at a token's id and 0 elsewhere. Its product with the table is that row, too. A row says
# which token it is, and not where it stands. So the vector of the *place* is added, from a second table.
#
# (A `Transformer` is the model that lessons 02 to 04 build; its settings are explained there. Here we only look at what
# it reads. A *hook* is a function of ours that the model calls with every array that it computes, and its name.)

# %%
config = TransformerConfig(vocabulary_size=sizes[-1], context=32, width=24, layers=1, heads=2)
small = Transformer(config)
fresh = small.init(np.random.default_rng(0))
rows_of_tokens = fresh["token_embedding.weight"]  # (V, C)
rows_of_places = fresh["position_embedding.weight"]  # (T, C), the longest T

picked = rows_of_tokens[ids]  # (T, C): one row for each token
one_hot = np.eye(len(rows_of_tokens), dtype=np.float32)[ids]  # (T, V)
vectors = picked + rows_of_places[: len(ids)]  # what the first block reads

hooked = {}
small.forward(fresh, np.array([ids]), Call(hook=hooked.setdefault))
by_library, _ = embedding_forward(np.array(ids), rows_of_tokens)
expect("L01.rows_are_the_library", np.abs(picked - by_library).max(), equal=0)
expect("L01.one_hot_is_the_row", np.abs(one_hot @ rows_of_tokens - picked).max(), below=1e-7)
expect("L01.vectors_are_the_model", np.abs(vectors - hooked["embedding"][0]).max(), below=1e-7)

# %%
figure, panels = plt.subplots(
    1, 3, figsize=(9, 3), layout="constrained", gridspec_kw={"width_ratios": [0.15, 1, 1]}
)
labels = [f"{tokenizer.decode([i])!r}" for i in ids]
for axes, array, title in zip(
    panels,
    (np.zeros((len(ids), 1)), picked, vectors),
    (
        f"ids\n({len(ids)},)",
        f"their rows of the table\n{picked.shape}",
        f"plus places\n{vectors.shape}",
    ),
    strict=True,
):
    most = np.abs(vectors).max()
    axes.imshow(array, cmap="PuOr", vmin=-most, vmax=most, aspect="auto", interpolation="nearest")
    axes.set_title(title, fontsize=9)
    axes.set(xticks=[], yticks=[])
for place, i in enumerate(ids):
    panels[0].text(0, place, str(int(i)), ha="center", va="center", fontsize=8)
panels[0].set_yticks(range(len(ids)), labels, fontsize=8)
figure.suptitle(
    f"From ids to vectors: each id picks a row of a table {rows_of_tokens.shape}", fontsize=11
)
show(
    figure,
    "Left: the tokens of the sentence with their ids. Middle: one row of 24 coloured numbers for each token. Right: the "
    "same rows after the vectors of the places were added.",
)

# %% [markdown]
# The numbers are random at first, and learnt like all others. A **parameter** is one number of a model that training
# changes. Each number of this table is one. Further down we ask what the table has learnt.
#
# ## Windows and targets
#
# A **window** is a stretch of T tokens of a text. A model reads a **batch**, which is B windows at once. At every
# position its target is the *next* token. So inputs and targets are the same text, moved by one, and one window of T
# tokens asks T questions at once.

# %%
characters = CharacterTokenizer.train([seen, apart])
tokens = characters.encode(seen)
windows = BatchSampler(tokens, 12, batch=3, seed=0).batch_at(0)  # (B, T + 1)
batch = causal_lm(windows)
table(
    ["input", "target"],
    [
        (repr(characters.decode(a)), repr(characters.decode(b)))
        for a, b in zip(*batch[:2], strict=True)
    ],
)

# %%
expect("L01.targets_moved_by_one", np.mean(batch.tokens[:, 1:] == batch.targets[:, :-1]), equal=1)

# %% [markdown]
# ## What a loss means
#
# At each position a model gives every token a score, its *logit*. The **softmax** of some numbers is their
# exponentials, each divided by the sum of all: they are positive and sum to 1. The softmax of the logits is what the
# model takes for the probabilities of all tokens. The **loss** of a token is $-\log p(\text{token})$, the surprise at
# it: 0 when it was certain, large when it was thought impossible. A **nat** is the unit of surprise with natural
# logarithms; $\ln 2$ nats are one bit. The loss of a text is the mean over its tokens.

# %%
reader = Transformer(
    TransformerConfig(
        vocabulary_size=characters.vocabulary_size,
        context=32,
        width=48,
        layers=2,
        heads=4,
        init_std=0.06,
    )
)
params = reader.init(np.random.default_rng(0))
logits = reader.forward(params, batch.tokens)[0]  # (B, T, V)
exps = np.exp(logits - logits.max(axis=-1, keepdims=True))
p = exps / exps.sum(axis=-1, keepdims=True)  # softmax: (B, T, V), each sums to 1
surprise = -np.log(np.take_along_axis(p, batch.targets[..., None], axis=-1))
expect(
    "L01.loss_by_hand",
    abs(float(surprise.mean()) - loss(reader, params, batch)),
    below=1e-5,
    against={"bits taken for nats": float(surprise.mean()) * (1 / math.log(2) - 1)},
)

# %% [markdown]
# The surprise is also the length of the shortest code for the token (Shannon, 1948). So a language model *is* a
# compressor, and can be compared with the ones that everybody has.
#
# $$\text{bits per byte} = \frac{\text{nats per token}}{\ln 2} \cdot \frac{\text{tokens}}{\text{bytes}}$$
#
# A loss by itself says little. Beside these it says more. *Uniform* gives all characters the same probability. A
# **unigram** model knows how often each token occurs, and nothing else. A **bigram** model knows what follows what,
# and nothing before that.
#
# Beside them stand gzip, bz2 and xz, the programs with which everybody makes files smaller. The comparison must be
# fair. A model and a table of counts have read the training text. gzip has read nothing when it starts: it is *cold*.
# So we compare cold with cold, and *warm* with warm: a bigram that counts as it goes along beside gzip and xz; the same
# with the counts of the training text beside an xz that has read that text first ("primed"). Three stretches of
# held-out text show the spread.

# %%
long = 8_000 if quick() else 60_000
stretches = [apart[i : i + long] for i in (0, long, 2 * long)]


def bits(nats, text):
    """Nats per character as bits per byte."""
    return nats * len(text) / len(text.encode()) / math.log(2)


def counting_bigram(ids, counts):
    """Nats per character of a bigram that starts from some counts and goes on counting."""
    nats, rows = 0.0, (counts + 0.05).tolist()
    sums = [sum(row) for row in rows]
    for before, after in pairwise(ids.tolist()):
        nats -= math.log(rows[before][after] / sums[before])
        rows[before][after] += 1
        sums[before] += 1
    return nats / (len(ids) - 1)


def without_copies(data):
    """Bits per byte of gzip's method if it may give frequent bytes short codes, and copy nothing."""
    packer = zlib.compressobj(9, strategy=zlib.Z_HUFFMAN_ONLY)
    return 8 * len(packer.compress(data) + packer.flush()) / len(data)


kinds = characters.vocabulary_size
cold = {
    "bigram, counting as it goes": [],
    "gzip without copies": [],
    "gzip": [],
    "bz2": [],
    "xz": [],
}
warm = {"uniform": [], "unigram": [], "bigram": [], "bigram, counting on": [], "xz primed": []}
read = np.zeros((kinds, kinds))
np.add.at(read, (tokens[:-1], tokens[1:]), 1)  # how often each pair occurs in the training text
for text in stretches:
    ids = characters.encode(text)
    cold["bigram, counting as it goes"].append(bits(counting_bigram(ids, 0 * read), text))
    warm["bigram, counting on"].append(bits(counting_bigram(ids, read), text))
    cold["gzip without copies"].append(without_copies(text.encode()))
    warm["uniform"].append(bits(uniform_nats(kinds), text))
    warm["unigram"].append(bits(unigram_nats(tokens, ids, kinds), text))
    warm["bigram"].append(bits(bigram_nats(tokens, ids, kinds), text))
    packed = compressed_bits_per_byte(text.encode(), seen.encode())
    for name, value in packed.items():
        (cold if name in cold else warm)[name].append(value)
spread_table(cold, name="cold: bits per byte")

# %%
spread_table(warm, name="warm: bits per byte")

# %%
test = characters.encode(held_out)
baselines = {
    "uniform": uniform_nats(kinds),
    "unigram": unigram_nats(tokens, test, kinds),
    "bigram": bigram_nats(tokens, test, kinds),
}
expect(
    "L01.unigram",
    baselines["unigram"],
    above=2.7,
    below=3.8,
    against=dict(uniform=baselines["uniform"]),
    full_only=True,
)
expect(
    "L01.bigram",
    baselines["bigram"],
    above=2.0,
    below=2.95,
    against=dict(unigram=baselines["unigram"]),
    full_only=True,
)
gains = {  # each stretch with itself
    "bigram": np.subtract(cold["bigram, counting as it goes"], warm["bigram, counting on"]),
    "xz": np.subtract(cold["xz"], warm["xz primed"]),
}
expect(
    "L01.xz_gains",
    min(gains["xz"]),
    above=0.1,
    against={} if quick() else {"the bigram": max(gains["bigram"])},
    full_only=True,
)
expect(
    "L01.gzip_without_copies",
    min(cold["gzip without copies"]),
    above=4.0,
    against={"gzip": max(cold["gzip"])},
    full_only=True,
)
spread_table(gains, name="what the training text gives, bits per byte")

# %% [markdown]
# (The tables call the three stretches seeds.) Does the training text help? The last table compares each stretch with
# itself. The bigram gains nothing on any of them: most likely it soon counts as much in the stretch itself, and the
# counts of other documents are a little in the way. xz gains on each. So a cold start does not explain the distance
# between gzip and the bigram, as cold beside cold shows. What does? gzip gives frequent bytes short codes, and it
# copies strings that it has met. Without the copies it is about as bad as a unigram. So the copies do it, and a bigram
# cannot copy.
#
# In nats per character, the same baselines are the lines in the next figure. Every loss in this course stands beside
# such lines.
#
# ## How much is "massive"? (experiment E15)
#
# The same small transformer learns from 500 characters, from 20,000 and from 600,000. We look at the text that it
# learnt from and at held-out text, and we look several times on the way: what else could decide whether more text
# helps? One thing is the number of *steps*. A step reads 16 windows of 32 characters and changes all parameters a
# little, so that the loss of those windows falls (lessons 05 and 06 say how); 60 steps read 30,720 characters. The
# other is *which* text it is: the first 20,000 characters would come from a few documents. So every amount is made of
# pieces of 500 characters, drawn from all over the training text in random order, and drawn anew for each seed. All
# amounts have the same seams between pieces.
#
# Two amounts are compared over three seeds: three times everything that is random. A **95% interval** of a difference is
# a range, computed from how much the seeds differ, that would hold the true difference in 19 experiments out of 20. If it
# holds zero, the seeds do not show that there is any.
#
# **Prediction.** (1) With 500 characters it learns them by heart: the loss on them goes to almost nothing, and on
# other text it is worse than guessing letters by frequency. (2) After 60 steps 600,000 characters are hardly better
# than 20,000 on held-out text, since nobody has read much twice. After 480 steps they are, and the gain is more than
# twice as large.

# %%
amounts = {500: 240, 20_000: 480, 600_000: 480}  # characters -> steps
looks, rate, seeds = (60, 120, 240, 480), 4e-3, range(3)
if quick():
    amounts, looks, seeds = {500: 2, 20_000: 4, 100_000: 4}, (2, 4), range(2)
LOOKED_AT = 20 if quick() else 200  # windows


def measured(params, text):
    """Nats per character over some windows spread over a text."""
    starts = np.linspace(0, len(text) - 33, min(LOOKED_AT, len(text) - 33)).astype(int)
    return loss(reader, params, causal_lm(text[starts[:, None] + np.arange(33)].astype(int)))


def pieces_of(amount, rng):
    """`amount` characters of the training text, in pieces of 500 from all over it."""
    starts = rng.permutation(np.arange(0, len(tokens) - 499, 500))[: amount // 500]
    return tokens[starts[:, None] + np.arange(500)].reshape(-1)


def learn(amount, seed):
    """Train on `amount` characters. Returns the parameters, and at each look (on them, held out)."""
    params, found = reader.init(np.random.default_rng(seed)), {}
    text = pieces_of(amount, np.random.default_rng(50 + seed))
    sampler = BatchSampler(text, 32, batch=16, seed=1 + seed)

    def batches():
        for step in range(amounts[amount] + 1):
            if step in looks:
                found[step] = measured(params, text), measured(params, test)
            if step < amounts[amount]:
                yield causal_lm(sampler.batch_at(step))

    fit(reader, params, batches(), lambda step: rate * min(1, (step + 1) / 20))
    return params, found


results = {amount: [learn(amount, seed) for seed in seeds] for amount in amounts}


def at(amount, step, which):
    """A loss a seed: on the text learnt from (which = 0) or on held-out text (1)."""
    return [found[step][which] for _, found in results[amount]]


rows = []
for amount, steps in amounts.items():
    for step in [look for look in looks if look <= steps]:
        on_it, other = at(amount, step, 0), at(amount, step, 1)
        spread = f"{min(other):.3f} to {max(other):.3f}"
        times = f"{step * 16 * 32 / amount:.1f}"
        means = float(np.mean(on_it)), float(np.mean(other))
        rows.append((f"{amount:,}", step, times, *means, spread))
headers = [
    "characters",
    "steps",
    "times read",
    "loss on them",
    "loss on held-out text",
    "its seeds",
]
table(headers, rows)

# %%
least, little, much = min(amounts), 20_000, max(amounts)
first, last = looks[0], looks[-1]
early = difference(at(little, first, 1), at(much, first, 1))
late = difference(at(little, last, 1), at(much, last, 1))
print(f"{little:,} less {much:,} characters, held out, after {first} steps:  {early}")
print(f"{little:,} less {much:,} characters, held out, after {last} steps: {late}")
least_last = amounts[least]
gap_smallest = float(np.mean(at(least, least_last, 1)) - np.mean(at(least, least_last, 0)))
gap_largest = float(np.mean(at(much, last, 1)) - np.mean(at(much, last, 0)))
expect("E15.gap_smallest", gap_smallest, above=1.0, against={"none": 0.0}, full_only=True)
expect("E15.gap_largest", gap_largest, below=0.4, against={} if quick() else {"500": gap_smallest})
expect("E15.more_text_late", late.mean, above=0.05, against={"no gain": 0.0}, full_only=True)
expect(
    "E15.early_share_of_the_gain",
    abs(early.mean) / abs(late.mean),
    below=0.5,
    against={"the same at all step counts": 1.0},
    full_only=True,
)
prediction(
    "E15.by_heart",
    "500 characters are learnt by heart: below 0.5 on them, above the unigram on held-out text, on every seed",
    max(at(least, least_last, 0)) < 0.5 and min(at(least, least_last, 1)) > baselines["unigram"],
)
prediction(
    "E15.steps_decide",
    f"{much:,} characters beat {little:,} at the last look, by more than twice the gain at the first",
    late.low > 0 and late.mean > 2 * abs(early.mean),
)

# %%
figure, panels = plt.subplots(1, 3, figsize=(10, 3.4), layout="constrained")
for (amount, runs), color in zip(results.items(), (VERMILION, SKY, BLUE), strict=True):
    for which, axes in enumerate(panels[:2]):
        for number, (_, found) in enumerate(runs):
            label = f"{amount:,} characters" if number == 0 else None
            values = [found[step][which] for step in found]
            axes.semilogx(list(found), values, "o-", color=color, markersize=4, label=label)
for axes, title in zip(panels, ("on the text learnt from", "on held-out text"), strict=False):
    for name in ("unigram", "bigram"):
        axes.axhline(baselines[name], color=GREY, linestyle=":", linewidth=1)
        axes.text(looks[-1], baselines[name] + 0.05, name, color=GREY, fontsize=8, ha="right")
    axes.set_title(title, fontsize=10)
    axes.set(ylim=(0, 7.5))
gains = [difference(at(little, look, 1), at(much, look, 1)) for look in looks]
means = np.array([gain.mean for gain in gains])
bars = means - [gain.low for gain in gains]
panels[2].errorbar(looks, means, yerr=bars, fmt="o-", color=BLUE, capsize=3, markersize=4)
panels[2].set_xscale("log")
panels[2].axhline(0, color=GREY, linewidth=0.8)
panels[2].set_title(f"held out: {little:,} less {much:,}", fontsize=10)
for axes in panels:
    axes.set(xlabel="steps")
    axes.set_xticks(looks, looks)
    axes.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)
panels[0].set(ylabel="loss (nats per character)")
panels[0].legend(frameon=False, fontsize=8, loc="upper right")
figure.suptitle("How much text is enough depends on how long the model learns", fontsize=11)
show(
    figure,
    "Loss against steps for three amounts of text, three seeds each. On the text learnt from, 500 characters fall to "
    "almost 0. On held-out text 500 are far above the unigram and rise; 20,000 and 600,000 lie close together. Their "
    "difference, drawn large with its intervals, begins at zero and grows with the steps.",
)

# %% [markdown]
# After 60 steps, thirty times as much text gives nothing that three seeds can show: the interval holds zero. (It is
# wide, so "twice the gain" speaks of means alone.) Somebody might call 20,000 characters "massive" for this model.
# After 480 steps it gives a clear gain. The small text was read a dozen times by then, and the large one not even
# once. The statement "more text would change little" speaks of the step count as much as of the text. (At every
# look the loss of the last arm is lower on held-out text than on its own: those documents are a little easier. So
# compare arms on the same text, and do not read a gap of a few hundredths.) So *how much is much?* has no answer
# without two other numbers: how large is the model, and for how long does it learn?
#
# ## What the table has learnt
#
# Nobody told the model which characters are digits. Do their vectors become alike? The **cosine** of two vectors is that
# of the angle between them: 1 if they point the same way, 0 at a right angle, -1 if they point opposite ways. We take the
# mean cosine between two digits, and between a digit and a letter, in the table of the models that read most. The first
# control is the table before training.
#
# *What else could make digits alike?* They are rare here. A rare token is mostly pushed away as a wrong answer, and so
# all rare tokens drift the same way (Gao et al., 2019). So the second control is ten characters that are no digits and
# no small letters, each about as frequent as one of the digits.
#
# **Prediction.** After training two digits are more alike than a digit and a letter, and more than a digit and a
# character that is as rare; before, they are not.

# %%
digits = [characters.encode(c)[0] for c in "0123456789"]
lower = [characters.encode(chr(c))[0] for c in range(ord("a"), ord("z") + 1)]
occurs = np.bincount(tokens, minlength=kinds).astype(int)
rare = []
for digit in digits:
    others = [i for i in range(kinds) if i not in {*digits, *lower, *rare}]
    rare.append(min(others, key=lambda i: abs(occurs[i] - occurs[digit])))
print("as rare as digits:", " ".join(characters.decode([i]) for i in rare))


def cosines(params):
    """The mean cosine of a digit with another digit, with an equally rare character, and with a letter."""
    rows = params["token_embedding.weight"]
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    among = (rows[digits] @ rows[digits].T)[~np.eye(10, dtype=bool)]
    return [float(x.mean()) for x in (among, *(rows[digits] @ rows[o].T for o in (rare, lower)))]


before = np.array([cosines(reader.init(np.random.default_rng(seed))) for seed in seeds])
after = np.array([cosines(params) for params, _ in results[much]])  # (seeds, 3)
pairs = ("two digits", "a digit and a character as rare", "a digit and a letter")
arms = {f"{pair}, after": after[:, i] for i, pair in enumerate(pairs)}
arms |= {f"{pair}, before": before[:, i] for i, pair in enumerate(pairs)}
spread_table(arms, name="mean cosine")

# %%
over_letters = difference(after[:, 0] - after[:, 2], before[:, 0] - before[:, 2])
over_rare = difference(after[:, 0] - after[:, 1], before[:, 0] - before[:, 1])
print("what training adds, digits over letters:        ", over_letters)
print("what training adds, digits over equally rare:   ", over_rare)
prediction(
    "L01.digits_become_alike",
    "training makes digits more alike than digit and letter, and than digit and a character as rare",
    over_letters.low > 0 and over_rare.low > 0,
)

# %% [markdown]
# Digits do become alike, and the second control shows that the plain comparison with letters was too kind: a large
# part of that distance is what any rare character has. What is left is about digits.
#
# ## The strongest objection
#
# *"Come now: for a model of that kind the text is massive, whatever the word means."* Very likely. Llama 3 read about
# 15 trillion tokens (Llama Team, 2024), and there is no reason to think that a GPT of 2026 read less. But then the
# word adds nothing: it is true of every such model, and cannot be false of any. A claim that could not be false tells
# a reader nothing. A number of tokens could be false.
#
# ## Verdict
#
# **C21: unverifiable.** The word comes with no number of tokens, no number of bytes, no mixture. Hoffmann et al.
# (2022) suggest about twenty tokens for each parameter, so even a true size would say little without the model's,
# which is undisclosed too.
#
# ## What this does not show
#
# * What *quality* does. Half of a corpus may be worth more than the whole.
# * That our curves hold for large models. They show that the question "how much?" needs "for what, and for how
#   long?".
# * That 600,000 characters are enough for this model. Its last two looks still differ: it has not settled.
# * That text alone decides. Small and large text also differ in how often each character was read.
#
# ## Exercises
#
# Write them in `exercises/01_text_to_tokens.py`, in this notebook's folder, then run there
# `minigpt grade exercises/01_text_to_tokens.py`.
#
# 1. `count_pairs(ids)` (2 points): how often each pair of neighbours occurs.
# 2. `merge_pair(ids, pair, new)` (3 points): one merge, from the left.
# 3. `next_token_batch(tokens, starts, length)` (3 points): windows and their targets.
# 4. `bits_per_byte(nats_per_token, tokens, size)` (2 points).
#
# ## Further reading
#
# * Sennrich, Haddow & Birch (2016), *Neural Machine Translation of Rare Words with Subword Units*, arXiv:1508.07909.
# * Radford et al. (2019), *Language Models are Unsupervised Multitask Learners*, section 2.2: bytes.
# * Shannon (1948), *A Mathematical Theory of Communication*: why a loss is a code length.
# * Gao et al. (2019), *Representation Degeneration Problem in Training Natural Language Generation Models*,
#   arXiv:1907.12009: why rare tokens drift together.
# * Hoffmann et al. (2022), *Training Compute-Optimal Large Language Models*, arXiv:2203.15556.
# * Llama Team (2024), *The Llama 3 Herd of Models*, arXiv:2407.21783.
