"""A build fails on times, counts and references that are not so; terms are defined once."""

import os

import pytest
from conftest import optional

from lessons.checks import LONGER, MOST_SECONDS, TIME, Spent, too_long, wrong_counts, wrong_references, wrong_times
from lessons.glossary import Definition, definitions, leaning, sentences
from lessons.sources import lesson_sources

LINE = "**Time.** 40 minutes to read; the code runs in 20 s and takes 0.5 GB."


def test_the_line_of_times_is_held_to_what_was_measured():
    assert not wrong_times(LINE, 40, Spent(20, 0.5))
    assert not wrong_times(LINE, 40, Spent(11, 0.9))
    for minutes, spent in ((45, Spent(20, 0.5)), (40, Spent(41, 0.5)), (40, Spent(20, 1.1)), (40, Spent(9, 0.5))):
        assert "should be: " in wrong_times(LINE, minutes, spent)[0]
    assert "no line" in wrong_times("**Time.** An hour.", 40, Spent(20, 0.5))[0]
    heavy = LINE.replace("0.5 GB", "3.2 GB")
    assert "3 is the most" in wrong_times(heavy, 40, Spent(20, 3.2))[0]


def test_a_lesson_is_not_too_long():
    assert not too_long("01_text", LINE)
    assert not too_long("01_text", LINE.replace("20 s", "90 s"))
    assert too_long("01_text", LINE.replace("20 s", "91 s")) == [
        "it runs for 91 s, and 90 is the most; cut what costs most, or say in LONGER why not"
    ]
    for lesson, (seconds, reason) in LONGER.items():
        assert not too_long(lesson, LINE.replace("20 s", f"{seconds} s"))
        assert too_long(lesson, LINE.replace("20 s", f"{seconds + 1} s"))
        assert seconds > MOST_SECONDS and reason


def test_every_lesson_states_a_time_that_is_not_too_long():
    known = {source.stem: source.read_text(encoding="utf-8") for source in lesson_sources()}
    assert not [wrong for lesson, text in known.items() for wrong in too_long(lesson, text)]
    assert all(TIME.search(text) for text in known.values())
    assert set(LONGER) <= set(known)


def test_counts_are_those_that_were_printed():
    assert not wrong_counts("Found in 12 of 14 runs.", "found in 12 of 14\n")
    assert wrong_counts("Found in 12 of 14 runs.", "found in 13 of 14\n") == [
        'no cell prints "12 of 14", which its text says'
    ]


def test_lessons_that_are_named_exist():
    assert not wrong_references("Lesson 02 and lessons 03, 04 and 05 show it.")
    assert wrong_references("See lesson 98.") == ["there is no lesson 98"]
    assert wrong_references("See lessons 02 and 97.") == ["there is no lesson 97"]
    assert "names no lesson" in wrong_references("A later lesson shows it.")[0]


def test_sentences_of_prose_alone():
    source = (
        "# %% [markdown]\n# # Title\n#\n# **Prediction.** One is here. A **term** is\n# two lines. Three.\n#\n"
        "# * a **point** of a list.\n# * Another.\n#\n# | a **table** |\n\n# %%\nx = 2**3 + 3**2\n"
    )
    assert sentences(source) == [
        "One is here.",
        "A **term** is two lines.",
        "Three.",
        "a **point** of a list.",
        "Another.",
    ]


def test_a_formula_belongs_to_the_sentence_before_it():
    source = "# %% [markdown]\n# A **mean** is this:\n#\n# $$m = \\frac{a + b}{2}$$\n#\n# And more.\n"
    assert sentences(source) == ["A **mean** is this: $m = \\frac{a + b}{2}$", "And more."]


def test_a_term_is_defined_once(tmp_path):
    first, second = tmp_path / "01_a.py", tmp_path / "02_b.py"
    first.write_text("# %% [markdown]\n# A **leak** is one thing.\n", encoding="utf-8")
    second.write_text("# %% [markdown]\n# A *leak* again, and a **mask**.\n", encoding="utf-8")
    assert [one.term for one in definitions([first, second])] == ["leak", "mask"]
    second.write_text("# %% [markdown]\n# A **Leak** is another.\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"02_b\.py defines \*\*Leak\*\*, which 01_a\.py has defined"):
        definitions([first, second])


def test_sentences_end_after_brackets_and_headings_in_italics_are_left_out():
    source = "# %% [markdown]\n# * *A head.* A **task head** is a layer. (It is small.) In **practice** it is large.\n"
    assert sentences(source) == ["A **task head** is a layer.", "(It is small.)", "In **practice** it is large."]


def test_every_entry_of_the_glossary_stands_alone():
    assert not leaning(definitions())


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("This is the **paired difference**.", 'begins with "This"'),
        ("That is a **vision transformer**: an encoder.", 'begins with "That"'),
        ("Its **score** is 0.80.", 'begins with "Its"'),
        ("(b) A model that does so has **greed**.", 'begins with "(b)"'),
        ("A **verdict** on a sentence has three parts:", "ends before it says anything"),
        ("A **stop** is that.", "too short"),
    ],
)
def test_an_entry_that_leans_on_what_stands_before_it_is_told(tmp_path, sentence, said):
    term = sentence.split("**")[1]
    assert said in leaning([Definition(term, sentence, tmp_path / "01_a.py")])[0]
    assert not leaning([Definition("hinge", "A **hinge** is a line that is flat on one side.", tmp_path / "01_a.py")])


def test_what_a_kernel_took_is_measured():
    optional("jupytext")
    from lessons.build import spent_by

    spent = spent_by(os.getpid())
    assert 0.01 < spent.gigabytes < 64
    assert spent.seconds > 0
