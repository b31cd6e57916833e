# %% [markdown]
# # 07  Encoder, decoder, and both
#
# **The claim.** An encoder-decoder is a key component of a model that is, for the most part, decoder-only (C08).
#
# **The question.** What is an encoder-decoder, and could anything be that and decoder-only at once?
#
# **You need.** Lesson 04, the decoder and its causal mask.
#
# **Time.** 45 minutes to read; the code runs for about half a minute.

# %%
import matplotlib.pyplot as plt
import numpy as np

from minigpt import Batch, Call, Transformer, TransformerConfig, preset
from minigpt.course import expect, quick, show, show_source, table
from minigpt.infer import GREEDY, generate
from minigpt.model.attention import attention_block_forward
from minigpt.model.masks import decoder_sight
from minigpt.objectives import causal_lm, sequence_to_sequence
from minigpt.ops import IGNORED
from minigpt.optim import warmup_cosine
from minigpt.plot import VERMILION
from minigpt.pretrained import is_fetched, load_pretrained
from minigpt.train import fit

# %% [markdown]
# ## Three ways to read
#
# A stack of blocks mixes positions in one place only, attention, and the mask says what may be mixed. That makes three
# kinds of transformer:
#
# * **Encoder** (BERT, 2018): no mask. Every position sees the whole text. Good for *reading*.
# * **Decoder** (GPT, 2018): the causal mask. Every position sees what came before it. Good for *writing*, since what
#   comes after is not there yet.
# * **Encoder-decoder** (the transformer of 2017; BART, T5): two stacks. The first reads one text in both directions, the
#   second writes another one from left to right, and in every block it also looks at what the first has read.
#
# That second look is **cross-attention**: queries come from the text being written, keys and values from the text that
# was read,
#
# $$\operatorname{softmax}\!\left(\frac{(XW_Q)(MW_K)^\top}{\sqrt{D}}\right) M W_V ,\qquad
# X: (T, C) \text{ written},\quad M: (S, C) \text{ read}.$$
#
# It has no mask: all of $M$ is known before the first word is written.

# %% [markdown]
# In the library all three are one class. This is the only place in which they differ:

# %%
show_source(Transformer.sight)

# %% [markdown]
# An encoder's sight has no mask but that of padding. A decoder's is built here, with the prefix that we come to below:

# %%
show_source(decoder_sight, docstring=False)

# %% [markdown]
# And one function does both kinds of attention; `source` is `x` itself, or the encoder's output.

# %%
show_source(attention_block_forward)

# %% [markdown]
# ## Fingerprints (experiment E05)
#
# What an output can depend on is no matter of opinion: entry $(i, j)$ of the matrix is 1 if output $i$ has a non-zero
# gradient with respect to the embedding of input $j$. Backpropagation gives a whole row at once: put a random gradient
# on output $i$, zero on the others, and see how far it flows back. With eight copies of a text in one batch, the $i$-th
# asking about output $i$, it is one backward pass.
#
# **Prediction**, for eight tokens. Decoder: the lower triangle, $8 \cdot 9 / 2 = 36$ entries, none above the diagonal.
# Encoder: all 64, of which 28 are above the diagonal. Encoder-decoder: two blocks, a full one (written × read) and a
# triangle (written × written). No single matrix is two of these.

# %%
T = 8
sizes = {
    "vocabulary_size": 20,
    "context": 2 * T,
    "width": 32,
    "layers": 2,
    "heads": 4,
    "init_std": 0.15,
}


def fingerprint(architecture, *, prefix=None):
    """Booleans (outputs, inputs): the inputs are those of the source, if there is one, and then the text."""
    model = Transformer(TransformerConfig(architecture=architecture, **sizes))
    rng = np.random.default_rng(0)
    params = model.init(rng)
    source = rng.integers(0, 20, (T, T)) if architecture == "encoder-decoder" else None
    start = None if prefix is None else np.full(T, prefix)
    text = Batch(np.tile(rng.integers(0, 20, T), (T, 1)), source=source, prefix=start)
    seen = {}

    def watch(name, gradient):
        if name.endswith("dembedding"):
            seen[name] = gradient[:, -T:] != 0
        return gradient

    logits, cache = model.forward(params, text)
    asked = np.zeros_like(logits)
    asked[np.arange(T), np.arange(T)] = rng.standard_normal((T, 20))
    model.backward(params, cache, asked, Call(hook=watch))
    parts = [
        seen[name].any(axis=2) for name in ("encoder.dembedding", "dembedding") if name in seen
    ]
    return np.hstack(parts)


prints = {
    "decoder": fingerprint("decoder"),
    "encoder": fingerprint("encoder"),
    "encoder-decoder": fingerprint("encoder-decoder"),
    "decoder with a prefix of 4": fingerprint("decoder", prefix=4),
}
above = np.triu(np.ones((T, T), bool), k=1)
both = prints["encoder-decoder"]
expect("E05.decoder_entries", prints["decoder"].sum(), equal=36)
expect("E05.decoder_above_diagonal", prints["decoder"][above].sum(), equal=0)
expect("E05.encoder_entries", prints["encoder"].sum(), equal=64)
expect("E05.encoder_above_diagonal", prints["encoder"][above].sum(), equal=28)
expect("E05.both_read_entries", both[:, :T].sum(), equal=64)
expect("E05.both_written_entries", both[:, T:].sum(), equal=36)
expect("E05.both_written_above_diagonal", both[:, T:][above].sum(), equal=0)

# %%
figure, panels = plt.subplots(
    1, 4, figsize=(9, 2.9), layout="constrained", width_ratios=[1, 1, 2.1, 1]
)
for axes, (name, matrix) in zip(panels, prints.items(), strict=True):
    axes.imshow(np.where(matrix, 1.0, 0.0), cmap="Blues", vmin=0, vmax=1.3)
    axes.set_title(name if "prefix" not in name else "decoder,\nprefix of 4", fontsize=10)
    axes.set(xticks=np.arange(matrix.shape[1]), yticks=np.arange(T))
    axes.set_xticklabels([*range(1, T + 1)] * (matrix.shape[1] // T), fontsize=7)
    axes.set_yticklabels(range(1, T + 1), fontsize=7)
    axes.set_xlabel("input")
    axes.set_xticks(np.arange(-0.5, matrix.shape[1]), minor=True)
    axes.set_yticks(np.arange(-0.5, T), minor=True)
    axes.grid(which="minor", color="white")
    axes.tick_params(which="both", length=0)
panels[0].set_ylabel("output")
panels[2].axvline(T - 0.5, color=VERMILION, linewidth=2)
panels[2].set_xlabel("input read   |   input written")
show(figure)

# %% [markdown]
# *Blue: this output depends on this input.* The third panel holds an encoder's square and a decoder's triangle side by
# side, but of two different texts. The fourth is a hybrid that does exist, the **prefix LM**: one stack whose first
# tokens see each other. Its fingerprint is neither a triangle nor a square, and lesson 08 comes back to it.
#
# The encoder's own matrix, inside the encoder-decoder, is full as well. So the heading contradicts its sentence: a stack
# with anything above the diagonal is not decoder-only, and one without has no encoder.
#
# ## Reading names instead
#
# With the weights in hand no experiment is needed. An encoder-decoder has arrays that a decoder has no use for.

# %%
bart = Transformer(
    TransformerConfig(
        architecture="encoder-decoder",
        vocabulary_size=50265,
        context=1026,
        width=768,
        layers=6,
        heads=12,
        norm_place="post",
        embedding_norm=True,
        activation="gelu",
        head_bias=False,
    )
)
gpt2 = Transformer(preset("gpt2"))


def part(name):
    """Which part of a model an array belongs to."""
    for word in ("cross_attention", "encoder.", "blocks."):
        if word in name:
            return {"encoder.": "encoder", "blocks.": "decoder"}.get(word, "cross-attention")
    return "embeddings and the rest"


def parts(model):
    """Millions of parameters by part."""
    sums = dict.fromkeys(("embeddings and the rest", "encoder", "decoder", "cross-attention"), 0)
    for name, shape in model.shapes().items():
        sums[part(name)] += int(np.prod(shape))
    return sums


bart_parts, gpt2_parts = parts(bart), parts(gpt2)
expect("L07.bart_base_parameters", sum(bart_parts.values()), equal=139_420_416)
expect("L07.gpt2_cross_attention", gpt2_parts["cross-attention"], equal=0)
expect("L07.gpt2_encoder", gpt2_parts["encoder"], equal=0)
expect(
    "L07.bart_cross_attention_share",
    bart_parts["cross-attention"] / 139_420_416,
    above=0.1,
    below=0.11,
)
table(
    ["part, in millions", "BART base", "GPT-2"],
    [(name, bart_parts[name] / 1e6, gpt2_parts[name] / 1e6) for name in bart_parts],
    digits=1,
)

# %% [markdown]
# The first column adds up to 139,420,416, the published size of BART base. GPT-2, and every GPT whose weights are
# public (up to gpt-oss), has no array for an encoder and none for cross-attention. GPT-5.5's weights are not public.
#
# ## What is an encoder needed for?
#
# Perhaps a decoder lacks an ability that the encoder would bring? The classical case for two stacks is to turn one text
# into another. We take a small one: read a word of eight letters and write it backwards. To write the first letter you
# must have read the last, so the source has to be seen as a whole.
#
# An encoder-decoder gets the word in its encoder. A decoder gets it as the beginning of its own text, `word <start>
# drow <end>`, and is scored on what follows `<start>`.
#
# **Prediction.** Both learn it perfectly: by the time the decoder writes, the word is in its past, and the past it sees.

# %%
LETTERS, PADDING, START, END, LENGTH = 12, 12, 13, 14, 8
steps = 60 if quick() else 250


def words(rng, count):
    return rng.integers(0, LETTERS, (count, LENGTH))


def to_two_stacks(rng):
    read = words(rng, 64)
    write = [np.append(word[::-1], END) for word in read]
    return sequence_to_sequence(list(read), write, start=START, padding=PADDING)


def to_one_stack(rng):
    read = words(rng, 64)
    marks = np.full((2, 64, 1), [[[START]], [[END]]])
    batch = causal_lm(np.hstack([read, marks[0], read[:, ::-1], marks[1]]))
    targets = batch.targets.copy()
    targets[:, :LENGTH] = IGNORED
    return batch._replace(targets=targets)


def train_on(architecture, layers, make):
    """A model, its parameters, and the loss of every step."""
    model = Transformer(
        TransformerConfig(
            architecture=architecture,
            vocabulary_size=15,
            context=20,
            width=64,
            layers=layers,
            heads=1,
            init_std=0.08,
        )
    )
    params, rng = model.init(np.random.default_rng(0)), np.random.default_rng(1)
    rate = warmup_cosine(3e-3, warmup=20, total=steps)
    return model, params, fit(model, params, (make(rng) for _ in range(steps)), rate)


reader_writer, both_params, both_losses = train_on("encoder-decoder", 1, to_two_stacks)
decoder, one_params, one_losses = train_on("decoder", 2, to_one_stack)

# %% [markdown]
# Now they write by themselves, from left to right, 200 words that they have not seen. As a control, the
# encoder-decoder's reader is given *another* word.

# %%
test = words(np.random.default_rng(9), 200)
begin = np.full((200, 1), START)


def right(written):
    """Share of words that are written backwards without a mistake."""
    return float((test[:, ::-1] == np.array(list(written)).T).all(axis=1).mean())


options = {"max_new_tokens": LENGTH, "sampling": GREEDY}
two = right(generate(reader_writer, both_params, begin, source=test, **options))
wrong = right(
    generate(reader_writer, both_params, begin, source=np.roll(test, 1, axis=0), **options)
)
one = right(generate(decoder, one_params, np.hstack([test, begin]), **options))
expect("L07.encoder_decoder_accuracy", two, above=0.95)
expect("L07.decoder_accuracy", one, above=0.95)
expect("L07.other_word_accuracy", wrong, below=0.01)
table(
    ["", "parameters", "words right"],
    [
        ("encoder-decoder, 1 + 1 layers", f"{both_params.flat.size:,}", two),
        ("the same, reading another word", f"{both_params.flat.size:,}", wrong),
        ("decoder, 2 layers", f"{one_params.flat.size:,}", one),
        ("chance", "-", 1 / LETTERS**LENGTH),
    ],
)

# %% [markdown]
# The decoder does the job without an encoder, with fewer parameters: it needs no cross-attention, since its
# self-attention already reaches the source. This is why "it translates" or "it summarizes" says nothing about whether
# there is an encoder inside.
#
# ## Looking at what is looked at
#
# Cross-attention can be watched while the encoder-decoder writes. Row: the letter being written; column: the letter
# being read.
#
# **Prediction.** The weights lie on the falling diagonal turned round: the first letter written looks at the last.

# %%
source, target = test[:1], np.hstack([begin[:1], test[:1, :0:-1]])


def cross_attention(model, params, source, target):
    """Weights (T, S) of the last block's cross-attention, the mean over its heads."""
    kept = {}

    def watch(name, x):
        kept[name] = x
        return x

    model.forward(params, Batch(target, source=source), Call(hook=watch))
    name = f"blocks.{model.config.layers - 1}.cross_attention.weights"
    return kept[name][0].mean(axis=0)


weights = cross_attention(reader_writer, both_params, source, target)
mirrored = float(np.mean(np.diag(weights[:, ::-1])))
expect("L07.mirrored_attention", mirrored, above=0.3 if quick() else 0.6)

# %%
figure, axes = plt.subplots(figsize=(3.8, 3.4), layout="constrained")
image = axes.imshow(weights, cmap="Blues", vmin=0, vmax=1)
axes.set(xlabel="letter read", ylabel="letter written", xticks=range(LENGTH), yticks=range(LENGTH))
axes.set_xticklabels([chr(97 + i) for i in source[0]])
axes.set_yticklabels([chr(97 + i) for i in source[0, ::-1]])
figure.colorbar(image, label="attention weight")
show(figure)

# %% [markdown]
# *Each letter that is written looks at its own copy in the word, found from the other end.*
#
# ## A real one: from letters to sounds
#
# BART's design at half a hundredth of its size: a published model of 751,039 parameters that says how an English word
# sounds. Its encoder reads letters, its decoder writes phonemes, and in between is nothing but the cross-attention
# above. The next cell uses it if it has been fetched; `minigpt generate g2p --prompt shakespeare` does so (4.5 MB).

# %%
if is_fetched("g2p"):
    sounds = load_pretrained("g2p")
    rows = []
    for word in ("attention", "shakespeare", "knight", "through"):
        letters = sounds.tokenizer.encode(word)[None]
        said = list(
            generate(
                sounds.model,
                sounds.params,
                [1],
                30,
                sampling=GREEDY,
                source=letters,
                stop_tokens=[2],
            )
        )
        looks = cross_attention(sounds.model, sounds.params, letters, np.array([[1, *said[:-1]]]))
        best = [
            "<>"[place // (len(word) + 1)] if place in (0, len(word) + 1) else word[place - 1]
            for place in looks.argmax(axis=1)
        ]
        rows.append((word, sounds.tokenizer.decode(said), " ".join(best[:-1])))
    answer = table(["read", "written", "letter most looked at, for each sound"], rows)
else:
    answer = "not fetched; run: minigpt generate g2p --prompt shakespeare"
answer

# %% [markdown]
# ## Verdict
#
# **C08 is inconsistent.** An encoder-decoder has a bidirectional stack, a causal stack and cross-attention between them;
# a decoder-only model has one causal stack and nothing else. The two are told apart by their fingerprints (28 entries
# above the diagonal against 0) and by the names of their arrays. A model may be one or the other; "primarily" one with
# the other as "a key component" is neither.
#
# ## What this does not show
#
# * Which of the two GPT-5.5 is. Its design is undisclosed; the family's published members are decoders.
# * That the word "encoder" never fits. A model with images may have an *image* encoder, whose output enters a decoder
#   as tokens; that would be another claim, and not this one.
# * That decoders are better. T5's authors found the encoder-decoder ahead at equal cost on their tasks, and translation
#   systems use it still. Our task is far too easy to tell.
#
# ## Exercises
#
# Write each function in `lessons/exercises/07_encoder_decoder.py`, then
# `minigpt grade lessons/exercises/07_encoder_decoder.py`.
#
# 1. `prefix_mask(length, prefix)` (2 points): who may look where in a prefix LM.
# 2. `shift_right(targets, start)` (2 points): what a decoder sees while it learns to write.
# 3. `cross_attention(x, memory, present, query, key, value)` (4 points): one head of it, with padding.
#
# ## Further reading
#
# * Vaswani et al. (2017), *Attention Is All You Need*, arXiv:1706.03762, sections 3.1 and 3.2.3.
# * Devlin et al. (2018), *BERT*, arXiv:1810.04805. Radford et al. (2018), *Improving Language Understanding by
#   Generative Pre-Training*.
# * Lewis et al. (2020), *BART*, arXiv:1910.13461. Raffel et al. (2020), *T5*, arXiv:1910.10683, section 3.2: the three
#   compared, with the drawings of masks that this lesson's figure follows.
