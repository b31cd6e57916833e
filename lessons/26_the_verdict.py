# %% [markdown]
# # 26  The verdict
#
# **The claim.** All of them: forty statements on how GPT-5.5 is built, trained, adapted and what it promises (C01 to C40).
#
# **The question.** What does the article have right, what wrong, and what can nobody outside know? And does our own
# audit hold what we ask of the article?
#
# **You need.** Lesson 00, the verdicts and their grades. Every other lesson is cited by one row below.
#
# **Time.** 60 minutes to read; the code runs in 1 s and takes 0.1 GB.

# %%
import json
import re
from collections import Counter

import matplotlib.pyplot as plt
import numpy as np

from minigpt.course import expect, prediction, show, table
from minigpt.course.claims import load_claims
from minigpt.course.folder import lessons_folder
from minigpt.plot import BLACK, BLUE, GREEN, GREY, ORANGE, VERMILION

audit = load_claims()
claims = audit.claims
print(len(claims), "claims,", sum(len(claim.measures) for claim in claims), "measured numbers")

# %% [markdown]
# ## One sentence, judged in three steps
#
# We take again the sentence with which lesson 00 began: *training makes use of an encoder, for masked language modelling*
# (C09). A **verdict** on a sentence says who says so, whether it holds together, and what the method does that it names.
# These three can differ:
#
# 1. *Who says so?* The sentence is put into the mouth of the system card. Is it there?
# 2. *Does it hold together?* The same text calls the model a decoder.
# 3. *What does the method do?* That can be built and measured, on any size of model.
#
# Only the third part is an experiment. It cannot say what GPT-5.5 is. It can say what the sentence would mean.

# %%
followed = audit.claim("C09")
table(
    ["step", "what was found"],
    [
        ("who says so", followed.verdict),
        ("does it hold together", audit.claim("C08").verdict),
        *(("what the method does", f"{one.what}: {one.reading}") for one in followed.measures[:3]),
    ],
)

# %% [markdown]
# ## The whole audit on one page
#
# Each row is a claim in our words, its verdict, the first number that stands beside it with the band to which a lesson holds
# it, and that lesson. `minigpt claims C09` prints one row in full. Mind what the number is for. The *verdict* is argued from
# documents, in every row. A number that was *measured* shows, on a small model, what the method does that the claim names;
# one that was *counted* is of our own record of the article and the card, which was made by hand.

# %%
beside = [f"{claim.kind}: {claim.measures[0].reading}" for claim in claims]
experiments = [claim.measures[0].name.partition(".")[0] for claim in claims]
table(
    ["", "claim", "verdict, from documents", "number", "experiment", "lesson"],
    [
        (claim.id, claim.claim, claim.verdict, number, experiment, claim.lesson[:2])
        for claim, number, experiment in zip(claims, beside, experiments, strict=True)
    ],
)

# %%
print(Counter(number.split(":")[0] for number in beside))

# %% [markdown]
# Forty rows are hard to see at once. So here is each part of the article, its claims sorted into five heaps. *Holds in
# general*: true of such models, not known of this one. *Narrower*: true in another or a smaller form. *Against it*: the
# source, the calendar, the family of models or the article itself says otherwise. *Undisclosed*: those outside have not been
# told. *Not in its source*: the card does not say it, as far as it could be read, and more is not said against it.

# %%
HEAPS = ("holds in general", "narrower", "against it", "undisclosed", "not in its source")
COLOURS = dict(zip(HEAPS, (GREEN, BLUE, VERMILION, GREY, ORANGE), strict=True))


def heap(claim):
    """The one heap of a claim: what speaks for its content counts first, then what speaks against it."""
    if "SUPPORTED" in claim.marks:
        return "holds in general"
    if {"CONTRADICTED", "INCONSISTENT"} & set(claim.marks):
        return "against it"
    if "UNVERIFIABLE" in claim.marks:
        return "undisclosed"
    return "narrower" if "PARTLY" in claim.marks else "not in its source"


parts = list(dict.fromkeys(claim.part for claim in claims))
counts = np.array(
    [[sum(c.part == p and heap(c) == name for c in claims) for name in HEAPS] for p in parts]
)
figure, axes = plt.subplots(figsize=(9, 3.8), layout="constrained")
left = np.zeros(len(parts))
total = dict(zip(HEAPS, counts.sum(axis=0).tolist(), strict=True))
for name, column in zip(HEAPS, counts.T, strict=True):
    axes.barh(parts, column, left=left, color=COLOURS[name], label=f"{name} ({column.sum()})")
    for row in np.flatnonzero(column):
        ink = BLACK if COLOURS[name] == ORANGE else "white"
        axes.text(
            left[row] + column[row] / 2, row, column[row], ha="center", va="center", color=ink
        )
    left += column
axes.invert_yaxis()
axes.set_xlabel("claims")
axes.set_title(f"{total['against it']} of {len(claims)} claims have something against them")
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
show(
    figure,
    "A bar for each part of the article, cut into five heaps. All of the framing has something against it, four claims each of "
    "the architecture and of objectives and data, and three of what is said to lie ahead. Of the concerns all hold in general; "
    "architecture, size, objectives and advantages have two claims each that are undisclosed.",
)
total

# %%
about_it = [c.id for c in claims if c.marks == ("SUPPORTED",) and "general" not in c.verdict]
expect("L26.against", total["against it"] / len(claims), above=0.4, against={"none": 0.0})
expect(
    "L26.holds_in_general",
    total["holds in general"] / len(claims),
    below=0.3,
    against={"half of the claims": 0.5},
)
expect("L26.confirmed_of_this_model", len(about_it), equal=0)

# %% [markdown]
# *Right, in general*: attention weighs (C10); model and data parallelism are what the words say (C15, C16); models can be
# adapted to fields (C25); computing costs, data matter, bias is a concern (C32 to C34); transparency is needed (C39). None of
# these is *about* GPT-5.5.
#
# *Right in part*, and here the card or the announcement does speak of GPT-5.5: some of the sources of its data (C23), first
# places on some benchmarks (C27), more use of a long context, by the vendor's numbers (C29), better single claims (C30).
# Explainability is unsolved, though not unbegun (C38).
#
# *Wrong*, in three ways. The article contradicts *itself*: an encoder-decoder in a decoder, a document with a size, hedges
# that vanish (C02, C03, C08). It contradicts the *card or the calendar*: anonymized where the card says reduced, "future"
# for what was published years before (C01, C22, C24, C35 to C37); or it gives an account in which the main things are missing
# (C04, C06, C20), or mixed up (C14). It contradicts the *family*: ReLU, masked words, next sentences were never documented for
# a GPT (C09, C11, C17, C18). This last kind is unsupported. It is not disproved.
#
# *Undisclosed*: size, tokens, layout, activation, objectives. Lesson 10 shows that a loss cannot stand in for disclosure:
# models with very different numbers of parameters reach the same. That is not to say that nothing leaks: where an interface
# gives logits, the width of a model can be computed from them (Carlini et al., 2024).
#
# *Not in its source*: fine-tuning for single tasks, which is an older way to work (C26), and a list of what to research next
# (C40). The card, as far as it could be read, has neither; that is all that can be said.

# %%
ratio = audit.claim("C12").measures[0]
print(f"{ratio.what}: {ratio.reading}")
for text in audit.limits:
    print("-", " ".join(text.split()))

# %% [markdown]
# ## Does our audit hold? First, read the article kindly
#
# Some verdicts depend on how a sentence is read, and ours were strict. That is easily unfair. So here is the kindest reading
# that we can find, for every claim that has one. (The fairest objection is to ourselves: *explainability is future work* was
# read as a goal, and so judged *partly*; *efficient inference* and *multitask learning* were read as a date.)

# %%
KINDLY = {
    "C02": "*the card* may be short for *the model*",
    "C04": "it is an omission, and no statement",
    "C06": "*particularly GPT-3* is a matter of emphasis",
    "C14": "*scaling* may mean speed as well as room",
    "C20": "a list need not be complete",
    "C24": "*introduces* may mean *offers*",
    "C35": "*further* research does not deny what there is",
    "C37": "*more sophisticated* does not deny what there is",
}
strict = [claim.id for claim in claims if heap(claim) == "against it"]
stay = [one for one in strict if one not in KINDLY]
table(["claim", "read kindly"], list(KINDLY.items()))

# %%
print(
    f"against it, read strictly: {len(strict)}; read kindly: {len(stay)}, which are {', '.join(stay)}"
)
expect(
    "L26.against_read_kindly",
    len(stay) / len(claims),
    above=0.15,
    below=0.3,
    against={"none": 0.0, "read strictly": len(strict) / len(claims)},
)

# %% [markdown]
# About half of the objections depend on the reading. What stays is what no reading mends: that the card is the source, that
# hedges are dropped, an encoder in a decoder, ReLU, masked words and next sentences, *anonymized*, and vision as future.
#
# ## Second, take evidence away
#
# Every verdict has grades of evidence (lesson 00): P for a primary text that was read, Q for exact wording in two copies, S
# for secondary, M for memory. An audit that leans on memory is no better than an article that names no source. So we take
# away one grade at a time, and see how many verdicts still stand on something.
#
# A claim *stands* on a set of grades if one of its own is among them. Measured numbers are not counted here: documents say
# what was said of GPT-5.5 and its family, and measurements say what a method does.
#
# **Prediction.** (a) At least 30 of the 40 verdicts have a primary source. (b) Without any primary source fewer than
# half have a document at all: so the audit rests on what was read, not on what was remembered.


# %%
def standing(grades, kept):
    """How many claims have a grade that is kept. grades: a tuple for each claim."""
    return sum(bool(set(some) & set(kept)) for some in grades)


grades = [claim.grade for claim in claims]
every = list(audit.grades)
rows = [
    ("all", standing(grades, every)),
    *((f"without {one}", standing(grades, [g for g in every if g != one])) for one in every),
    *((f"{one} alone", standing(grades, [one])) for one in every),
]
table(["grades kept", "verdicts with a document"], rows)

# %%
primary, without = standing(grades, ["P"]), standing(grades, [g for g in every if g != "P"])
expect(
    "L26.with_a_primary_source",
    primary,
    above=30,
    against={"memory alone": standing(grades, ["M"])},
)
prediction("L26.primary", "at least 30 of 40 verdicts have a primary source", primary >= 30)
prediction(
    "L26.rests_on_what_was_read",
    "without primary sources fewer than half of the verdicts have a document",
    without < len(claims) / 2,
    text_says=False,
)

# %% [markdown]
# The first came true. The second did not: most verdicts that have a primary source have exact quotations or a secondary
# source beside it, so that they would keep a leg, if a weaker one. Does any verdict rest on memory or on secondary sources
# alone? There you should look first, to find an error of ours.

# %%
weakest = [claim.id for claim in claims if claim.grade and set(claim.grade) <= {"M", "S", "S+"}]
print("on memory, secondary sources or a transcription alone:", ", ".join(weakest) or "none")
card = next(
    one for claim in claims for one in claim.sources if "GPT-5.5 System Card. 23 April" in one
)
citing = [claim for claim in claims if card in claim.sources]
alone = [claim.id for claim in citing if set(claim.sources) == {card}]
print(f"cite the card: {len(citing)}; and nothing else: {', '.join(alone)}")

# %% [markdown]
# A grade does not say *which* document was read. Most of the card's text rests on one archived copy, as the limits above say. If
# that copy were false, the verdicts that cite nothing else would fall, and those that cite it would lose a leg. And P says
# that a source was read, not that it speaks of GPT-5.5: much of it is code of earlier models.
#
# ## Third, count how often we were wrong
#
# A course whose predictions all come true should be asked when they were written down, and whether it asked only what it knew.
# Every lesson says its predictions before it runs, and prints *confirmed* or *not confirmed*. The record of all lessons is
# `results.json`: an outcome is a 1 or a 0 there. A program finds those whose name a lesson writes out.
#
# **Prediction.** More than one in twenty of ours failed.

# %%
SOURCES = {
    path.stem: path.read_text(encoding="utf-8")
    for path in sorted(lessons_folder().glob("[0-9]*.py"))
}
named = {
    (lesson, name)
    for lesson, source in SOURCES.items()
    for name in re.findall(r'prediction\(\s*\*?\(?\s*f?"([^"{]+)"', source)
}
results = json.loads((lessons_folder() / "results.json").read_text(encoding="utf-8"))
outcomes = [
    (row["lesson"], bool(row["value"]))
    for row in results
    if (row["lesson"], row["name"]) in named and row["lesson"] < "26"
]
failed = Counter(lesson for lesson, came_true in outcomes if not came_true)
made = Counter(lesson for lesson, _ in outcomes)
figure, axes = plt.subplots(figsize=(9, 3.4), layout="constrained")
names = [lesson[:2] for lesson in made]
right = [made[lesson] - failed[lesson] for lesson in made]
axes.bar(names, right, color=BLUE, label="confirmed")
axes.bar(
    names,
    [failed[lesson] for lesson in made],
    bottom=right,
    color=ORANGE,
    label="not confirmed",
    hatch="//",
)
axes.set(xlabel="lesson", ylabel="predictions", title="Not all that we predicted came true")
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False)
show(
    figure,
    "A bar for each lesson: predictions that were confirmed, and on top, hatched, those that were not. Several lessons have some "
    "of both.",
)
share = sum(failed.values()) / len(outcomes)
print(f"{sum(failed.values())} of {len(outcomes)} predictions were not confirmed")
announced = [
    paragraph
    for source in SOURCES.values()
    for paragraph in re.split(r"\n#\n|\n\n", source)
    if "**Prediction.**" in paragraph
]
piloted = sum("pilot" in paragraph for paragraph in announced)
print(f"{piloted} of {len(announced)} paragraphs of predictions say that a pilot went before")

# %%
expect("L26.predictions_failed", share, above=0.05, below=0.6, against={"all came true": 0.0})
prediction("L26.we_were_wrong", "more than one in twenty predictions failed", share > 0.05)

# %% [markdown]
# That some failed does not prove that the others were honest. It shows that the word *confirmed* had another word beside it.
# And *confirmed* is a small word. Experiments were tried small before a lesson was written, or nobody could have set a band;
# few of the paragraphs say so. Then *confirmed* means that the same came again. Where the answer is arithmetic, it means that
# the program has no fault. A prediction that was registered before anybody had seen a number would be worth more.
#
# ## Ten questions for such a text
#
# What we did with one article can be done with any. Here are ten questions. Most can be answered by somebody who does not
# know the subject; for the fifth, the eighth and the tenth one has to learn a little of it.
#
# | | ask | the article | how you find out |
# | ---: | :--- | :--- | :--- |
# | 1 | Who wrote it, and could they know? | no author | look for a name, then for what the name has done |
# | 2 | Which document does it report, and is there a link? | none | open it; search it for three nouns of the text |
# | 3 | Does the source contain it? | no design in the card | lesson 00: ten facts each way |
# | 4 | What became of *may*, *about*, *is reported to*? | dropped | compare summary and body |
# | 5 | Do its terms exclude each other? | a decoder with an encoder | write down who may see what (lesson 07) |
# | 6 | Is it about this thing or about all of its kind? | about the kind | put another name into the sentence |
# | 7 | Which number has a unit, a date and a way to check it? | none; there is one number | ask what would change if it were ten times less |
# | 8 | Is *future* older than the text? | by years | search for the word and a year |
# | 9 | What does it leave out that its source makes much of? | what was evaluated | read the contents list of the source |
# | 10 | What would its author have to show you, and do they? | no measurement at all | name the experiment; then do it small |
#
# A fair test turns the questions round, on us. Some of them a program can ask: does a text name its sources, do its
# numbers come with a way to check them, does it say what it does not know? The control is a text that was made to pass, and
# in which nothing is true.
#
# **Prediction.** (a) The lessons of this course pass each of these in nearly all cases. (b) The made-up text passes all three.


# %%
def answers(source):
    """Of one text: three of the ten questions, as a program can ask them."""
    return {
        "names sources": bool(re.search(r"\(\d{4}\)|\(20\d\d", source)),
        "numbers can be checked": "expect(" in source,
        "says what it does not show": "does not show" in source,
    }


MADE_UP = """As Nobody (2031) has shown, the moon is made of 7 cheeses: expect("cheeses", 7, equal=7).
What this does not show: who ate the eighth."""
ours = {name: answers(source) for name, source in SOURCES.items()}
questions = list(next(iter(ours.values())))
passed = {one: float(np.mean([found[one] for found in ours.values()])) for one in questions}
empty = answers(MADE_UP)
table(
    ["question", "lessons that pass", "a made-up text"],
    [(q, passed[q], float(empty[q])) for q in questions],
)

# %%
worst = min(passed.values())
expect("L26.lessons_pass", worst, above=0.8, against={"every second lesson": 0.5})
prediction("L26.held_to_our_own", "of each question at least 80% of the lessons pass", worst >= 0.8)
prediction(
    "L26.form_is_not_truth", "a text in which nothing is true passes, too", all(empty.values())
)

# %% [markdown]
# Both pass. So the first line is no praise. A program finds the *form* of honesty: a year in brackets, a word. It does not find
# whether the source says what it is cited for. For this there is no other way than to open it.
#
# ## The strongest objection
#
# *"You judged a poor text. What does that teach of good ones?"* The questions do not know which text they are asked of. Put
# them to a launch announcement, a model card, this course. What differs is the answers.
#
# *"Forty verdicts by one reader are forty opinions."* That is so. A second reader would differ on some. How much two
# readers agree beyond chance is a number, Cohen's kappa, and the exercise below computes it: judge ten claims yourself
# before you look, and compare. From 0.41 to 0.60 is called moderate by custom (Landis & Koch, 1977); custom proves nothing.
#
# *"If the design is undisclosed, the article may be right."* It may. A guess that comes true was still a guess. What an
# article owes its readers is not truth by luck, but a way to tell.
#
# ## Verdict
#
# * **C01 to C40:** of the forty claims none is supported *in full as a statement about GPT-5.5*. Four are in part, by the card
#   or the announcement. Eight hold in general. Seventeen have something against them, the card, the calendar, the
#   family, or the article itself; nine of these however kindly one reads. Eight cannot be judged, since nothing is disclosed.
# * The sentence of C09 falls in the first step, no source says it, and in the second, it sits badly with a decoder. In the
#   third it is not absurd: lesson 08 shows by what means one stack can learn from both masks. The article names none of them.
# * What GPT-5.5 is remains undisclosed. That is a fact about its publisher, and it weighs in C39 as the article's silence does.
#
# ## What this does not show
#
# * That the verdicts are the only possible ones. One reader gave them; that a kind reading moves eight of them says how much
#   there is to differ about.
# * Who or what wrote the article, nor that it meant to mislead.
# * That small experiments carry over to large models. They show what a method does and which controls a claim needs.
# * What is in the parts of the card that could not be read.
#
# ## Exercises
#
# Write them in `exercises/26_the_verdict.py`, in this notebook's folder, then run there
# `minigpt grade exercises/26_the_verdict.py`.
#
# 1. `standing(grades, kept)` (2 points): how many verdicts keep a leg to stand on.
# 2. `cohens_kappa(first, second)` (3 points): the agreement of two readers beyond chance.
# 3. `smallest_share(failures, trials)` (3 points): how many predictions may fail for luck alone: the lower end of Wilson's
#    interval.
#
# To think about: take the newest text of this kind that you find. Answer the ten questions on one page. Which answer would
# change your mind about the text?
#
# ## Further reading
#
# * Mitchell et al. (2019), *Model Cards for Model Reporting*, arXiv:1810.03993. Gebru et al. (2018), *Datasheets for
#   Datasets*, arXiv:1803.09010.
# * Cohen (1960), *A Coefficient of Agreement for Nominal Scales*, Educational and Psychological Measurement 20. Wilson (1927),
#   *Probable Inference, the Law of Succession, and Statistical Inference*, Journal of the American Statistical Association 22.
# * Landis & Koch (1977), *The Measurement of Observer Agreement for Categorical Data*, Biometrics 33. Carlini et al. (2024),
#   *Stealing Part of a Production Language Model*, arXiv:2403.06634.
# * Kerr (1998), *HARKing: Hypothesizing After the Results are Known*, Personality and Social Psychology Review 2.
# * Ioannidis (2005), *Why Most Published Research Findings Are False*, PLoS Medicine 2.
