# %% [markdown]
# # 00  Reading the article
#
# **The claim.** An article says that OpenAI's *GPT-5.5 System Card* sets out how the model is built and trained
# (C01).
#
# **The question.** How much of what the article says is in that card, and how much of the card is in the article? And
# what can an experiment add?
#
# **You need.** Nothing but some Python. What is not explained here is built in the lessons that follow.
#
# **Time.** 50 minutes to read; the code runs in 1 s and takes 0.1 GB.

# %%
import re

import matplotlib.pyplot as plt
import numpy as np

from minigpt import Transformer, TransformerConfig
from minigpt.course import Shown, expect, prediction, show, table
from minigpt.course.claims import load_claims
from minigpt.plot import BLUE, GREEN, GREY, ORANGE, SKY, VERMILION
from minigpt.plots_layers import chain_of_sources

# %% [markdown]
# In April 2026 a text of about 750 words appeared on the web. It explains how GPT-5.5 is built. It reads well, and
# most readers cannot tell which of it is true. This course takes it apart, statement by statement, and builds what
# each one names. We do not reprint the article; every statement stands in [CLAIMS.md](CLAIMS.md) in our own words. We
# follow one of them through this lesson:

# %%
audit = load_claims()
claim = audit.claim("C09")
print(f"{claim.id}: {claim.claim}")

# %% [markdown]
# ## First, an experiment
#
# A *transformer* is a program that reads a row of words and gives numbers, its *output*, at the place of each. What it
# computes depends on many stored numbers, its *parameters*: random at first, changed by training. An *encoder* is a
# transformer in which each word may look at all words, on both sides. A *decoder* is one in which each word may look at
# itself and the words before it, and no further. The article itself calls GPT-5.5 a decoder. Does it matter that
# training "makes use of an encoder"? We build one of each, with the same random parameters, and do the simplest thing
# that tells them apart: change the *last* word of a sentence, and see which outputs move. (How the two are made is for
# lessons 02 to 07. Here it is enough to see what goes in and what comes out. A *seed* is a number from which the random
# ones are drawn; three seeds show whether one draw was luck.)
#
# **Prediction.** In the decoder only the output of the last word moves. In the encoder all of them move.

# %%
SENTENCE = ["the", "cat", "sat", "on", "the", "mat"]
VOCABULARY = sorted({*SENTENCE, "roof"})


def moved_by_last_word(architecture, seed):
    """For each word of the sentence: the largest change of its output when *mat* becomes *roof*."""
    config = TransformerConfig(
        vocabulary_size=len(VOCABULARY),
        context=8,
        width=32,
        layers=2,
        heads=4,
        init_std=0.2,
        architecture=architecture,
    )
    model = Transformer(config)
    params = model.init(np.random.default_rng(seed))
    both = [
        np.array([[VOCABULARY.index(word) for word in words]])
        for words in (SENTENCE, [*SENTENCE[:-1], "roof"])
    ]
    outputs = [model.forward(params, ids)[0][0] for ids in both]
    return np.abs(outputs[0] - outputs[1]).max(axis=-1)


moved = {
    name: np.array([moved_by_last_word(name, seed) for seed in range(3)])  # (seeds, words)
    for name in ("decoder", "encoder")
}
figure, panels = plt.subplots(1, 2, figsize=(8.5, 2.8), layout="constrained", sharey=True)
for axes, (name, values), color in zip(panels, moved.items(), (BLUE, VERMILION), strict=True):
    axes.bar(range(6), values.mean(axis=0), color=color, alpha=0.5)
    for seed in values:
        axes.plot(range(6), seed, "o", color=color, markersize=3)
    axes.set_xticks(range(6), SENTENCE)
    axes.set_title(
        f"{name}: {'only the last' if name == 'decoder' else 'every'} output moves", fontsize=10
    )
    axes.spines[["top", "right"]].set_visible(False)
panels[0].set(ylabel="largest change\nof an output")
show(
    figure,
    "Two bar charts over the six words, with a dot for each of three seeds. In the decoder only the bar of the last word "
    "is above zero. In the encoder all six bars are.",
)

# %%
expect("L00.decoder_before", moved["decoder"][:, :-1].max(), equal=0)
expect("L00.decoder_last", moved["decoder"][:, -1].min(), above=0.001, against={"a blind test": 0})
expect("L00.encoder_before", moved["encoder"][:, :-1].min(), above=0.001, against={"a decoder": 0})
prediction(
    "L00.who_sees_the_last_word",
    "changing the last word moves one output of a decoder, and every output of an encoder",
    not moved["decoder"][:, :-1].any() and bool((moved["encoder"] > 0).all()),
)

# %% [markdown]
# Now think of training. A GPT learns to guess each next word from those before it. An encoder that is asked the same
# can *see* the answer, and learns to copy it. That is why BERT, an encoder, hides words and guesses those. So the
# article's sentence owes its readers an explanation: what would an encoder's training do for a decoder? It gives
# none. Lesson 08 looks for one.
#
# This is what an experiment on a tiny model can add. It says nothing about how GPT-5.5 is built. It shows what a
# method *does*, for any size of model, and so whether an account of it holds together.
#
# ## How a lesson works
#
# Every lesson builds what is needed, *predicts*, measures, and ends with a verdict. The numbers on which a verdict
# rests are held to a *band*, a lowest and a highest value, with `expect`, as above, and the page cannot be published if
# one leaves its band. A band must also exclude the alternative (above: "a decoder", which would have given 0), or it
# proves nothing. A band that cannot fail is refused:

# %%
try:
    expect("L00.cannot_fail", 3.0, above=0.0, against={"chance": 5.0})
except ValueError as refusal:
    print("refused:", refusal)
else:
    raise AssertionError("a band that holds the alternative was accepted")

# %% [markdown]
# ## Provenance: who says so?
#
# **Provenance** is the chain from a statement back to somebody who could know. One missing link is enough to lose it.

# %%
figure, axes = plt.subplots(figsize=(9, 3.7), layout="constrained")
chain_of_sources(
    axes,
    {
        "model": ("The model\n\ndesign undisclosed", GREY, (0.9, 2.2)),
        "card": ("System card\n23 April 2026\n\nhow it was evaluated", GREEN, (3.5, 2.2)),
        "article": (
            f"The article\n26 April 2026\n\n{len(audit.claims)} claims",
            VERMILION,
            (6.4, 2.2),
        ),
        "copies": ("Copies\n\ntwo hosts or more", VERMILION, (8.9, 2.2)),
        "family": ("Code and papers of\nGPT-1, 2, 3 and gpt-oss", BLUE, (1.3, 0.4)),
        "course": ("This course\n\nverdicts, experiments", "black", (5.4, 0.4)),
    },
    [
        ("model", "card", "", "-"),
        ("card", "article", "no link,\nno quote", ":"),
        ("article", "copies", "", "-"),
        ("family", "course", "read", "-"),
        ("card", "course", "read, in part", "-"),
        ("article", "course", "taken apart", "-"),
    ],
)
axes.set_title(
    "The link from the card to the article is missing; verdicts go round it", fontsize=11
)
show(
    figure,
    "Boxes joined by arrows: from the model to its system card; a dotted arrow, marked 'no link, no quote', from the "
    "card to the article; from the article to its copies. Card, article, and the code and papers of the GPT family each "
    "have an arrow to this course.",
)

# %%
for name in ("authors_named", "citations", "links_to_the_card"):
    expect(f"L00.{name}", audit.article[name], equal=0)

# %% [markdown]
# The article names no author, cites nothing and does not link to the document that it explains. It may still be
# right. But nothing in it is known *because it says so*.
#
# And how do *we* know? Every verdict carries a grade, or more than one, that says how near we came to the source. Be as
# hard on us as on the article.

# %%
counts = {grade: sum(grade in claim.grade for claim in audit.claims) for grade in audit.grades}
rows = [(grade, meaning, counts[grade]) for grade, meaning in audit.grades.items()]
table(["grade", "what it means", "claims"], rows)

# %% [markdown]
# ## What a system card is
#
# A **model card** is a short report that travels with a trained model: what it is for, how it was evaluated, on whom
# it may fail (Mitchell et al., 2019). A **system card** is a report on a product, a model with its filters,
# tools and rules: what it is for, how it was evaluated, what was found unsafe. It says whether a release is safe. It is not a paper on architecture.

# %%
table(
    ["you want to know", "the GPT-5.5 card", "where else it might stand"],
    [
        ("what it refuses, and how often", "yes, in tables", ""),
        ("where the data come from", "three kinds of source, no sizes", ""),
        ("how it learnt to reason", "by reinforcement learning; no details", ""),
        ("encoder, decoder, activation", "no", "undisclosed; gpt-oss shows one relative"),
        ("number of parameters", "no", "undisclosed since GPT-4"),
        ("objective of pretraining", "no", "undisclosed; next token in the GPT-4 report"),
    ],
)

# %% [markdown]
# So the article asks the card for what such a card does not hold. One of its sentences even praises the *document*
# for its size (C02). A document has no parameters.
#
# ## Words that disappear
#
# A **hedge** is a word that says how sure a writer is: *can*, *may*, *reported*, *roughly*. The article has a summary
# on top and a body below it. Four statements stand in both; here they are in our words, with the article's hedges.

# %%
rows = [(hedge.claim, hedge.summary, hedge.body) for hedge in audit.hedges]
table(["claim", "as the summary puts it", "as the body puts it"], rows)

# %% [markdown]
# Our claim, C09, loses its *can*. A program can find that. Mind that letters are not words: `"can" in
# "significantly"` is true. So we split a text into words first. What is in the summary and ($\cap$) among the hedges, and
# not ($\setminus$) in the body, was dropped:
#
# $$\text{dropped} = (\text{words of the summary} \cap \text{hedges}) \setminus \text{words of the body}$$

# %%
# It is possible, or somebody says so:
SOURCE = {"can", "may", "might", "could", "described", "reported", "said", "suggested"}
# Not exactly:
AMOUNT = {"roughly", "approximately", "about", "some", "primarily", "mainly"}


def words(text):
    return set(re.findall(r"[a-z]+", text.lower()))


def lost(before, after, hedges):
    return sorted((words(before) & hedges) - words(after))


rows = []
for hedge in audit.hedges:
    before, after = hedge.summary, hedge.body
    found = (
        lost(before, after, SOURCE),
        lost(before, after, AMOUNT),
        lost(after, before, SOURCE | AMOUNT),
    )
    rows.append([hedge.claim, *(", ".join(some) or "none" for some in found)])
table(
    ["claim", "dropped: possible, or said by others", "dropped: not exactly", "added by the body"],
    rows,
)

# %%
hardened = [row[0] for row in rows if row[1] != "none"]
expect("E01.hedged_statements_hardened", len(hardened), equal=3)
print("hardened:", ", ".join(hardened))

# %% [markdown]
# Three statements are hardened between summary and body of *one* text, with no evidence in between. That is C03, and
# no knowledge of GPT-5.5 is needed to see it. The table also shows a false alarm: in C12 *roughly* became
# *approximately*, a synonym. And in C08 it is the body that hedges. Lists of words see words; the judgement is ours.
#
# ## Ten facts of the card (E01)
#
# We wrote down ten plain facts of the card. For every claim $c$ let $s(c)$ be the set of those facts $F$ that it
# states, and $C$ the set of claims. Two shares say how the article and the facts meet:
#
# $$\text{traced} = \frac{|\{c \in C : s(c) \cap F \neq \emptyset\}|}{|C|} \qquad
# \text{covered} = \frac{|F \cap \bigcup_{c} s(c)|}{|F|}$$
#
# *Traced* is the share of the claims that state at least one of our ten facts. *Covered* is the share of the ten
# facts that at least one claim states. ($|C|$ is how many members a set has, $\emptyset$ the set without any, $\bigcup$ all
# sets put together.) Neither is the share of *true* claims: a claim may be true and not among our ten.
#
# **Prediction.** If the article describes the card, at least half of the facts are covered. If it describes something
# else, both shares are near zero.

# %%
table(
    ["", "what the card says", "claims that say it", "claims that say part of it"],
    [
        (f.number, f.text, ", ".join(f.full) or "none", ", ".join(f.part) or "none")
        for f in audit.facts
    ],
)

# %%
facts = {fact.number for fact in audit.facts}


def traced_and_covered(stated):
    """stated: for each claim, the numbers of the facts that it states."""
    traced = sum(bool(numbers & facts) for numbers in stated)
    return traced / len(stated), len(facts & set().union(*stated)) / len(facts)


in_full = [{f.number for f in audit.facts if claim.id in f.full} for claim in audit.claims]
in_part = [{f.number for f in audit.facts if claim.id in f.full + f.part} for claim in audit.claims]
faithful = [{number} for number in facts]  # a summary with one sentence for each fact
shares = {
    "the article, facts in full": traced_and_covered(in_full),
    "the article, in full or in part": traced_and_covered(in_part),
    "control: a summary of one sentence for each fact": traced_and_covered(faithful),
}
table(["text", "traced", "covered"], [(name, *pair) for name, pair in shares.items()])

# %%
full, partly, control = shares.values()
expect("E01.traced_full", full[0], equal=0)
expect("E01.covered_full", full[1], equal=0)
expect("E01.traced_partly", partly[0], below=0.05, against={"a summary": control[0]})
expect("E01.covered_partly", partly[1], below=0.15, against={"a summary": control[1]})
prediction(
    "E01.describes_something_else",
    "both shares are below one half, also where a part of a fact counts",
    max(partly) < 0.5,
)

# %% [markdown]
# The article states none of the ten facts, and a part of one: it names the internet and users as sources of data, but
# leaves out partners and adds books (C23). The last row is a ceiling by construction: it checks the
# two formulas, and does not show how near to it a real summary comes.
#
# ## How to read a verdict
#
# "True or false" is too coarse. There are six marks, and a claim can carry two. *Not in the card / unverifiable*,
# say, means that the attribution is false and the content cannot be checked either way.

# %%
marks = {mark: sum(mark in claim.marks for claim in audit.claims) for mark in audit.verdicts}
rows = [(mark, meaning, marks[mark]) for mark, meaning in audit.verdicts.items()]
table(["mark", "what it means", "claims"], rows)

# %%
by_part = {}
for one in audit.claims:
    by_part.setdefault(one.part, []).append(one)
COLOURS = dict(zip(audit.verdicts, (GREEN, SKY, GREY, VERMILION, ORANGE, BLUE), strict=True))
plate = {"boxstyle": "round,pad=0.2", "facecolor": "white", "linewidth": 0}
figure, axes = plt.subplots(figsize=(9, 4.6), layout="constrained")
for row, claims in enumerate(by_part.values()):
    for column, one in enumerate(claims):
        left, right, top, bottom = column + 0.04, column + 0.96, row + 0.06, row + 0.94
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        halves = (
            [corners] if len(one.marks) == 1 else [[corners[i] for i in (0, 1, 3)], corners[1:]]
        )
        for half, mark in zip(halves, one.marks, strict=True):
            axes.fill(*zip(*half, strict=True), color=COLOURS[mark], linewidth=0)
        axes.text(column + 0.5, row + 0.5, one.id, ha="center", va="center", fontsize=9, bbox=plate)
for mark, colour in COLOURS.items():
    axes.fill([], [], color=colour, label=f"{mark} ({marks[mark]})")
axes.set_yticks(np.arange(len(by_part)) + 0.5, by_part)
axes.set(ylim=(len(by_part), 0), xlim=(0, max(map(len, by_part.values()))), xticks=[])
axes.set_title("Only the row of concerns is supported throughout", fontsize=11)
axes.tick_params(length=0)
axes.spines[:].set_visible(False)
axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=9)
show(
    figure,
    "A square for each claim in rows by the part of the article, coloured by verdict; two colours for two marks. Green, "
    "supported, fills the row of concerns; elsewhere it is rare, two squares of it with parallelism. Blue, not in the "
    "card, is found with architecture, size, objectives and fine-tuning, and with what is said to lie ahead.",
)

# %%
expect("E01.inconsistent", marks["INCONSISTENT"], equal=4)
alone = [c.id for c in audit.claims if c.marks == ("SUPPORTED",) and "general" not in c.verdict]
print("supported without a limit:", ", ".join(alone) or "none")
table(["", ""], [("claim", claim.id), ("verdict", claim.verdict), ("why", claim.why)])

# %% [markdown]
# No claim is supported without a limit: what is green is true in general, and not known of GPT-5.5. The last table is
# the verdict on the claim that we followed. Mind its words. *No GPT is known to use masked language
# modelling* does not say that GPT-5.5 does not: its design is undisclosed. It says that the claim has no support, and
# everything known of the family against it. We write "contradicted by the family" and not "disproved", and so should
# you.
#
# ## The strongest objection
#
# *"You chose the ten facts, so you chose the result."* Others might have picked other facts. So we are generous, and
# count every claim that we judged supported or partly true with the card among its sources, whether or not it is one
# of the ten.

# %%
card = [
    one for one in audit.claims if any("GPT-5.5 System Card. 23" in text for text in one.sources)
]
generous = [one.id for one in card if set(one.marks) <= {"SUPPORTED", "PARTLY"}]
print(f"{len(generous)} of {len(audit.claims)}:", ", ".join(generous))
expect(
    "E01.traced_generous",
    len(generous) / len(audit.claims),
    below=0.1,
    against={"a summary of the card": control[0]},
)

# %% [markdown]
# Still under a tenth. *"And you have not read the whole card."* That is so. The sections on chain of thought, bias
# and preparedness were not in the archived text. "Not in the card" means: not in what could be read.
#
# ## Verdict
#
# **C01: contradicted.** The card reports evaluations; the architecture and training that the article attributes to it
# are not in the archived text. No claim states any of our ten facts in full, and one claim states a part of one.
#
# **C02, C03: inconsistent.** The document is taken for the model, and three hedges are lost between summary and body.
#
# **C04: contradicted as a summary.** None of the ten facts is stated in full, and one in part.
#
# **C40: not in the card.** There is no section on further research in the archived text.
#
# ## What this does not show
#
# - That the article's statements are false of GPT-5.5. It shows that they do not report the card.
# - That the full card says nothing on design.
# - That our assignment of claims to facts is the only one. One reader made it; a second might differ on a few.
# - Who or what wrote the article. Fluent and unsourced is a style of people, too.

# %%
limits = "\n".join(f"- {' '.join(text.split())}" for text in audit.limits)
Shown(limits, limits)

# %% [markdown]
# ## Exercises
#
# Write them in `exercises/00_reading_the_article.py`, in this notebook's folder, then run there
# `minigpt grade exercises/00_reading_the_article.py`; one alone with `--exercise dropped_hedges`.
#
# 1. `dropped_hedges` (2 points). The hedges that occur in a summary as whole words, and not in the body. A hedge may be
#    a phrase of several words, so a set of single words is not enough: `\b` of `re` matches where a word begins or ends.
# 2. `traced_and_covered` (2 points). The two shares above for any article and any list of facts. Mind an empty list:
#    then there is nothing to divide by.
#
# To think about: take an article on a model that came out this month. Write ten facts from its card *before* you read
# the article. What are the two shares? Let a friend do the same. Where you differ, is it the facts or the reading?
#
# ## Further reading
#
# - Mitchell et al. (2019). *Model Cards for Model Reporting.* arXiv:1810.03993
# - OpenAI (2026). *GPT-5.5 System Card.* deploymentsafety.openai.com/gpt-5-5
# - OpenAI (2023). *GPT-4 Technical Report.* arXiv:2303.08774, section 2: what it says that it will not say
# - All claims with their evidence: [CLAIMS.md](CLAIMS.md), or `minigpt claims C09` for one of them
