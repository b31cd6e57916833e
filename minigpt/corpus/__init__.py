"""What a training corpus is made of, and what is taken out of it.

`clean` reads a corpus, takes out what is no good, what is there twice and what tells of people
(`minigpt.corpus.personal`), and writes it with a report and a datasheet. Its parts work alone: `Rules`, `Languages`,
`Quality`, `find_duplicates`, `Overlap`.

>>> import pathlib
>>> _ = pathlib.Path("fables.txt").write_text("The fox met a hen today.\\n" * 3 + "The cat slept on.", encoding="utf-8")
>>> settings = minigpt.corpus.CleanSettings(split="lines", rules="none")
>>> report = minigpt.corpus.clean("fables.txt", "cleaned", settings, progress=False)
>>> [(entry["name"], entry["documents"]) for entry in report["filters"]]
[('exact duplicate', 2)]
"""

from minigpt.corpus.classifier import Quality
from minigpt.corpus.clean import clean
from minigpt.corpus.duplicates import Duplicates, exact_pairs, find_duplicates
from minigpt.corpus.language import Languages
from minigpt.corpus.minhash import Bands, bands_for
from minigpt.corpus.overlap import Overlap
from minigpt.corpus.rules import Rules
from minigpt.corpus.settings import CleanSettings
from minigpt.corpus.shingles import jaccard, shingles
from minigpt.corpus.source import Source

__all__ = [
    "Bands",
    "CleanSettings",
    "Duplicates",
    "Languages",
    "Overlap",
    "Quality",
    "Rules",
    "Source",
    "bands_for",
    "clean",
    "exact_pairs",
    "find_duplicates",
    "jaccard",
    "shingles",
]
