"""A build fails on times, counts and references that are not so; terms are defined once."""

import os

import pytest
from conftest import optional

from lessons.checks import Spent, wrong_counts, wrong_references, wrong_times
from lessons.glossary import definitions, sentences

LINE = "**Time.** 40 minutes to read; the code runs in 20 s and takes 0.5 GB."


def test_the_line_of_times_is_held_to_what_was_measured():
    assert not wrong_times(LINE, 40, Spent(20, 0.5))
    assert not wrong_times(LINE, 40, Spent(11, 0.9))
    for minutes, spent in ((45, Spent(20, 0.5)), (40, Spent(41, 0.5)), (40, Spent(20, 1.1)), (40, Spent(9, 0.5))):
        assert "should be: " in wrong_times(LINE, minutes, spent)[0]
    assert "no line" in wrong_times("**Time.** An hour.", 40, Spent(20, 0.5))[0]
    heavy = LINE.replace("0.5 GB", "3.2 GB")
    assert "3 is the most" in wrong_times(heavy, 40, Spent(20, 3.2))[0]


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


def test_what_a_kernel_took_is_measured():
    optional("jupytext")
    from lessons.build import spent_by

    spent = spent_by(os.getpid())
    assert 0.01 < spent.gigabytes < 64
    assert spent.seconds > 0
