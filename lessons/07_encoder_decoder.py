# %% [markdown]
# # 07  Encoder, decoder, and both
#
# **The claim.** Under the heading "Encoder-Decoder Architecture", the article lists a key component of a model that is,
# for the most part, decoder-only (C08).
#
# **The question.** What is an encoder-decoder, and could anything be that and decoder-only at once?
#
# **You need.** Lesson 02, attention; lesson 04, the decoder and its causal mask; lesson 05, gradients.
#
# **Time.** 65 minutes to read; the code runs in 6 s and takes 0.1 GB.

# %%
import matplotlib.pyplot as plt
import numpy as np

from minigpt import Batch, Call, Transformer, TransformerConfig, preset
from minigpt.course import expect, prediction, quick, show, show_source, spread_table, table
from minigpt.infer import GREEDY, generate
from minigpt.model.attention import attention_block_forward
from minigpt.model.masks import decoder_sight, encoder_sight
from minigpt.objectives import causal_lm, sequence_to_sequence
from minigpt.ops import IGNORED
from minigpt.optim import warmup_cosine
from minigpt.plot import BLUE, GREY, ORANGE, VERMILION
from minigpt.plots_sight import boxes_and_arrows, sight_table
from minigpt.pretrained import is_fetched, load_pretrained
from minigpt.train import fit

# %% [markdown]
# ## Three ways to read one word
#
# Take the word *sentence*, and the task to write it backwards: *ecnetnes*. To write the first letter one must have read
# the last. We follow this word through three kinds of transformer.
#
# An **encoder** is a stack of blocks in which every position may look at the whole text, on both sides. BERT (2018) is
# one. It is good for reading.
#
# A **decoder** is a stack of blocks in which every position may look at itself and at what came before. GPT (2018) is
# one. It is good for writing, since what comes after is not there yet.
#
# An **encoder-decoder** has two stacks: an encoder reads one text, and a decoder writes another and looks, in each of its
# blocks, at what the encoder has made of the first. The transformer of 2017, BART and T5 are such.
#
# In **cross-attention** the queries come from the text that is written, the keys and values from the text that was read.
# It has no causal mask, because all of that text is known before the first letter is written:
#
# $$\operatorname{softmax}\!\left(\frac{(XW_Q)(MW_K)^\top}{\sqrt{D}}\right) M W_V ,\qquad
# X: (T, C) \text{ written},\quad M: (S, C) \text{ read}.$$
#
# Here are the three, with the shapes that the arrays have in a run: a batch of one word, 8 letters, width 32. The
# *states* are the vectors that leave the last block. The keys are cut into four heads: batch, heads, letters, numbers of
# a head.

# %%
WORD = "sentence"
T = len(WORD)
ids = np.array([ord(letter) - ord("a") for letter in WORD])
START = 26
backwards = np.array(
    [START, *ids[:0:-1]]
)  # what the decoder of two stacks has written before each letter
sizes = {
    "vocabulary_size": 29,
    "context": 2 * T + 2,
    "width": 32,
    "layers": 2,
    "heads": 4,
    "init_std": 0.15,
}
KINDS = ("encoder", "decoder", "encoder-decoder")
machines = {kind: Transformer(TransformerConfig(architecture=kind, **sizes)) for kind in KINDS}
texts = {
    "encoder": Batch(ids[None]),
    "decoder": Batch(ids[None]),
    "encoder-decoder": Batch(backwards[None], source=ids[None]),
}


def shapes_of(kind):
    """The shape of every activation in one run."""
    shapes, model = {}, machines[kind]

    def watch(name, x):
        shapes[name] = str(x.shape)
        return x

    model.forward(model.init(np.random.default_rng(0)), texts[kind], Call(hook=watch))
    return shapes


def one_stack(shapes, color, sight):
    boxes = {
        "text": ("tokens\ns e n t e n c e", GREY, (0, 0)),
        "blocks": (f"2 blocks\nattention: {sight}", color, (0, 1.5)),
        "out": ("scores: one answer\nfor each position", GREY, (0, 3)),
    }
    arrows = [
        ("text", "blocks", f"embedding {shapes['embedding']}", color),
        ("blocks", "out", f"states {shapes['final']}", color),
    ]
    return boxes, arrows


def two_stacks(shapes):
    keys = shapes["blocks.0.cross_attention.key"]
    boxes = {
        "read": ("read\ns e n t e n c e", GREY, (0, 0)),
        "encoder": ("encoder, 2 blocks\nattention: both sides", ORANGE, (0, 1.5)),
        "written": ("written so far\n<start> e c n e t n e", GREY, (3.4, 0)),
        "decoder": ("decoder, 2 blocks\nattention: the past\ncross-attention", BLUE, (3.4, 1.5)),
        "out": ("scores: the next letter\nfor each position", GREY, (3.4, 3)),
    }
    arrows = [
        ("read", "encoder", f"embedding {shapes['encoder.embedding']}", ORANGE),
        ("written", "decoder", f"embedding {shapes['embedding']}", BLUE),
        ("encoder", "decoder", f"keys {keys}\nand values", VERMILION),
        ("decoder", "out", f"states {shapes['final']}", BLUE),
    ]
    return boxes, arrows


flows = {
    "encoder: reads": one_stack(shapes_of("encoder"), ORANGE, "both sides"),
    "decoder: reads and writes in one text": one_stack(shapes_of("decoder"), BLUE, "the past"),
    "encoder-decoder: one stack reads, one writes": two_stacks(shapes_of("encoder-decoder")),
}
figure, panels = plt.subplots(
    1, 3, figsize=(11.4, 4.4), layout="constrained", width_ratios=[1, 1, 2.2]
)
for axes, (title, (boxes, arrows)) in zip(panels, flows.items(), strict=True):
    boxes_and_arrows(axes, boxes, arrows)
    axes.set_title(title, fontsize=10)
show(
    figure,
    "Three data flows with the shapes of the arrays. The encoder and the decoder are one stack each: tokens, an "
    "embedding of shape 1 by 8 by 32, two blocks, states of the same shape, scores; they differ in what attention may "
    "see. The encoder-decoder has two stacks; the keys and values of the encoder's states go into the decoder's "
    "cross-attention.",
)

# %% [markdown]
# ## Three masks
#
# A stack mixes positions in one place only, attention, and a mask says what may be mixed. Three masks are enough for all
# three kinds. In plain NumPy they are three lines. The library's must be equal.
#
# One more term. Texts of a batch have one length, and **padding** is what a shorter text is filled up with. No position may
# look at it, and it is never scored.

# %%
position = np.arange(T)
both_sides = np.ones((T, T), bool)  # an encoder, and the reader of two stacks
the_past = position[:, None] >= position  # a decoder, and the writer of two stacks
padded = np.array([True] * (T - 2) + [False] * 2)  # a word of six letters, filled up to eight
to_what_was_read = np.ones((T, T), bool) & padded  # cross-attention: rows written, columns read

batch = Batch(ids[None], source_present=padded[None])
from_the_library = decoder_sight(batch, T, memory=np.zeros((1, T, 32)))
assert encoder_sight(None, (1, T)).mask is None  # no mask: everything is seen
assert np.array_equal(from_the_library.mask, the_past)
assert np.array_equal(
    np.broadcast_to(from_the_library.memory_mask, (1, 1, T, T))[0, 0], to_what_was_read
)
masks = {
    "attention of an encoder": both_sides,
    "attention of a decoder": the_past,
    "cross-attention (2 of padding)": to_what_was_read,
}
table(
    ["mask", "fields seen", "above the diagonal"],
    [(name, int(mask.sum()), int(np.triu(mask, k=1).sum())) for name, mask in masks.items()],
)

# %%
figure, panels = plt.subplots(1, 3, figsize=(9.6, 3.6), layout="constrained")
columns = (list(WORD), list(WORD), [*"letter", "-", "-"])
rows = (list(WORD), list(WORD), ["<start>", *"rettel", "-"])
for axes, (title, mask), down, across in zip(panels, masks.items(), rows, columns, strict=True):
    sight_table(axes, mask, across, outputs=down)
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("looked at")
panels[0].set_ylabel("position that looks")
show(
    figure,
    "Three masks for a word of eight letters. An encoder's attention: all fields are seen. A decoder's: the lower "
    "triangle. Cross-attention: all columns but the two of padding, for every row that is written.",
)

# %% [markdown]
# *Blue is seen, hatched is hidden.*
#
# In the library all three kinds are one class. Encoder and decoder differ in `sight`, and in nothing else:

# %%
show_source(Transformer.sight)

# %%
show_source(decoder_sight, docstring=False)

# %% [markdown]
# `decoder_sight` has a line for a *prefix*, to which we come below.
#
# An encoder-decoder differs from a decoder in more than its sight. It has a second stack, which `encode` runs, and in each
# block of the first a second attention with arrays of its own. One function does both kinds of attention: `source` is `x`
# itself, or what the encoder has made of the other text.

# %%
show_source(attention_block_forward)

# %% [markdown]
# ## Fingerprints (experiment E05)
#
# What an output can depend on is no matter of opinion. The **fingerprint** of a model is the table of booleans that says
# which output depends on which input. Entry $(i, j)$ is 1 if output $i$ has a gradient other than zero with respect to
# the embedding of input $j$. Backpropagation gives a whole row at once: put a random gradient on output $i$, zero on the
# others, and see how far it flows back. With eight copies of the word in one batch, the $i$-th asking about output $i$,
# it is one backward pass.
#
# The masks above are those of one layer. The fingerprint is that of the whole model, so it could be wider: through several
# layers, what one position has seen can be passed on.
#
# **Prediction.** For eight letters and two layers. Decoder: the lower triangle, $8 \cdot 9 / 2 = 36$ entries, none above
# the diagonal, since passing on what came before brings nothing that came after. Encoder: all 64, of which 28 are above
# the diagonal. Encoder-decoder: two blocks, a full one (written and read) and a triangle (written and written).


# %%
def fingerprint(kind, *, prefix=None):
    """Booleans (outputs, inputs): the inputs are those of the source, if there is one, and then the text."""
    model, rng = machines[kind], np.random.default_rng(0)
    params = model.init(rng)
    batch = texts[kind]
    copies = Batch(
        np.tile(batch.tokens, (T, 1)),
        source=None if batch.source is None else np.tile(batch.source, (T, 1)),
        prefix=None if prefix is None else np.full(T, prefix),
    )
    seen = {}

    def watch(name, gradient):
        if name.endswith("dembedding"):
            seen[name] = gradient != 0
        return gradient

    logits, cache = model.forward(params, copies)
    asked = np.zeros_like(logits)
    asked[position, position] = rng.standard_normal((T, logits.shape[2]))
    model.backward(params, cache, asked, Call(hook=watch))
    names = [name for name in ("encoder.dembedding", "dembedding") if name in seen]
    return np.hstack([seen[name].any(axis=2) for name in names])


prints = {kind: fingerprint(kind) for kind in KINDS}
prints["decoder with a prefix of 4"] = fingerprint("decoder", prefix=4)
above = np.triu(np.ones((T, T), bool), k=1)
both = prints["encoder-decoder"]
expect("E05.decoder_entries", prints["decoder"].sum(), equal=36)
expect("E05.decoder_above_diagonal", prints["decoder"][above].sum(), equal=0)
expect("E05.encoder_entries", prints["encoder"].sum(), equal=64)
expect("E05.encoder_above_diagonal", prints["encoder"][above].sum(), equal=28)
expect("E05.both_read_entries", both[:, :T].sum(), equal=64)
expect("E05.both_written_entries", both[:, T:].sum(), equal=36)
expect("E05.both_written_above_diagonal", both[:, T:][above].sum(), equal=0)
expect("E05.prefix_above_diagonal", prints["decoder with a prefix of 4"][above].sum(), equal=6)
prediction(
    "E05.fingerprints",
    "the decoder has the lower triangle, the encoder everything, the encoder-decoder one of each",
    np.array_equal(prints["decoder"], ~above)
    and prints["encoder"].all()
    and both[:, :T].all()
    and np.array_equal(both[:, T:], ~above),
)

# %%
figure, panels = plt.subplots(
    1, 4, figsize=(11.4, 3.3), layout="constrained", width_ratios=[1, 1, 1.9, 1]
)
for axes, (name, matrix) in zip(panels, prints.items(), strict=True):
    across = list(WORD) if matrix.shape[1] == T else [*WORD, "<start>", *WORD[:0:-1]]
    down = list(WORD) if matrix.shape[1] == T else ["<start>", *WORD[:0:-1]]
    sight_table(axes, matrix, across, outputs=down)
    axes.set_title(name, fontsize=10)
panels[0].set_ylabel("output")
panels[2].axvline(T - 0.5, color=VERMILION, linewidth=3)
panels[2].set_xlabel("read   |   written")
show(
    figure,
    "Four fingerprints. The encoder's is a full square, the decoder's a lower triangle. The encoder-decoder's is a full "
    "square over the letters read, beside a triangle over the letters written. A decoder with a prefix of four is a "
    "triangle whose upper left corner of four by four is filled.",
)

# %% [markdown]
# *Blue: this output depends on this input.* Confirmed, to the entry. The third panel holds a square and a triangle side by
# side, but of two different texts. The fourth was not predicted: it is a hybrid that does exist. A **prefix LM** is one
# stack in which the first tokens of a text see each other, and each later token sees what came before it. With a prefix of
# 4 it has $4 \cdot 3 / 2 = 6$ entries above the diagonal.
#
# So a stack with causal sight has nothing above the diagonal, and an encoder has everything.
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
    """Parameters by part."""
    sums = dict.fromkeys(("embeddings and the rest", "encoder", "decoder", "cross-attention"), 0)
    for name, shape in model.shapes().items():
        sums[part(name)] += int(np.prod(shape))
    return sums


bart_parts, gpt2_parts = parts(bart), parts(gpt2)
share = bart_parts["cross-attention"] / sum(bart_parts.values())
expect("L07.bart_base_parameters", sum(bart_parts.values()), equal=139_420_416)
expect("L07.gpt2_cross_attention", gpt2_parts["cross-attention"], equal=0)
expect("L07.gpt2_encoder", gpt2_parts["encoder"], equal=0)
expect("L07.bart_cross_attention_share", share, above=0.1, below=0.11, against={"none": 0.0})
table(
    ["part, in millions", "BART base", "GPT-2"],
    [(name, bart_parts[name] / 1e6, gpt2_parts[name] / 1e6) for name in bart_parts],
    digits=1,
)

# %% [markdown]
# The first column adds up to 139,420,416, the published size of BART base. GPT-2, and every GPT whose weights are
# public (up to gpt-oss), has no array for an encoder and none for cross-attention. (`encoder.py` and `encoder.json`, which
# were published with GPT-2, are its tokenizer.) GPT-5.5's weights are not public.
#
# ## What is an encoder needed for?
#
# Perhaps a decoder lacks an ability that the encoder would bring? The classical case for two stacks is to turn one text
# into another. Back to the task: read a word of eight letters and write it backwards.
#
# The encoder-decoder gets the word in its encoder. The decoder gets it as the beginning of its own text,
# `sentence <start> ecnetnes <end>`, and is scored on what follows `<start>`. Words for training are eight letters drawn
# at random, so nobody can know them by heart.
#
# **Prediction.** Both learn it: when the decoder writes, the word is in its past, and the past it sees. As a *control* the
# encoder-decoder is given another word to read: then it should fail, or it has not read at all.

# %%
LETTERS, PADDING, END = 26, 27, 28
SEEDS = range(2 if quick() else 3)
steps = 10 if quick() else 300


def words(rng, rows):
    return rng.integers(0, LETTERS, (rows, T))


def to_two_stacks(rng, rows=32):
    read = words(rng, rows)
    write = [np.append(word[::-1], END) for word in read]
    return sequence_to_sequence(list(read), write, start=START, padding=PADDING)


def to_one_stack(rng, rows=32):
    read, mark = words(rng, rows), np.ones((rows, 1), int)
    batch = causal_lm(np.hstack([read, START * mark, read[:, ::-1], END * mark]))
    targets = batch.targets.copy()
    targets[:, :T] = IGNORED
    return batch._replace(targets=targets)


def train_on(kind, layers, make, seed):
    """A model and its parameters."""
    config = sizes | {"width": 48, "layers": layers, "heads": 1, "init_std": 0.08}
    model = Transformer(TransformerConfig(architecture=kind, **config))
    params, rng = model.init(np.random.default_rng(seed)), np.random.default_rng(seed + 1000)
    rate = warmup_cosine(4e-3, warmup=min(20, steps), total=steps)
    fit(model, params, (make(rng) for _ in range(steps)), rate)
    return model, params


readers = [train_on("encoder-decoder", 1, to_two_stacks, seed) for seed in SEEDS]
decoders = [train_on("decoder", 2, to_one_stack, seed) for seed in SEEDS]

# %% [markdown]
# Now they write by themselves, from left to right, words that they have not seen.

# %%
test = words(np.random.default_rng(9), 20 if quick() else 200)
test[0] = ids
begin = np.full((len(test), 1), START)
options = {"max_new_tokens": T, "sampling": GREEDY}


def right(written):
    """Share of words that are written backwards without a mistake."""
    return float((test[:, ::-1] == np.array(list(written)).T).all(axis=1).mean())


two = [right(generate(*found, begin, source=test, **options)) for found in readers]
other = np.roll(test, 1, axis=0)
wrong = [right(generate(*found, begin, source=other, **options)) for found in readers]
one = [right(generate(*found, np.hstack([test, begin]), **options)) for found in decoders]
chance = {"chance": LETTERS**-T}
expect("L07.encoder_decoder_accuracy", min(two), above=0.9, against=chance, full_only=True)
expect("L07.decoder_accuracy", min(one), above=0.9, against=chance, full_only=True)
expect("L07.other_word_accuracy", max(wrong), below=0.01, against={"reading": 1.0})
prediction(
    "L07.both_write_backwards",
    "on every seed both write nine words of ten backwards, and none if another word is read",
    min(two + one) > 0.9 and max(wrong) == 0,
)
counts = {
    name: f"{found[0][1].flat.size:,}" for name, found in (("two", readers), ("one", decoders))
}
spread_table(
    {
        f"encoder-decoder, 1 + 1 layers, {counts['two']} parameters": two,
        "the same, reading another word": wrong,
        f"decoder, 2 layers, {counts['one']} parameters": one,
        "chance": [LETTERS**-T for _ in SEEDS],
    },
    name="share of words right",
)

# %% [markdown]
# Confirmed, on every seed: and the control, which was given another word to read, has no word right. The decoder does the
# task without an encoder, with fewer parameters: it needs no cross-attention, since its self-attention already reaches
# the word. This is why "it translates" or "it summarizes" says nothing about whether there is an encoder inside.
#
# ## Looking at what is looked at
#
# Cross-attention can be watched while the encoder-decoder writes *ecnetnes*. A row is a letter that is written, a column a
# letter that was read.
#
# **Prediction.** The weights lie on the diagonal from the lower left to the upper right: the first letter written looks at
# the last letter read.


# %%
def cross_attention(model, params, source, text):
    """Weights (T, S) of the last block's cross-attention, the mean over its heads."""
    kept = {}

    def watch(name, x):
        kept[name] = x
        return x

    model.forward(params, Batch(text, source=source), Call(hook=watch))
    name = f"blocks.{model.config.layers - 1}.cross_attention.weights"
    return kept[name][0].mean(axis=0)


looks = [cross_attention(*found, ids[None], backwards[None]) for found in readers]
mirrored = [float(np.mean(np.diag(weights[:, ::-1]))) for weights in looks]
expect("L07.mirrored_attention", min(mirrored), above=0.5, against={"even": 1 / T}, full_only=True)
prediction(
    "L07.first_looks_at_last",
    "on every seed each letter that is written looks most at its own copy, the first at the last",
    all(np.array_equal(weights.argmax(axis=1), np.arange(T)[::-1]) for weights in looks),
)

# %%
figure, axes = plt.subplots(figsize=(4.4, 3.8), layout="constrained")
image = axes.imshow(looks[0], cmap="Blues", vmin=0, vmax=1)
axes.set(xlabel="letter read", ylabel="letter written")
axes.set_xticks(range(T), list(WORD))
axes.set_yticks(range(T), list(WORD[::-1]))
axes.set_title("Each letter looks at its own copy", fontsize=10)
figure.colorbar(image, label="attention weight")
show(
    figure,
    "Cross-attention weights while the word sentence is written backwards. The dark fields lie on the diagonal from "
    "the upper right to the lower left: each letter that is written looks at its own copy in the word that was read.",
)

# %% [markdown]
# *Confirmed. The word has three e's and two n's. Each looks at one of them alone, so the model tells them apart by their
# places and not by their letters.*
#
# ## A real one: from letters to sounds
#
# BART's design at half a hundredth of its size: a published model of 751,039 parameters that says how an English word
# sounds. Its encoder reads letters, its decoder writes signs for sounds (`ʃ` is the *sh* of *she*, `ˈ` stands before what
# is stressed), and in between is nothing but the cross-attention above. The next cell uses it if it has been fetched;
# `minigpt generate g2p --prompt shakespeare` does so (4.5 MB). For each sign it shows the letter most looked at; `<` and
# `>` are the beginning and the end of the word.

# %%
if is_fetched("g2p"):
    sounds = load_pretrained("g2p")
    rows = []
    for word in (WORD, "attention", "shakespeare", "knight"):
        letters = sounds.tokenizer.encode(word)[None]
        asking = {"sampling": GREEDY, "source": letters, "stop_tokens": [2]}
        said = list(generate(sounds.model, sounds.params, [1], 30, **asking))
        weights = cross_attention(sounds.model, sounds.params, letters, np.array([[1, *said[:-1]]]))
        read = ["<", *word, ">"]
        signs = [sounds.tokenizer.decode([token]) for token in said]  # empty for a special token
        pairs = [
            f"{sign} {read[place]}"
            for sign, place in zip(signs, weights.argmax(axis=1), strict=True)
            if sign
        ]
        rows.append((word, sounds.tokenizer.decode(said), ", ".join(pairs)))
    answer = table(["read", "written", "each sign, and the letter most looked at"], rows)
else:
    answer = "not fetched; run: minigpt generate g2p --prompt shakespeare"
answer

# %% [markdown]
# The letters mostly come from left to right, as the sounds do. But no rule puts them side by side: *shakespeare* has one
# sign for *sh*, and *knight* letters that are not sounded. What to look at was learnt.
#
# ## The strongest objection
#
# *"These names are not used as strictly as here."* True, and it is worth knowing how.
#
# * Gemma 3 looks both ways over the tokens of an image and causally over text. Its documentation calls the text model a
#   decoder all the same. So "decoder-only" in the trade means "one stack that writes", and part of its fingerprint may lie
#   above the diagonal, as in the fourth panel. Prefix LMs are called *non-causal decoders* for the same reason.
# * A model that takes images often has an *image encoder* beside its language model. "Encoder" is right there, and the
#   whole is still not an encoder-decoder in the sense of 2017.
# * A product may have an encoder-decoder beside its language model: OpenAI's Whisper, which writes down what is said, is
#   one. Then it is a component of the product, and no part of the model.
# * Tay (2024) stresses that an encoder-decoder writes from left to right, too: its decoder is a decoder.
#
# Any of these would make a sentence that one can check: "a decoder with sight of both sides over its input", "an image
# encoder in front of a decoder". The article names none. Its heading says "Encoder-Decoder Architecture", and its sentence
# explains the word by masked language modelling, which lesson 08 takes up.
#
# ## Verdict
#
# **C08 is inconsistent.** An encoder-decoder has a stack with sight of both sides, a causal stack, and cross-attention
# between them. A decoder-only model has one stack that writes, and no arrays for the rest. The two are told apart by
# their fingerprints (28 entries above the diagonal against 0) and by the names of their arrays. A model may be one or
# the other; "primarily" one, with the other as "a key component", is neither. Even in the loose sense of the objection one
# would have to say over what the decoder looks both ways.
#
# ## What this does not show
#
# * Which of the two GPT-5.5 is. Its design is undisclosed; the family's published members are decoders.
# * That nothing in between exists. Prefix LMs do, and lesson 08 has more of them.
# * That decoders are better. T5's authors found the encoder-decoder ahead at equal cost on their tasks, and translation
#   systems use it still. Our task is far too easy to tell: both arms solve it, so it shows that a decoder *can*.
#
# ## Exercises
#
# Write each function in `exercises/07_encoder_decoder.py`, in this notebook's folder, then run there
# `minigpt grade exercises/07_encoder_decoder.py`.
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
# * Radford et al. (2022), *Whisper*, arXiv:2212.04356.
# * Lewis et al. (2020), *BART*, arXiv:1910.13461. Raffel et al. (2020), *T5*, arXiv:1910.10683, section 3.2: the three
#   compared, with the drawings of masks that this lesson's figure follows.
# * The documentation of Gemma 3 in the transformers library (sight of both sides over image tokens). Tay (2024), *What
#   happened to BERT & T5?*, yitay.net.
