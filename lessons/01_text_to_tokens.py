# %% [markdown]
# # 01  From text to tokens
#
# **The claim.** The model was trained on a *massive* corpus of text (C21).
#
# **The question.** What is text to a model? What does "nats per token" mean? And how much text is much?
#
# **You need.** Lesson 00: how to read a claim.
#
# **Time.** An hour to read; the code runs in about half a minute.

# %%
import math
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np

from minigpt import Transformer, TransformerConfig
from minigpt.course import expect, quick, show, show_source, table
from minigpt.measure import bigram_nats, compressed_bits_per_byte, uniform_nats, unigram_nats
from minigpt.objectives import causal_lm, loss
from minigpt.optim import warmup_cosine
from minigpt.plot import BLUE, GREY, VERMILION
from minigpt.text import BatchSampler, BytePairTokenizer, CharacterTokenizer, load_corpus
from minigpt.text.bpe_train import learn_merges
from minigpt.train import fit

# %% [markdown]
# ## Text is bytes
#
# A file holds bytes, numbers from 0 to 255. UTF-8 says how characters become bytes: an English letter is one byte, an
# accented one two, most Asian characters three, an emoji four. So 256 tokens are enough to write *anything*. That is
# the safest vocabulary, and the longest texts.

# %%
words = ("cat", "café", "猫", "🐈")
table(
    ["text", "characters", "bytes", "as numbers"],
    [(w, len(w), len(w.encode()), str(list(w.encode()))) for w in words],
)

# %%
expect("L01.bytes_of_an_emoji", len("🐈".encode()), equal=4)

# %% [markdown]
# ## Byte-pair encoding, by hand
#
# Common sequences deserve a token of their own. Byte-pair encoding finds them greedily: count all pairs of
# neighbours, merge the most frequent one into a new token, and again (Sennrich et al., 2016). Watch it:

# %%


def spell(ids, names):
    """Tokens as text, with bars between them."""
    return "|".join(names[i] for i in ids)


text = "low lower lowest slow slower"
names = {i: chr(i) for i in range(256)}
ids = list(text.encode())
rows = [("start", len(ids), spell(ids, names))]
for new in range(256, 262):
    counts = {}
    for pair in pairwise(ids):
        counts[pair] = counts.get(pair, 0) + 1
    pair = max(counts, key=lambda p: (counts[p], -p[0], -p[1]))
    names[new] = names[pair[0]] + names[pair[1]]
    merged, i = [], 0
    while i < len(ids):
        hit = tuple(ids[i : i + 2]) == pair
        merged.append(new if hit else ids[i])
        i += 2 if hit else 1
    ids = merged
    rows.append((f"merge {names[new]!r}, {counts[pair]} times", len(ids), spell(ids, names)))
table(["step", "tokens", "text"], rows)

# %%
expect("L01.tokens_before", rows[0][1], equal=28)
expect("L01.tokens_after", rows[-1][1], equal=10)

# %% [markdown]
# Six merges take 28 tokens to 10. Nobody told it that "low" is a word. The library's version gives the
# same merges; it keeps the counts up to date instead of counting anew, so that it can do thousands of merges on
# megabytes. Text is first cut into words, numbers and spaces (the *pre-split*), and no merge crosses a cut: otherwise
# "the cat" and "the dog" would each want a token.

# %%
show_source(learn_merges, docstring=False)

# %% [markdown]
# ## A vocabulary from real text
#
# Our text is Python's own documentation, which every reader of this has: two megabytes in English with some code.
# Documents, not lines, are kept apart for training and for testing.

# %%
corpus = load_corpus("pydocs", progress=False)
order = np.random.default_rng(0).permutation(len(corpus.documents))
documents = [corpus.documents[i] for i in order]
held_out = "\n\n".join(documents[-len(documents) // 10 :])[:60_000]
seen = "\n\n".join(documents[: -len(documents) // 10])[: 200_000 if quick() else 600_000]
sizes = (300, 512) if quick() else (300, 512, 1024, 2048)
tokenizers = {size: BytePairTokenizer.train([seen], size) for size in sizes}
bytes_per_token = {
    size: len(held_out.encode()) / len(tokenizer.encode(held_out))
    for size, tokenizer in tokenizers.items()
}
figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
axes.semilogx([257, *sizes], [1.0, *bytes_per_token.values()], "o-", base=2, color=BLUE)
axes.set(xlabel="tokens in the vocabulary", ylabel="bytes per token (held-out text)")
axes.spines[["top", "right"]].set_visible(False)
show(figure)
expect("L01.bytes_per_token", bytes_per_token[512], above=1.5, below=2.6)

# %% [markdown]
# *Every doubling of the vocabulary helps less than the one before.* A larger vocabulary means shorter texts, and a
# larger table of embeddings, each of whose rows is seen less often. GPT-2 chose 50,257.
#
# The words of a text look like this, and nothing is ever lost, whatever bytes come:

# %%
tokenizer = tokenizers[sizes[-1]]
sample = "The parser raises SyntaxError."
print("|".join(tokenizer.decode([i]) for i in tokenizer.encode(sample)))
anything = np.random.default_rng(1).integers(0, 256, 5000, dtype=np.uint8).tobytes()
lossless = tokenizer.decode_bytes(tokenizer.encode(anything)) == anything
expect("L01.lossless_on_random_bytes", lossless, equal=1)

# %% [markdown]
# One token is special: **end of text**. It stands between documents, belongs to no text, and text that merely *spells*
# it does not become it.

# %%
spelled = tokenizer.encode("<|endoftext|>")
meant = tokenizer.encode("<|endoftext|>", allow_special=True)
print(f"spelled: {len(spelled)} tokens; meant: {len(meant)} token, number {meant[0]}")
expect("L01.special_token", len(meant), equal=1)

# %% [markdown]
# ## Windows and targets
#
# A model reads windows of a fixed length. At every position its target is the **next** token, so inputs and targets
# are the same text, moved by one. One window of T tokens gives T questions at once.

# %%
characters = CharacterTokenizer.train([seen, held_out])
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
# The loss of a token is $-\log p(\text{token})$, its surprise: 0 when it was certain, large when it was thought
# impossible. With the natural logarithm the unit is the **nat**. Shannon: this is also the length of the shortest code
# for the token. So a language model *is* a compressor, and can be compared with the ones you have.
#
# $$\text{bits per byte} = \frac{\text{nats per token}}{\ln 2} \cdot \frac{\text{tokens}}{\text{bytes}}$$
#
# A loss by itself says nothing. Beside these it does:

# %%
test = characters.encode(held_out)
baselines = {
    "uniform": uniform_nats(characters.vocabulary_size),
    "unigram": unigram_nats(tokens, test, characters.vocabulary_size),
    "bigram": bigram_nats(tokens, test, characters.vocabulary_size),
}
per_byte = len(test) / len(held_out.encode()) / math.log(2)
rows = [(name, nats, nats * per_byte) for name, nats in baselines.items()]
rows += [(name, "", bits) for name, bits in compressed_bits_per_byte(held_out.encode()).items()]
table(["on the same held-out text", "nats per character", "bits per byte"], rows)

# %%
expect("L01.unigram", baselines["unigram"], above=2.7, below=3.8)
expect("L01.bigram", baselines["bigram"], above=2.0, below=3.0)

# %% [markdown]
# *Unigram* knows how often each letter occurs, *bigram* what follows what. Every loss in this course stands beside
# such lines.
#
# ## How much is "massive"? (experiment E15)
#
# The same small transformer learns from 500 characters, from 2,000, and so on, long enough to settle. We look at the
# text that it learnt from and at held-out text.
#
# **Prediction.** With little text it learns that text by heart: the loss on it goes to almost nothing, and on other
# text it is worse than guessing letters by frequency. With more, the two meet. *Where* they meet depends on the size of
# the model.

# %%
amounts = (500, 20_000) if quick() else (500, 2_000, 8_000, 40_000, 160_000)
steps = 40 if quick() else 600
model = Transformer(
    TransformerConfig(
        vocabulary_size=characters.vocabulary_size,
        context=32,
        width=48,
        layers=2,
        heads=4,
        init_std=0.06,
    )
)


def measured(params, text):
    """Nats per character over 200 windows spread over a text."""
    starts = np.linspace(0, len(text) - 33, min(200, len(text) - 33)).astype(int)
    return loss(model, params, causal_lm(text[starts[:, None] + np.arange(33)].astype(int)))


rows = []
for amount in amounts:
    params = model.init(np.random.default_rng(0))
    sampler = BatchSampler(tokens[:amount], 32, batch=16, seed=1)
    batches = (causal_lm(sampler.batch_at(step)) for step in range(steps))
    fit(model, params, batches, warmup_cosine(4e-3, warmup=20, total=steps))
    rows.append((amount, measured(params, tokens[:amount]), measured(params, test)))
table(["characters of training text", "loss on it", "loss on held-out text"], rows)

# %%
amount, learnt, other = np.array(rows).T
figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
axes.semilogx(amount, other, "o-", color=VERMILION)
axes.semilogx(amount, learnt, "o-", color=BLUE)
axes.text(amount[1], other[1] + 0.1, "  held-out text", color=VERMILION)
axes.text(amount[0], learnt[0] + 0.25, "the text it learnt from", color=BLUE)
for name, nats in baselines.items():
    axes.axhline(nats, color=GREY, linestyle=":", linewidth=1)
    axes.text(amount[-1], nats + 0.05, name, color=GREY, ha="right")
axes.set(xlabel="characters of training text", ylabel="loss (nats per character)", ylim=(0, None))
axes.spines[["top", "right"]].set_visible(False)
show(figure)
expect("E15.gap_smallest", other[0] - learnt[0], above=0.02 if quick() else 1.0)
expect("E15.gap_largest", other[-1] - learnt[-1], below=0.4)

# %% [markdown]
# *At the left a model that has learnt 500 characters by heart and is worse than useless elsewhere; at the right the two
# losses meet.*
#
# For this model a hundred thousand characters are nearly "massive": more of the same would change little. For a model
# a million times larger they are nothing. **Size counts relative to the model and the task.**
#
# ## Verdict
#
# **C21: unverifiable.** The word comes with no number of tokens, no number of bytes, no mixture. Hoffmann et al. (2022)
# suggest about twenty tokens for each parameter, so even a true size would say little without the model's, which is
# undisclosed too.
#
# ## What this does not show
#
# * What *quality* does. Half of a corpus may be worth more than the whole; a later lesson measures it.
# * That our curve holds for large models: it shows that the question "how much?" has no answer without "for what?".
#
# ## Exercises
#
# Write them in `lessons/exercises/01_text_to_tokens.py`, then `minigpt grade lessons/exercises/01_text_to_tokens.py`.
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
# * Hoffmann et al. (2022), *Training Compute-Optimal Large Language Models*, arXiv:2203.15556.
