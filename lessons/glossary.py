"""The glossary of the course, made from the sentences in which its lessons define a term.

In a lesson's text, bold is for two things: a heading inside of a line, which ends in punctuation (`**Prediction.**`),
and a term where it is defined. The whole sentence around the term is its entry.
"""

import re
from pathlib import Path
from typing import NamedTuple

from lessons.sources import lesson_sources

TITLE = """# Glossary

Every term as the lesson that defines it says it.

<!-- Written by `python -m lessons.build` from the lessons; change those instead. -->
"""
BOLD = re.compile(r"\*\*(.+?)\*\*")
SENTENCE = re.compile(r"(?:(?<=[.?!])|(?<=[.?!]\)))\s+(?=[A-Z*`$(])")
LEANING = re.compile(  # a sentence that begins so leans on the one before it
    r"(?:This|That|These|Those|It|Its|They|Their|Such|So|Here|Then|There|And|But|We|What|Nothing)\b"
    r"|Of the (?:latter|former)\b|\([a-z]\)|[a-z]"
)


class Definition(NamedTuple):
    """A term, the sentence that defines it, and the lesson in which it stands."""

    term: str
    sentence: str
    lesson: Path


def definitions(sources: list[Path] | None = None) -> list[Definition]:
    """Of all lessons, in the order of the alphabet. `SystemExit` names a term that is defined twice."""
    found: dict[str, Definition] = {}
    for lesson in sources or lesson_sources():
        for sentence in sentences(lesson.read_text(encoding="utf-8")):
            for term in BOLD.findall(sentence):
                if term.rstrip('"')[-1:] in ".:?!":  # a heading, or an objection in quotation marks
                    continue
                key = term.lower()
                if key in found:
                    raise SystemExit(
                        f"{lesson.name} defines **{term}**, which {found[key].lesson.name} has defined; "
                        "write it in italics here"
                    )
                found[key] = Definition(term, sentence, lesson)
    return [found[key] for key in sorted(found)]


def sentences(source: str) -> list[str]:
    """The sentences of a lesson's Markdown cells, without run-in headings, formulas that stand alone, and tables."""
    result = []
    for cell in re.split(r"^# %%.*\n", source, flags=re.MULTILINE)[1:]:
        lines = cell.splitlines()
        if not all(line.startswith("#") or not line for line in lines):
            continue
        text = "\n".join(line.removeprefix("#").strip() for line in lines)
        for paragraph in re.split(r"\n\s*\n|\n(?=[-*] |\d+\. )", text):
            if paragraph.startswith("$$") and result and result[-1].endswith(":"):
                result[-1] += " " + " ".join(paragraph.replace("$$", "$").split())
            elif not paragraph.startswith(("#", "|", "$$")):
                result += split(" ".join(paragraph.split()))
    return result


def split(paragraph: str) -> list[str]:
    """A paragraph as sentences, each without the heading or the mark of a list that begins it."""
    paragraph = re.sub(r"^(\*\*[^*]+[.:?!]\*\* |[-*] |\d+\. )", "", paragraph)
    paragraph = re.sub(r"^\*[^*]+[.?!]\* (?=.*\*\*)", "", paragraph)  # a run-in heading in italics
    return [sentence.strip() for sentence in SENTENCE.split(paragraph) if sentence.strip()]


def leaning(entries: list[Definition]) -> list[str]:
    """What is wrong with each entry that does not stand alone: how it begins, that it ends with a colon, or that it
    has too few words to say anything."""
    wrong = []
    for one in entries:
        if found := LEANING.match(one.sentence):
            wrong.append(
                f'{one.lesson.name}: the sentence of **{one.term}** begins with "{found[0]}"'
            )
        elif one.sentence.endswith(":"):
            wrong.append(
                f"{one.lesson.name}: the sentence of **{one.term}** ends before it says anything"
            )
        elif len(one.sentence.split()) < len(one.term.split()) + 5:
            wrong.append(
                f"{one.lesson.name}: the sentence of **{one.term}** is too short for a definition"
            )
    return wrong


def glossary_page() -> str:
    """The page as Markdown."""
    entries = [
        f"- {entry.sentence} ([lesson {entry.lesson.stem[:2]}]({entry.lesson.stem}.ipynb))"
        for entry in definitions()
    ]
    return TITLE + "\n" + "\n".join(entries) + "\n"
