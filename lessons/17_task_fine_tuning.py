# %% [markdown]
# # 17  One task: a head, a prompt, or a count of words
#
# **The claim.** The model is fine-tuned for single tasks, such as answering questions and classifying text (C26).
#
# **The question.** That was the way of 2018. What does it give, beside asking the model without training it, and beside
# counting words? How many labels does each way need?
#
# **You need.** Lesson 02, the causal mask; lesson 04, the decoder; lesson 05, gradients; lesson 07, the encoder; lesson
# 16, pretraining.
#
# **Time.** 115 minutes to read; the code runs in 54 s and takes 0.9 GB.

# %%
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np

from minigpt import Batch, Overlay, Transformer, TransformerConfig
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
from minigpt.finetune.examples import Example, padded
from minigpt.finetune.named import NAMED, named_records
from minigpt.measure.choices import choice_nats, choose
from minigpt.measure.classes import calibration_error
from minigpt.measure.intervals import bootstrapped_mean, paired_difference
from minigpt.measure.rivals import LogisticRegression, Sparse, TfIdf
from minigpt.objectives import causal_lm
from minigpt.ops import softmax_forward
from minigpt.optim import warmup_cosine
from minigpt.plot import BLACK, BLUE, GREEN, GREY, ORANGE, SKY, VERMILION, seed_lines
from minigpt.plots_tuning import confusion_table, reliability
from minigpt.pretrained import is_fetched, load_pretrained
from minigpt.text import BatchSampler
from minigpt.text.fetch import is_kept
from minigpt.text.frame import frame_of
from minigpt.train import fit

SEEDS = range(2 if quick() else 5)


# %% [markdown]
# ## One review, and four ways to judge it
#
# *"A film without a single dull moment."* Is that praise? Four ways to have a machine say so:
#
# 1. *A head.* A **task head** is a small layer that turns what a model has made of a text into scores, one for each
#    answer of the task. Head and model learn from labelled texts: **fine-tuning** goes on training a pretrained model
#    for one task. That is GPT-1 (2018) and BERT.
# 2. *A question.* **Scoring by likelihood** asks a language model which answer it finds likelier after the text, *good* or
#    *bad*, and trains nothing. That is how GPT-3 was tested. A **zero-shot** answer is one for which the model was shown no
#    example of the task.
# 3. *A question with examples.* In a **few-shot** prompt some texts with their answers stand before the one that is asked
#    about, and again nothing is trained.
# 4. *Words counted.* **TF-IDF** counts how often each word occurs in a text and weighs it by how few texts have it; a
#    linear classifier does the rest. It needs no network at all, and is the rival that each of the others must beat.
#
# In our review the words *dull* and *without* point the wrong way, for way 4 at least.
#
# To compare the four we first need a task whose rules we know. Here is a made language of reviews. A review has six
# words. Some are filler. The others are praise or blame, forty words of each, and a tenth of these stray. In the text that
# a model is pretrained on, most reviews end in a verdict, *overall good* or *overall bad*. The label of a review is what
# its verdict would be.

# %%
FILLER, EACH, LENGTH = 12, 40, 6
WORDS = [".", "overall", "good", "bad"]
WORDS += [f"filler{i}" for i in range(FILLER)]
WORDS += [f"{kind}{i}" for kind in ("praise", "blame") for i in range(EACH)]
STOP, OVERALL, GOOD, BAD = range(4)
LABELS = ("good", "bad")


def reviews(rng, count):
    """Tokens (count, LENGTH), and labels (count,): 0 is good, 1 is bad."""
    labels = rng.integers(0, 2, count)
    side = np.where(rng.random((count, LENGTH)) < 0.1, 1 - labels[:, None], labels[:, None])
    telling = 4 + FILLER + side * EACH + rng.integers(0, EACH, side.shape)
    filler = 4 + rng.integers(0, FILLER, side.shape)
    return np.where(rng.random(side.shape) < 0.6, telling, filler), labels


def to_read(rng, count, verdicts):
    """A text to pretrain on: reviews one after another, that share of them with their verdict."""
    found = []
    for review, label in zip(*reviews(rng, count), strict=True):
        found += review.tolist()
        if rng.random() < verdicts:
            found += [OVERALL, GOOD + int(label)]
        found.append(STOP)
    return np.array(found)


def as_text(tokens):
    """Words with spaces between them."""
    return " ".join(WORDS[token] for token in tokens)


class Words:
    """A tokenizer for them."""

    vocabulary_size, special_tokens = len(WORDS), {}

    def encode(self, text):
        return np.array([WORDS.index(word) for word in text.split()])


TEST, TRUTH = reviews(np.random.default_rng(77), 200 if quick() else 1000)
praise = ((TEST >= 4 + FILLER) & (TEST < 4 + FILLER + EACH)).sum(axis=1)
blame = (TEST >= 4 + FILLER + EACH).sum(axis=1)
CEILING = float(np.mean(np.where(praise == blame, 0.5, (blame > praise) == TRUTH)))
print(f"who knows all words is right in {CEILING:.3f} of the reviews")
table(
    ["a review", "its label"],
    [(as_text(tokens), LABELS[label]) for tokens, label in zip(TEST[:3], TRUTH[:3], strict=True)],
)

# %% [markdown]
# ## Each way in a few lines
#
# First the language models. Each has one block and is pretrained to predict the next token, as in lesson 04. One kind
# reads reviews of which seven in ten end in a verdict. The other is a control: it reads reviews *without any verdict*. We
# train one of each kind for every seed.

# %%
CONTEXT = 48
STEPS, FEWER, TUNING = (8, 4, 4) if quick() else (1500, 600, 80)


def config(**choices):
    """Of the language models, or with other choices of a classifier."""
    sizes = {"vocabulary_size": len(WORDS), "context": CONTEXT, "width": 32, "layers": 1}
    return TransformerConfig(**{**sizes, "heads": 4, "init_std": 0.1, **choices})


language = Transformer(config())


def pretrain(seed, verdicts, steps=STEPS):
    """The parameters of a language model that has read reviews, that share of them with a verdict."""
    text = to_read(np.random.default_rng(1 + seed), 1_000 if quick() else 12_000, verdicts)
    params = language.init(np.random.default_rng(seed))
    sampler = BatchSampler(text, CONTEXT, batch=8, seed=seed)
    batches = (causal_lm(sampler.batch_at(step)) for step in range(steps))
    fit(language, params, batches, warmup_cosine(8e-3, warmup=min(20, steps), total=steps))
    return params


VERDICTS = {"with verdicts": 0.7, "without verdicts": 0.0}
readers = {name: [pretrain(seed, share) for seed in SEEDS] for name, share in VERDICTS.items()}

# %% [markdown]
# **Likelihood.** The prompt is the review and the word *overall*. The model says how likely each word is next, and of the
# two answers the likelier wins.

# %%
params = readers["with verdicts"][0]
prompts = [as_text([*review, OVERALL]) for review in TEST[:20]]


def nats_by_hand(prompt):
    """The logarithm of the probability of each answer after the prompt."""
    logits, _ = language.forward(params, Batch(Words().encode(prompt)[None]))
    scores = logits[0, -1].astype(np.float64)
    return scores[[GOOD, BAD]] - np.log(np.exp(scores).sum())


theirs = choice_nats(language, params, Words(), prompts, LABELS)
expect(
    "L17.likelihood_by_hand",
    np.abs(np.stack([nats_by_hand(prompt) for prompt in prompts]) - theirs).max(),
    below=1e-3,
    against={"no difference between the answers": np.abs(theirs[:, 0] - theirs[:, 1]).max() + 1e-3},
)
chances = choose(language, params, Words(), prompts[:3], LABELS)
table(
    ["prompt", *(f"chance of {label}" for label in LABELS), "label"],
    [
        (prompt, *map(float, chance), LABELS[label])
        for prompt, chance, label in zip(prompts, chances, TRUTH, strict=False)
    ],
)

# %% [markdown]
# **A head.** Something must stand for the whole text: the vector of its first token, of its last, or the mean of all. A
# linear layer makes scores of it.


# %%
def classifier(pretrained, pooled, seed):
    """A model with a task head, and its parameters; all that `pretrained` has is taken from there."""
    model = Transformer(
        config(head="sequence", labels=2, pooled=pooled, pooler=False, head_bias=True)
    )
    params = model.init(np.random.default_rng(seed))
    for name in params:
        if pretrained is not None and name in pretrained:
            params[name] = pretrained[name]
    return model, params


def rows_of(tokens):
    """Reviews, each with its full stop."""
    return np.hstack([tokens, np.full((len(tokens), 1), STOP)])


for pooled in ("first", "last", "mean"):
    model, own = classifier(params, pooled, 0)
    own["classifier.bias"][...] = (0.1, -0.2)
    hidden, _ = model.hidden_states(own, Batch(rows_of(TEST[:5])))  # (5, 7, 32)
    stands = {"first": hidden[:, 0], "last": hidden[:, -1], "mean": hidden.mean(axis=1)}[pooled]
    scores = stands @ own["classifier.weight"] + own["classifier.bias"]
    theirs = model.forward(own, Batch(rows_of(TEST[:5])))[0]
    print(f"{pooled}: largest difference {np.abs(scores - theirs).max():.1e}")
    assert np.abs(scores - theirs).max() < 1e-5

# %% [markdown]
# **Words counted.** Of each text a row of numbers: how often each word and each pair of words occurs, times a weight that
# is large if few texts have it.


# %%
def tf_idf_rows(texts):
    """(N, grams)."""
    words = [text.split() for text in texts]
    grams = [row + [f"{first} {second}" for first, second in pairwise(row)] for row in words]
    known = sorted(set().union(*grams))
    counts = np.array([[row.count(gram) for gram in known] for row in grams])
    weighted = counts * (np.log((1 + len(texts)) / (1 + (counts > 0).sum(axis=0))) + 1)
    return weighted / np.linalg.norm(weighted, axis=1, keepdims=True)


some = [as_text(review) for review in TEST[:20]]
matrix = TfIdf(some).matrix(some)
theirs = matrix.times(np.eye(matrix.width))  # (20, grams)
expect("L17.tf_idf_by_hand", np.abs(tf_idf_rows(some) - theirs).max(), below=1e-9)
show_source(TfIdf.matrix, docstring=False)

# %% [markdown]
# ## Experiment E19: accuracy against the number of labels
#
# The arms, each with 16 to 1,024 labelled reviews and five seeds:
#
# * *all*: the pretrained model and its head learn; *head alone*: the model stays, only the head learns. Both take the
#   mean of the tokens.
# * *random start*: the same without pretraining; and the head alone on a model that was never trained.
# * *without verdicts*: all learns, but the pretraining text held no verdict. This control asks *what* in the pretraining
#   it is that helps.
# * *words counted*: TF-IDF and logistic regression. Its strength is 10, which suits few labels; with the usual 1 the
#   rival would be weaker than it need be.
# * *likelihood*: no label at all, of both pretrained models.
#
# Of one seed, the pretrained model and the labelled reviews are the same in all arms, so arms are subtracted seed by seed.
# *As good as* means that the whole interval of the difference lies within 0.05: a wide interval that holds zero shows
# only that there were too few seeds.
#
# **Prediction.** (a) With 16 labels pretraining is worth a gain over the random start and over the words. (b) With 1,024
# labels counting words has caught up: all is not ahead by more than 0.05. (c) The head alone is as good as all. (d)
# Likelihood without a label is not behind fine-tuning with 16, by more than 0.05. (e) Without verdicts in the text,
# likelihood is at chance, and fine-tuning still gains something from pretraining.


# %%
def tuned(pretrained, pooled, count, seed, rate, *, head_alone=False):
    """Probabilities (tests, 2) of a classifier that has learnt from `count` labelled reviews."""
    model, params = classifier(pretrained, pooled, seed)
    if head_alone:
        params = Overlay(*params.split(lambda name: name.startswith("classifier")))
    rng = np.random.default_rng(500 + seed)
    texts, labels = reviews(rng, count)

    def batches():
        for _ in range(TUNING):
            some = rng.integers(0, count, 16)
            yield Batch(rows_of(texts[some]), labels=labels[some])

    fit(model, params, batches(), warmup_cosine(rate, warmup=min(10, TUNING), total=TUNING))
    return softmax_forward(model.forward(params, Batch(rows_of(TEST)))[0].astype(np.float64))[0]


def counted(count, seed, strength=10.0):
    """The same of TF-IDF and logistic regression."""
    texts, labels = reviews(np.random.default_rng(500 + seed), count)
    training, asked = ([as_text(tokens) for tokens in some] for some in (texts, TEST))
    words = TfIdf(training)
    linear = LogisticRegression(words.matrix(training), labels, 2, strength=strength)
    return linear.probabilities(words.matrix(asked))


def likelihood(params, shots=()):
    """The same of scoring by likelihood. shots: reviews with a label that stand before the one that is asked about."""
    before = [token for review, label in shots for token in (*review, OVERALL, GOOD + label, STOP)]
    tokens = np.hstack(
        [np.tile(before, (len(TEST), 1)).astype(int), TEST, np.full((len(TEST), 1), OVERALL)]
    )
    logits, _ = language.forward(params, Batch(tokens))
    return softmax_forward(logits[:, -1, [GOOD, BAD]].astype(np.float64))[0]


def accuracy(probabilities):
    """The share of the test that is right."""
    return float(np.mean(probabilities.argmax(axis=1) == TRUTH))


COUNTS = (16, 64) if quick() else (16, 64, 256, 1024)
with_them, without_them = readers["with verdicts"], readers["without verdicts"]
ARMS = {  # name -> from a number of labels and a seed to probabilities
    "all": lambda n, seed: tuned(with_them[seed], "mean", n, seed, 3e-3),
    "head alone": lambda n, seed: tuned(with_them[seed], "mean", n, seed, 5e-2, head_alone=True),
    "all, without verdicts": lambda n, seed: tuned(without_them[seed], "mean", n, seed, 3e-3),
    "random start": lambda n, seed: tuned(None, "mean", n, seed, 1e-2),
    "head alone, random model": lambda n, seed: tuned(None, "mean", n, seed, 5e-2, head_alone=True),
    "words counted": counted,
}
said = {
    (name, count): [arm(count, seed) for seed in SEEDS]
    for name, arm in ARMS.items()
    for count in COUNTS
}
right = {key: [accuracy(one) for one in values] for key, values in said.items()}
zero = {
    f"likelihood, {name}": [accuracy(likelihood(params)) for params in readers[name]]
    for name in readers
}


def of_seeds(values):
    """Mean, lowest and highest, as text."""
    return f"{np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


table(
    ["accuracy; labels:", "0", *map(str, COUNTS)],
    [(name, of_seeds(values), *[""] * len(COUNTS)) for name, values in zero.items()]
    + [(name, "", *(of_seeds(right[name, count]) for count in COUNTS)) for name in ARMS],
)

# %%
figure, axes = plt.subplots(figsize=(9.5, 4.4), layout="constrained")
colors = dict(zip(ARMS, (BLUE, SKY, GREEN, VERMILION, GREY, BLACK), strict=True))
for name, color in colors.items():
    values = np.array([right[name, count] for count in COUNTS]).T
    seed_lines(axes, COUNTS, {name: (values, color)})
for name, style in zip(zero, ("--", ":"), strict=True):
    axes.axhline(np.mean(zero[name]), color=ORANGE, linestyle=style, label=f"{name}, no label")
axes.axhline(CEILING, color=BLACK, linewidth=0.6)
axes.text(COUNTS[0], CEILING + 0.006, "who knows all words", fontsize=8)
axes.set_xscale("log")
axes.set_xticks(COUNTS, COUNTS)
axes.minorticks_off()
axes.set(xlabel="labels", ylabel="accuracy", ylim=(0.45, 1.02))
axes.set_title("Pretraining saves labels, and all of them if its text has held the task")
axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
axes.spines[["top", "right"]].set_visible(False)
show(
    figure,
    "Accuracy against 16 to 1,024 labels. The pretrained model and the head alone begin above 0.9, likelihood is near the ceiling "
    "without any label. The model pretrained without verdicts begins at 0.85, its dots far apart. Counting words and the random start "
    "begin near 0.7, and all catch up. A head on a random model stays low; likelihood without verdicts is at chance.",
)

# %%
mean = {key: float(np.mean(values)) for key, values in right.items()}
unlabelled = {name: float(np.mean(values)) for name, values in zero.items()}
fewest, most = COUNTS[0], COUNTS[-1]
expect(
    "E19.fine_tuned_with_16",
    mean["all", fewest],
    above=0.8,
    against={"random_start": mean["random start", fewest], "words": mean["words counted", fewest]},
    full_only=True,
)
expect(
    "E19.words_with_1024",
    mean["words counted", most],
    above=0.9,
    against={"words_with_16": mean["words counted", fewest]},
    full_only=True,
)
expect(
    "E19.likelihood",
    unlabelled["likelihood, with verdicts"],
    above=0.7,
    against={"without_verdicts": unlabelled["likelihood, without verdicts"], "chance": 0.5},
    full_only=True,
)
expect(
    "E19.likelihood_without_verdicts",
    unlabelled["likelihood, without verdicts"],
    below=0.6,
    against={"with_verdicts": unlabelled["likelihood, with verdicts"]},
    full_only=True,
)


def seed_by_seed(first, second, count):
    """Accuracy of one arm less that of another, with as many labels."""
    return difference(right[first, count], right[second, count], paired=True)


for first, second, count in (
    ("all", "words counted", fewest),
    ("all", "random start", fewest),
    ("all", "words counted", most),
    ("all", "head alone", fewest),
    ("all", "head alone", most),
    ("all, without verdicts", "random start", fewest),
    ("all, without verdicts", "words counted", fewest),
    ("all", "all, without verdicts", fewest),
):
    print(f"{count} labels, {first} minus {second}:", seed_by_seed(first, second, count))
not_behind = difference(zero["likelihood, with verdicts"], right["all", fewest], paired=True)
print("likelihood without a label minus all with 16:", not_behind)


def in_order(probabilities):
    """The share of pairs of a bad and a good review in which the bad one is called bad more surely."""
    bad = probabilities[:, 1]
    return float(np.mean(bad[TRUTH == 1][:, None] > bad[TRUTH == 0]))


for name, scores in (("accuracy", accuracy), ("pairs in order", in_order)):
    print(
        f"likelihood without a label, model by model, {name}:",
        *(f"{scores(likelihood(params)):.2f}" for params in with_them),
    )

# %%
prediction(
    "E19.saves_labels",
    "with 16 labels pretraining gains on the random start and on the words",
    all(seed_by_seed("all", name, fewest).low > 0 for name in ("random start", "words counted")),
)
prediction(
    "E19.words_catch_up",
    "with 1,024 labels counting words has caught up",
    seed_by_seed("all", "words counted", most).high < 0.05,
)
prediction(
    "E19.head_is_enough",
    "the head alone is as good as all, with the fewest labels and with the most",
    all(seed_by_seed("all", "head alone", count).within(0.05) for count in (fewest, most)),
    text_says=False,
)
prediction(
    "E19.likelihood_needs_no_label",
    "likelihood without a label is not behind fine-tuning with 16",
    not_behind.low > -0.05,
)
prediction(
    "E19.gains_without_verdicts",
    "without verdicts likelihood is at chance, and fine-tuning still gains from pretraining",
    unlabelled["likelihood, without verdicts"] < 0.6
    and seed_by_seed("all, without verdicts", "random start", fewest).low > 0,
)

# %% [markdown]
# One thing more: how much of this is a matter of how long was pretrained? The same models once more, with fewer steps.

# %%
early = {name: [pretrain(seed, share, FEWER) for seed in SEEDS] for name, share in VERDICTS.items()}


def of_early(name, rate=3e-3, **options):
    """Accuracy, seed by seed, of fine-tuning these models with the fewest labels."""
    return [
        accuracy(tuned(params, "mean", fewest, seed, rate, **options))
        for seed, params in zip(SEEDS, early[name], strict=True)
    ]


after_fewer = {
    "likelihood, no label": [accuracy(likelihood(params)) for params in early["with verdicts"]],
    "all": of_early("with verdicts"),
    "head alone": of_early("with verdicts", 5e-2, head_alone=True),
    "all, without verdicts": of_early("without verdicts"),
}
after_all = {"likelihood, no label": zero["likelihood, with verdicts"]}
after_all |= {name: right[name, fewest] for name in list(after_fewer)[1:]}
for name, values in after_fewer.items():
    print(f"{name}: {STEPS} steps minus {FEWER}:", difference(after_all[name], values, paired=True))
for steps, found in ((FEWER, after_fewer), (STEPS, after_all)):
    gained = difference(found["all, without verdicts"], right["random start", fewest], paired=True)
    seeds = np.subtract(found["all, without verdicts"], right["random start", fewest])
    print(f"{steps} steps, without verdicts minus random start:", gained)
    print("  seed by seed:", *(f"{one:+.2f}" for one in seeds))

# %%
table(
    [f"accuracy with {fewest} labels, after steps of pretraining:", str(FEWER), str(STEPS)],
    [(name, of_seeds(after_fewer[name]), of_seeds(after_all[name])) for name in after_fewer],
)

# %% [markdown]
# (a) is confirmed. With 16 labels about half of the telling words have not been met, and who counts words cannot know
# what those mean. The pretrained model knows: it has read which words go with which verdict. (b) is confirmed. With
# 1,024 labels every word has been met, and counting is as good as anything here; with 64 it is not far behind.
#
# (c) is *not confirmed*, by little. With 16 labels the head alone is not behind, and on average ahead; but the
# interval is too wide to call them alike. With 1,024 all is ahead by a hundredth. A head on a model that was never
# trained stays far behind always. (d) is confirmed, without a label; likelihood is even ahead.
#
# (e) is confirmed: without verdicts likelihood is at chance, and fine-tuning that model gains on the random start and on
# the words; neither interval holds zero. In the fifth seed it gains nothing; on another processor, whose sums are
# rounded otherwise, that seed gains as well. From the model that read verdicts it cannot be told. So pretraining saves
# labels even where its text has *not* held the task: which words go together is in the reviews themselves. What only the
# verdicts give is the answer without any label.
#
# How long was pretrained matters as much. After 600 steps the same models say other things. Likelihood is little
# better than chance with one of them, the head alone is at chance with one, and without verdicts the interval of the
# gain holds zero. In the arms with verdicts five seeds cannot tell the two lengths apart, since not all of these
# models were behind. Without verdicts it is the steps that make the gain. Had we stopped there, we would have said
# that pretraining saves labels only where its text has held the task. That would have been wrong: where the text does
# not say it, it takes longer.
#
# ## What stands for the text, and what the examples in a prompt do
#
# Two more questions to the same models. *First, last or mean token?* In a decoder the first token has seen nothing but
# itself (lesson 02), so it can tell what one word tells. *Do examples in the prompt help?* Two or four reviews with
# verdicts stand before the one that is asked about. The control has the same examples with *wrong* verdicts.
#
# **Prediction.** (a) With 64 labels the first token is far behind both last and mean. (b) Four examples change accuracy by
# less than 0.05: this model has learnt from its text what *good* is about, and has never had to learn it from a prompt.
# (c) Whether the verdicts in them are right or wrong changes it by less than 0.05.

# %%
PLACES = ("first", "last", "mean")
places = {
    place: [accuracy(tuned(with_them[seed], place, 64, seed, 3e-3)) for seed in SEEDS]
    for place in PLACES
}


def shots_for(seed, count, wrong):
    """That many reviews with their labels, good and bad by turns; with the other label if `wrong`."""
    texts, labels = reviews(np.random.default_rng(900 + seed), 50)
    wanted = np.arange(count) % 2
    chosen = [np.flatnonzero(labels == label)[place] for place, label in enumerate(wanted)]
    return [(texts[row], int(label) ^ wrong) for row, label in zip(chosen, wanted, strict=True)]


prompted = {"no example": zero["likelihood, with verdicts"]}
called_bad = {"no example": [likelihood(params).argmax(axis=1).mean() for params in with_them]}
for count in (2, 4):
    for wrong in (0, 1):
        name = f"{count} examples{', wrong verdicts' if wrong else ''}"
        shares = [
            likelihood(params, shots_for(seed, count, wrong))
            for seed, params in zip(SEEDS, with_them, strict=True)
        ]
        prompted[name] = [accuracy(one) for one in shares]
        called_bad[name] = [one.argmax(axis=1).mean() for one in shares]
print(f"called bad, seed by seed ({TRUTH.mean():.2f} are):")
for name, values in called_bad.items():
    print(f"  {name}:", *(f"{value:.2f}" for value in values))
spread_table(
    {**{f"{place} token, 64 labels": places[place] for place in PLACES}, **prompted},
    name="accuracy",
)

# %%
one_word = float(np.mean(places["first"]))
expect(
    "E19.first_token_of_a_decoder",
    one_word,
    below=0.85,
    against={"mean": np.mean(places["mean"])},
    full_only=True,
)
pairs = (("mean", "first"), ("last", "first"), ("mean", "last"))
apart = {pair: difference(places[pair[0]], places[pair[1]], paired=True) for pair in pairs}
for (one, other), found in apart.items():
    print(f"{one} minus {other}:", found)
changed = {
    name: difference(values, prompted["no example"], paired=True)
    for name, values in list(prompted.items())[1:]
}
for name, found in changed.items():
    print(f"{name} minus none:", found)
by_verdicts = difference(
    prompted["4 examples"], prompted["4 examples, wrong verdicts"], paired=True
)
print("4 examples, right minus wrong verdicts:", by_verdicts)
prediction(
    "E19.first_is_behind",
    "the first token is far behind last and mean",
    all(apart[place, "first"].low > 0.05 for place in ("mean", "last")),
)
prediction(
    "E19.examples_do_nothing",
    "four examples change accuracy by less than 0.05",
    changed["4 examples"].within(0.05),
)
prediction(
    "E19.wrong_as_right",
    "wrong verdicts do what right ones do, within 0.05",
    by_verdicts.within(0.05),
)

# %% [markdown]
# (a) is confirmed. The first token of a decoder tells what a first word tells. BERT's first token may stand for the whole
# text, since an encoder sees both sides; a GPT's may not, so GPT-1 took the last.
#
# (b) and (c) are confirmed: neither the examples nor what their verdicts say changes accuracy by more than a
# hundredth or so. In the text of these models reviews follow each other by chance, so there was nothing to be learnt
# from the ones before.
#
# ## How sure, and wrong how?
#
# Accuracy hides two things. A **confusion matrix** counts how often a text of each class was said to be of each other
# one. **Calibration** asks whether answers of which a classifier is 80% sure are right in 80% of cases. The *calibration
# error* is the mean distance of the two (Guo et al., 2017).
#
# And one test is a sample. A **bootstrap interval** draws the test's examples again, with replacement, many times, and
# takes the middle 95% of what comes out (Efron & Tibshirani, 1993). For two classifiers on the same test one draws the
# *differences*, example by example.
#
# **Prediction.** With 16 labels, fine-tuning all is too sure of itself, and counting words not sure enough. And the
# control: how sure counted words are is not the method's doing alone, but that of a setting, the regression's strength.

# %%
judged = {
    "all, 16 labels": said["all", fewest][0],
    "words counted, 16 labels": said["words counted", fewest][0],
    "likelihood, no label": likelihood(with_them[0]),
}
figure, panels = plt.subplots(2, 3, figsize=(9, 6), layout="constrained")
for column, (name, shares) in enumerate(judged.items()):
    reliability(panels[0, column], shares, TRUTH)
    panels[0, column].set_title(name, fontsize=10)
    confusion_table(panels[1, column], shares.argmax(axis=1), TRUTH, LABELS)
panels[0, 0].set_ylabel("share that is right")
figure.suptitle("In this draw, counting words is right more often than it believes")
show(
    figure,
    "Three columns, above how often answers of a confidence are right beside the diagonal, below the confusion matrix. "
    "Counted words lie above the diagonal from a confidence of 0.55 to one of 0.85, and one small dot below it. The large dots of "
    "the fine-tuned model and of likelihood lie near its upper end; the small ones scatter about it.",
)

# %%
rows = []
for name, shares in judged.items():
    hits = shares.argmax(axis=1) == TRUTH
    interval = bootstrapped_mean(hits)
    rows.append(
        (
            name,
            f"{interval.value:.3f} ({interval.low:.3f} to {interval.high:.3f})",
            float(shares.max(axis=1).mean()),
            calibration_error(shares, TRUTH),
        )
    )
table(["seed 0", "accuracy, 95% interval", "mean confidence", "calibration error"], rows)

# %%
too_sure = {
    name: [float(shares.max(axis=1).mean()) - accuracy(shares) for shares in said[name, fewest]]
    for name in ("all", "words counted")
}
off = {
    "all, 16 labels": [calibration_error(shares, TRUTH) for shares in said["all", fewest]],
    "words counted, 16 labels": [
        calibration_error(shares, TRUTH) for shares in said["words counted", fewest]
    ],
    "likelihood, no label": [calibration_error(likelihood(params), TRUTH) for params in with_them],
}
spread_table(
    {f"{name}: confidence less accuracy": values for name, values in too_sure.items()}
    | {f"{name}: calibration error": values for name, values in off.items()}
)

# %%
hits = {name: shares.argmax(axis=1) == TRUTH for name, shares in judged.items()}
apart = paired_difference(hits["all, 16 labels"], hits["words counted, 16 labels"])
print(
    f"all minus words, example by example: {apart.value:.3f} ({apart.low:.3f} to {apart.high:.3f})"
)
prediction(
    "E19.sure_and_unsure",
    "with 16 labels all is too sure of itself, counting words not sure enough",
    min(too_sure["all"]) > 0 and max(too_sure["words counted"]) < 0,
    text_says=False,
)

# %%
STRENGTHS = (1.0, 10.0, 100.0)
by_strength = {value: [counted(64, seed, value) for seed in SEEDS] for value in STRENGTHS}
spread_table(
    {
        f"words counted, 64 labels, strength {value:g}: {name}": [measure(one) for one in found]
        for value, found in by_strength.items()
        for name, measure in (
            ("accuracy", accuracy),
            ("confidence less accuracy", lambda one: float(one.max(axis=1).mean()) - accuracy(one)),
            ("calibration error", lambda one: calibration_error(one, TRUTH)),
        )
    }
)

# %%
errors = {
    value: float(np.mean([calibration_error(one, TRUTH) for one in found]))
    for value, found in by_strength.items()
}
expect(
    "E19.calibrated_by_strength",
    errors[100.0],
    below=0.12,
    against={"strength_1": errors[1.0]},
    full_only=True,
)
sure = np.array([[one.max(axis=1).mean() for one in by_strength[value]] for value in STRENGTHS])
prediction(
    "E19.sure_by_a_setting",
    "in each draw, the stronger the regression is, the surer are the counted words",
    bool((np.diff(sure, axis=0) > 0).all()),
)

# %% [markdown]
# *Not confirmed, and then explained.* Fine-tuning with 16 labels is too sure in every seed. Counting words is too sure as
# well where the 16 labels happen to be lopsided, and in the other draws not sure enough. But that says little of the
# method: with the same words and the same labels a weak regression is far from sure enough, and a strong one nearly right.
# A calibration error belongs to a method *and* its settings, and two methods can be compared only where both were chosen
# with the same care.
#
# ## Real text: snippets of film reviews
#
# Twenty people rated each of some ten thousand snippets of film reviews (Hutto & Gilbert, 2014). The sign of the mean
# rating is the class. The encoder is MiniLM, 23 million parameters, pretrained by others for comparing sentences. It is
# *frozen* here: it turns each text into a vector once, and a linear classifier learns from those, as from counted words.
# The vector is its first token, or the mean of its tokens. The control is the same encoder with random parameters.
#
# Both must have been fetched (`minigpt embed minilm`, 84 MB, and `minigpt finetune minilm film --task classify`). If not,
# the lesson shows the numbers that were recorded with them, and says so.
#
# **Prediction.** (a) The frozen encoder beats counted words with 16 and with 128 labels. (b) The mean beats the first
# token, since it was pretrained with the mean. (c) The encoder with random parameters is no better than counted words.

# %%
FETCHED = is_fetched("minilm") and is_kept(NAMED["film"].package)
FILM_COUNTS = (8, 12, 16) if quick() and FETCHED else (16, 48, 128)
POOL, ASKED = (16, 12) if quick() else (256, 256)
KINDS = ("first token", "mean", "mean, random encoder", "words counted")
RECORDED = {  # kind -> for each number of labels, of five seeds
    "first token": (
        (0.508, 0.523, 0.535, 0.512, 0.547),
        (0.461, 0.508, 0.582, 0.516, 0.566),
        (0.582, 0.613, 0.594, 0.609, 0.594),
    ),
    "mean": (
        (0.543, 0.598, 0.562, 0.562, 0.617),
        (0.617, 0.652, 0.672, 0.625, 0.621),
        (0.695, 0.715, 0.691, 0.695, 0.688),
    ),
    "mean, random encoder": (
        (0.508, 0.512, 0.480, 0.500, 0.543),
        (0.508, 0.492, 0.500, 0.496, 0.516),
        (0.566, 0.570, 0.559, 0.527, 0.578),
    ),
    "words counted": (
        (0.512, 0.547, 0.523, 0.512, 0.547),
        (0.555, 0.543, 0.551, 0.492, 0.598),
        (0.617, 0.586, 0.613, 0.582, 0.637),
    ),
}


def encoded(opened, params, texts):
    """The first token's vector and the mean of all for each text, (2, N, 384), of length 1; at most 40 tokens."""
    frame = frame_of(opened.tokenizer)
    rows = [frame.row(opened.tokenizer.encode(text)[:38])[0] for text in texts]
    order = np.argsort([len(row) for row in rows], kind="stable")
    found = np.zeros((2, len(rows), opened.model.config.width))
    for begin in range(0, len(rows), 32):
        some = order[begin : begin + 32]
        batch = padded([Example(rows[row], 0) for row in some], padding=0)
        hidden, _ = opened.model.hidden_states(params, batch)
        present = np.ones(batch.tokens.shape) if batch.present is None else batch.present
        found[0, some] = hidden[:, 0]
        found[1, some] = (hidden * present[:, :, None]).sum(axis=1) / present.sum(axis=1)[:, None]
    return found / np.linalg.norm(found, axis=2, keepdims=True)


def dense(rows):
    """Rows of numbers as the library's sparse matrix, in which none is left out."""
    count, width = rows.shape
    columns = np.tile(np.arange(width), count)
    return Sparse(np.arange(count + 1) * width, columns, rows.ravel(), width)


def film():
    """kind -> for each number of labels, of each seed, probabilities of the asked; and the true classes."""
    opened = load_pretrained("minilm")
    rng = np.random.default_rng(5)
    sets = [named_records(name, progress=False) for name in ("film", "film-test")]
    sets = [[some[row] for row in rng.permutation(len(some))] for some in sets]
    sets = [sets[0][:POOL], sets[1][:ASKED]]
    texts = [[record.values["text"] for record in some] for some in sets]
    labels, truth = (
        np.array([int(record.values["label"] == "positive") for record in some]) for some in sets
    )
    vectors = encoded(opened, opened.params, texts[0] + texts[1])
    untrained = opened.model.init(np.random.default_rng(0))
    at_random = encoded(opened, untrained, texts[0] + texts[1])[1]
    vectors = dict(zip(KINDS[:3], (*vectors, at_random), strict=True))
    found = {}
    for kind in KINDS:
        for count in FILM_COUNTS:
            found[kind, count] = []
            for seed in SEEDS:
                some = np.random.default_rng(seed).permutation(POOL)[:count]
                if kind in vectors:
                    training, asked = dense(vectors[kind][some]), dense(vectors[kind][POOL:])
                else:
                    words = TfIdf([texts[0][row] for row in some])
                    training, asked = (
                        words.matrix(part) for part in ([texts[0][row] for row in some], texts[1])
                    )
                linear = LogisticRegression(training, labels[some], 2, strength=10.0)
                found[kind, count].append(linear.probabilities(asked))
    return found, truth


if FETCHED:
    shares, truth = film()
    hits = {key: [one.argmax(axis=1) == truth for one in values] for key, values in shares.items()}
    on_film = {key: [float(one.mean()) for one in values] for key, values in hits.items()}
    print(f"measured on {len(truth)} snippets, {truth.mean():.3f} of which are positive")
else:
    on_film = {
        (kind, count): values
        for kind in KINDS
        for count, values in zip(FILM_COUNTS, RECORDED[kind], strict=True)
    }
    print("not fetched, so these numbers were recorded where MiniLM and the reviews are")
table(
    ["accuracy; labels:", *map(str, FILM_COUNTS)],
    [(kind, *(of_seeds(on_film[kind, count]) for count in FILM_COUNTS)) for kind in KINDS],
)

# %%
figure, panels = plt.subplots(
    1, 2, figsize=(9, 3.6), layout="constrained", gridspec_kw={"width_ratios": (2, 1)}
)
for kind, color in zip(KINDS, (SKY, BLUE, GREY, BLACK), strict=True):
    values = np.array([on_film[kind, count] for count in FILM_COUNTS]).T
    seed_lines(panels[0], FILM_COUNTS, {kind: (values, color)})
panels[0].axhline(0.5, color=GREY, linestyle=":", linewidth=1)
panels[0].set_xscale("log")
panels[0].set_xticks(FILM_COUNTS, FILM_COUNTS)
panels[0].minorticks_off()
panels[0].set(xlabel="labels", ylabel="accuracy", ylim=(0.45, 0.85))
panels[0].legend(frameon=False, fontsize=8, loc="upper left")
panels[0].spines[["top", "right"]].set_visible(False)
panels[0].set_title("Film reviews: frozen vectors save labels")
if FETCHED:
    last = shares["mean", FILM_COUNTS[-1]][0]
    confusion_table(panels[1], last.argmax(axis=1), truth, ("negative", "positive"))
    panels[1].set_title(f"mean, {FILM_COUNTS[-1]} labels", fontsize=10)
else:
    panels[1].axis("off")
show(
    figure,
    "Left, accuracy on film reviews against the number of labels, four curves: the mean of MiniLM's tokens on top, "
    "counted words and its first token a twentieth to a tenth below, an encoder with random parameters last and near chance. Right, "
    "where the reviews are fetched, a confusion matrix.",
)

# %%
if FETCHED:
    ours, theirs = (hits[kind, FILM_COUNTS[-1]][0] for kind in ("mean", "words counted"))
    for name, some in (("mean", ours), ("words counted", theirs)):
        print(f"seed 0, {name}: {bootstrapped_mean(some)}")
    print("mean minus words counted, example by example:", paired_difference(ours, theirs))
film_mean = {key: float(np.mean(values)) for key, values in on_film.items()}
few, many = FILM_COUNTS[0], FILM_COUNTS[-1]
for count in FILM_COUNTS:
    print(
        f"{count} labels, mean minus words:",
        difference(on_film["mean", count], on_film["words counted", count]),
    )
print("mean minus first token:", difference(on_film["mean", many], on_film["first token", many]))
print(
    "random encoder minus words:",
    difference(on_film["mean, random encoder", many], on_film["words counted", many]),
)
expect(
    "E19.film_frozen_encoder",
    film_mean["mean", many],
    above=0.68,
    against={
        "words": film_mean["words counted", many],
        "random_encoder": film_mean["mean, random encoder", many],
    },
    full_only=True,
)
prediction(
    "E19.film_frozen_beats_words",
    "the frozen encoder beats counted words with few labels and with many",
    all(
        difference(on_film["mean", count], on_film["words counted", count]).low > 0
        for count in (few, many)
    ),
)
prediction(
    "E19.film_mean_beats_first",
    "the mean beats the first token",
    difference(on_film["mean", many], on_film["first token", many]).low > 0,
)
prediction(
    "E19.film_random_encoder",
    "an encoder with random parameters is no better than counted words",
    not difference(on_film["mean, random encoder", many], on_film["words counted", many]).low > 0,
)

# %% [markdown]
# (a) is confirmed: by about a twentieth with 16 labels, and by nearly a tenth from 48 labels on. But the seeds draw
# other labels, and ask the same 256 snippets. How far another test would say otherwise, the interval of one draw
# tells, example by example: with 128 labels it reaches down nearly to zero. (b) and (c) are confirmed. The encoder
# with random parameters turns every text into a vector of the same size; what it lacks is what pretraining has put
# into the other. That the mean beats the first token is no law: it is what this encoder was trained with.
#
# With thousands of labels the order changes. With 8,500 labels TF-IDF reached 0.82 on these reviews and the frozen encoder
# 0.78, while MiniLM trained *whole* reached 0.87 (measured once, with reference libraries).
#
# ## The strongest objection
#
# *"Fine-tuning for a task is not dated. With few labels it is better and cheaper than a prompt."* That is so, for many
# tasks. Liu et al. (2022) compare both: a small part of a model, trained on the few examples, is more accurate than the
# same examples in a prompt, and each question costs less. So the verdict does not say that task heads are bad. It says
# that they are not what sets apart a GPT of 2026, and that the card does not mention them. GPT-3's paper is about doing
# *without* them.
#
# *"Likelihood did well here because the task was in the text."* Yes, and that is what the control shows: without
# verdicts it is at chance. Saunshi et al. (2021) argue that this is how language models help at all: a task of
# classification can be put as a sentence to be completed. Large models read nearly everything, so much of what one
# asks was in their text. A label that is in no text, such as a company's own codes, is not to be had from a prompt
# without examples.
#
# *"Examples in a prompt do help large models."* They do (Brown et al., 2020). What they help with is disputed. Min et al.
# (2022) replace the labels in the examples by random ones, and accuracy hardly falls: so the examples say what the
# *question* is, more than what the answers are. Zhao et al. (2021) find that the order of the examples alone can move a
# model from near chance to near the best. Our tiny model had never seen examples that belong together, so it could not
# have learnt to use them.
#
# *"Counting words is no rival."* On this task it was, from 256 labels on and nearly from 64. Whoever reports a
# fine-tuned model without it does not say what the network was for.
#
# ## Verdict
#
# * **C26, task-specific fine-tuning:** not in the card; dated framing. It is the workflow of 2018 and 2019. GPT-3 was
#   evaluated with no example, one, or a few in the prompt. Instruction tuning then took the place of a head for each
#   task (Wei et al., 2021; Ouyang et al., 2022). The technique works: a pretrained model needed few labels here.
#   Where its text had held the task, it needed none, and then no head either.
#
# ## What this does not show
#
# * How a large model does on any of this. Ours has 17,376 numbers and one block.
# * What MiniLM reaches when all of it is trained. That takes minutes: `minigpt finetune minilm film --task classify
#   --pooled mean --test film-test`.
# * That these settings are the best for each arm. The rates were found in a few trials, and more steps might help the
#   random start. More steps of pretraining changed conclusions, as said above, and still more might.
# * Question answering, which the claim names as well. `minigpt finetune --task answer` is for that.
# * What GPT-5.5 was fine-tuned for. That is undisclosed.
#
# ## Exercises
#
# Write them in `exercises/17_task_fine_tuning.py`, in this notebook's folder, then run there
# `minigpt grade exercises/17_task_fine_tuning.py`.
#
# 1. `mean_of_present(hidden, present)` (2 points): what stands for a text.
# 2. `choose_by_likelihood(nats, without_content)` (2 points): an answer without training.
# 3. `tf_idf(counts)` (3 points): words, weighed.
# 4. `calibration_error(confidence, right, bins)` (3 points): how far sureness is from being right.
#
# ## Further reading
#
# * Radford et al. (2018), *Improving Language Understanding by Generative Pre-Training*. Howard & Ruder (2018), *ULMFiT*,
#   arXiv:1801.06146. Devlin et al. (2018), *BERT*, arXiv:1810.04805.
# * Brown et al. (2020), *Language Models are Few-Shot Learners*, arXiv:2005.14165. Zhao et al. (2021), *Calibrate Before
#   Use*, arXiv:2102.09690. Min et al. (2022), *Rethinking the Role of Demonstrations*, arXiv:2202.12837.
# * Wei et al. (2021), *Finetuned Language Models are Zero-Shot Learners*, arXiv:2109.01652. Ouyang et al. (2022),
#   arXiv:2203.02155. Liu et al. (2022), *Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context
#   Learning*, arXiv:2205.05638.
# * Saunshi, Malladi, Arora (2021), *A Mathematical Exploration of Why Language Models Help Solve Downstream Tasks*,
#   arXiv:2010.03648.
# * Guo et al. (2017), *On Calibration of Modern Neural Networks*, arXiv:1706.04599. Efron & Tibshirani (1993), *An
#   Introduction to the Bootstrap*. Hutto & Gilbert (2014), *VADER*, ICWSM: the ratings.
