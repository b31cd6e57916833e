# %% [markdown]
# # 25  A card that can be checked
#
# **The claim.** Transparency is needed if such systems are to be trusted and answered for (C39).
#
# **The question.** Everybody agrees. But when is a report transparent? Can a reader find a false number in it? And is a
# report in which each number is right therefore honest?
#
# **You need.** Lesson 00, what a card is; lesson 04, the decoder; lesson 23, what a score is worth.
#
# **Time.** 25 minutes to read; the code runs in 5 s and takes 0.2 GB.

# %%
import os
import re
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from minigpt import TrainSettings, open_model, prepare_run
from minigpt.cli.card import ask
from minigpt.course import expect, prediction, quick, show, show_source, table
from minigpt.course.claims import load_claims
from minigpt.measure.card import Command, statements_of, write_card
from minigpt.measure.card_check import verify_card
from minigpt.plot import BLUE, GREY, VERMILION
from minigpt.text import load_corpus
from minigpt.train import train

# %% [markdown]
# ## One number, and where it comes from
#
# We train one small model on Python's documentation, and follow one of its numbers: how many parameters it has. A reader of
# a paper has to believe it. A reader of a **checkable card** has beside it the command that gives it, and runs that.

# %%
START = os.getcwd()
FOLDER = tempfile.TemporaryDirectory()
os.chdir(FOLDER.name)  # a card names models and texts below the folder where it is read
documents = load_corpus("pydocs", progress=False)
text = "\n\n".join(documents.training)[:60_000]
Path("training.txt").write_text(text, encoding="utf-8")
known = set(text)  # signs that the tokenizer will have
held_out = "".join(sign for sign in "\n\n".join(documents.validation) if sign in known)
run = prepare_run(
    "model",
    "training.txt",
    tokenizer="characters",
    changes={"width": 32, "layers": 1, "heads": 2},
    settings=TrainSettings(steps=5 if quick() else 300, batch=8, workers=1),
)
train(run, show_progress=False)
opened = open_model("model")
counted = sum(array.size for _, array in opened.params.items())
facts = ask(("card", "model", "--facts"))
print(f"{counted:,} numbers in the arrays; the command says {facts['model']['parameters']:,}")
expect("L25.parameters", facts["model"]["parameters"] - counted, equal=0)

# %% [markdown]
# ## A card in ten lines
#
# A card is a list of rows: what, the value, and the place in a command's output where it stands. Nothing is typed by hand, so
# nothing can be mistyped. By hand:

# %%
TEXTS = [held_out[start : start + 2000] for start in range(0, 8 * 2000, 2000)]
for number, text in enumerate(TEXTS):
    Path(f"text{number}.txt").write_text(text, encoding="utf-8")
WORDS = [
    ("card", "model", "--facts", "--watts", "15", "--grams", "400"),
    ("evaluate", "model", "text0.txt", "--json"),
]
commands = [
    Command(kind, words, ask(words)) for kind, words in zip(("facts", "text"), WORDS, strict=True)
]


def row_by_hand(statement):
    """A line of the table."""
    row = statement.row
    return f"| {row.label} | {statement.written} | {statement.letter} `{row.place}` |"


statements = statements_of(commands)
card = write_card(commands, licence="mit", language="en")
missing = [one.row.label for one in statements if row_by_hand(one) not in card.splitlines()]
expect("L25.rows_by_hand", len(missing), equal=0)
print("\n".join(row_by_hand(one) for one in statements[:6]))
show_source(verify_card)

# %% [markdown]
# ## Experiment E31: one false digit
#
# Now somebody improves the card. In each row that has a digit the last digit is changed, one row at a time, and the card is
# checked. The controls: the true card; and a card to which a sentence without a number was added.
#
# **Prediction.** (a) The true card and the longer one hold. (b) Every altered card is refused.

# %%
remembered = {words: command.found for words, command in zip(WORDS, commands, strict=True)}


def holds(text):
    """Whether the check lets a card pass; what a command said is asked once."""
    return verify_card(text, lambda words: remembered[tuple(words)]).holds


def another_digit(text):
    """The last digit, another one."""
    place = max(place for place, sign in enumerate(text) if sign.isdigit())
    return text[:place] + str((int(text[place]) + 1) % 10) + text[place + 1 :]


refused, tried = {}, 0
for one in statements:
    if re.search(r"\d", one.written):
        line = row_by_hand(one)
        wrong = card.replace(line, line.replace(one.written, another_digit(one.written)))
        refused[one.row.label] = wrong != card and not holds(wrong)
true, longer = holds(card), holds(card + "\nThanks to all who helped.\n")
share = float(np.mean(list(refused.values())))
table(
    ["card", "holds"],
    [
        ("as it was written", str(true)),
        ("with a sentence without numbers", str(longer)),
        (f"with one altered digit, {len(refused)} of them", f"{1 - share:.2f} of them"),
    ],
)

# %%
checked = float(np.mean([bool(one.row.place) for one in statements]))
expect("E31.checked_share", checked, above=1.0, below=1.0)
expect("E31.altered_refused", share, above=1.0, below=1.0)
prediction(
    "E31.true_card_holds", "the true card holds, and so does one with more words", true and longer
)
prediction("E31.every_digit", "every altered digit is refused", share == 1)
article = load_claims().article
print("links to a source in the article:", article["links_to_the_card"])

# %% [markdown]
# The last line is the contrast that C39 lives from. The article praises transparency, and gives one number of its own, with no
# source and no way to check it.
#
# ## Is a true card an honest card?
#
# Here is the other side, and the reason why checking is not enough. Somebody may choose *what* to report. We have eight texts
# that the model has never seen. One card reports the first. Another reports the one on which the model does best.
#
# **Prediction.** (a) Both cards hold. (b) The chosen text is better than the mean of all by more than their standard error.

# %%
scores = []
for number in range(len(TEXTS)):
    words = ("evaluate", "model", f"text{number}.txt", "--json")
    remembered[words] = ask(words)
    scores.append(remembered[words]["bits_per_byte"])
best = int(np.argmin(scores))
chosen_words = ("evaluate", "model", f"text{best}.txt", "--json")
chosen = write_card(
    [commands[0], Command("text", chosen_words, remembered[chosen_words])],
    licence="mit",
    language="en",
)
mean, error = float(np.mean(scores)), float(np.std(scores, ddof=1) / np.sqrt(len(scores)))
gain = mean - scores[best]
print(
    f"mean of eight {mean:.3f} bits per byte, standard error {error:.3f}; the chosen one {scores[best]:.3f}"
)

# %%
figure, axes = plt.subplots(figsize=(8, 3), layout="constrained")
colors = [VERMILION if number == best else BLUE for number in range(len(scores))]
axes.bar([f"text {number}" for number in range(len(scores))], scores, color=colors)
axes.axhline(mean, color=GREY, linestyle="--", linewidth=1)
axes.text(len(scores) - 0.55, mean, " mean", color=GREY, fontsize=9, va="center")
axes.set(ylabel="bits per byte", ylim=(min(scores) - 0.3, max(scores) + 0.1))
axes.set_title("A card that names any one of these is true; one of them was chosen")
axes.spines[["top", "right"]].set_visible(False)
show(
    figure,
    "Bits per byte of eight held-out texts, a bar each, with their mean as a dashed line. The lowest bar has another colour: it is "
    "the one that the second card reports.",
)

# %%
prediction("E31.both_hold", "the card of the chosen text holds as well", holds(chosen))
prediction(
    "E31.choosing_pays",
    "the chosen text is better than the mean by more than a standard error",
    gain > error,
)
os.chdir(START)
FOLDER.cleanup()

# %% [markdown]
# Both cards are true, and one misleads. No check of numbers can see that. What can: a test set that was fixed before (its hash
# stands in the card), the mean and the spread of several (lesson 23), and a reader who asks *why this text?*
#
# Nor can a check see what is left out. That is what the questions of Mitchell et al. (2019) are for: intended use, factors,
# groups, limits. `minigpt card` asks them, and what no command can answer stands there in words, marked as such.
#
# ## The strongest objection
#
# **"A vendor cannot hand out the model, so nobody could run the commands."** Then the card can say less: hashes of what was
# tested, fixed before; results for each question, so that others may pair theirs; an outside auditor who may run them. That is
# less than a command, and more than a sentence.
#
# **"Transparency helps attackers."** Of some things, yes. Of none of the forty statements of the article.
#
# ## Verdict
#
# * **C39, transparency is needed: supported as a norm, inconsistent in practice.** Model cards (2019) and datasheets (2018)
#   make the same demand. The article names no source for any number or design that it states.
#
# ## What this does not show
#
# * That numbers are the same on every machine. Counts and hashes are; a loss may differ in its last digits, and the check allows
#   a hundred-thousandth.
# * That what a run recorded of itself is true. Who trains may record what they like; only training again would tell.
# * What readers do with cards.
#
# ## Exercises
#
# Write them in `exercises/25_model_cards.py`, in this notebook's folder, then run there
# `minigpt grade exercises/25_model_cards.py`.
#
# 1. `wrong_rows(card, found)` (3 points): which rows of a card are not what the commands say.
# 2. `energy(seconds, cores, watts, grams)` (2 points): kilowatt hours and grams of CO2, and what they assume.
#
# ## Further reading
#
# * Mitchell et al. (2019), *Model Cards for Model Reporting*, arXiv:1810.03993. Gebru et al. (2018), *Datasheets for Datasets*,
#   arXiv:1803.09010.
# * Strubell, Ganesh, McCallum (2019), *Energy and Policy Considerations for Deep Learning in NLP*, arXiv:1906.02243. Patterson et
#   al. (2021), *Carbon Emissions and Large Neural Network Training*, arXiv:2104.10350.
