# %% [markdown]
# # 20  Images and speech: what a picture is once it is tokens
#
# **The claim.** Working with images or speech is still to come (C36).
#
# **The question.** What does a transformer need to read a picture or a sound? And how does one tell that it reads the
# picture, and has not only guessed well?
#
# **You need.** Lesson 02, attention and positions; lesson 04, the decoder; lesson 07, the encoder, and prefixes; lesson
# 16, what pretraining leaves behind.
#
# **Time.** 170 minutes to read; the code runs in 90 s and takes 0.7 GB.

# %%
from functools import cache
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from minigpt import Batch, Call, Overlay, Transformer, TransformerConfig, open_model, transcribe
from minigpt.course import (
    difference,
    expect,
    hear,
    prediction,
    quick,
    show,
    show_source,
    spread_table,
    table,
)
from minigpt.measure.words import words_of, wrong_words
from minigpt.model.inputs import images as image_input
from minigpt.ops import IGNORED, contrastive_forward, convolution_2d_forward
from minigpt.optim import warmup_cosine
from minigpt.plots_senses import cut_image, rows_of_numbers, seed_bars, spectrogram
from minigpt.pretrained import is_fetched
from minigpt.sound import HOP, RATE, log_mel, open_wav, write_wav
from minigpt.sound.spectrogram import WINDOW, hertz_of, mel_bands, mel_of
from minigpt.speech.transcribe import asked_of, spectrogram_of
from minigpt.text.fetch import is_kept
from minigpt.train import fit
from minigpt.vision.named import NAMED_IMAGES, named_images
from minigpt.vision.towers import Towers, fit_towers

SEEDS = range(2 if quick() else 3)


# %% [markdown]
# ## One digit
#
# A grey picture is a table of numbers, 0 for white and 1 for black. Here is one digit, 28 by 28, which we shall
# cut into tokens. If the 5,000 digits of MNIST have been fetched (`minigpt train mnist` does so), it is the first
# *seven* among them, written by a person. If not, it is a seven that the next cell draws.
#
# The drawn digits are also what most experiments below use, so that their numbers are the same on every machine. A drawn
# digit has up to seven strokes, as in a pocket calculator. They lean, their ends tremble, the digit stands now here,
# now there, and noise lies over everything.

# %%
ENDS = {  # of each stroke: x and y of both ends, in a box of side 1
    "a": ((0, 0), (1, 0)),
    "b": ((1, 0), (1, 0.5)),
    "c": ((1, 0.5), (1, 1)),
    "d": ((0, 1), (1, 1)),
    "e": ((0, 0.5), (0, 1)),
    "f": ((0, 0), (0, 0.5)),
    "g": ((0, 0.5), (1, 0.5)),
}
STROKES = ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcdfg")


def draw(rng, digit, side):
    """A digit in a picture of `side` by `side` numbers from 0 to 1."""
    box = side / 16 * np.array([rng.uniform(5, 8), rng.uniform(9, 12)])  # width and height
    begin = (side - box) / 2 + side / 16 * rng.uniform(-1, 1, 2) * (2.5, 1.5)
    lean, thick = 0.5 * box[1] * rng.uniform(-0.3, 0.3), side / 16 * rng.uniform(0.5, 1.1)
    y, x = np.mgrid[:side, :side]
    picture = np.zeros((side, side))
    for stroke in STROKES[digit]:
        ends = np.array(ENDS[stroke]) + rng.normal(0, 0.06, (2, 2))
        (x0, y0), (x1, y1) = begin + ends * box + np.outer(0.5 - ends[:, 1], (lean, 0))
        along = ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / ((x1 - x0) ** 2 + (y1 - y0) ** 2)
        along = np.clip(along, 0, 1)  # where on the stroke the nearest point is
        distance = np.hypot(x - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0))
        picture = np.maximum(picture, np.clip(1.2 + thick - distance, 0, 1))
    return picture


MNIST = is_kept(NAMED_IMAGES["mnist"].package)
if MNIST:
    written = named_images("mnist", progress=False)
    DIGIT = written.pixels[written.labels.index("7"), :, :, 0] / 255
else:
    DIGIT = draw(np.random.default_rng(7), 7, 28)
print(f"a seven, {'written by a person' if MNIST else 'drawn'}: an array of shape {DIGIT.shape}")

# %% [markdown]
# ## From squares to tokens
#
# A transformer reads a row of vectors. So the picture is cut into squares, and each becomes a vector. A **patch** is a
# square of a picture that a transformer reads as one token. Patches are counted as one reads: from left to right, row
# after row.

# %%
SIDE = 7


def patches_of(image, side):
    """(Y, X) -> (N, side * side): each square's pixels in a row."""
    height, width = image.shape
    squares = image.reshape(height // side, side, width // side, side).swapaxes(1, 2)
    return squares.reshape(-1, side * side)


patches = patches_of(DIGIT, SIDE)  # (16, 49)
figure, panels = plt.subplots(
    1, 2, figsize=(9, 3.6), layout="constrained", gridspec_kw={"width_ratios": (1, 1.6)}
)
cut_image(panels[0], DIGIT, SIDE)
panels[0].set_title(f"A picture {DIGIT.shape}, cut ...")
rows_of_numbers(panels[1], patches, across="49 pixels of a patch", down="patch")
panels[1].set_title(f"... is a text of {len(patches)} tokens, {patches.shape[1]} numbers each")
show(
    figure,
    "Left, a handwritten or drawn seven, cut into four by four numbered squares. Right, the same squares as the sixteen "
    "rows of a table with 49 columns; rows of empty squares are white.",
)

# %% [markdown]
# A word token is a number, and the embedding table has a vector for each. A patch *is* numbers already. The **patch embedding**
# is one linear layer that makes a vector of each patch, the same matrix for all (Dosovitskiy et al., 2021). Then
# the vector of its place is added, as with words.
#
# The library does the first step with a convolution. A **convolution** lays one small kernel over every place of a
# picture and takes a weighted sum of what is under it. Where the kernel moves on by its own side, the places do not
# overlap, and the convolution is that linear layer. Ten lines and the library must agree.

# %%
config = TransformerConfig(
    vocabulary_size=1,
    context=16,
    width=8,
    layers=1,
    heads=2,
    architecture="encoder",
    input="images",
    image=(1, 28, 28),
    patch=(SIDE, SIDE),
    tied=False,
)
params = Transformer(config).init(np.random.default_rng(0), dtype=np.float64)
kernel, bias = params["patch_embedding.weight"], params["patch_embedding.bias"]  # (8, 1, 7, 7)
by_hand = patches @ kernel.reshape(8, -1).T + bias  # (16, 8)
embedded, _ = image_input.forward(params, "", config, DIGIT[None, None], None)
convolved, _ = convolution_2d_forward(DIGIT[None, None], kernel, bias, stride=SIDE)  # (1, 8, 4, 4)
expect("L20.patch_embedding_by_hand", np.abs(by_hand - embedded[0]).max(), below=1e-9)
expect(
    "L20.patch_embedding_as_convolution",
    np.abs(by_hand - convolved[0].reshape(8, -1).T).max(),
    below=1e-9,
)
print("vectors of the sixteen patches:", embedded[0].shape)
show_source(image_input.forward, docstring=False)

# %% [markdown]
# From here on nothing is new. The blocks are those of lesson 07's encoder, which sees all tokens at once. The mean of
# the last vectors goes through a linear layer to ten scores. A **vision transformer** is an encoder whose tokens are
# patches.
#
# ## Experiment: does it know where a patch is?
#
# Sixteen by sixteen pixels, patches of four by four, two blocks of width 32, and a learned vector for each place. The
# arms, each with three seeds:
#
# * *ViT*: patches with learned positions.
# * *without positions*: the same patches, and nothing says where each was. For attention they are then a bag.
# * *patches exchanged*: every picture is cut and put together in one other order, the same for all.
# * *pixels exchanged*: all 256 pixels change places, in the same way in all pictures.
# * *inside of patches*: pixels change places too, but each stays in its patch. Each patch has an order of its own.
#
# A person can read none of the last three. Whoever only counts pixels notices none of them.
#
# Beside them stand two that know nothing of patches: the nearest neighbour, which gives each picture the class of the
# training picture that is most like it, pixel by pixel; and a linear model of the pixels. Exchanging pixels changes
# *nothing* for them.
#
# **Prediction.** (a) The ViT beats both. (b) Without positions it loses at least 0.1. (c) Exchanging patches costs
# nothing: within 0.05. (d) Exchanging pixels costs something. (e) Exchanging them inside of patches costs less.

# %%
PIXELS, CUT = 16, 4
COUNT, ASKED, STEPS = (200, 200, 12) if quick() else (3000, 1000, 300)


def drawn(seed, count):
    """Pictures (count, 1, 16, 16) with noise, and their digits."""
    rng = np.random.default_rng(seed)
    digits = rng.integers(0, 10, count)
    pictures = np.stack([draw(rng, int(digit), PIXELS) for digit in digits])
    pictures += 0.25 * rng.standard_normal(pictures.shape)
    return (pictures[:, None] - 0.3).astype(np.float32), digits


TRAIN, NAMES = drawn(0, COUNT)
TEST, TRUTH = drawn(1, ASKED)


def nearest(training, labels, asked):
    """The label of the nearest training picture for each that is asked about."""
    a, b = (some.reshape(len(some), -1).astype(np.float64) for some in (training, asked))
    squared = (b * b).sum(axis=1)[:, None] - 2 * b @ a.T + (a * a).sum(axis=1)
    return labels[squared.argmin(axis=1)]


def linear(training, labels, asked, ridge=100.0):
    """What a linear model says, fitted by least squares to rows with a 1 in the column of the label."""
    a, b = (some.reshape(len(some), -1).astype(np.float64) for some in (training, asked))
    mean, count = a.mean(axis=0), labels.max() + 1
    gram = (a - mean).T @ (a - mean) + ridge * np.eye(a.shape[1])
    weight = np.linalg.solve(gram, (a - mean).T @ (np.eye(count)[labels] - 1 / count))
    return ((b - mean) @ weight).argmax(axis=1)


def kernel(training, labels, asked, ridge=0.1):
    """What all training pictures say together, the nearer the louder; how near counts, a part held out decides."""
    a, b = (some.reshape(len(some), -1).astype(np.float64) for some in (training, asked))

    def votes(known, names, other, width):
        near, far = (
            np.exp(
                -width
                * ((some**2).sum(axis=1)[:, None] - 2 * some @ known.T + (known**2).sum(axis=1))
            )
            for some in (known, other)
        )
        weight = np.linalg.solve(
            near + ridge * np.eye(len(known)), np.eye(labels.max() + 1)[names] - 0.1
        )
        return (far @ weight).argmax(axis=1)

    cut = len(a) // 3
    widths = np.array([1, 2, 4, 8]) / (2 * len(a[0]) * a.var(axis=0).mean())
    right = [
        (votes(a[cut : 2 * cut], labels[cut : 2 * cut], a[:cut], w) == labels[:cut]).mean()
        for w in widths
    ]
    return votes(a, labels, b, widths[int(np.argmax(right))])


def vit(position="learned", size=PIXELS, patch=CUT):
    """A vision transformer of two blocks."""
    return Transformer(
        TransformerConfig(
            vocabulary_size=1,
            context=(size // patch) ** 2,
            width=32,
            layers=2,
            heads=4,
            architecture="encoder",
            input="images",
            image=(1, size, size),
            patch=(patch, patch),
            position=position,
            head="sequence",
            labels=10,
            pooled="mean",
            pooler=False,
            tied=False,
            init_std=0.1,
            norm="rms",
            activation="silu",
            gated=True,
        )
    )


def classify(model, training, labels, asked, seed):
    """What the model says of the asked pictures after its training."""
    params = model.init(np.random.default_rng(seed))

    def batches():
        for step in range(STEPS):
            rows = np.random.default_rng([seed, step]).integers(0, len(training), 64)
            yield Batch(training[rows], labels=labels[rows])

    fit(model, params, batches(), warmup_cosine(5e-3, warmup=min(20, STEPS), total=STEPS))
    return model.forward(params, Batch(asked))[0].argmax(axis=1)


def exchanged(pictures, side, order):
    """Every picture cut into squares of `side`, which are put together in another order."""
    rows = np.stack([patches_of(picture[0], side) for picture in pictures])[:, order]
    many = pictures.shape[-1] // side
    squares = rows.reshape(-1, many, many, side, side).swapaxes(2, 3)
    return squares.reshape(pictures.shape)


order = np.random.default_rng(5).permutation((PIXELS // CUT) ** 2)
pixel_order = np.random.default_rng(6).permutation(PIXELS**2)
places = patches_of(np.arange(PIXELS**2).reshape(PIXELS, PIXELS), CUT)  # (16, 16): patch, pixel
places = np.random.default_rng(6).permuted(places, axis=1)  # each row in an order of its own
inside_order = places.reshape(4, 4, CUT, CUT).swapaxes(1, 2).ravel()
views = {
    "ViT": ("learned", lambda some: some),
    "without positions": ("none", lambda some: some),
    "patches exchanged": ("learned", lambda some: exchanged(some, CUT, order)),
    "inside of patches": ("learned", lambda some: exchanged(some, 1, inside_order)),
    "pixels exchanged": ("learned", lambda some: exchanged(some, 1, pixel_order)),
}
SEEN_AS = ("ViT", "patches exchanged", "inside of patches", "pixels exchanged")
figure, panels = plt.subplots(1, 4, figsize=(9.5, 2.7), layout="constrained")
for panel, name in zip(panels, SEEN_AS, strict=True):
    panel.imshow(views[name][1](TEST[:1])[0, 0], cmap="gray_r")
    panel.set_axis_off()
    panel.set_title({"ViT": f"a {TRUTH[0]}"}.get(name, name), fontsize=10)
figure.suptitle("The same numbers, in four orders")
show(
    figure,
    "Four small pictures: a drawn digit under noise; the same cut into sixteen squares that have changed places; the same "
    "with the pixels of each square mixed, where one still sees which squares are dark; the same with all pixels mixed, "
    "which looks like noise.",
)

# %%
said = {
    name: [classify(vit(position), view(TRAIN), NAMES, view(TEST), seed) for seed in SEEDS]
    for name, (position, view) in views.items()
}
seen = {name: [float((one == TRUTH).mean()) for one in runs] for name, runs in said.items()}
by_neighbour = float((nearest(TRAIN, NAMES, TEST) == TRUTH).mean())
by_line = float((linear(TRAIN, NAMES, TEST) == TRUTH).mean())
by_kernel = float((kernel(TRAIN, NAMES, TEST) == TRUTH).mean())
spread_table(
    seen
    | {"nearest neighbour": [by_neighbour], "linear model": [by_line], "kernel model": [by_kernel]},
    name="right",
)

# %%
figure, axes = plt.subplots(figsize=(7, 3.4), layout="constrained")
seed_bars(
    axes,
    seen,
    lines={
        "nearest neighbour": by_neighbour,
        "linear model": by_line,
        "chance": 0.1,
        "kernel model": by_kernel,
    },
)
axes.set_title("Places matter; their order does not")
axes.set_xlabel(f"share of {ASKED:,} pictures that are named right")
show(
    figure,
    "Five bars with a dot for each seed. The vision transformer, and the one whose patches were exchanged, are highest and "
    "equal; the one whose pixels were exchanged inside of patches is lower, the one whose pixels were all exchanged lower "
    "still, the one without positions lowest. Lines mark the nearest neighbour, the linear model, chance and, level "
    "with the highest bars, the kernel model.",
)

# %%
print("ViT minus without positions:", difference(seen["ViT"], seen["without positions"]))
print("ViT minus patches exchanged:", difference(seen["ViT"], seen["patches exchanged"]))
print("ViT minus pixels exchanged: ", difference(seen["ViT"], seen["pixels exchanged"]))
print("ViT minus inside of patches:", difference(seen["ViT"], seen["inside of patches"]))
print(f"ViT minus kernel model: {np.mean(seen['ViT']) - by_kernel:+.3f}")
prediction(
    "L20.vit_beats_both",
    "the ViT beats the nearest neighbour and the linear model in every seed",
    min(seen["ViT"]) > max(by_neighbour, by_line),
)
prediction(
    "L20.positions_needed",
    "without positions it loses at least 0.1",
    difference(seen["ViT"], seen["without positions"]).low > 0.1,
)
prediction(
    "L20.order_of_patches",
    "exchanging patches costs nothing: the difference is within 0.05",
    difference(seen["ViT"], seen["patches exchanged"]).within(0.05),
    text_says=False,
)
prediction(
    "L20.order_of_pixels",
    "exchanging pixels costs something",
    difference(seen["ViT"], seen["pixels exchanged"]).low > 0,
)
prediction(
    "L20.inside_of_patches",
    "exchanging pixels inside of patches costs less than exchanging all",
    difference(seen["inside of patches"], seen["pixels exchanged"]).low > 0,
)
expect(
    "L20.vit",
    np.mean(seen["ViT"]),
    above=0.8,
    against={
        "nearest_neighbour": by_neighbour,
        "linear": by_line,
        "without_positions": np.mean(seen["without positions"]),
    },
    full_only=True,
)

# %% [markdown]
# (a), (b), (d) and (e) are confirmed. (c) is *not confirmed*, by a little: the means differ by less than 0.01, but with three
# seeds the interval reaches just beyond 0.05. Three seeds can show a difference; they are poor at showing that there is
# none. Here one can do better. That the order of patches is nothing to *this* ViT can be shown exactly: put the patches in
# another order, put the rows of the position table in the same order, and the scores are the same. The rows of a fresh
# table are drawn at random, all alike, so neither order has an advantage before the training or during it. That would not
# hold with positions that know rows and columns. Without positions the scores are the same at once.
#
# (a) says less than it seems to. Both rivals are weak, and were not tuned. The *kernel model* knows as little of patches:
# every training picture votes for its class, the louder the nearer it is, and exchanging pixels changes nothing for it
# either. It is level with the ViT. So the ViT's score is no sign that it takes patches to name these digits.

# %%
for position in ("none", "learned"):
    model = vit(position)
    params = model.init(np.random.default_rng(0), dtype=np.float64)
    before = model.forward(params, Batch(TEST[:20].astype(np.float64)))[0]
    if position == "learned":
        places = params["position_embedding.weight"]
        places[...] = places[order]
    after = model.forward(params, Batch(exchanged(TEST[:20], CUT, order).astype(np.float64)))[0]
    expect(f"L20.exchanged_{position}", np.abs(before - after).max(), below=1e-9)

# %% [markdown]
# So a ViT does not know at the start that two patches are neighbours. It must learn from pictures what a convolutional
# network is given; Dosovitskiy et al. (2021) see in that the reason why it needs more of them, which is not tested here.
# Inside a patch it is the same: the linear layer does not know which pixels lie side by side. If the pixels of all patches
# were exchanged alike, nothing at all would change. Exchanged in each patch in its own way they cost less than half of what
# exchanging all of them costs: one layer has to read sixteen kinds of patches. The rest has another cause; the likeliest is
# that a stroke that was in two patches is then in all sixteen.
#
# **Real digits.** The same on MNIST, where it has been fetched: 1,000 digits to learn from, 1,000 others to name.

# %%
RECORDED_MNIST = {
    "ViT": (0.883, 0.884, 0.885),
    "nearest neighbour": (0.903,),
    "linear model": (0.837,),
    "kernel model": (0.936,),
}
if MNIST:
    test = named_images("mnist-test", progress=False)
    rows = np.random.default_rng(3).permutation(len(written.labels))[: COUNT // 3]
    (x, y), (asked, truth) = (
        (
            some.pixels[which, :, :, 0][:, None].astype(np.float32) / 255 - 0.13,
            np.array([int(some.labels[row]) for row in which]),
        )
        for some, which in ((written, rows), (test, np.arange(ASKED)))
    )
    on_mnist = {
        "ViT": [classify(vit(size=28, patch=7), x, y, asked, seed) for seed in SEEDS],
        "nearest neighbour": [nearest(x, y, asked)],
        "linear model": [linear(x, y, asked)],
        "kernel model": [kernel(x, y, asked)],
    }
    behind = (on_mnist["nearest neighbour"][0] == truth) * 1.0 - (on_mnist["ViT"][0] == truth)
    error = behind.std() / np.sqrt(len(behind))
    print(f"nearest neighbour minus the first ViT {behind.mean():+.3f}, standard error {error:.3f}")
    on_mnist = {
        name: tuple(float((one == truth).mean()) for one in runs) for name, runs in on_mnist.items()
    }
    print("measured on this machine")
else:
    on_mnist = RECORDED_MNIST
    print("MNIST is not fetched, so these numbers were recorded where it is")
spread_table(on_mnist, name="right")

# %% [markdown]
# With a thousand digits and two seconds of training the ViT is *not ahead* of the nearest neighbour. It is behind it in all
# three seeds, by about as much as chance in the choice of the thousand that are asked could do; seeds do not show that
# chance, since all three are asked the same. The kernel model is ahead of both. Written digits stand in the middle and are
# alike enough to be compared pixel by pixel; ours move about. `minigpt train mnist` takes nearly four
# thousand, draws each a little differently every time, and trains for minutes: it then names 98 in 100, and the nearest
# neighbour 94. Nobody should report a network on this set without that neighbour beside it.
#
# ## A picture in a language model: the blind baseline first
#
# Before a model is praised for reading pictures one asks what can be answered *without* them. In `easy-vqa`, a set of
# questions about pictures of one shape, whoever always gives the most frequent answer to each question, and never looks,
# is right in 0.67 of the cases. So 0.7 on it is no sign of sight. A **blind baseline** is what one gets without the
# pictures: such a table of answers, or the same model, trained and asked with pictures that are blank.
#
# Experiment E28 has a task in which the text gives nothing away. One of eight glyphs stands in one of four quarters of a
# picture, under noise. The caption is two words: the glyph, then the quarter. Both are drawn at random.

# %%
GLYPHS, QUARTERS, EDGE, START = 8, 4, 6, 0
FIRST_GLYPH, FIRST_QUARTER, WORDS = 1, 1 + GLYPHS, 1 + GLYPHS + QUARTERS
SHAPES = np.random.default_rng(28).integers(0, 2, (GLYPHS, EDGE, EDGE))
ROWS, LEARN = (64, 8) if quick() else (64, 200)


def captioned(rng, count):
    """Pictures (count, 1, 12, 12), glyphs and quarters (count,)."""
    glyphs, quarters = rng.integers(0, GLYPHS, count), rng.integers(0, QUARTERS, count)
    pictures = 0.3 * rng.standard_normal((count, 2, EDGE, 2, EDGE))
    pictures[np.arange(count), quarters // 2, :, quarters % 2] += SHAPES[glyphs]
    return pictures.reshape(count, 1, 2 * EDGE, 2 * EDGE).astype(np.float32), glyphs, quarters


def caption_batch(rng, count, *, blank=False):
    """Pictures ahead, then START and the glyph; asked for are the glyph and the quarter."""
    pictures, glyphs, quarters = captioned(rng, count)
    names = np.stack([FIRST_GLYPH + glyphs, FIRST_QUARTER + quarters], axis=1)
    tokens = np.stack([np.full(count, START), names[:, 0]], axis=1)
    return Batch(tokens, names, source=np.zeros_like(pictures) if blank else pictures)


pictures, glyphs, quarters = captioned(np.random.default_rng(1), 4)
figure, panels = plt.subplots(1, 4, figsize=(8, 2.5), layout="constrained")
for panel, picture, glyph, quarter in zip(panels, pictures, glyphs, quarters, strict=True):
    cut_image(panel, picture[0], EDGE)
    panel.set_title(f"glyph {glyph}, quarter {quarter}", fontsize=10)
figure.suptitle("Four captioned pictures, each cut into four patches")
show(
    figure,
    "Four noisy pictures of twelve by twelve pixels, each cut into four numbered quarters. In one quarter of each is a "
    "glyph of black and white squares.",
)

# %% [markdown]
# How does a decoder read a picture? An encoder turns the patches into vectors. The **projector** is a linear layer that takes
# them to the decoder's width. Then they stand before the first word *as if they were words* (Tsimpoukelli et al., 2021; Liu
# et al., 2023). Ours may all see each other, so they are a prefix in the sense of lesson 07, as in PaliGemma (Beyer et al.,
# 2024); in the two others the decoder reads them in order, as it reads words. No block changes.
#
# The arms, each with three seeds and the same steps on the same pictures. What is frozen has had as many steps again, on
# texts alone:
#
# * *blind*: everything learns, the pictures are blank.
# * *all*: everything learns, and the pictures are there.
# * *frozen, captions*: a decoder is first trained on captions without pictures. Then it is frozen, and only the encoder
#   and the projector learn. That is Tsimpoukelli's arrangement.
# * *frozen, never trained*: the same with a decoder of random numbers. It is the control for *reuse*.
# * *frozen, has read*: the decoder is first trained on texts that describe before they say. Four words stand ahead,
#   one for each quarter: three blanks and, in its place, the name of the glyph. Then comes the caption. It has never seen
#   a picture.
# * *frozen, read in vain*: the same texts, but each has the four words of another. They are the same words in the same
#   places and say nothing of the caption. It is the control for *having read*.
#
# **Prediction.** (a) Blind is at chance, 1/8 for the glyph and 1/4 for the quarter. (b) All is above 0.9. (c) Frozen on
# captions lies between: it has little to reuse. (d) Never trained is worse than that. (e) The one that has read reaches
# 0.9 in glyph and quarter, and the one that read in vain does not.

# %%
DECODER = {
    "vocabulary_size": WORDS,
    "context": 8,
    "width": 32,
    "layers": 2,
    "heads": 4,
    "position": "rotary",
    "init_std": 0.1,
}
EYE = {
    "input": "images",
    "image": (1, 2 * EDGE, 2 * EDGE),
    "patch": (EDGE, EDGE),
    "context": 4,
    "layers": 1,
    "position": "learned",
}
writer = Transformer(TransformerConfig(**DECODER))
reader = Transformer(
    TransformerConfig(**DECODER, architecture="encoder-decoder", encoder_ahead=True, encoder=EYE)
)
rate = warmup_cosine(5e-3, warmup=min(20, LEARN), total=LEARN)


def described(rng, count, *, in_vain=False):
    """A text: a word for each quarter, then the caption, whose words are asked for; in vain: of another."""
    batch = caption_batch(rng, count)
    ahead = np.full((count, QUARTERS), START)
    ahead[np.arange(count), batch.targets[:, 1] - FIRST_QUARTER] = batch.targets[:, 0]
    if in_vain:
        ahead = rng.permutation(ahead)
    return Batch(
        np.hstack([ahead, batch.tokens]),
        np.hstack([np.full_like(ahead, IGNORED), batch.targets]),
        prefix=np.full(count, QUARTERS),
    )


def again(params, fresh, part):
    """The same parameters, but those of one part are random again."""
    mixed = writer.init(np.random.default_rng(0))
    for name in params:
        mixed[name][...] = (fresh if f".{part}." in name else params)[name]
    return mixed


@cache
def language_model(texts, seed):
    """The parameters of a decoder that was trained on captions, on descriptions, or on nothing."""
    params = writer.init(np.random.default_rng([seed, 1]))
    makers = {
        "captions": lambda rng: caption_batch(rng, ROWS)._replace(source=None),
        "has read": lambda rng: described(rng, ROWS),
        "read in vain": lambda rng: described(rng, ROWS, in_vain=True),
    }
    if texts in makers:
        generators = (np.random.default_rng([seed, 2, step]) for step in range(LEARN))
        fit(writer, params, map(makers[texts], generators), rate)
    return params


def shown(arm, seed):
    """Whether glyph and quarter are right, (1000, 2), of an arm after its training."""
    params = reader.init(np.random.default_rng(seed))
    if arm.startswith("frozen"):
        _, texts, *change = arm.split(", ", 2)
        known = language_model(texts, seed)
        if change:
            known = CHANGES[change[0]](known, language_model("never trained", seed))
        params = Overlay(known, params.only([name for name in params if name not in known]))
    blank = arm == "blind"
    generators = (np.random.default_rng([seed, 3, step]) for step in range(LEARN))
    fit(reader, params, (caption_batch(rng, ROWS, blank=blank) for rng in generators), rate)
    asked = caption_batch(np.random.default_rng(4096), 1000, blank=blank)
    return reader.forward(params, asked)[0].argmax(axis=-1) == asked.targets


FROZEN = ("captions", "never trained", "read in vain", "has read")
ARMS = ("blind", *(f"frozen, {texts}" for texts in FROZEN), "all")
right = {arm: [shown(arm, seed) for seed in SEEDS] for arm in ARMS}
glyph = {arm: [float(one[:, 0].mean()) for one in runs] for arm, runs in right.items()}
quarter = {arm: [float(one[:, 1].mean()) for one in runs] for arm, runs in right.items()}
both = {arm: [float(one.all(axis=1).mean()) for one in runs] for arm, runs in right.items()}
table(
    ["arm", "glyph, each seed", "quarter, each seed", "both"],
    [
        (
            arm,
            *("  ".join(f"{value:.3f}" for value in part[arm]) for part in (glyph, quarter)),
            float(np.mean(both[arm])),
        )
        for arm in ARMS
    ],
)

# %%
figure, panels = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained", sharey=True)
for panel, part, name, chance in zip(
    panels, (glyph, quarter), ("glyph", "quarter"), (1 / GLYPHS, 1 / QUARTERS), strict=True
):
    seed_bars(panel, part, lines={"chance": chance})
    panel.set_xlabel(f"{name} named right")
figure.suptitle("Of frozen models only the one that has read names both")
show(
    figure,
    "Two panels of six bars with dots for seeds: the glyph and the quarter. Blind is at chance in both; the frozen model "
    "that has read descriptions and the model that learns as a whole are at one in both. The other frozen models lie "
    "between for the glyph, with seeds far apart, and near chance for the quarter.",
)

# %%
print("frozen, captions minus blind, glyph:", difference(glyph["frozen, captions"], glyph["blind"]))
print(
    "never trained minus captions, glyph:",
    difference(glyph["frozen, never trained"], glyph["frozen, captions"]),
)
expect(
    "E28.blind_accuracy",
    np.mean(glyph["blind"]),
    below=0.2,
    against={"all": np.mean(glyph["all"])},
    full_only=True,
)
expect(
    "E28.seeing_accuracy",
    np.mean(glyph["all"]),
    above=0.9,
    against={"blind": np.mean(glyph["blind"])},
    full_only=True,
)
expect(
    "E28.frozen_on_captions",
    np.mean(both["frozen, captions"]),
    below=0.6,
    against={"has_read": np.mean(both["frozen, has read"])},
    full_only=True,
)
expect(
    "E28.frozen_that_has_read",
    np.mean(both["frozen, has read"]),
    above=0.9,
    against={
        "captions": np.mean(both["frozen, captions"]),
        "never_trained": np.mean(both["frozen, never trained"]),
        "read_in_vain": np.mean(both["frozen, read in vain"]),
    },
    full_only=True,
)
prediction(
    "E28.frozen_between",
    "frozen on captions names the glyph more often than blind, and less often than all",
    difference(glyph["frozen, captions"], glyph["blind"]).low > 0
    and difference(glyph["all"], glyph["frozen, captions"]).low > 0,
    text_says=False,
)
prediction(
    "E28.never_trained_is_worse",
    "a frozen model that was never trained is worse than one that knows captions",
    difference(glyph["frozen, captions"], glyph["frozen, never trained"]).low > 0,
    text_says=False,
)
prediction(
    "E28.reading_is_reused",
    "a frozen model that has read descriptions names glyph and quarter above 0.9 in every seed; one that read in vain does "
    "in none",
    min(both["frozen, has read"]) > 0.9 > max(both["frozen, read in vain"]),
)

# %% [markdown]
# (a), (b) and (e) are confirmed: blind is at chance, and the frozen reader is perfect. It had never seen a picture, but it
# had learnt to look at what stands ahead. Words ahead that say nothing do not teach that.
#
# (c) and (d) are *not confirmed*. On captions the seeds lie so far apart that three of them cannot tell it from blind. And
# in each seed a decoder of random numbers names the glyph more often than one that has learnt captions: for the glyph, at
# least, what it has learnt is no help in so many steps. So that it "has too little to reuse" cannot be what holds it back.
# Lu et al. (2021) trained little more than the first and the last layer of random transformers and found them useful; on
# most of their tasks pretrained ones were better. With such a spread the
# interval of that difference holds zero, or nearly so; the next experiment asks for the cause instead of for more seeds.
#
# "Frozen, captions" is slower rather than blind: in four times the steps it named 0.67, 0.96 and 0.66 of the glyphs (three
# seeds, tried once). And chance is no floor. Who does not know that the second word is a quarter can fall below 1/4.
#
# ## Why does a trained decoder stand in the way?
#
# In the captions nothing tells which glyph will come. So what the decoder has learnt is to say, at START, "some glyph,
# whatever came before". What a block adds to the residual stream of lesson 04 shows where that is kept. We measure it at
# START, after four words of a description: how long it is, and how much it *varies* with the four words, as a share of its
# length.


# %%
def at_start(params):
    """Name -> the mean length of what is there at START, and how much of it varies with the four words ahead."""
    found = {}

    def hook(name, x):
        if x.ndim == 3:  # (B, T, C)
            here = x[:, QUARTERS]
            length = np.sqrt((here**2).sum(axis=-1).mean())
            found[name] = float(length), float(np.sqrt(here.var(axis=0).sum()) / length)
        return x

    writer.hidden_states(params, described(np.random.default_rng(5), 256), Call(hook=hook))
    return found


LAST = f"blocks.{DECODER['layers'] - 1}"
inner = {
    name: [at_start(language_model(name, seed)) for seed in SEEDS]
    for name in ("never trained", "captions", "has read")
}
share = {
    name: [
        one[f"{LAST}.attention.output"][0] / one[f"{LAST}.feed_forward.output"][0] for one in some
    ]
    for name, some in inner.items()
}
varies = {
    name: [one[f"{LAST}.feed_forward.output"][1] for one in some] for name, some in inner.items()
}
table(
    ["decoder", "attention adds", "feed-forward adds", "the first over the second", "varies"],
    [
        (
            name,
            *(
                float(np.mean([one[f"{LAST}.{part}.output"][0] for one in some]))
                for part in ("attention", "feed_forward")
            ),
            float(np.mean(share[name])),
            float(np.mean(varies[name])),
        )
        for name, some in inner.items()
    ],
)

# %% [markdown]
# The picture can reach the word only through attention. In the decoder of captions the feed-forward networks have grown
# until their "some glyph" is many times as long as what attention brings, and it is nearly the same whatever stands ahead.
# If that is what stands in the way, then making *these networks* random again must open the way, and making attention
# random again must open it less. Is it their length or their sameness? Random networks can be *stretched*, so that what
# they add is as long as in the trained ones; the trained ones can be *shortened*, to the length of random ones.
#
# **Prediction.** (a) With random feed-forward networks the frozen decoder of captions names the glyph above 0.9 in every
# seed, and more often than with random attention. (b) If length drowns the picture, stretched random networks bring the
# glyph below 0.9. (c) With shortened trained ones it is above 0.9.


# %%
def stretched(params, like):
    """The same parameters, but the feed-forward networks add as much at START as those of others."""
    params = again(params, params, "feed_forward")  # a copy
    for layer in range(DECODER["layers"]):
        name = f"blocks.{layer}.feed_forward"
        factor = at_start(like)[f"{name}.output"][0] / at_start(params)[f"{name}.output"][0]
        for part in ("weight", "bias"):
            params[f"{name}.down.{part}"][...] *= factor
    return params


CHANGES = {
    "random attention": lambda known, fresh: again(known, fresh, "attention"),
    "random feed-forward": lambda known, fresh: again(known, fresh, "feed_forward"),
    "random feed-forward, stretched": lambda known, fresh: stretched(
        again(known, fresh, "feed_forward"), known
    ),
    "feed-forward, shortened": lambda known, fresh: stretched(
        known, again(known, fresh, "feed_forward")
    ),
}
changed = {
    change: [shown(f"frozen, captions, {change}", seed).mean(axis=0) for seed in SEEDS]
    for change in CHANGES
}
glyph_of = {"captions": glyph["frozen, captions"]} | {
    change: [float(one[0]) for one in runs] for change, runs in changed.items()
}
spread_table(glyph_of | {"never trained": glyph["frozen, never trained"]}, name="glyph named right")

# %%
expect(
    "E28.share_of_attention",
    np.mean(share["captions"]),
    below=0.3,
    against={
        "never_trained": np.mean(share["never trained"]),
        "has_read": np.mean(share["has read"]),
    },
    full_only=True,
)
expect(
    "E28.random_feed_forward",
    np.mean(glyph_of["random feed-forward"]),
    above=0.9,
    against={
        "captions": np.mean(glyph_of["captions"]),
        "random_attention": np.mean(glyph_of["random attention"]),
    },
    full_only=True,
)
prediction(
    "E28.feed_forward_in_the_way",
    "with random feed-forward networks the glyph is named above 0.9 in every seed, and more often than with random "
    "attention",
    min(glyph_of["random feed-forward"]) > 0.9
    and all(np.array(glyph_of["random feed-forward"]) > np.array(glyph_of["random attention"])),
)
prediction(
    "E28.length_alone",
    "random feed-forward networks that are stretched bring the glyph below 0.9",
    max(glyph_of["random feed-forward, stretched"]) < 0.9,
    text_says=False,
)
prediction(
    "E28.shortened",
    "with trained feed-forward networks that are shortened the glyph is named above 0.9 in every seed",
    min(glyph_of["feed-forward, shortened"]) > 0.9,
)
for arm in ("random attention", "random feed-forward"):
    print(f"{arm}, less captions:", difference(glyph_of[arm], glyph_of["captions"], paired=True))
for change, runs in changed.items():
    print(f"quarter, {change}:", "  ".join(f"{one[1]:.3f}" for one in runs))

# %% [markdown]
# (a) and (c) are confirmed, (b) is *not confirmed*. In every seed the glyph rises to 0.98 or more with each of the three
# changes of the feed-forward networks. By how much, differs from seed to seed, so that the interval of the difference holds
# zero. The trained networks stand in the way, and it is not their length alone: random ones as long let the glyph
# through, and what they add varies with what they get. It takes both, that they are long and always say the same. That
# random attention helps as well, three seeds do not show. No frozen decoder but the one that has read names the quarter
# reliably; why is not tested here.
#
# So *frozen* says little by itself. What mattered here is whether the frozen model had learnt to look at what stands
# before. Large language models have, since their texts are full of things that are described before they are named. That
# may be why Tsimpoukelli's worked.
#
# ## Pictures and texts that belong together: CLIP
#
# The other way to join the two has no decoder. **Contrastive learning** trains two encoders so that what belongs together
# lies together. Of N pictures and their N texts each picture must choose its text among all N, and each text its
# picture: two cross-entropies over one table of cosines (Radford et al., 2021). The *cosine* of two vectors is their product
# after each has been divided by its length: 1 if they point the same way, 0 if they have nothing to do with each other.

# %%


def clip_loss(images, texts, factor):
    """images, texts: (N, D), row by row what belongs together; factor: how sharply cosines are told apart."""
    u = images / np.linalg.norm(images, axis=1, keepdims=True)
    v = texts / np.linalg.norm(texts, axis=1, keepdims=True)
    scores = factor * u @ v.T  # (N, N)
    of_rows = np.log(np.exp(scores).sum(axis=1)) - np.diag(scores)
    of_columns = np.log(np.exp(scores).sum(axis=0)) - np.diag(scores)
    return (of_rows.mean() + of_columns.mean()) / 2


rng = np.random.default_rng(0)
pair, noise = rng.standard_normal((16, 8)), rng.standard_normal((16, 8))
library = {
    name: float(contrastive_forward(pair, other, np.log([14.0]))[0])
    for name, other in (("alike", pair + 0.3 * noise), ("chance", noise))
}
expect(
    "L20.clip_loss_by_hand",
    abs(clip_loss(pair, pair + 0.3 * noise, 14.0) - library["alike"]),
    below=1e-9,
)
flat = float(contrastive_forward(pair, noise, np.log([1e-9]))[0])
print(
    f"loss of pairs {library['alike']:.3f}, of vectors that do not belong together {library['chance']:.3f}"
)
print(f"where cosines are not looked at: {flat:.3f}, and ln 16 = {np.log(16):.3f}")

# %% [markdown]
# The glyphs again: a picture, and its caption as a text of two words. Of the 32 captions eight are held out: neither
# their pictures nor their words are ever shown together. Afterwards every picture chooses among all 32, without a
# classifier. The control is trained on captions that were dealt out among the pictures at random.
#
# **Prediction.** (a) Above 0.9 on captions that were shown, and above 0.8 on those that were not. (b) The control is
# below 0.2.

# %%
CAPTIONS = np.array([(g, q) for g in range(GLYPHS) for q in range(QUARTERS)])
IS_HELD = CAPTIONS[:, 0] % QUARTERS == CAPTIONS[:, 1]  # 8 of the 32
TOWER = {
    "width": 32,
    "layers": 1,
    "heads": 4,
    "architecture": "encoder",
    "position": "learned",
    "head": "sequence",
    "labels": 16,
    "head_bias": False,
    "pooled": "mean",
    "pooler": False,
    "init_std": 0.1,
}
towers = Towers(
    Transformer(TransformerConfig(**{**TOWER, **EYE}, vocabulary_size=1, tied=False)),
    Transformer(TransformerConfig(**TOWER, vocabulary_size=WORDS, context=2)),
)


def caption_tokens(which):
    """Captions as texts of two words."""
    return CAPTIONS[which] + (FIRST_GLYPH, FIRST_QUARTER)


def pairs(seed, *, dealt_out):
    """For each step one picture of each of some captions that may be shown, and these captions."""
    for step in range(LEARN):
        rng = np.random.default_rng([seed, step])
        pictures, glyphs, quarters = captioned(rng, 64)
        which = QUARTERS * glyphs + quarters
        _, rows = np.unique(np.where(IS_HELD[which], -1, which), return_index=True)
        rows = rows[~IS_HELD[which[rows]]]
        texts = which[rng.permutation(rows) if dealt_out else rows]
        yield pictures[rows], Batch(caption_tokens(texts))


def retrieval(seed, *, dealt_out=False):
    """The share of new pictures that choose their caption among all: shown and held-out ones."""
    params = towers.init(np.random.default_rng(seed))
    fit_towers(towers, params, pairs(seed, dealt_out=dealt_out), rate)
    pictures, glyphs, quarters = captioned(np.random.default_rng(77), 2000)
    which = QUARTERS * glyphs + quarters
    seen_as, said_as = (
        vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        for vectors in (
            towers.images.forward(params.images, Batch(pictures))[0],
            towers.texts.forward(params.texts, Batch(caption_tokens(np.arange(32))))[0],
        )
    )
    cosines = seen_as @ said_as.T  # (2000, 32)
    hits = cosines.argmax(axis=1) == which
    return float(hits[~IS_HELD[which]].mean()), float(hits[IS_HELD[which]].mean()), cosines, which


runs = {
    name: [retrieval(seed, dealt_out=name == "dealt out") for seed in SEEDS]
    for name in ("paired", "dealt out")
}
chosen = {
    f"{name}, {part}": [run[column] for run in some]
    for name, some in runs.items()
    for column, part in enumerate(("shown", "held out"))
}
spread_table(chosen, name="right caption of 32 (chance 0.031)")

# %%
_, _, cosines, which = runs["paired"][0]
mean_cosine = np.stack([cosines[which == caption].mean(axis=0) for caption in range(32)])
figure, axes = plt.subplots(figsize=(4.6, 4.2), layout="constrained")
drawn_as = axes.imshow(mean_cosine, cmap="cividis", vmin=-1, vmax=1)
for row in np.flatnonzero(IS_HELD):
    axes.plot(row, row, "s", markerfacecolor="none", markeredgecolor="red", markersize=7)
firsts = range(0, 32, QUARTERS)
axes.set_xticks(firsts, [f"{caption // QUARTERS}, 0" for caption in firsts], fontsize=7)
axes.set_yticks(firsts, [f"{caption // QUARTERS}, 0" for caption in firsts], fontsize=7)
axes.set(xlabel="caption: glyph, quarter", ylabel="pictures of the caption")
axes.set_title(
    "A picture lies by its caption, also where\nthe pair was never shown (framed)", fontsize=10
)
figure.colorbar(drawn_as, ax=axes, label="cosine, mean over pictures", shrink=0.8)
show(
    figure,
    "A table of 32 by 32 cosines. Its diagonal is brightest, also in the eight places, marked by red frames, whose "
    "captions were held out. Captions that share a glyph or a quarter are brighter than others.",
)

# %%
prediction(
    "L20.clip_combines",
    "above 0.9 on captions that were shown and above 0.8 on the others, in every seed",
    min(chosen["paired, shown"]) > 0.9 and min(chosen["paired, held out"]) > 0.8,
)
prediction(
    "L20.clip_control",
    "trained on captions that were dealt out it is below 0.2 on either",
    max(chosen["dealt out, shown"] + chosen["dealt out, held out"]) < 0.2,
)
expect(
    "L20.clip_held_out",
    np.mean(chosen["paired, held out"]),
    above=0.8,
    against={"dealt_out": np.mean(chosen["dealt out, held out"]), "chance": 1 / 32},
    full_only=True,
)
near = {kind: [] for kind in ("the same caption", "the same glyph", "the same quarter", "neither")}
for _, _, cosines, which in runs["paired"]:
    alike = [CAPTIONS[which][:, None, part] == CAPTIONS[None, :, part] for part in (0, 1)]
    for kind, where in zip(
        near,
        (alike[0] & alike[1], alike[0] & ~alike[1], ~alike[0] & alike[1], ~alike[0] & ~alike[1]),
        strict=True,
    ):
        near[kind].append(float(cosines[where].mean()))
spread_table(near, name="cosine of a picture and a caption with")

# %% [markdown]
# (a) and (b) are confirmed. Captions with the same glyph, or the same quarter, lie nearer than others, in every seed. That
# is what one expects if glyph and quarter are learnt apart and put together anew; eight words of ten kinds are not many, so
# this is combination in its smallest form. With captions
# dealt out at random hardly a picture finds its own; the held-out ones do somewhat better there than the shown ones, and
# why is not tested.
#
# ## A sound
#
# A sound is a row of numbers: how far the air is pressed, 16,000 times a second. Here is one that we make: a voice that
# goes from *ah* to *ee*. Vocal cords give a tone with overtones. The mouth strengthens those near its resonances, the
# *formants*, and these move (the values are those that Peterson & Barney measured in 1952, of men).

# %%
FORMANTS = {"ah": (730, 1090, 2440), "ee": (270, 2290, 3010)}


def vowel(seconds=1.2, pitch=120.0):
    """(N,) samples of a voice that moves from ah to ee."""
    time = np.arange(int(seconds * RATE)) / RATE
    move = np.clip(3 * time / seconds - 1, 0, 1)  # the first third ah, the last ee
    pitch = pitch * (1.1 - 0.2 * time / seconds)  # it falls
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    formants = [a + (e - a) * move for a, e in zip(*FORMANTS.values(), strict=True)]
    sound = np.zeros(len(time))
    for overtone in range(1, 40):
        hertz = overtone * pitch
        gain = sum(1 / (1 + ((hertz - formant) / 90) ** 2) for formant in formants)
        sound += gain / overtone**0.5 * np.sin(overtone * phase)
    return 0.6 * sound / np.abs(sound).max() * np.minimum(1, 20 * np.minimum(time, seconds - time))


VOICE = vowel()
hear(VOICE, RATE, "A low voice of 1.2 seconds that glides from ah, as in father, to ee, as in see.")

# %% [markdown]
# A network can read the samples, and some do; but one of them says nearly nothing, and there are 16,000 a second. What the
# ear hears is how loud each pitch is, and how that changes. A **spectrogram** says for each short piece of a sound how much of each frequency is in
# it. Whisper's has a piece, a *frame*, every 10 ms. The **mel scale** spaces pitches as people hear them: evenly up to
# 1,000 Hz, then in ever wider steps. Ten lines, which must be the library's:

# %%


def log_mel_by_hand(samples, bands=80):
    """(N,) at 16,000 a second -> (N // 160, bands)."""
    mirrored = np.pad(samples, WINDOW // 2, mode="reflect")
    count = len(samples) // HOP
    pieces = np.stack([mirrored[HOP * f : HOP * f + WINDOW] for f in range(count)])  # 25 ms each
    faded = pieces * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW))  # no hard edges
    power = np.abs(np.fft.rfft(faded)) ** 2  # (F, 201): of 0, 40, 80, ... 8,000 Hz
    loudness = np.log10(np.maximum(power @ mel_bands(bands), 1e-10))  # (F, bands)
    return (np.maximum(loudness, loudness.max() - 8) + 4) / 4  # 80 dB, then about -1 to 1


heard = log_mel_by_hand(VOICE)
expect("L20.log_mel_by_hand", np.abs(heard - log_mel(VOICE)).max(), below=1e-6)
MIDDLES = hertz_of(np.linspace(0, mel_of(np.array(RATE / 2)), 82))[1:-1]
figure, panels = plt.subplots(
    2, 1, figsize=(8, 4.6), layout="constrained", gridspec_kw={"height_ratios": (1, 2.6)}
)
panels[0].plot(np.arange(len(VOICE)) / RATE, VOICE, color="black", linewidth=0.4)
panels[0].set(xlim=(0, len(VOICE) / RATE), ylabel="samples")
panels[0].set_title(
    f"{len(VOICE):,} samples become {len(heard)} frames of {heard.shape[1]} numbers, and the vowels are seen"
)
spectrogram(panels[1], heard, len(VOICE) / RATE, MIDDLES)
for name, at in (("ah", 0.2), ("ee", 1.0)):
    panels[1].text(at, 74, name, color="white", ha="center", fontsize=12)
show(
    figure,
    "Above, the samples of the voice, a dense band. Below, its spectrogram: at the left, under the word ah, bright stripes "
    "near 700 and 1,100 hertz; they part and become, under the word ee, one stripe near 300 and one near 2,300. A third "
    "rises from 2,400 to 3,000 hertz.",
)

# %% [markdown]
# The rest is a picture again, with time to the right. Whisper's encoder reads it through two convolutions along time,
# each over three frames, of which the second keeps every other place. So a vector stands for 20 ms. Then come the same
# blocks.
#
# **Does it hear the order?** A glide that rises and one that falls have the same sounds in them, in another order. Four
# kinds of glide, of a half second each: up, down, up and down, down and up. The arms: frames in their order; frames that
# are shuffled anew each time, in training and in the test; and, as a blind baseline, a linear model of the *mean* frame.
# Beside them a linear model of all frames.
#
# **Prediction.** (a) In order above 0.9. (b) Shuffled, and the mean frame, below 0.4 (chance is 0.25).

# %%
KINDS, LISTEN, BANDS = 4, 8 if quick() else 120, 20


def glide(rng, kind):
    """Half a second: up, down, up and down, down and up."""
    time = np.arange(RATE // 2) / (RATE // 2)
    low = rng.uniform(120, 250)
    way = time if kind < 2 else 1 - np.abs(2 * time - 1)
    hertz = low * rng.uniform(1.6, 2.2) ** (1 - way if kind % 2 else way)
    phase = 2 * np.pi * np.cumsum(hertz) / RATE
    tone = sum(np.sin(k * phase + rng.uniform(0, 6)) / k for k in range(1, 6))
    return 0.2 * tone + 0.05 * rng.standard_normal(len(time))


def glides(seed, count):
    """Frames (count, 50, 20) and kinds (count,)."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, KINDS, count)
    frames = np.stack([log_mel(glide(rng, int(kind)), bands=BANDS) for kind in kinds])
    return (frames - 0.2) / 0.4, kinds


SOUNDS, KIND = glides(0, 100 if quick() else 800)
ASKED_SOUNDS, KIND_TRUTH = glides(1, 100 if quick() else 400)


def shuffled(frames, rng):
    """The frames of each sound in an order of its own."""
    return np.stack([sound[rng.permutation(len(sound))] for sound in frames])


def listen(seed, *, mixed):
    """How many sounds are named right by an encoder of frames."""
    ear = Transformer(
        TransformerConfig(
            **{**TOWER, "labels": KINDS, "position": "sinusoidal", "head_bias": True},
            vocabulary_size=1,
            context=25,
            input="frames",
            input_width=BANDS,
            tied=False,
        )
    )
    params = ear.init(np.random.default_rng(seed))

    def batches():
        for step in range(LISTEN):
            rng = np.random.default_rng([seed, step])
            rows = rng.integers(0, len(SOUNDS), 64)
            yield Batch(shuffled(SOUNDS[rows], rng) if mixed else SOUNDS[rows], labels=KIND[rows])

    fit(ear, params, batches(), warmup_cosine(5e-3, warmup=min(20, LISTEN), total=LISTEN))
    asked = shuffled(ASKED_SOUNDS, np.random.default_rng(9)) if mixed else ASKED_SOUNDS
    return float((ear.forward(params, Batch(asked))[0].argmax(axis=1) == KIND_TRUTH).mean())


ears = {
    name: [listen(seed, mixed=name != "in order") for seed in SEEDS]
    for name in ("in order", "shuffled")
}
said = {
    "linear, mean frame": linear(SOUNDS.mean(axis=1), KIND, ASKED_SOUNDS.mean(axis=1), 10.0),
    "linear, all frames": linear(SOUNDS, KIND, ASKED_SOUNDS, 10.0),
}
lines = {name: [float((one == KIND_TRUTH).mean())] for name, one in said.items()}
spread_table(ears | lines, name="right")

# %%
prediction(
    "L20.order_is_heard",
    "in order above 0.9, shuffled and the mean frame below 0.4",
    min(ears["in order"]) > 0.9 and max(ears["shuffled"] + lines["linear, mean frame"]) < 0.4,
)
expect(
    "L20.glides",
    np.mean(ears["in order"]),
    above=0.9,
    against={"shuffled": np.mean(ears["shuffled"]), "mean_frame": lines["linear, mean frame"][0]},
    full_only=True,
)

# %% [markdown]
# Both are confirmed. In order the encoder is perfect; without the order it is at chance, as the mean frame is. The linear
# model of *all* frames is perfect too: our glides begin and end at the same moments, so it needs to look at fixed places
# only. So the score says that the order is heard, and not that it takes a transformer to hear it. In speech nothing comes
# at a fixed moment, and yet the rival does not fall to chance: of 720 spoken digits in voices that neither had heard, it
# named 637 where a small encoder named 677 to 696 (`examples/spoken_digits.py`, recorded, three seeds).
#
# ## Real speech: Whisper's own weights
#
# Whisper (Radford et al., 2022) is lesson 07's encoder-decoder whose encoder reads frames. Its smallest English model has
# 38 million parameters and runs here in NumPy, where it has been fetched (`minigpt transcribe`, 71 MB). The clip is read
# by a volunteer of LibriVox (Debian's package `pocketsphinx-testdata`). Three things are asked: the clip; the same clip
# *backwards*, which has the same frequencies and the same loudness in another order; and our *ah-ee*.
#
# The sentence is Jane Austen's, and may have been among the texts that Whisper learnt from. Does it *hear* the sentence, or
# know it by heart? That needs a blind baseline. We give the decoder the sentence word by word and ask, at each token, how
# likely it finds the next one, while the encoder hears the clip, the clip backwards, or silence. The loss is in nats per
# token; lesson 01 says what that is.
#
# **Prediction.** (a) At most 3 words of the clip are wrong. (b) Backwards no word is right. (c) The next token is known
# from the sound, and not by heart: below 0.5 nats with the clip, above 2 without it.

# %%
CLIPS = Path("/usr/share/pocketsphinx/test/data/librivox")
CLIP = CLIPS / "sense_and_sensibility_01_austen_64kb-0870.wav"
SAID = "and mister john dashwood had then leisure to consider how much there might be prudently in his power to do for them"
RECORDED_SPEECH = {
    "the clip": "And Mr. John Dashwood had then leisure to consider how much there might be prudently in his power to "
    "do for them.",
    "backwards": "My whole food has been arrived in a young durf deep now, right? It's come why I heard this in the "
    "Christmas year's yield and I had that had no size. You're just a man",
    "ah-ee": "Aye!",
}
RECORDED_LOSS = {"the clip": 0.082, "backwards": 5.747, "silence": 5.807}
HEARS = is_fetched("whisper") and CLIP.exists() and not quick()


def loss_while_hearing(path):
    """Nats per token of what Whisper wrote of the clip, each token after the right ones, while it hears a file."""
    special = asked_of(whisper)
    said = whisper.tokenizer.encode(" " + transcripts["the clip"])
    tokens = np.array([[special.start, special.no_times, *said]])
    encoder = whisper.model.config.encoder
    heard = spectrogram_of(open_wav(path), encoder.input_width).part(0, 2 * encoder.context)
    scores = whisper.model.forward(whisper.params, Batch(tokens[:, :-1], source=heard[None]))[0][0]
    scores = scores[1:].astype(np.float64)  # (tokens of the sentence, V)
    return float(np.mean(np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(len(said)), said]))


if HEARS:
    whisper = open_model("whisper")
    clip = open_wav(CLIP)
    samples = {"the clip": clip.read(0, clip.length), "ah-ee": VOICE}
    samples |= {"backwards": samples["the clip"][::-1], "silence": np.zeros(RATE)}
    transcripts, losses = {}, {}
    for name in (*RECORDED_SPEECH, "silence"):
        path = Path(f"lesson-20-{name.replace(' ', '-')}.wav")
        write_wav(path, samples[name], RATE)
        if name in RECORDED_SPEECH:
            transcripts[name] = "".join(s.text for s in transcribe(whisper, open_wav(path))).strip()
        if name in RECORDED_LOSS:
            losses[name] = loss_while_hearing(path)
        path.unlink()
    print("transcribed on this machine")
else:
    transcripts, losses = RECORDED_SPEECH, RECORDED_LOSS
    print("recorded where the weights and the clip are")
for name, text in transcripts.items():
    print(f"{name}: {text!r}")

# %%
NEXT = (  # what is read after it, four sentences of the same package
    "he was not an ill disposed young man",
    "unless to be rather cold hearted and rather selfish is to be ill disposed",
    "had he married a more amiable woman he might have been made still more respectable than he was",
    "he might even have been made amiable himself",
)
wanted = words_of(SAID)
for name in ("the clip", "backwards"):
    wrong = wrong_words(words_of(transcripts[name]), wanted)
    print(f"{name}: {wrong} words to change, insert or leave out; {len(wanted)} were said")
print("in both:", ", ".join(sorted({*words_of(transcripts["backwards"])} & {*wanted})))
for sentence in NEXT:
    print(f"also in {sentence[:24]!r} ...:", ", ".join(sorted({*words_of(sentence)} & {*wanted})))
table(["while it hears", "nats per token of the sentence"], list(losses.items()))

# %%
prediction(
    "L20.whisper_reads_the_clip",
    "at most 3 words of the clip are wrong",
    wrong_words(words_of(transcripts["the clip"]), wanted) <= 3,
)
prediction(
    "L20.backwards_is_no_speech",
    "backwards no word of the clip is found",
    not {*words_of(transcripts["backwards"])} & {*wanted},
    text_says=False,
)
expect(
    "L20.whisper_hears",
    losses["the clip"],
    below=0.5,
    against={"backwards": losses["backwards"], "silence": losses["silence"]},
)
prediction(
    "L20.not_by_heart",
    "the next token costs less than 0.5 nats with the clip, and more than 2 backwards or in silence",
    losses["the clip"] < 0.5 and min(losses["backwards"], losses["silence"]) > 2,
)

# %% [markdown]
# (a) and (c) are confirmed: without the sound the sentence is as good as unknown. (b) is *not confirmed*, and what happened
# says more than the prediction. Backwards Whisper does not fall silent. It writes what looks like English and was never
# said. Three short words are in both texts; the next sentences of the book have up to as many in common with it, so that
# is what chance gives. Its decoder is a language model, as in E28, and it may be that it goes on with what is likely where
# the encoder brings it nothing that it can read. Koenecke et al. (2024) found sentences that nobody said in transcripts of
# Whisper, more of them for speakers with long pauses. A transcript looks the same whether it was heard or not. Of
# our *ah-ee* it writes "Aye!", which is a fair reading, and may be chance.
#
# ## The strongest objection
#
# *"A picture that is cut into tokens is not seen. It is a text like any other."* The experiments agree more than one would
# like. To a ViT with learned positions the order of patches is nothing, exactly. A picture whose patches were exchanged is as
# good to it as ours, and a person sees only ruins there. A kernel model, which knows of no patches, is level with it. What it does is not sight as we have it: neighbourhood, which we are given,
# it must learn. But it is not guessing either. Blind is at chance. Without positions 26 pictures in 100 fewer are right. A
# caption whose
# pair of words it had never been shown is found. So the *answers depend on the picture*, in the ways that the controls
# can tell apart. Whether one calls that seeing is not a question about numbers.
#
# *"Then a good score shows that it looks."* No. On questions made by people the blind baseline is often high. Goyal et al.
# (2017) paired each question with two pictures that have different answers for that reason, and Agrawal et al. (2018)
# changed the frequency of the answers between training and test. Tong et al. (2024) show pairs of pictures that plainly
# differ and that CLIP's vectors hardly tell apart.
#
# *"Gluing an encoder to a language model is not what is meant by a multimodal model."* Some are trained on all kinds of
# tokens from the start (Chameleon Team, 2024). The claim was that the work is still to come, and either way it was done.
#
# ## Verdict
#
# * **C36, working with images or speech is still to come:** contradicted for vision; open for speech. The card of
#   GPT-5.5 has a table of evaluations on image input, and GPT-4 accepted images in 2023. How GPT-5.5 reads them is
#   undisclosed. For speech the sources conflict: some sites call it native in audio, while the interface lists text and
#   images in and text out. Its publisher's GPT-4o took in and gave out speech in 2024 (OpenAI, 2024), so for the publisher's
#   models the work was not still to come. The techniques are of 2020 to 2022: ViT, CLIP, frozen language models with a
#   visual prefix, Whisper. Each ran on this page.
#
# ## What this does not show
#
# * Photographs. Ours are digits and glyphs. `minigpt train easy-vqa --task ask` has shapes in colour and questions in
#   words.
# * That a transformer is the best reader of such pictures and sounds. Of drawn digits a kernel model names as many, of
#   glides a linear one.
# * That feed-forward networks stand in the way in *large* frozen models. They do in ours, of two blocks.
# * What other digits, glyphs or clips would give. Seeds change the start and the order of training; what is asked is the
#   same for all of them.
# * How good Whisper is. One clip and its mirror are an example, no test.
# * Pictures and sounds that come *out* of a model.
# * Anything of how GPT-5.5 is built.
#
# ## Exercises
#
# Write them in `exercises/20_images_and_speech.py`, in this notebook's folder, then run there
# `minigpt grade exercises/20_images_and_speech.py`.
#
# 1. `patches_of(images, side)` (2 points): pictures with colour become tokens.
# 2. `blind_answers(questions, answers, asked)` (2 points): what one gets without looking.
# 3. `frame_powers(samples, window, hop)` (3 points): the heart of a spectrogram.
# 4. `clip_loss(images, texts, factor)` (3 points): which belong together?
#
# ## Further reading
#
# * Dosovitskiy et al. (2021), *An Image is Worth 16x16 Words*, arXiv:2010.11929. Beyer, Zhai & Kolesnikov (2022), *Better
#   plain ViT baselines for ImageNet-1k*, arXiv:2205.01580. Beyer et al. (2024), *PaliGemma*, arXiv:2407.07726.
# * Tsimpoukelli et al. (2021), *Multimodal Few-Shot Learning with Frozen Language Models*, arXiv:2106.13884. Liu et al.
#   (2023), *Visual Instruction Tuning*, arXiv:2304.08485. Radford et al. (2021), *Learning Transferable Visual Models
#   From Natural Language Supervision*, arXiv:2103.00020. Lu et al. (2021), *Pretrained Transformers as Universal
#   Computation Engines*, arXiv:2103.05247.
# * Goyal et al. (2017), *Making the V in VQA Matter*, arXiv:1612.00837. Agrawal et al. (2018), *Don't Just Assume; Look
#   and Answer*, arXiv:1712.00377. Tong et al. (2024), *Eyes Wide Shut?*, arXiv:2401.06209. Chameleon Team (2024),
#   arXiv:2405.09818. OpenAI (2024), *GPT-4o System Card*, arXiv:2410.21276.
# * Radford et al. (2022), *Robust Speech Recognition via Large-Scale Weak Supervision*, arXiv:2212.04356. Koenecke et
#   al. (2024), *Careless Whisper: Speech-to-Text Hallucination Harms*, arXiv:2402.08021. Peterson &
#   Barney (1952), *Control Methods Used in a Study of the Vowels*. Stevens, Volkmann & Newman (1937), *A Scale for the
#   Measurement of the Psychological Magnitude Pitch*.
