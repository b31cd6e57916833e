# %% [markdown]
# # 14  An anonymized corpus
#
# **The claims.** The training text is anonymous (C22). It comes from the internet, from books and from users, among
# others (C23).
#
# **The question.** What does cleaning a text of personal information take out, what does it leave, and what does a model
# give away of the rest? Could anybody check from outside what a model was trained on?
#
# **You need.** Lesson 01, characters as tokens and nats; lesson 04, a GPT; lesson 05, gradients; lesson 06, AdamW.
#
# **Time.** 185 minutes to read; the code runs in 65 s and takes 0.2 GB.
#
# All people, numbers and addresses in this lesson are invented.

# %%
import math
import re
import tempfile
from itertools import product
from pathlib import Path
from statistics import NormalDist

import matplotlib.pyplot as plt
import numpy as np

from minigpt import Transformer, TransformerConfig, fit
from minigpt.corpus import CleanSettings, Quality, clean
from minigpt.corpus.personal import find, replace
from minigpt.corpus.personal.checks import luhn as library_luhn
from minigpt.corpus.personal.evaluate import evaluate
from minigpt.corpus.personal.generalise import generalise, k_anonymity
from minigpt.corpus.personal.labelled import Templates, fill
from minigpt.corpus.personal.money import find_cards
from minigpt.corpus.personal.negatives import hard_negatives
from minigpt.course import (
    expect,
    paired_difference,
    prediction,
    quick,
    show,
    show_source,
    spread_table,
    table,
)
from minigpt.objectives import causal_lm, loss, loss_and_gradient
from minigpt.ops import softmax_forward
from minigpt.optim import constant
from minigpt.plot import BLACK, BLUE, GREEN, GREY, ORANGE, SKY, VERMILION, seed_lines
from minigpt.plots_corpus import marked_texts
from minigpt.privacy import (
    Canary,
    PrivateGradient,
    area_under_curve,
    exposure,
    extracted,
    membership_scores,
    plant,
    poisson_rows,
    spent,
)
from minigpt.privacy.membership import token_nats
from minigpt.text import CharacterTokenizer, load_corpus

SEEDS = range(2) if quick() else range(3)
corpus = load_corpus("pydocs", progress=False)
order = np.random.default_rng(0).permutation(len(corpus.documents))
documents = [corpus.documents[i] for i in order]


# %% [markdown]
# ## A letter, cleaned
#
# Here is a letter of somebody who does not exist. We mark by hand all that tells who she is, and let the library's
# detectors look for the same. **Personal information** is whatever tells of one person who she is, alone or together with
# other things that can be known.

# %%
LETTER = {
    "1": "My name is Berta Kovalenko, I was born on 12 March 1953.",
    "2": "Card 4556 7375 8689 9855, mail berta.kovalenko@example.com,",
    "3": "or call oh seven seven, double nine, four six, one one.",
    "4": "I keep the lighthouse of Sommar island and had twins at 51.",
}
BY_HAND = {
    "1": ["Berta Kovalenko", "12 March 1953"],
    "2": ["4556 7375 8689 9855", "berta.kovalenko@example.com"],
    "3": ["oh seven seven, double nine, four six, one one"],
    "4": ["keep the lighthouse of Sommar island", "had twins at 51"],
}
marks, left = {}, 0
for line, text in LETTER.items():
    spans, marks[line] = find(text), []
    for piece in BY_HAND[line]:
        begin = text.index(piece)
        hit = any(span.start < begin + len(piece) and begin < span.end for span in spans)
        marks[line].append((begin, begin + len(piece), GREEN if hit else VERMILION))
        left += not hit
figure, axes = plt.subplots(figsize=(7.2, 1.9), layout="constrained")
marked_texts(axes, LETTER, marks)
axes.set_title("Green is found; red tells who she is as well, and stays")
show(
    figure,
    "Four lines of a letter. Name, date of birth, card number and address for mail are marked green, found. A telephone "
    "number in words, the lighthouse of an island and twins at 51 are marked red: they stay.",
)
print("\n".join(replace(text, find(text)) for text in LETTER.values()))
expect("L14.left_in_the_letter", left, above=1, against={"none": 0.0})

# %% [markdown]
# What has a *form* is found. What has none is not: a number in words, and two facts that no rule looks for. One keeper of
# a lighthouse on one island, with twins at 51: whoever lives nearby knows her. A **quasi-identifier** is a fact that
# names nobody by itself, but together with others may be true of one person only.
#
# So there are three questions, and this lesson measures each: how much is found (part 1), what a model gives away of what
# is left (parts 2 and 3), and whether anybody outside could tell (part 4). Part 5 is about the one way that comes with
# a proof.
#
# ## Part 1. Detectors, and what they miss
#
# Sixteen digits in a row may be a card or anything else. A **check digit** is a last digit of a number that is computed from
# the others, so that a slip of the pen is noticed. It serves a detector as well. For cards it is Luhn's: every second digit
# from the right counts double (both digits of a product are added), and the sum must end in 0.


# %%
def luhn(digits):
    """Whether the last digit is right."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


rng = np.random.default_rng(0)
numbers = rng.integers(0, 10, (2000 if quick() else 20000, 16)).tolist()
expect("L14.luhn_mismatch", sum(luhn(n) != library_luhn(n) for n in numbers), equal=0)
show_source(find_cards, docstring=False)

# %% [markdown]
# **Prediction.** (a) Of random numbers one in ten passes, so the check digit takes away nine of ten false alarms. (b) Of
# a right number with one digit changed none passes. (c) Of two different neighbours that were swapped only 0 and 9 go
# unnoticed: 2 of 90 pairs.

# %%
right = [number for number in numbers if luhn(number)]
slips = swaps = passed = 0
unnoticed = set()
for number in right[:150]:
    for place in range(16):
        for digit in set(range(10)) - {number[place]}:
            slips += luhn([*number[:place], digit, *number[place + 1 :]])
        if place and number[place - 1] != number[place]:
            swapped = [*number[: place - 1], number[place], number[place - 1], *number[place + 1 :]]
            swaps += 1
            if luhn(swapped):
                passed += 1
                unnoticed.add(tuple(sorted(number[place - 1 : place + 1])))
expect(
    "L14.pass_by_chance", len(right) / len(numbers), above=0.08, below=0.12, against={"all": 1.0}
)
expect("L14.slips_unnoticed", slips, equal=0)
print("2 of 90 is", round(2 / 90, 4), "; measured:", round(passed / swaps, 4), unnoticed)
prediction("L14.only_0_and_9", "only 0 and 9 can be swapped unnoticed", unnoticed == {(0, 9)})

# %% [markdown]
# ### On real text
#
# The whole cleaning is `minigpt corpus clean IN OUT`, here called from Python: Python's documentation, with all kinds of
# personal information replaced, and near duplicates taken out. Nobody has labelled this text, so nobody knows what is
# missed. But there is a test that needs no labels: after cleaning, look where names are likely, behind *written by*,
# *contributed by* and the like, for two words that begin with a capital. (The people are real, and named in public by
# their work. Who they are does not matter here, so we only count them.)

# %%
LOOKED_AT = documents[: 15 if quick() else 250]
BEHIND = re.compile(
    r"(?:[Ww]ritten|[Cc]ontributed|[Cc]reated|[Bb]ased on \w+|[Cc]opyright \d+|By|by) "
    r"([A-Z][a-z]+(?: [A-Z]\.?)? [A-Z][a-z]+)\b"
)
with tempfile.TemporaryDirectory() as folder:
    source = Path(folder) / "documents"
    source.mkdir()
    for number, text in enumerate(LOOKED_AT):
        (source / f"{number:03}.txt").write_text(text, encoding="utf-8")
    report = clean(source, Path(folder) / "cleaned", CleanSettings(rules="none"), progress=False)
    cleaned = "\n".join(load_corpus(Path(folder) / "cleaned", progress=False).documents)
names_before, names_after = (len(BEHIND.findall(text)) for text in ("\n".join(LOOKED_AT), cleaned))
print(
    "two words with capitals behind 'by':", names_before, "before,", names_after, "after cleaning"
)
expect("L14.names_left", names_after, above=1, against={"none": 0.0}, full_only=True)
table(
    ["kind", "replaced in Python's documentation"],
    sorted(report["personal"].items(), key=lambda pair: -pair[1]),
)

# %%
shown = {"ip": {}, "username": {}}
for text in LOOKED_AT:
    for span in find(text, list(shown)):
        around = " ".join(text[max(0, span.start - 25) : span.end + 12].split())
        shown[span.kind].setdefault(text[span.start : span.end], around)
table(
    ["kind", "what was found", "in"],
    [(kind, value, some[value]) for kind, some in shown.items() for value in sorted(some)[:4]],
)

# %% [markdown]
# Most of what was found tells of nobody: addresses of machines in examples, and a decorator, `@total_ordering`, that is taken
# for a user's name. And names of people stay. On real text precision and recall both depend on what the text is about, and
# a filter that was measured elsewhere promises nothing here.
#
# ### On labelled text
#
# **Recall** is the share of what is there that was found. **Precision** is the share of what was found that is right. Both
# need text in which everything is labelled. We make some: sentences with slots, filled from invented people. The
# same people write in two ways. In *forms* everything stands as a form asks for it. In *chat* people write as they
# talk: names in small letters, numbers in words, addresses of mail spelled out so that no machine reads them. Two more
# styles tell sentences from values: the sentences of one with the values of the other. And then there is text that only
# looks personal: version numbers, log lines, book numbers, sums.
#
# One control is easily left out. In such short texts much of what is written is labelled, so whoever takes out a lot hits a
# lot. **Removal at random** of as many characters covers, on average, the share that was taken out of the whole text.
#
# **Prediction.** (a) In forms more than 90% of all labelled characters are covered, and removal at random covers at least
# a quarter less. (b) In chat less than half. (c) Text that only looks personal gives hardly an alarm, below 2%. (d) It is
# the values: either kind of sentence is covered if it has the values of forms, and neither with those of chat.

# %%
GIVEN = re.findall(r"\w+", "Anna Omar Linda Peter Maria Ivan Julia Thomas Sofia Carlos Emma David")
RARE = re.findall(
    r"\w+", "Thorvald Ximena Oduya Brannoc Ylva Tendai Zsofi Caspian Nkechi Iolo Sunniva Baptiste"
)
SURNAMES = re.findall(
    r"\w+", "Miller Kovalenko Garcia Okafor Lindqvist Tanaka Rossi Haddad Novak Byrne Osei Duarte"
)
TOWNS = ["Marlow", "Eastby", "Norrvik", "Celorico", "Ballyra", "Tamworth"]
IDENTITIES = []
rng = np.random.default_rng(1)
for number in range(120):
    given = str(rng.choice(GIVEN if number % 2 else RARE))
    surname = str(rng.choice(SURNAMES))
    IDENTITIES.append(
        {
            "GivenName": given,
            "Surname": surname,
            "MiddleInitial": "K",
            "Title": "Dr.",
            "StreetAddress": f"{rng.integers(2, 300)} {rng.choice(['Mill', 'Church', 'Harbour'])} Street",
            "City": str(rng.choice(TOWNS)),
            "State": "",
            "StateFull": "",
            "ZipCode": f"{rng.integers(10000, 99999)}",
            "CountryFull": "Norway",
            "EmailAddress": f"{given}.{surname}{rng.integers(10, 99)}@example.org".lower(),
            "Birthday": f"{rng.integers(1, 13)}/{rng.integers(1, 29)}/{rng.integers(1940, 2005)}",
            "TelephoneNumber": f"+47 {rng.integers(20, 99)} {rng.integers(10, 99)} {rng.integers(10, 99)} {rng.integers(10, 99)}",
            "Username": f"{given}{surname}{rng.integers(10, 99)}".lower(),
            "Password": f"{surname}{rng.integers(10, 99)}",
            "Domain": "example.org",
        }
    )
FORMS = [
    "Name: {{person}}",
    "My name is {{person}} and my telephone number is {{phone_number}}.",
    "Please write to {{email}}, attn. {{person}}.",
    "Date of birth: {{date_of_birth}}",
    "Card number {{credit_card_number}}, holder {{person}}",
    "Pay to IBAN {{iban}}.",
    "The address is {{address}}.",
    "Call me at {{phone_number}} or send mail to {{email}}.",
    "SSN: {{ssn}}, born on {{date_of_birth}}",
    "Logged in from {{ip_address}} as user {{username}}",
]
CHAT = [
    "its {{person}} again lol",
    "ask {{person}} she lives {{address}}",
    "ring me {{phone_number}} after six",
    "mail goes to {{email}} as always",
    "bday is {{date_of_birth}} so i am old",
    "{{person}} said {{person}} never pays back",
    "try {{phone_number}}, or {{email}}",
]
DIGIT = ["oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
IN_CHAT = {
    "person": lambda one, rng: one["GivenName"].lower(),
    "phone_number": lambda one, rng: " ".join(DIGIT[d] for d in rng.integers(0, 10, 8)),
    "email": lambda one, rng: one["EmailAddress"].replace("@", " at ").replace(".", " dot "),
    "date_of_birth": lambda one, rng: (
        f"{rng.integers(1, 28)}th of {rng.choice(['march', 'june'])} {rng.integers(50, 99)}"
    ),
    "address": lambda one, rng: (
        f"in the {rng.choice(['yellow', 'last'])} house by the {rng.choice(['mill', 'pier'])}"
    ),
}
COUNT = 60 if quick() else 400
SLOTS_OF_CHAT = {f"{{{{{slot}}}}}" for slot in IN_CHAT}
FORMS_OF_BOTH = [text for text in FORMS if set(re.findall(r"{{\w+}}", text)) <= SLOTS_OF_CHAT]
STYLES = {
    "forms": (FORMS, {}),
    "chat, values of forms": (CHAT, {}),
    "forms, values of chat": (FORMS_OF_BOTH, IN_CHAT),
    "chat": (CHAT, IN_CHAT),
}
covered, at_random, kinds, missed, alarms = {}, {}, {}, {}, []
for seed in SEEDS:
    for style, (sentences, extra) in STYLES.items():
        templates = Templates(sentences, IDENTITIES, ["Acme"])
        rng = np.random.default_rng([seed, len(sentences)])
        made = [fill(str(rng.choice(sentences)), templates, rng, extra) for _ in range(COUNT)]
        result = evaluate(made, rng=rng, resamples=10)
        covered.setdefault(style, []).append(result.covered)
        taken = [sum(span.end - span.start for span in find(one.text)) for one in made]
        at_random.setdefault(style, []).append(sum(taken) / sum(len(one.text) for one in made))
        missed.setdefault(style, result.missed)
        for kind, score in result.kinds.items():
            if score.labels:
                kinds.setdefault((kind, style), []).append((score.recall, score.precision))
    negatives = list(hard_negatives(100 if quick() else 500, np.random.default_rng(seed)))
    alarms.append(float(np.mean([bool(find(text)) for text in negatives])))
spread_table(
    {
        **{f"{style}: labelled characters found": values for style, values in covered.items()},
        "forms: removal at random of as many characters": at_random["forms"],
        "only looks personal: texts with an alarm": alarms,
    }
)


# %%
def mean_of(values):
    """As text; a dash where there is nothing to take the mean of."""
    there = [value for value in values if np.isfinite(value)]
    return f"{np.mean(there):.2f}" if there else "-"


rows = []
for kind in dict.fromkeys(kind for kind, _ in kinds):
    found = [mean_of(recall for recall, _ in kinds.get((kind, style), [])) for style in STYLES]
    right = mean_of(precision for style in STYLES for _, precision in kinds.get((kind, style), []))
    rows.append((kind, right, *found))
table(["kind", "precision", *(f"recall: {style}" for style in STYLES)], rows)

# %%
for style, some in missed.items():
    print(style)
    for kind, text in some[:: max(1, len(some) // 6)][:6]:
        print("   missed", kind, repr(text))
of_style = {style: float(np.mean(values)) for style, values in covered.items()}
expect(
    "E16.found_by_values",
    of_style["chat, values of forms"],
    above=0.85,
    against={
        "forms, values of chat": of_style["forms, values of chat"],
        "removal at random": np.mean(at_random["chat, values of forms"]),
    },
)
expect(
    "E16.found_in_forms",
    of_style["forms"],
    above=0.85,
    against={"chat": of_style["chat"], "removal at random": np.mean(at_random["forms"])},
)
beyond_chance = paired_difference(covered["forms"], at_random["forms"])
print("covered in forms, beyond removal at random:", beyond_chance)
expect(
    "E16.found_in_chat",
    np.mean(covered["chat"]),
    below=0.5,
    against={"forms": np.mean(covered["forms"])},
)
expect("E16.false_alarms", np.mean(alarms), below=0.02, against={"one text in ten": 0.1})
prediction(
    "E16.forms_are_found",
    "in forms more than 90% is covered, a quarter more than at random",
    min(covered["forms"]) > 0.9 and beyond_chance.low > 0.25,
)
prediction("E16.chat_is_not", "in chat less than half is covered", max(covered["chat"]) < 0.5)
prediction(
    "E16.values_decide",
    "values of forms are found in either kind of sentence, values of chat in neither",
    min(covered["forms"] + covered["chat, values of forms"]) > 0.85
    and max(covered["chat"] + covered["forms, values of chat"]) < 0.15,
)

# %% [markdown]
# Confirmed. In forms nine characters of ten are found; removal at random, that takes as much, hits little more than half.
# What is missed are names that are on no list, and a user's name in a line of a log. In chat next to nothing is found. The
# two crossed styles tell why: in the sentences of chat with values as forms have them most is found, and in forms
# that were filled in as people talk nothing. It is the way in which a number or a name is *written*. Real text lies
# between the two.
#
# How far to trust it? Forms and rules were written by the same hands. The table is of sentences that others wrote: 210
# templates and 3,000 invented identities of Microsoft's presidio-evaluator. It was not made by this notebook, which
# downloads nothing. It was recorded once, with `python examples/benchmarks/personal.py --documents 3000` in the project's
# folder, and copied from what that printed: counts and shares, which depend on no machine. No file keeps them; the command
# gives them again where the texts can be fetched.
#
# **Prediction.** On sentences of others the rules find as much as on ours: nine characters of ten.

# %%
recorded = {  # kind: (labels, precision, recall)
    "email": (103, 1.000, 1.000),
    "phone": (211, 1.000, 1.000),
    "card": (237, 1.000, 1.000),
    "national_id": (219, 1.000, 1.000),
    "username": (105, 1.000, 1.000),
    "address": (717, 0.997, 0.934),
    "date_of_birth": (72, 1.000, 0.778),
    "name": (1635, 0.979, 0.588),
}
covered_there = 0.872  # of all labelled characters
names_here = np.mean([recall for recall, _ in kinds["name", "forms"]])
table(["kind", "labels", "precision", "recall"], [(k, *v) for k, v in recorded.items()])

# %%
print("characters covered there:", covered_there, "; recall of names in our forms:", end=" ")
print(round(float(names_here), 2), "and there:", recorded["name"][2])
prediction(
    "E16.as_much_of_others",
    "as much is found in sentences of others as in our forms",
    covered_there >= 0.9 and recorded["name"][2] >= names_here,
    text_says=False,
)

# %% [markdown]
# Not confirmed. What has a form and a check digit is found there as well, all of it. But of names only six of ten are
# found, of dates of birth and addresses some are missed, and of all characters one in seven stays. So a number for recall
# belongs to a text, and one's own text flatters.
#
# ## Part 2. What a model remembers: canaries (experiment E16)
#
# Suppose that something was missed. Does a model that is trained on the text give it away? A **canary** is a
# sentence with a random number, planted in a training text to see whether a model learns it by heart (Carlini et al.,
# 2019). Afterwards one asks how likely the model finds *this* number, among all that might have stood there. If that is
# the first of 1,000, the model knows it. The **exposure** of a canary is the logarithm, to base 2, of how many numbers there are,
# less that of the rank of the planted one. Each bit halves what a guesser has to try. A number that was never planted has
# any rank alike, so its exposure is 1.44 bits on average.
#
# What else could expose a number? The model may have learnt that 831 is a frequent number, and give it after *any*
# name. Then something is known, but not of whom. So each planted number is also asked for behind names that were
# never planted. And a second model reads the same text, as often, *without* any canary: what it finds likely is likely anyway.
#
# Ours are lines such as `Bafidego: 831.` in real text. With three digits all 1,000 numbers can be ranked at once:


# %%
CONTEXT = 32
LEAN = {"norm": "rms", "activation": "relu", "position": "rotary", "bias": False}
text_tokens = CharacterTokenizer.train([*documents, "0123456789:."])
digits = np.array([int(text_tokens.encode(digit)[0]) for digit in "0123456789"])
reader = Transformer(
    TransformerConfig(
        vocabulary_size=text_tokens.vocabulary_size,
        context=CONTEXT,
        width=64,
        layers=1,
        heads=2,
        init_std=0.06,
        **LEAN,
    )
)


def number_nats(model, params, prefix, digits):
    """The loss of each of the 1,000 numbers after a prefix of tokens, summed over its three digits: (1000,)."""
    first_two = np.array(list(product(digits, repeat=2)))  # (100, 2)
    rows = np.hstack([np.tile(prefix, (100, 1)), first_two])
    logits, _ = model.forward(params, rows)
    log_p = np.log(softmax_forward(logits[:, len(prefix) - 1 :].astype(float))[0])  # (100, 3, V)
    before = np.take_along_axis(log_p[:, :2], first_two[:, :, None], axis=2)[..., 0].sum(axis=1)
    return -(before[:, None] + log_p[:, 2, digits]).reshape(-1)


def bits_of(nats, number, others=None):
    """Exposure of a number among others; all 1,000 if none are given."""
    compared = np.delete(nats, number) if others is None else nats[others[others != number]]
    count = 999 if others is None else len(others)
    return math.log2(count + 1) - math.log2(1 + np.sum(compared <= nats[number]))


def prefix_of(canary):
    """The tokens up to the space before the number."""
    return text_tokens.encode(canary.beginning + " ").astype(int)


canary = Canary("Bafidego:", " 831", 1)
fresh = reader.init(np.random.default_rng(0))
nats = number_nats(reader, fresh, prefix_of(canary), digits)
some = np.random.default_rng(5).integers(0, 1000, 200)
library = exposure(reader, fresh, text_tokens, canary, others=200, rng=np.random.default_rng(5))
expect("L14.exposure_by_hand", abs(bits_of(nats, 831, some) - library), below=1e-6)
show_source(exposure, docstring=False)

# %% [markdown]
# Now the experiment. The text is 64 lines of Python's documentation, of 160 characters, chosen at random out of 128; the
# others are kept for part 4. Canaries stand in it 0, 1, 4 or 16 times. The model reads everything again and
# again, and we look after 1, 4, 16 and 40 passes.
#
# **Predictions.** (a) After one pass a canary that stands there once is as exposed as the same number behind names that
# were never planted, within half a bit. (b) What counts is the *product* of copies and passes: 4 copies after 4 passes are
# as exposed as 16 copies after one, and 16 after 4 as 4 after 16, within two bits. (c) After 40 passes 16 copies are
# known outright: above 9 bits, where 9.97 is the most, and the model without canaries is below 3. (d) They are known with their names: behind other names the same
# numbers are exposed by three bits less, at least.

# %%
LINE = 160
LINES, SPARE = (20, 40) if quick() else (64, 640)
EACH = {0: 4, 1: 4, 4: 2, 16: 2} if quick() else {0: 12, 1: 12, 4: 8, 16: 8}  # copies: canaries
COPIES = tuple(EACH)
PASSES = (1, 2) if quick() else (1, 4, 16, 40)


def lines_of(texts, rng):
    """Lines of LINE characters of all texts, in a random order."""
    joined = " ".join(" ".join(texts).split())
    found = [joined[at : at + LINE] for at in range(0, len(joined) - LINE, LINE)]
    return [found[i] for i in rng.permutation(len(found))]


def canaries_of(rng):
    """As many canaries as EACH says for every number of copies."""
    syllables = re.findall("..", "badefigokulameniporusateviwozuky")
    often = np.repeat(COPIES, list(EACH.values()))
    names = set()
    while len(names) < len(often):
        names.add("".join(rng.choice(syllables, 4)).capitalize())
    names = rng.permutation(sorted(names))
    numbers = rng.integers(0, 1000, len(names))
    return [
        Canary(f"{name}:", f" {number:03}", int(times))
        for name, number, times in zip(names, numbers, often, strict=True)
    ]


def read_again_and_again(text, params, rng, passes, kept):
    """Train on all of the text, pass after pass, each cut in other places; keeps the parameters after some."""
    ids = text_tokens.encode(text).astype(int)

    def batches():
        for number in range(1, passes + 1):
            start = rng.integers(CONTEXT)
            count = (len(ids) - start - 1) // CONTEXT
            places = start + CONTEXT * rng.permutation(count)[:, None] + np.arange(CONTEXT + 1)
            for first in range(0, count, 16):
                yield causal_lm(ids[places[first : first + 16]])
            if number in PASSES:
                kept[number] = params.copy()

    fit(reader, params, batches(), constant(8e-3, warmup=10))


def exposures(params, canaries):
    """Of each canary's number: behind its own name, and on average behind names never planted: (N, 2) bits."""
    nats = [number_nats(reader, params, prefix_of(one), digits) for one in canaries]
    never = [row for row, one in enumerate(canaries) if one.times == 0]
    found = []
    for row, one in enumerate(canaries):
        others = [bits_of(nats[other], int(one.secret)) for other in never if other != row]
        found.append((bits_of(nats[row], int(one.secret)), np.mean(others)))
    return np.array(found)


def line_nats(params, lines):
    """The loss of each character of each line, in pieces of the context: (N, LINE - 1), a little less."""
    ids = np.stack([text_tokens.encode(line) for line in lines]).astype(int)
    parts = [
        token_nats(reader, params, ids[:, at : at + CONTEXT + 1])
        for at in range(0, LINE - 2, CONTEXT)
    ]
    return np.hstack(parts)


all_lines = lines_of(documents, np.random.default_rng(2))
bits, without, guesses, held_out = (
    {},
    {},
    {},
    {},
)  # bits: (passes, copies) -> (own name, others) a seed
for seed in SEEDS:
    rng = np.random.default_rng(seed)
    shuffled = [all_lines[i] for i in rng.permutation(len(all_lines))[: 2 * LINES + SPARE]]
    members, others, spare = shuffled[:LINES], shuffled[LINES : 2 * LINES], shuffled[2 * LINES :]
    canaries = canaries_of(rng)
    text = plant("\n".join(members) + "\n", canaries, rng)
    params, reference, kept = reader.init(rng), reader.init(rng), {}
    kept[0] = params.copy()
    read_again_and_again(text, params, rng, PASSES[-1], kept)
    read_again_and_again("\n".join(spare), reference, rng, 1 if quick() else 4, {})
    never_planted, plain_rng = {}, np.random.default_rng([seed, 1])
    plain = reader.init(plain_rng)
    never_planted[0] = plain.copy()
    read_again_and_again("\n".join(members), plain, plain_rng, PASSES[-1], never_planted)
    hardness = [line_nats(reference, some) for some in (members, others)]
    for passes in PASSES:
        found, other = (exposures(one[passes], canaries) for one in (kept, never_planted))
        for copies in COPIES:
            chosen = [one.times == copies for one in canaries]
            bits.setdefault((passes, copies), []).append(found[chosen].mean(axis=0))
            without.setdefault((passes, copies), []).append(float(other[chosen, 0].mean()))
    for passes, snapshot in kept.items():
        nats = [line_nats(snapshot, some) for some in (members, others)]
        held_out.setdefault(passes, []).append(float(nats[1].mean()))
        scores = []
        for some, of_text, of_reference in zip((members, others), nats, hardness, strict=True):
            found = membership_scores(of_text, [line.encode() for line in some])
            found["loss less a reference's"] = (of_reference - of_text).mean(axis=1)
            scores.append(found)
        for name in scores[0]:
            area = area_under_curve(scores[0][name], scores[1][name])
            guesses.setdefault(name, {}).setdefault(passes, []).append(area)
bits = {key: np.array(values) for key, values in bits.items()}  # (seeds, 2)
table(
    [
        "passes",
        "copies",
        "exposure",
        "(lowest to highest)",
        "behind other names",
        "difference",
        "without canaries",
    ],
    [
        (
            str(passes),
            copies,
            float(own.mean()),
            f"{own.min():.1f} to {own.max():.1f}",
            float(other.mean()),
            str(paired_difference(own, other)),
            float(np.mean(without[passes, copies])),
        )
        for (passes, copies), (own, other) in ((key, values.T) for key, values in bits.items())
    ],
    digits=2,
)

# %%
figure, panels = plt.subplots(1, 2, figsize=(9.5, 3.7), layout="constrained", sharey=True)
colors = dict(zip(PASSES, (SKY, GREEN, ORANGE, VERMILION), strict=False))
for passes, color in colors.items():
    values = np.stack([bits[passes, times] for times in COPIES[1:]], axis=1)  # (seeds, copies, 2)
    read = [passes * times for times in COPIES[1:]]
    for part, panel in enumerate(panels):
        seed_lines(panel, read, {f"{passes} passes": (values[..., part], color)})
for panel in panels:
    panel.axhline(1 / math.log(2), color=GREY, linestyle=":")
    panel.set(xscale="log", ylim=(0, 10.3), xlabel="copies x passes")
panels[1].text(60, 0.6, "never planted: 1.44", color=GREY)
panels[0].set(ylabel="exposure (bits)", title="Behind its own name: read often, known well")
panels[1].set_title("Behind other names: a part is known of nobody")
panels[0].legend(frameon=False, loc="upper left")
show(
    figure,
    "Two panels of exposure in bits against the product of copies and passes, a line for each number of passes. Behind their "
    "own names numbers rise from chance, 1.44 bits, to nearly ten bits where they were read a hundred times. Behind names "
    "that were never planted the same numbers rise as well, but less far.",
)

# %%
last = PASSES[-1]
(known, elsewhere), (never, _) = bits[last, COPIES[-1]].mean(axis=0), bits[last, 0].mean(axis=0)
once = paired_difference(*bits[PASSES[0], 1].T)
unseen = paired_difference(bits[PASSES[0], 1][:, 0], without[PASSES[0], 1])
anyway = paired_difference(bits[last, 16][:, 0], without[last, 16])
whose = paired_difference(*bits[last, 16].T)
print("one pass, one copy, own name minus other names:    ", once)
print("one pass, one copy, minus the model without canaries:", unseen)
print(f"{last} passes, 16 copies, minus the model without canaries:", anyway)
print(f"{last} passes, 16 copies, own name minus other names:", whose)
expect(
    "E16.exposure_of_16_copies",
    known,
    above=9,
    against={
        "never_planted": never,
        "behind_other_names": elsewhere,
        "without_canaries": np.mean(without[last, 16]),
    },
    full_only=True,
)
expect(
    "E16.exposure_never_planted",
    never,
    below=3,
    against={"of_16_copies": known},
    full_only=True,
)
same_product = []
if not quick():
    for first, second in (((4, 4), (1, 16)), ((4, 16), (16, 4))):
        same_product.append(paired_difference(bits[first][:, 0], bits[second][:, 0]))
        print(f"passes and copies {first} minus {second}:", same_product[-1])
prediction(
    "E16.once_is_not_seen",
    "read once, a number is as exposed behind its own name as behind others",
    once.within(0.5),
)
prediction(
    "E16.product_counts",
    "what counts is copies times passes, within two bits",
    bool(same_product) and all(one.within(2) for one in same_product),
    text_says=False,
)
prediction(
    "E16.sixteen_are_known",
    "16 copies are known after 40 passes, and not by the model without canaries",
    bits[last, 16][:, 0].min() > 9 and max(without[last, 16]) < 3,
)
prediction(
    "E16.known_with_their_names",
    "behind other names they are exposed by three bits less",
    whose.low > 3,
)

# %% [markdown]
# (a) is confirmed, and closely. The usual comparison, with a model that never saw the numbers, leaves it open: how
# likely a number is *anyway* is luck, and the interval is wide. Behind other names the number is the same, and the luck
# falls out. (b) is not confirmed. On average 16 copies in one pass are more exposed than 4 copies in 4, by more than a bit,
# and three seeds do not say whether by more than two. That a line is known the better the more often it was read, in
# whatever way, is all that the left panel shows.
#
# (c) and (d) are confirmed, but look at the right panel. After one pass 16 copies are well exposed, and behind other
# names just as well. So what the model knows then is that this number is frequent, and not whose it is. That comes
# later. And at the end more than half of the bits are still of nobody. Exposure alone does not tell one from the other:
# whoever reports it without this control reports both together.
#
# After 40 passes even a line that stands there once is exposed, and behind its own name. So what protects a secret is not
# that it stands there once, but that it is *read* once.
#
# ## Part 3. Names are gone, and people are still there
#
# Now suppose that the detector is perfect: every name is replaced by `<NAME>`. What stands beside it stays. Our records
# have an age, a postcode and a job, and a number that nobody should learn. An attacker who knows somebody's age, postcode
# and job asks the model to go on.
#
# A table is **k-anonymous** if each combination of quasi-identifiers that is in it is shared by at least k people
# (Sweeney, 2002). The remedy is to *generalise*: an age becomes a decade, a postcode its first digits, a job is left out.
#
# **Prediction.** A model that knows its text by heart gives the number of a person who is unique. Of m people who look
# alike it can be right about one. So it gives away (combinations in the table) / (people), at every level. With all
# facts kept that is nearly as much as with names.
#
# Coarsening takes text away, and so does a fact crossed out at random. So the last step, which leaves out the job of
# everybody, has a control: *one fact of each person, drawn at random*, is left out instead. Just as many facts go.
# **Prediction.** It protects less, by a tenth of the people at least.

# %%
PEOPLE = 40 if quick() else 120
POSTCODES = [str(code) for code in (20112, 20118, 20415, 20419, 70113, 70118, 70514, 70519)]
JOBS = ["nurse", "pilot", "baker", "judge", "miner", "clerk"]
LEVELS = {
    "names kept": {},
    "names gone": {},
    "age to a decade": {"age": "age"},
    "and postcode to its first digits": {"age": "age", "postcode": "postcode"},
    "and no job": {"age": "age", "postcode": "postcode", "job": "drop"},
    "instead, one fact at random": {"age": "age", "postcode": "postcode"},
}
FACTS = ("age", "postcode", "job")


def people(rng, count=PEOPLE):
    """Invented records."""
    names = rng.permutation(30 * 30)[:count]
    return [
        {
            "name": (f"first{n // 30}", f"last{n % 30}"),
            "age": int(rng.integers(30, 50)),
            "postcode": str(rng.choice(POSTCODES)),
            "job": str(rng.choice(JOBS)),
            "number": f"{rng.integers(0, 1000):03}",
        }
        for n in names
    ]


class Words:
    """Every word of the records is a token; the ten digits come first."""

    def __init__(self):
        self.ids = {str(digit): digit for digit in range(10)}

    def row(self, record):
        """name, name, three facts, three digits: (8,)."""
        words = [*record["name"], *(f"{fact} {record[fact]}" for fact in FACTS), *record["number"]]
        return [self.ids.setdefault(word, len(self.ids)) for word in words]


FACTS_END = 5  # tokens before the number
small = Transformer(
    TransformerConfig(
        vocabulary_size=130, context=8, width=64, layers=1, heads=2, init_std=0.06, **LEAN
    )
)

# %%
TIMES = 4 if quick() else 100
given_away, alike, of_others = {}, {}, []
for level, rules in LEVELS.items():
    for seed in SEEDS:
        records = people(np.random.default_rng(seed))
        quasi = ("name", *FACTS) if level == "names kept" else FACTS
        coarse = generalise(records, rules)
        if level == "instead, one fact at random":
            gone = np.random.default_rng(90 + seed).choice(FACTS, len(coarse))
            coarse = [{**one, fact: "?"} for one, fact in zip(coarse, gone, strict=True)]
        if level != "names kept":
            coarse = [{**record, "name": ("<NAME>", "<NAME>")} for record in coarse]
        counted = k_anonymity(coarse, quasi)
        words = Words()
        rows = np.array([words.row(record) for record in coarse])
        params = small.init(np.random.default_rng(seed))
        fit(small, params, (causal_lm(rows) for _ in range(TIMES)), constant(1e-2, warmup=10))
        given_away.setdefault(level, []).append(
            float(extracted(small, params, rows, FACTS_END).mean())
        )
        if level == "names gone":  # the number of somebody else, which is as often in the text
            others = np.hstack([rows[:, :FACTS_END], np.roll(rows[:, FACTS_END:], 1, axis=0)])
            of_others.append(float(extracted(small, params, others, FACTS_END).mean()))
        alike.setdefault(level, []).append((counted.k, counted.unique, counted.risk))
mean_alike = {level: np.mean(values, axis=0) for level, values in alike.items()}
table(
    ["level", "k", "unique", "combinations / people", "given away", "lowest", "highest"],
    [
        (
            level,
            int(min(k for k, _, _ in alike[level])),
            *map(float, mean_alike[level][1:]),
            *(float(f(values)) for f in (np.mean, min, max)),
        )
        for level, values in given_away.items()
    ],
)

# %%
figure, axes = plt.subplots(figsize=(8.2, 3.4), layout="constrained")
for place, (level, values) in enumerate(given_away.items()):
    axes.barh(place, np.mean(values), 0.6, color=BLUE)
    axes.plot(values, [place] * len(values), ".", color=BLACK, markersize=4)
    _, unique, risk = mean_alike[level]
    axes.text(max(*values, risk) + 0.02, place, f"{np.mean(values):.2f}", va="center")
    axes.plot([risk, risk], [place - 0.42, place + 0.42], color=VERMILION, linewidth=2)
    axes.plot([unique, unique], [place - 0.42, place + 0.42], color=GREY, linewidth=2)
axes.plot([], [], color=VERMILION, label="combinations / people")
axes.plot([], [], color=GREY, label="share that is unique")
axes.set_yticks(range(len(given_away)), list(given_away))
axes.invert_yaxis()
axes.set(xlabel="share of numbers that the model gives away", xlim=(0, 1.15))
axes.set_title("Coarser facts help; as many facts crossed out at random help little")
axes.legend(frameon=False, loc="lower right")
axes.spines[["top", "right"]].set_visible(False)
show(
    figure,
    "Bars of the share of numbers that a model gives away. With names all of them, without names nearly all, with coarser "
    "facts less and less, and with one fact of each person at random in place of the job more again. A red line beside each bar, combinations over people, and a grey one, the share of unique people.",
)

# %%
gone = given_away["names gone"]
off = max(
    abs(value - risk)
    for level in LEVELS
    for value, (_, _, risk) in zip(given_away[level], alike[level], strict=True)
)
print("largest distance from combinations / people:", round(off, 3))
expect(
    "E16.extracted_without_names",
    np.mean(gone),
    above=0.5,
    against={
        "number of another": np.mean(of_others),
        "coarse": np.mean(given_away["and no job"]),
    },
    full_only=True,
)
expect(
    "E16.extracted_when_coarse",
    np.mean(given_away["and no job"]),
    below=0.1,
    against={
        "names_gone": np.mean(gone),
        "at_random": np.mean(given_away["instead, one fact at random"]),
    },
    full_only=True,
)
at_random_more = paired_difference(
    given_away["instead, one fact at random"], given_away["and no job"]
)
print("one fact at random minus no job:", at_random_more)
prediction(
    "E16.random_removal_protects_less",
    "one fact at random protects less than the job of all",
    at_random_more.low > 0.1,
)
prediction(
    "E16.combinations_over_people",
    "it gives away (combinations) / (people) at every level, within 0.1",
    off < 0.1,
)

# %% [markdown]
# Confirmed, nowhere further off than about a twentieth: what a model gives away of people without names can be computed from the
# table, without any model. Counting who is *unique* is too kind to the filter: of two people who share all facts one is still given away. Each
# step of coarsening helps, and each takes something from those who would use the text in good faith: with decades, regions
# and no jobs there is not much left to study.
#
# It matters what is taken, and not only how much. One fact of each person at random is as much as all jobs, and leaves a
# third of the people exposed, where the jobs leave one in twenty. A filter that reports how many characters it took has
# not said whom it protects.
#
# k says how weak the weakest place is. As long as one person is alone, k is 1, however few others are. And it counts only
# how many *look* alike. If all who look alike had the same number, it would be given away with k as large as one likes
# (Machanavajjhala et al., 2007). Our numbers are drawn at random, so this does not happen here.
#
# ## Part 4. Can a list of sources be checked from outside? (experiment E17)
#
# The article lists sources, and the publisher another, longer list. Could somebody who has the model, but not the text,
# tell? **Membership inference** is guessing whether a text was in the training data from what the model makes of it. The
# simplest guess: what it was trained on has a lower loss. To judge a guess one would have
# to choose a threshold, or to look at all of them. The **area under the curve** of a guess is the chance that a text that
# was seen scores higher than one that was not, whatever the threshold; 0.5 is a coin. By hand it is a mean over pairs:


# %%
def area(seen, unseen):
    """The share of pairs in which the seen text scores higher, ties half."""
    higher = (seen[:, None] > unseen).mean()
    return higher + (seen[:, None] == unseen).mean() / 2


rng = np.random.default_rng(0)
seen, unseen = np.round(rng.normal(0.5, 1, 200), 1), np.round(rng.normal(0, 1, 150), 1)
expect("L14.area_by_hand", abs(area(seen, unseen) - area_under_curve(seen, unseen)), below=1e-12)

# %% [markdown]
# The models of part 2 have read 64 lines and not the other 64. Lines were dealt out at random, so nothing but training
# can tell them apart. The control is a guess that never asks the model: how well a line can be compressed.
#
# A low loss may also mean that a line is *easy*. That hides what was seen, and a weak guess proves little about what a better
# one could tell. A **reference model** is one that has read neither what was trained on nor the lines beside it (Watson et
# al., 2022). The loss less its loss is a stronger guess: what is easy for both falls out. Ours has read 640 other lines four times, as many characters in all.
#
# **Predictions.** (a) Before training, and without the model, guesses are at chance: 0.45 to 0.55 on average. (b) After
# one pass, which is how large corpora are read, the area is below 0.7 for either guess, with its whole interval: of little
# use for a single text. (c) After 40 passes it is above 0.9. (d) After 4 passes the reference helps.

# %%
names = {
    "loss less a reference's": "loss less a reference's",
    "loss": "loss",
    "loss over compressed size": "loss over compressed size",
    "without the model": "without the model: the control",
}
columns = sorted(guesses["loss"])
table(
    ["guess by", *(f"{passes} passes" for passes in columns)],
    [
        (
            label,
            *(
                f"{np.mean(v):.2f} ({min(v):.2f} to {max(v):.2f})"
                for v in (guesses[name][passes] for passes in columns)
            ),
        )
        for name, label in names.items()
    ],
)

# %%
figure, axes = plt.subplots(figsize=(7.5, 3.4), layout="constrained")
seed_lines(
    axes,
    columns,
    {
        names[name]: (np.array([guesses[name][passes] for passes in columns]).T, color)
        for name, color in zip(names, (VERMILION, BLUE, SKY, GREY), strict=True)
    },
)
axes.axhline(0.5, color=GREY, linestyle=":")
axes.set(xlabel="passes over the text", ylabel="area under the curve", ylim=(0.4, 1.03))
axes.set_title("One pass tells little, forty tell all; a reference tells earlier")
axes.legend(frameon=False, loc="center right")
show(
    figure,
    "The area under the curve against the number of passes. Guessing by loss rises from a half to nearly one, sooner if the "
    "loss of a reference model is taken off; the control that never asks the model stays near a half.",
)

# %%
after = {passes: float(np.mean(guesses["loss"][passes])) for passes in columns}
control = [value for values in guesses["without the model"].values() for value in values]
print(
    "held-out loss after so many passes:",
    {p: round(float(np.mean(v)), 2) for p, v in held_out.items()},
)
expect(
    "E17.auc_one_epoch",
    after[PASSES[0]],
    above=0.45,
    below=0.65,
    against={"after_40": after[last]},
    full_only=True,
)
expect(
    "E17.auc_forty_epochs",
    after[last],
    above=0.85,
    against={"without_the_model": np.mean(control)},
    full_only=True,
)
prediction(
    "E17.chance_before",
    "before training and without the model the guess is at chance",
    all(0.45 <= value <= 0.55 for value in [after[0], np.mean(control)]),
)
coin = [0.5] * len(SEEDS)
one_pass = {
    name: paired_difference(guesses[name][PASSES[0]], coin)
    for name in ("loss", "loss less a reference's")
}
for name, beyond in one_pass.items():
    print(f"area after one pass, by {name}, minus 0.5: {beyond}")
helped = None
if not quick():
    helped = paired_difference(guesses["loss less a reference's"][4], guesses["loss"][4])
    print("after 4 passes, what the reference adds:", helped)
prediction(
    "E17.one_pass_is_weak",
    "after one pass the area is below 0.7, by either guess",
    all(beyond.high < 0.2 for beyond in one_pass.values()),
)
prediction(
    "E17.forty_passes_tell", "after 40 passes it is above 0.9", min(guesses["loss"][last]) > 0.9
)
prediction(
    "E17.reference_helps", "after 4 passes the reference helps", bool(helped) and helped.low > 0
)

# %% [markdown]
# All four are confirmed. But (b) has changed its meaning by the stronger guess. By the loss alone one pass cannot be told
# from chance. With a reference model it can: the interval leaves 0.5 out. It is little for a single line. What the loss did
# not show was a weak guess, and not that nothing was there.
#
# Nobody who asks for a list of *sources* has one line alone. Guesses about texts of one source can be added up. If texts
# were independent, and their scores spread as the bell curve does, an area $A$ for one text would be
# $\Phi(\sqrt n\,\Phi^{-1}(A))$ for sources of $n$ texts each, where $\Phi$ is the bell curve's share below a place:

# %%
bell = NormalDist()
beyond_one = [value for value in guesses["loss less a reference's"][PASSES[0]]]
table(
    ["texts of a source", "area after one pass, if they add up", "lowest seed", "highest seed"],
    [
        (
            n,
            *(
                bell.cdf(math.sqrt(n) * bell.inv_cdf(min(0.999, f(beyond_one))))
                for f in (np.mean, min, max)
            ),
        )
        for n in (1, 16, 100, 1000)
    ],
    digits=2,
)

# %% [markdown]
# So one pass does not make a long list of sources safe from being checked. This is arithmetic: lines of one document are
# not independent, and our seeds differ. But tests of whole data sets rest on it, and succeed where tests of single texts
# fail (Maini et al., 2024). They need three things: the probabilities that a model gives, a reference model, and texts of
# the *same* kind that were surely not read. The next section is about the third.
#
# ### The trap
#
# In practice nobody deals texts out at random. One takes what was surely in, old pages, and what surely was not, new ones.
# Then the two differ by themselves. We make such a case: lines of chapters of the language reference, and lines of
# docstrings. The model has read *other* chapters once, and none of these lines. Nothing is there to be remembered.
#
# There are two guesses that never ask the model: compressed size, and a classifier of words that was trained on other
# lines of both kinds. And there are two models to ask in its place. Lines of chapters might be easier for *any* model; so
# one has read docstrings, and no chapter, and one has read nothing.
#
# **Prediction.** (a) The loss "tells" what the model has read: an area above 0.6, though it has read none of it. (b) The
# classifier of words, which knows no model, does better still, and so gives the trap away. (c) It is what the model has
# read: one that read docstrings prefers docstrings, an area below 0.5.

# %%
is_chapter = ["\n****" in text[:200] for text in documents]
two_kinds = [
    lines_of(
        [text for text, is_one in zip(documents, is_chapter, strict=True) if is_one == kind],
        np.random.default_rng(3),
    )
    for kind in (True, False)
]
trap, OTHERS = {}, 60 if quick() else 300


def read_once(lines, seed):
    """A model that has read these lines once."""
    params = reader.init(np.random.default_rng(seed))
    ids = text_tokens.encode("\n".join(lines)).astype(int)
    rows = ids[: (len(ids) - 1) // CONTEXT * CONTEXT].reshape(-1, CONTEXT)
    batches = (causal_lm(rows[first : first + 16]) for first in range(0, len(rows), 16))
    fit(reader, params, batches, constant(8e-3, warmup=10))
    return params


for seed in SEEDS:
    rng = np.random.default_rng(seed)
    asked, other = [], []
    for some in two_kinds:
        place = rng.permutation(len(some))
        asked.append([some[i] for i in place[:LINES]])
        other.append([some[i] for i in place[LINES : LINES + OTHERS]])
    words_alone = Quality.train(*other, rng)
    loss_of = {
        "loss": read_once(other[0], seed),
        "loss of a model that read docstrings": read_once(other[1], seed),
        "loss of a model that read nothing": reader.init(np.random.default_rng(seed)),
    }
    scored = []
    for some in asked:
        found = {name: -line_nats(one, some).mean(axis=1) for name, one in loss_of.items()}
        compressed = membership_scores(np.zeros((len(some), 1)), [line.encode() for line in some])
        found["without the model"] = compressed["without the model"]
        found["words, without the model"] = np.array([words_alone.score(line) for line in some])
        scored.append(found)
    for name in scored[0]:
        trap.setdefault(name, []).append(area_under_curve(scored[0][name], scored[1][name]))
spread_table(trap, name="area, of a model that has read none of the lines")

# %%
fooled, warned = np.mean(trap["loss"]), np.mean(trap["words, without the model"])
by_reading = paired_difference(trap["loss"], trap["loss of a model that read docstrings"])
print("read chapters minus read docstrings:", by_reading)
expect(
    "E17.trap",
    fooled,
    above=0.65,
    against={
        "nothing_to_remember": 0.5,
        "read_docstrings": np.mean(trap["loss of a model that read docstrings"]),
        "read_nothing": np.mean(trap["loss of a model that read nothing"]),
    },
    full_only=True,
)
expect("E17.trap_is_seen", warned, above=0.6, against={"chance": 0.5}, full_only=True)
prediction("E17.trap_tells", "the loss seems to tell what the model has read", fooled > 0.6)
prediction(
    "E17.words_tell_better",
    "words alone tell it better than the model",
    paired_difference(trap["words, without the model"], trap["loss"]).low > 0,
    text_says=False,
)
prediction(
    "E17.trap_is_what_was_read",
    "a model that read docstrings prefers them",
    np.mean(trap["loss of a model that read docstrings"]) < 0.5 and by_reading.low > 0,
)

# %% [markdown]
# (a) and (c) are confirmed: it is not that chapters are easier for anybody. The model has learnt how chapters sound, and
# that is enough to "recognise" chapters that it never saw; the one that read docstrings leans the other way. Whoever had only
# the first row would have published a list of sources. (b) is not confirmed beyond the spread of the seeds. On average the
# classifier of words does better than the model, and it surely does better than chance, which is enough to give the trap
# away. Compressed size sees little of it, so a control has to be good enough to see what the guess could live on. Several
# published tests of membership turned out to be such traps (Duan et al., 2024; Das et al., 2024).
#
# ## Part 5. The way with a proof: differential privacy
#
# All of the above is a race: a filter, an attack, a better filter. **Differential privacy** is a promise about the training
# itself: whether or not one example is in the data, no result becomes more likely by more than a factor of
# $e^\varepsilon$, but for cases of a probability $\delta$ (Dwork & Roth, 2014). **DP-SGD** is a training in which each
# example's gradient is shortened to a length $C$, and Gaussian noise of $\sigma C$ is added to their sum, so that no example
# moves the model further than the noise can hide (Abadi et al., 2016). By hand, and against the library's:

# %%
demo = TransformerConfig(vocabulary_size=12, context=7, width=8, layers=1, heads=2, init_std=0.3)
demo = Transformer(demo)
params = demo.init(np.random.default_rng(0), dtype=np.float64)
rows = np.random.default_rng(1).integers(0, 12, (4, 8))
alone = np.stack(
    [loss_and_gradient(demo, params, causal_lm(row[None]))[1].flat.copy() for row in rows]
)
longest, sigma, expected = 1.0, 1.1, 4.5
lengths = np.linalg.norm(alone, axis=1, keepdims=True)
shortened = alone * np.minimum(1, longest / lengths)  # (examples, parameters)
noise = np.random.default_rng(2).standard_normal(alone.shape[1])
by_hand = (shortened.sum(axis=0) + sigma * longest * noise) / expected
private = PrivateGradient(
    longest=longest, noise=sigma, expected=expected, rng=np.random.default_rng(2)
)
_, gradient = private(demo, params, causal_lm(rows))
expect("L14.private_gradient_by_hand", np.abs(by_hand - gradient.flat).max(), below=1e-12)
print("lengths of the four gradients:", np.round(lengths[:, 0], 2), "of the noise:", end=" ")
print(round(sigma * longest * math.sqrt(alone.shape[1]), 1))
show_source(PrivateGradient.__call__, docstring=False)

# %% [markdown]
# What does a $\sigma$ promise? Batches are drawn anew for each step, every example with the same probability, so most
# steps do not see a given example at all. An *accountant* adds up what all steps together may give away (Mironov et al.,
# 2019). Its noise is in lengths of one example, so the promise is for one *row*: somebody who wrote sixteen rows is not
# hidden by it.
#
# The experiment is on the records of part 3: 240 people once, and 4 more whose record stands there 16 times. The best
# that one can do on *new* people is known, since they were drawn at random: 2.45 nats per word.
#
# There is a control that is easily left out. Noise also means that the model has learnt *less*. So we watch ordinary
# training as it goes on, and look at its exposure where it is just as good on new people as the private model is. And the
# price is measured against ordinary training where it is *best*, not at its end, where it may have learnt its text by heart.
# A price may also be that of a learning rate which suits gradients without noise. So much noise gets three rates.
#
# **Predictions.** (a) Ordinary training knows the numbers of those with 16 copies (above 8 bits), training with
# much noise nobody's (below 3), and whoever stands there once is as little exposed as people who were never there. (b) The price of much noise is above 0.1 nats on new people. (c) Ordinary training that is
# stopped at the same loss exposes those with 16 copies by more: it is the noise that hides them, not the shorter way.

# %%
ONCE, OFTEN, TIMES_OFTEN = (30, 2, 4) if quick() else (240, 4, 16)
DRAWN, PRIVATE_STEPS, DELTA = 0.06, 4 if quick() else 120, 1e-3
SIGMAS = (0.7, 2.0)
table(
    ["noise (sigma)", "epsilon, if delta is 0.001"],
    [
        (s, float(spent(rate=DRAWN, noise=s, steps=PRIVATE_STEPS, delta=DELTA)))
        for s in (0.5, *SIGMAS, 4.0)
    ],
    digits=2,
)

# %%
tiny = Transformer(
    TransformerConfig(
        vocabulary_size=130, context=8, width=32, layers=1, heads=2, init_std=0.06, **LEAN
    )
)
BEST = sum(map(math.log, (30, 20, 8, 6, 10, 10, 10))) / 7  # nats a word, on people who are new


def bits_of_people(params, rows):
    """Mean exposure of the numbers of people."""
    found = [
        bits_of(
            number_nats(tiny, params, row[:FACTS_END], np.arange(10)),
            int("".join(map(str, row[FACTS_END:]))),
        )
        for row in rows
    ]
    return float(np.mean(found))


def train_on_people(rows, new, seed, sigma=None, rate=1e-2):
    """Train on rows drawn by chance, with so much noise; None: ordinary training.

    Returns, of every second step and of the end, the loss on new people and the parameters.
    """
    params, rng = tiny.init(np.random.default_rng(seed)), np.random.default_rng(50 + seed)
    seen = []

    def batches():
        for number, some in enumerate(poisson_rows(rows, DRAWN, PRIVATE_STEPS, rng)):
            if number % 2 == 0:
                seen.append((loss(tiny, params, causal_lm(new)), params.copy()))
            if len(some) or sigma is not None:
                yield causal_lm(some)

    if sigma is None:
        fit(tiny, params, batches(), constant(rate, warmup=5))
    else:
        private = PrivateGradient(
            longest=0.5,
            noise=sigma,
            expected=DRAWN * len(rows),
            rng=np.random.default_rng(70 + seed),
        )
        fit(tiny, params, batches(), constant(rate, warmup=5), clip=np.inf, score=private)
    return [*seen, (loss(tiny, params, causal_lm(new)), params)]


privacy, other_rates = {}, {}
for seed in SEEDS:
    records = people(np.random.default_rng(10 + seed), 2 * ONCE + OFTEN)
    words = Words()
    rows = np.array([words.row(record) for record in records])
    once, often, new = rows[:ONCE], rows[ONCE : ONCE + OFTEN], rows[ONCE + OFTEN :]
    text = np.concatenate([once, np.repeat(often, TIMES_OFTEN, axis=0)])
    ordinary = train_on_people(text, new, seed)
    models = {
        "ordinary, to the end": ordinary[-1],
        "ordinary, where it is best on new people": min(ordinary, key=lambda one: one[0]),
        "shortened gradients, no noise": train_on_people(text, new, seed, 0.0)[-1],
    }
    for sigma in SIGMAS:
        models[f"noise {sigma}"] = private = train_on_people(text, new, seed, sigma)[-1]
        as_good = [one for one in ordinary if one[0] <= private[0]] or ordinary[-1:]
        models[f"ordinary, stopped where it is as good as noise {sigma}"] = as_good[0]
    for rate in (3e-3, 3e-2):
        reached = train_on_people(text, new, seed, SIGMAS[-1], rate)[-1][0]
        other_rates.setdefault(rate, []).append(reached)
    for name, (reached, params) in models.items():
        strangers = np.hstack([new[:OFTEN, :FACTS_END], often[:, FACTS_END:]])
        found = [bits_of_people(params, some) for some in (often, once[:20], new[:20], strangers)]
        privacy.setdefault(name, []).append((reached, *found))
privacy = {name: np.array(values) for name, values in privacy.items()}  # (seeds, 5)
print("the best that can be done on new people:", round(BEST, 3), "nats")
table(
    [
        "training",
        "loss on new people",
        "bits: 16 copies",
        "(lowest to highest)",
        "one copy",
        "never",
        "16 copies, asked of a stranger",
    ],
    [
        (
            name,
            float(v[:, 0].mean()),
            float(v[:, 1].mean()),
            f"{v[:, 1].min():.1f} to {v[:, 1].max():.1f}",
            *map(float, v[:, 2:].mean(axis=0)),
        )
        for name, v in privacy.items()
    ],
    digits=2,
)

# %%
LITTLE, MUCH = (f"noise {sigma}" for sigma in SIGMAS)
SHORT = {
    "ordinary, to the end": "ordinary,\nto the end",
    "ordinary, where it is best on new people": "ordinary,\nat its best",
    "shortened gradients, no noise": "shortened,\nno noise",
    LITTLE: LITTLE,
    f"ordinary, stopped where it is as good as {LITTLE}": f"as good as\n{LITTLE}",
    MUCH: MUCH,
    f"ordinary, stopped where it is as good as {MUCH}": f"as good as\n{MUCH}",
}
figure, (left, right) = plt.subplots(2, 1, figsize=(8.6, 5.6), layout="constrained", sharex=True)
for place, name in enumerate(SHORT):
    for shift, (column, color, label) in enumerate(
        ((1, VERMILION, "16 copies"), (2, ORANGE, "one copy"), (3, GREY, "never"))
    ):
        values = privacy[name][:, column]
        at = place + 0.27 * (shift - 1)
        left.bar(at, values.mean(), 0.25, color=color, label=label if place == 0 else None)
        left.plot([at] * len(values), values, ".", color=BLACK, markersize=3)
    values = privacy[name][:, 0]
    right.bar(place, values.mean(), 0.6, color=BLUE)
    right.plot([place] * len(values), values, ".", color=BLACK, markersize=3)
left.axhline(1 / math.log(2), color=GREY, linestyle=":")
left.set(
    ylabel="exposure (bits)", title="Whoever learns less gives away less, with noise or without"
)
left.legend(frameon=False, loc="upper right", ncol=3)
right.axhline(BEST, color=GREY, linestyle=":")
right.set(ylabel="loss on new people (nats)", title="Dotted: the best that is possible")
right.set_xticks(range(len(SHORT)), list(SHORT.values()), fontsize=8)
for panel in (left, right):
    panel.spines[["top", "right"]].set_visible(False)
show(
    figure,
    "Above, bars of exposure for seven ways of training. Ordinary training to the end exposes sixteen copies fully, noise "
    "less, and ordinary training stopped at the same losses less as well; people with one copy are near those who were never "
    "there wherever there is noise. Below, the loss on new people of the same seven, and a line at the best possible.",
)

# %%
plain, secret = privacy["ordinary, to the end"], privacy[MUCH]
stopped = privacy[f"ordinary, stopped where it is as good as {MUCH}"]
price = paired_difference(secret[:, 0], privacy["ordinary, where it is best on new people"][:, 0])
beyond_stopping = paired_difference(stopped[:, 1], secret[:, 1])
print("price of much noise on new people, nats:", price)
for rate, values in other_rates.items():
    print(f"loss with much noise at the rate {rate:g}, minus that at 0.01:", end=" ")
    print(paired_difference(values, secret[:, 0]))
hidden = paired_difference(secret[:, 2], secret[:, 3])
print("much noise, bits of one copy minus never:", hidden)
print("bits of 16 copies, stopped early minus much noise:", beyond_stopping)
expect(
    "E16.ordinary_exposure",
    plain[:, 1].mean(),
    above=8,
    against={"private": secret[:, 1].mean()},
    full_only=True,
)
expect(
    "E16.private_exposure",
    secret[:, 1].mean(),
    below=8,
    against={"ordinary": plain[:, 1].mean()},
    full_only=True,
)
prediction(
    "E16.privacy_hides",
    "16 copies are known to ordinary training, and to much noise nobody",
    plain[:, 1].mean() > 8 and secret[:, 1:3].mean(axis=0).max() < 3,
    text_says=False,
)
prediction("E16.privacy_costs", "the price is above 0.1 nats", price.low > 0.1)
prediction(
    "E16.one_copy_is_hidden",
    "with much noise one copy is as good as never, within a bit and a half",
    hidden.within(1.5),
)
prediction(
    "E16.noise_not_only_stopping",
    "stopping at the same loss exposes more than noise does",
    beyond_stopping.low > 0,
    text_says=False,
)

# %% [markdown]
# (b) is confirmed, and the price is high: more than a nat and a half. It is no matter of the rate: three times less or more
# is worse. There are 304 rows, and among so few one can only hide behind much noise.
#
# (a) is confirmed for ordinary training, and for those who stand there *once*: within a bit and a half their exposure is that
# of people who were never there. Those with 16 copies are not hidden. That is no contradiction. The promise is for one row. For
# sixteen rows all that it gives is an $\varepsilon$ sixteen times as large, and that is as good as none. Who counts as one has to be decided
# before: a row, a document, or a person with all that she wrote.
#
# The last column asks *strangers* for the same numbers. Those that stand there 16 times are exposed by four bits or so even
# then: the model knows that they are frequent, not whose they are. Of what noise leaves, that is the larger part.
#
# (c) is not confirmed, and this is what the control is for. Whether ordinary training that was stopped at the same loss
# exposes more than noise does, three seeds cannot say: the interval is several bits wide and holds zero. So most of what
# one can *see* of privacy here may be that less was learnt. What noise adds for certain is not an exposure but the proof.
# It holds against attacks that nobody has thought of; early stopping was tried against this one only.
#
# ## The strongest objection
#
# **"The word is used loosely: filtered, therefore as good as anonymous".** The card itself does not use it. It says that
# filters *reduce* personal information, and that is true of filters. The difference is not one of words: part 1 shows
# what a filter does not know, part 3 what stays true of a person when every name is gone. The makers of a widely used
# detector write that there is no guarantee that it finds everything (Microsoft Presidio). By 1990's census 87% of the
# United States' people were likely to be unique in postcode, sex and date of birth (Sweeney, 2000). Counted again on the
# next census, it was 63% (Golle, 2006).
#
# **"A corpus that is read once and has no duplicates is not learnt by heart".** Our canaries say so, at one copy and one
# pass; the reference model of part 4 says that a trace is left even then. It is a matter of degree. GPT-2 gave out names and telephone numbers that stood in one document only (Carlini et
# al., 2021). What is memorised grows with the size of the model, the number of copies and the length of the prompt
# (Carlini et al., 2023). Taking duplicates out helps (Kandpal et al., 2022).
#
# **"A chat model is trained not to tell".** That was tried as well: a prompt that made ChatGPT leave its role had it write
# out training data at 150 times the usual rate (Nasr et al., 2023).
#
# **"Nobody needs the text to find out about people".** True, and it makes matters worse: models guess place, income and
# sex from what people write, names or not (Staab et al., 2023).
#
# ## Verdict
#
# * **C22, the training text is anonymous:** contradicted. The card speaks of reducing personal information. Reducing is
#   not removing (part 1), removing names is not anonymity (part 3), and a model gives away what it has read often (part
#   2). Whether GPT-5.5 does, we did not ask.
# * **C23, internet, books and users:** partly. The public internet and what users provide are in the card. Books are
#   not named there; partners, trainers and researchers are, and the article leaves them out. From outside such a list is hard
#   to check: at one pass a single text can hardly be told from one that was not read. Many texts of a source together could,
#   by somebody who has the model's probabilities, a reference model, and texts of the same kind that were left out.
#
# ## What this does not show
#
# * How much a large model remembers. Ours has sixty thousand numbers and reads its text many times. Large ones read once,
#   and remember more of what they read.
# * How good the best detectors are. Ours are rules; models that read the sentence find more. Our labelled text was
#   written by the same hands as the lesson, and the two styles are extremes.
# * The best attack. Ours has one reference model; with many of them single texts are told better (Carlini et al., 2022).
# * What privacy costs at scale. There the noise is spread over far larger batches; a model of a billion parameters has been
#   trained from nothing with $\varepsilon \le 2$ for each sequence of 1,024 tokens (VaultGemma, 2025).
# * What the law calls anonymous. That is for lawyers.
#
# ## Exercises
#
# Write each function in `exercises/14_an_anonymized_corpus.py`, in this notebook's folder, then run there
# `minigpt grade exercises/14_an_anonymized_corpus.py`.
#
# 1. `exposure_bits(secret, others)` (2 points): how exposed is a secret, in bits?
# 2. `membership_area(seen, unseen)` (2 points): the area under the curve.
# 3. `shared_records(records)` (3 points): k, the share that is unique, and the share that can be named.
# 4. `private_gradient(gradients, noise, longest, sigma, expected)` (3 points): one step of DP-SGD.
#
# ## Further reading
#
# * Carlini et al. (2019), *The Secret Sharer*, arXiv:1802.08232; (2021), *Extracting Training Data from Large Language
#   Models*, arXiv:2012.07805; (2023), *Quantifying Memorization Across Neural Language Models*, arXiv:2202.07646. Kandpal,
#   Wallace, Raffel (2022), *Deduplicating Training Data Mitigates Privacy Risks in Language Models*, arXiv:2202.06539.
#   Nasr et al. (2023), *Scalable Extraction of Training Data from (Production) Language Models*, arXiv:2311.17035.
# * Sweeney (2000), *Simple Demographics Often Identify People Uniquely*, Carnegie Mellon; (2002), *k-anonymity*.
#   Machanavajjhala et al. (2007), *l-diversity: Privacy beyond k-anonymity*. Golle (2006), *Revisiting the uniqueness of simple demographics in the US population*. Narayanan & Shmatikov (2008), *Robust
#   De-anonymization of Large Sparse Datasets*, arXiv:cs/0610105. Staab et al. (2023), *Beyond Memorization*,
#   arXiv:2310.07298.
# * Membership: Yeom et al. (2018), arXiv:1709.01604; Watson et al. (2022), *On the Importance of Difficulty Calibration in
#   Membership Inference Attacks*, arXiv:2111.08440; Carlini et al. (2022), *Membership Inference Attacks From First
#   Principles*, arXiv:2112.03570; Maini et al. (2024), *LLM Dataset Inference*, arXiv:2406.06443. The trap: Duan et al. (2024), *Do Membership Inference Attacks Work on Large Language
#   Models?*, arXiv:2402.07841; Das, Zhang, Tramèr (2024), arXiv:2406.16201.
# * Dwork & Roth (2014), *The Algorithmic Foundations of Differential Privacy*. Abadi et al. (2016), *Deep Learning with
#   Differential Privacy*, arXiv:1607.00133. Mironov, Talwar, Zhang (2019), *Rényi Differential Privacy of the Sampled
#   Gaussian Mechanism*, arXiv:1908.10530. VaultGemma Team (2025), arXiv:2510.15001.
