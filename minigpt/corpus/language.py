"""In which language is a text? By its characters: which one, two and three stand in a row, and how often.

The idea of profiles is Cavnar and Trenkle's (1994, "N-gram-based text categorization"); compared is the likelihood, as
Dunning does (1994, "Statistical identification of language").
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import regex

from minigpt.errors import UserError
from minigpt.files import read_text
from minigpt.text.documents import read_documents, text_files
from minigpt.text.fetch import Package, fetch_package

LONGEST, ENOUGH = 3, 20  # of an n-gram; letters below which nothing is said
SEEN = 1000  # characters of a text that are looked at
KEPT = 6000  # n-grams of a profile
UNSEEN = math.log(1e-5)  # the same for all languages, or little text would make a language likely for what it lacks
LETTERS = regex.compile(r"[^\p{L}\p{M}']+")
UNKNOWN = "unknown"
DIALOGUES = Package(
    "chatterbot-corpus",
    "1.3.3",
    "86de5300afb9a80826386339d3bec79c0a72eb0358abb8327e2ecef5ae0ce154",
    "chatterbot_corpus/data",
    0.4,
    "BSD-3-Clause",
)
LEAST_BYTES = 4000  # of a language among the dialogues; with less there is nothing to learn from


class Guess(NamedTuple):
    """A language, and by how many nats for each n-gram it is likelier than the next one."""

    language: str
    margin: float


class Languages:
    """Profiles of languages, which tell them apart."""

    def __init__(self, profiles: Mapping[str, Mapping[str, float]]):
        """profiles: for each language the logarithms of the shares of n-grams; `UNSEEN` stands for all others."""
        if len(profiles) < 2:
            raise UserError(f"there are texts in {len(profiles)} languages; telling them apart needs two or more")
        self.profiles = {name: dict(profile) for name, profile in profiles.items()}

    @classmethod
    def train(cls, texts: Mapping[str, Iterable[str]]) -> "Languages":
        """texts: for each language some of it, the more the better; a few thousand characters are enough to begin."""
        return cls({name: _profile(name, some) for name, some in texts.items()})

    @classmethod
    def from_folder(cls, folder: str | Path) -> "Languages":
        """Trained on the folders in a folder, each called as its language, with text files in it."""
        folders = sorted(path for path in Path(folder).glob("*") if path.is_dir() and not path.name.startswith("."))
        if len(folders) < 2:
            raise UserError(f"{folder} has {len(folders)} folders; give one with a folder of texts for each language")
        return cls.train({path.name: _texts(path) for path in folders})

    @classmethod
    def of_dialogues(cls) -> "Languages":
        """Trained on dialogues in some twenty languages (chatterbot-corpus), fetched through pip the first time."""
        texts = {path.name: list(_lines(path)) for path in sorted(fetch_package(DIALOGUES).glob("*")) if path.is_dir()}
        mixed = {"hinglish"}  # Hindi and English in one
        return cls.train(
            {name: some for name, some in texts.items() if name not in mixed and _bytes(some) >= LEAST_BYTES}
        )

    def check(self, languages: Iterable[str]) -> None:
        """`UserError` for a language without a profile."""
        for language in languages:
            if language not in self.profiles:
                raise UserError(f"there is no profile of {language!r}; choose of {', '.join(sorted(self.profiles))}")

    def guess(self, text: str) -> Guess:
        """The likeliest language of a text's beginning; `unknown` if it has fewer than 20 letters."""
        grams = _n_grams(text[:SEEN])
        total = sum(grams.values())
        if sum(count for gram, count in grams.items() if len(gram) == 1 and gram != " ") < ENOUGH:
            return Guess(UNKNOWN, 0.0)
        scores = {
            name: sum(count * profile.get(gram, UNSEEN) for gram, count in grams.items()) / total
            for name, profile in self.profiles.items()
        }
        best, second = sorted(scores, key=lambda name: (-scores[name], name))[:2]
        return Guess(best, scores[best] - scores[second])


def _profile(name: str, texts: Iterable[str]) -> dict[str, float]:
    """The logarithms of the shares that the most frequent n-grams have among those of the same length."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(_n_grams(text))
    if not counts:
        raise UserError(f"the texts in {name} have no letters; give some text")
    totals: Counter[int] = Counter()
    for gram, count in counts.items():
        totals[len(gram)] += count
    return {gram: math.log(count / totals[len(gram)]) for gram, count in counts.most_common(KEPT)}


def _n_grams(text: str) -> Counter[str]:
    """How often each of one to three characters in a row comes, words with a space on both sides."""
    letters = f" {LETTERS.sub(' ', text.lower()).strip()} "
    return Counter(
        letters[start : start + length]
        for length in range(1, LONGEST + 1)
        for start in range(len(letters) - length + 1)
    )


def _texts(folder: Path) -> Iterable[str]:
    return (document.text for file in text_files(folder) for document in read_documents(file))


def _lines(folder: Path) -> Iterable[str]:
    """What is said in the dialogues of a folder: the items of its YAML lists."""
    for path in sorted(folder.rglob("*.yml")):
        yield from (found[1] for found in regex.finditer(r"^[ \t]*-[ \t-]*(\S.*)$", read_text(path), regex.MULTILINE))


def _bytes(texts: Iterable[str]) -> int:
    return sum(len(text.encode("utf-8")) for text in texts)
