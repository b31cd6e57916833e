"""Rules of quality: what is counted in a document, and between which bounds it must lie.

Gopher: Rae et al. 2021, arXiv:2112.11446, section A.1.1 and table A1. C4: Raffel et al. 2020, arXiv:1910.10683,
section 2.2, whose rules for lines are measured here for the whole document. "here": a bound of this library.
"""

import math
from collections import Counter
from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

import regex

from minigpt.errors import UserError

MOST_REPEATED = 10  # words in a row
ENOUGH = 50  # words from which repetition is counted: the least that a document of Gopher's has
STOP_WORDS = frozenset({"the", "be", "to", "of", "and", "that", "have", "with"})
BULLETS = ("•", "‣", "●", "-", "*", "–")
SENTENCE = regex.compile(r"""[.!?。！？।۔]["'”’)\]]*(?=\s|$|\p{Han}|\p{Hiragana}|\p{Katakana})""")
ALPHABETIC = regex.compile(r"\p{L}")
PARAGRAPH = regex.compile(r"\n\s*\n")
UNREADABLE = regex.compile(r"[\uFFFD\p{Cc}--[\n\t\f\v]]", regex.V1)


class Page:
    """A document, taken apart once for all rules."""

    def __init__(self, text: str):
        self.text = text
        self.words = text.split()
        self.lines = [line.strip() for line in text.split("\n") if line.strip()]  # that are not blank

    @cached_property
    def paragraphs(self) -> list[str]:
        """Between blank lines."""
        return [part.strip() for part in PARAGRAPH.split(self.text) if part.strip()]

    @cached_property
    def characters(self) -> int:
        """Of words."""
        return sum(map(len, self.words))

    @cached_property
    def longest_repeat(self) -> int:
        """Up to how many words in a row come twice, looked for up to ten."""
        length = 0
        while length < MOST_REPEATED and _comes_twice(self.grams(length + 1)):
            length += 1
        return length

    def grams(self, n: int) -> list[tuple[str, ...]]:
        """All n words in a row."""
        return [*zip(*(self.words[start:] for start in range(n)), strict=False)]


def _comes_twice(grams: list[tuple[str, ...]]) -> bool:
    return len(set(grams)) < len(grams)


Measure = Callable[[Page], float]


class Rule(NamedTuple):
    """The document is kept if least <= measure <= most. sets: in which it is, with its bounds there."""

    name: str
    measure: Measure
    sets: dict[str, tuple[float, float]]
    source: str


def _share(count: Callable[[Page], float], of: Callable[[Page], float]) -> Measure:
    return lambda page: count(page) / max(1, of(page))


def _words(page: Page) -> float:
    return len(page.words)


def _lines(page: Page) -> float:
    return len(page.lines)


def _symbols(page: Page) -> float:
    return page.text.count("#") + page.text.count("...") + page.text.count("…")


def _repeated(parts: Callable[[Page], list[str]], *, characters: bool) -> Measure:
    """The share of the parts that stood there before, by number or by characters."""

    def measure(page: Page) -> float:
        all_ = parts(page)
        if len(page.words) < ENOUGH:
            return 0.0
        seen: set[str] = set()
        repeated = [part for part in all_ if part in seen or seen.add(part)]  # type: ignore[func-returns-value]
        size = (lambda some: sum(map(len, some))) if characters else len
        return size(repeated) / max(1, size(all_))

    return measure


def _top_n_gram(n: int) -> Measure:
    """The share of the characters of words that the most frequent n words in a row take, if they come twice."""

    def measure(page: Page) -> float:
        if len(page.words) < ENOUGH or page.longest_repeat < n:
            return 0.0
        counts = Counter(page.grams(n))
        most = max(counts.values())
        longest = max(sum(map(len, gram)) for gram, count in counts.items() if count == most)
        return most * longest / page.characters

    return measure


def _repeated_n_grams(n: int) -> Measure:
    """The share of the characters of words that lie in some n words in a row which come again, each counted once."""

    def measure(page: Page) -> float:
        if len(page.words) < ENOUGH or page.longest_repeat < n:
            return 0.0
        grams = page.grams(n)
        counts = Counter(grams)
        inside = end = 0
        for place, gram in enumerate(grams):
            if counts[gram] > 1:
                inside += sum(map(len, page.words[max(place, end) : place + n]))
                end = place + n
        return inside / page.characters

    return measure


def _stop_words(page: Page) -> float:
    return len(STOP_WORDS & {word.lower().strip(".,;:!?\"'()") for word in page.words})


def _both(least: float, most: float) -> dict[str, tuple[float, float]]:
    return {"plain": (least, most), "web": (least, most)}


ANY = math.inf
RULES = (
    Rule("words", _words, {"plain": (5, 100_000), "web": (50, 100_000)}, "Gopher; plain: 5, as C4's lines"),
    Rule(
        "unreadable characters",
        _share(lambda page: len(UNREADABLE.findall(page.text)), lambda page: len(page.text)),
        _both(0, 0.01),
        "here: control characters and U+FFFD",
    ),
    Rule("mean word length", _share(lambda p: sum(map(len, p.words)), _words), {"web": (3, 10)}, "Gopher"),
    Rule("symbols (# and ...) for each word", _share(_symbols, _words), _both(0, 0.1), "Gopher"),
    Rule(
        "words with a letter",
        _share(lambda page: sum(map(bool, map(ALPHABETIC.search, page.words))), _words),
        {"plain": (0.5, 1), "web": (0.8, 1)},
        "Gopher; plain: 0.5",
    ),
    Rule(
        "lines that begin with a bullet",
        _share(lambda page: sum(line.startswith(BULLETS) for line in page.lines), _lines),
        {"web": (0, 0.9)},
        "Gopher",
    ),
    Rule(
        "lines that end in an ellipsis",
        _share(lambda page: sum(line.endswith(("...", "…")) for line in page.lines), _lines),
        {"web": (0, 0.3)},
        "Gopher",
    ),
    Rule("stop words (English)", _stop_words, {"web": (2, ANY)}, "Gopher"),
    Rule("sentences", lambda page: len(SENTENCE.findall(page.text)), {"web": (3, ANY)}, "C4"),
    Rule("curly brackets", lambda page: page.text.count("{"), {"web": (0, 0)}, "C4"),
    Rule("lorem ipsum", lambda page: page.text.lower().count("lorem ipsum"), _both(0, 0), "C4"),
    Rule("repeated lines", _repeated(lambda page: page.lines, characters=False), _both(0, 0.30), "Gopher"),
    Rule("characters of repeated lines", _repeated(lambda page: page.lines, characters=True), _both(0, 0.20), "Gopher"),
    Rule("repeated paragraphs", _repeated(lambda page: page.paragraphs, characters=False), _both(0, 0.30), "Gopher"),
    Rule(
        "characters of repeated paragraphs",
        _repeated(lambda page: page.paragraphs, characters=True),
        _both(0, 0.20),
        "Gopher",
    ),
    *(
        Rule(f"characters of the most frequent {n} words", _top_n_gram(n), _both(0, most), "Gopher")
        for n, most in ((2, 0.20), (3, 0.18), (4, 0.16))
    ),
    *(
        Rule(f"characters of repeated {n} words", _repeated_n_grams(n), _both(0, most), "Gopher")
        for n, most in ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10))
    ),
)
SETS = ("none", "plain", "web")


class Finding(NamedTuple):
    """Why a document is taken out: the rule, and what was measured beside what is allowed."""

    rule: str
    reason: str


class Rules:
    """A set of rules, its bounds changed where that is asked for.

    `none` has no rules. `plain` holds for text of any kind and language: five words, readable, not repetitive. `web` is
    what was published for pages of the web, nearly all of it for English.
    """

    def __init__(self, name: str = "plain", *, min_words: int | None = None):
        if name not in SETS:
            raise UserError(f"there is no set of rules {name!r}; choose one of {', '.join(SETS)}")
        if min_words is not None and min_words < 0:
            raise UserError(f"min_words is {min_words}, but it must be 0 or more")
        if min_words is not None and name == "none":
            raise UserError("min_words changes a rule, and none is asked for; leave it out, or ask for plain or web")
        self.bounds = {rule.name: rule.sets[name] for rule in RULES if name in rule.sets}
        if min_words is not None:
            self.bounds["words"] = (min_words, self.bounds["words"][1])

    def judge(self, text: str) -> Finding | None:
        """The first rule that takes the document out; None if it stays."""
        page = Page(text)
        for rule in RULES:
            if rule.name not in self.bounds:
                continue
            (least, most), value = self.bounds[rule.name], rule.measure(page)
            if not least <= value <= most:
                bound = f"at least {least:g}" if value < least else f"at most {most:g}"
                return Finding(rule.name, f"{value:.4g}, allowed {bound}")
        return None

    def table(self) -> list[dict[str, str]]:
        """For a report: each rule, its bounds and its source."""
        rules = [(rule, *self.bounds[rule.name]) for rule in RULES if rule.name in self.bounds]
        return [
            {
                "rule": rule.name,
                "least": f"{least:g}",
                "most": "any" if most == ANY else f"{most:g}",
                "source": rule.source,
            }
            for rule, least, most in rules
        ]
