"""Sentences with names, and with other words that have a capital, for training the tagger of names.

Half of presidio-evaluator's templates and these; the other half is for measuring. Names are drawn from the lists, or
put together from syllables, so that the tagger learns where names stand and not which ones there are.
"""

import hashlib
from collections.abc import Iterator

import numpy as np

from minigpt.corpus.personal.invented import Identity, pick
from minigpt.corpus.personal.labelled import Document, Templates, fill
from minigpt.corpus.personal.name_lists import GIVEN, GIVEN_WORDS, SURNAME_WORDS, SURNAMES
from minigpt.corpus.personal.words import words

SENTENCES = """
{{name}} was appointed chief executive of {{organization}} in {{year}}.
According to {{last_name}}, the results were better than expected.
"We are not ready," said {{name}}, who has led the team since {{year}}.
The painting was sold to {{name}} of {{city}} for two million dollars.
{{first_name}} and {{first_name}} met in {{city}} and married a year later.
Dear {{first_name}},\nThank you for your letter of {{date_time}}.\nYours sincerely,\n{{name}}
Dear {{prefix}} {{last_name}},\nWe regret to inform you that Flight 212 to {{city}} was cancelled.
From: {{name}} <{{email}}>\nTo: {{name}}\nSubject: Quarterly Report
Author: {{name}}\nReviewed-by: {{name}}\nDate: {{date_time}}
Patient {{name}}, aged {{age}}, was seen by Dr. {{last_name}} on {{day_of_week}}.
{{last_name}} et al. ({{year}}) describe a similar effect in the Journal of Applied Physics.
Copyright (c) {{year}} {{name}}. All rights reserved.
@{{first_name}} can you look at the Python code that {{first_name}} wrote?
I asked {{first_name}} whether she had seen the Atlantic Ocean.
{{name}} ({{year}}-{{year}}) was a {{nationality}} composer and conductor.
President {{last_name}} will travel to {{country}} on {{day_of_week}}.
It was {{first_name}}'s idea to open a restaurant on Main Street.
The {{last_name}} family has lived in {{city}} for three generations.
Goals by {{last_name}}, {{last_name}} and {{last_name}} gave {{city}} a 3-1 win over {{city}}.
1. {{name}}\n2. {{name}}\n3. {{name}}
Employee: {{name}}; Manager: {{name}}; Department: Human Resources
The witness, {{name}}, told the Supreme Court that he had never met {{last_name}}.
{{name}} <{{email}}> wrote:
Call {{first_name}} at {{phone_number}} before Christmas.
My sister {{first_name}} studies Computer Science at the University of {{city}}.
{{first_name}}: Where is the key?\n{{first_name}}: On the table.
{{first_name}} {{last_name}}, {{first_name}} {{last_name}} and {{first_name}} {{last_name}} attended the meeting.
{{last_name}}, {{first_name}}; born {{date_of_birth}}; lives in {{city}}
Happy birthday {{first_name}}! See you on {{day_of_week}}.
The novel by {{name}} won the National Book Award in {{year}}.
In a letter to {{name}}, the king promised to return to {{country}}.
{{first_name}} works at {{organization}}; her husband {{first_name}} is a {{job}}.
Contact {{name}} in the Sales Department of {{organization}}.
In memory of {{name}}, beloved father of {{first_name}} and {{first_name}}.
Microsoft Windows and Google Chrome are installed on every machine.
The Treaty of {{city}} was signed in {{year}} by {{country}} and {{country}}.
{{organization}} and {{organization}} announced a merger on {{day_of_week}}.
In {{country}}, the Ministry of Health published new Guidelines for Hospitals.
The Mississippi River flows through {{city}} to the Gulf of Mexico.
Error: File Not Found. Please contact your System Administrator.
The United Nations met in {{city}} to discuss the Paris Agreement.
On {{day_of_week}}, {{organization}} shares fell by 3 percent in {{city}}.
Introduction to Linear Algebra, Third Edition, {{city}} University Press
Return the number of items. If None, raise TypeError.
Class Queue is a First In First Out data structure, see Python Standard Library.
The Great Gatsby and War and Peace are Novels that Everyone should read.
{{nationality}} food is popular in {{country}}, above all Pizza and Sushi.
Thank you for flying with {{organization}}. Welcome to {{city}}!
The Red Cross and Amnesty International work in {{country}}.
Visit {{city}} in Spring, when the Cherry Trees are in bloom.
Breaking News: Earthquake hits {{city}}, {{country}}
Terms and Conditions apply. See Section 4 of the Agreement.
How to install Ubuntu on a Dell laptop in {{year}}
The Battle of {{city}} ended the War of Independence.
Mount Everest and Lake Victoria are shown on Map 3.
Chapter Two: The Road to {{city}}
Please send the Annual Report to the Board of Directors of {{organization}}.
Monday, Wednesday and Friday are taken; try {{day_of_week}}.
Bitcoin fell while Gold rose, {{organization}} said.
Hello World! Good Morning {{country}}!
Thanks, Team. Best Regards, Customer Support
The Bible, the Quran and the Torah are in the Library of {{city}}.
Use the Open button in Settings and then press Save.
The street was called Church Street until {{year}}.
""".strip().split("\n")
ONSETS = sorted(words("b br c ch d dr f g gr h j k kh kr l m n p pr r s sh sk st t th tr v w y z zh"))
VOWELS = ("a", "a", "a", "e", "e", "e", "i", "i", "o", "o", "u", "ai", "ei", "ie", "au", "ya")
CODAS = ["", "", "", "", "n", "r", "l", "s", "m", "k", "nd", "rt", "ng", "ck", "sk"]
ENDS = [
    "",
    "",
    "",
    "ov",
    "ev",
    "ski",
    "sson",
    "sen",
    "ez",
    "ić",
    "ini",
    "elli",
    "mann",
    "berg",
    "wala",
    "oglu",
    "yan",
    "shvili",
    "ánek",
    "uk",
    "escu",
    "dóttir",
]


def is_for_training(sentence: str) -> bool:
    """Whether a template is of the half that the tagger is trained on."""
    return hashlib.sha256(sentence.encode("utf-8", "replace")).digest()[0] % 2 == 0


def training_documents(templates: Templates, count: int, rng: np.random.Generator) -> Iterator[Document]:
    """`count` documents to train the tagger on; names are drawn from the lists or made of syllables."""
    given = sorted(GIVEN) * 4 + sorted(GIVEN_WORDS)
    surnames = sorted(SURNAMES) * 4 + sorted(SURNAME_WORDS)

    def first(_identity: Identity, rng: np.random.Generator) -> str:
        return pick(given, rng) if rng.random() < 0.6 else _made_up(rng)

    def last(_identity: Identity, rng: np.random.Generator) -> str:
        prefix = pick(
            ["", "", "", "", "", "", "", "", "van ", "de ", "O'", "Mc", "von ", "Al-", f"{_made_up(rng)}-"], rng
        )
        return prefix + (pick(surnames, rng) if rng.random() < 0.6 else _made_up(rng, pick(ENDS, rng)))

    def full(identity: Identity, rng: np.random.Generator) -> str:
        middle = pick(
            [
                "",
                "",
                "",
                "",
                f"{pick('ABCDEFGHJKLMNPRSTW', rng)}. ",
                f"{pick('ABCDEFGHJKLMNPRSTW', rng)} ",
                f"{first(identity, rng)} ",
            ],
            rng,
        )
        return f"{first(identity, rng)} {middle}{last(identity, rng)}"

    extra = {
        **dict.fromkeys(("person", "name", "name_male", "name_female"), full),
        **dict.fromkeys(("first_name", "first_name_male", "first_name_female", "first_name_nonbinary"), first),
        **dict.fromkeys(("last_name", "last_name_male", "last_name_female"), last),
    }
    own = [line.replace("\\n", "\n") for line in SENTENCES]
    theirs = [line for line in templates.sentences if is_for_training(line)]
    for _ in range(count):
        document = fill(pick(own if rng.random() < 0.4 else theirs, rng), templates, rng, extra)
        spelled = rng.random()
        text = document.text.lower() if spelled < 0.05 else document.text.upper() if spelled < 0.1 else document.text
        yield document if len(text) != len(document.text) else document._replace(text=text)


def _made_up(rng: np.random.Generator, end: str = "") -> str:
    syllables = int(rng.integers(1, 4 if not end else 3))
    word = "".join(pick(ONSETS, rng) + pick(VOWELS, rng) + pick(CODAS, rng) for _ in range(syllables)) + end
    return word.capitalize()
