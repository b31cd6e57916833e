"""The measures by name: what each asks, of whom, on which data, and what it misses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from minigpt.errors import UserError
from minigpt.fairness.association import ASSOCIATIONS, TEMPLATES, associate, read_lists, read_vectors
from minigpt.fairness.groups import group_report
from minigpt.fairness.likelihood import refusal
from minigpt.fairness.pairs import CROWS_PAIRS, measure_pairs, read_crows_pairs
from minigpt.fairness.questions import bbq_report
from minigpt.fairness.stereoset import STEREOSET, measure_stereoset, read_stereoset
from minigpt.fairness.subject import LISTS_FILE, VECTORS_FILE, WEFE, WORD2VEC, Subject
from minigpt.fairness.winobias import WINOBIAS, measure_winobias, read_winobias
from minigpt.finetune import Record
from minigpt.finetune.bbq import BBQ, read_bbq
from minigpt.infer import embed
from minigpt.machine import blas_threads, threads_for_width
from minigpt.measure.permutations import holm
from minigpt.model.inputs import TOKENS
from minigpt.text.fetch import Package, fetch_package


@dataclass(frozen=True)
class Wanted:
    """How much is asked, and of a classifier of what.

    most: items at most, drawn at random with the seed; None: all. data, group, positive: a classifier's records, the
    name of the column that says of whom each is, and the class that counts as positive.
    """

    most: int | None = None
    seed: int = 0
    progress: bool = False
    data: Sequence[Record] | None = None
    group: str = "group"
    positive: str | None = None


@dataclass(frozen=True)
class Measure:
    """One way to ask for a bias."""

    what: str
    source: str
    misses: str
    measure: Callable[[Subject, Wanted, Path | None], tuple[dict[str, Any], Sequence[Any]]]  # found, and what was asked
    suits: Callable[[Subject], bool]  # whether it is among those that are taken if none is named
    package: Package | None = None

    @property
    def notice(self) -> str:
        """What is said before its data is read."""
        if self.package is None:
            return "the user's own data"
        return f"{self.package.notice}; none is printed" if self.package.warning else self.package.licence


def _drawn(items: Sequence[Any], wanted: Wanted) -> list[Any]:
    if wanted.most is None or len(items) <= wanted.most:
        return list(items)
    rows = np.sort(np.random.default_rng(wanted.seed).permutation(len(items))[: wanted.most])
    return [items[row] for row in rows]


def _tests(vectors: Callable[[list[str]], dict[str, np.ndarray]], folder: Path) -> tuple[dict[str, Any], list[str]]:
    """All ten associations; one that lacks words says so. `UserError` if none is left."""
    lists = read_lists(folder / LISTS_FILE)
    words = sorted({word for one in lists.values() for word in one})
    known, tests = vectors(words), []
    for question in ASSOCIATIONS:
        try:
            tests.append(associate(known, lists, question))
        except UserError as error:
            tests.append({"question": question.name, "refused": str(error)})
    if all("refused" in test for test in tests):
        raise UserError(f"none of the {len(tests)} questions can be asked; the first: {tests[0]['refused']}")
    raised = holm({test["question"]: test["p"] for test in tests if "p" in test})
    return {"tests": [test | ({"p_holm": raised[test["question"]]} if "p" in test else {}) for test in tests]}, words


def _weat(subject: Subject, _wanted: Wanted, folder: Path | None) -> tuple[dict[str, Any], Sequence[Any]]:
    assert folder is not None
    if subject.is_vectors:
        path = folder / VECTORS_FILE if subject.name == WORD2VEC else Path(subject.name)
        return _tests(lambda words: read_vectors(path, {*words, *map(str.lower, words)}), folder)
    opened = subject.opened
    if opened.tokenizer is None or TOKENS not in opened.params:
        raise UserError(f"{subject.name} has no table of tokens, so no word has a vector; choose another model")
    table = opened.params[TOKENS]
    return _tests(
        lambda words: {word: np.asarray(table[opened.tokenizer.encode(f" {word}")], float).mean(0) for word in words},
        folder,
    )


def _seat(subject: Subject, wanted: Wanted, folder: Path | None) -> tuple[dict[str, Any], Sequence[Any]]:
    assert folder is not None
    opened = subject.opened

    def vectors(words: list[str]) -> dict[str, np.ndarray]:
        texts = [template.format(word) for word in words for template in TEMPLATES]
        rows = embed(opened.model, opened.params, opened.tokenizer, texts)
        return dict(zip(words, rows.reshape(len(words), len(TEMPLATES), -1), strict=True))

    found, words = _tests(vectors, folder)
    return found, [template.format(word) for word in words for template in TEMPLATES]


def _crows(subject: Subject, wanted: Wanted, folder: Path | None) -> tuple[dict[str, Any], Sequence[Any]]:
    assert folder is not None
    items = _drawn(read_crows_pairs(folder), wanted)
    return measure_pairs(subject.opened, items, progress=wanted.progress), items


def _stereoset(subject: Subject, wanted: Wanted, folder: Path | None) -> tuple[dict[str, Any], Sequence[Any]]:
    assert folder is not None
    items = _drawn(read_stereoset(folder), wanted)
    return measure_stereoset(subject.opened, items, progress=wanted.progress), items


def _winobias(subject: Subject, wanted: Wanted, folder: Path | None) -> tuple[dict[str, Any], Sequence[Any]]:
    assert folder is not None
    items = _drawn(read_winobias(folder), wanted)
    return measure_winobias(subject.opened, items, progress=wanted.progress), items


def _bbq(subject: Subject, wanted: Wanted, folder: Path | None) -> tuple[dict[str, Any], Sequence[Any]]:
    assert folder is not None
    if subject.task != "answer":
        raise UserError(
            f"{subject.name} does not answer questions; bbq takes a fine-tuned model "
            "(`minigpt finetune minilm bbq --task answer`)"
        )
    parts, found, asked = read_bbq(folder), {}, []
    for name, part in (("settled", "test"), ("ambiguous", "ambiguous")):
        records = _drawn(parts[part], wanted)
        said = [answer["answer"] for answer in subject.tuned.predict(records)]
        found[name] = bbq_report(said, records)
        asked += [record.values for record in records]
    return found, asked


def _groups(subject: Subject, wanted: Wanted, _folder: Path | None) -> tuple[dict[str, Any], Sequence[Any]]:
    if subject.task != "classify":
        raise UserError(f"{subject.name} is no classifier; groups takes a model that was fine-tuned for classify")
    if wanted.data is None:
        raise UserError("groups needs records with a column that says of whom each is; name them (--data, --group)")
    labels = subject.tuned.folder.labels
    positive = labels[-1] if wanted.positive is None else wanted.positive
    if positive not in labels:
        raise UserError(f"{positive!r:.50} is no class of {subject.name}; there are {', '.join(labels)} (--positive)")
    records = _drawn(wanted.data, wanted)
    column = subject.tuned.setup.column("label")
    for record in records:
        if wanted.group not in record.values:
            raise UserError(
                f"{record.place}: there is no column {wanted.group!r}, but: {', '.join(record.values)}; name the one "
                "that says of whom each example is (--group)"
            )
        if record.text(column) not in labels:
            raise UserError(
                f"{record.place}: {column} is {record.text(column)!r:.50}, which is no class of {subject.name}; there "
                f"are {', '.join(labels)}"
            )
    of = [record.text(wanted.group) for record in records]
    true = np.array([record.text(column) == positive for record in records])
    said = np.array([answer["probabilities"][positive] for answer in subject.tuned.predict(records)])
    return {"positive": positive, **group_report(said, true, of)}, [record.values for record in records]


def _likely(subject: Subject) -> bool:
    return subject.task is None and not subject.is_vectors and refusal(subject.opened) is None


def _encodes(subject: Subject) -> bool:
    return subject.task is None and not subject.is_vectors and subject.opened.model.config.architecture == "encoder"


MEASURES = {
    "weat": Measure(
        "which words lie near to which in word vectors, or in a model's table of tokens",
        "Caliskan et al. 2017, arXiv:1608.07187",
        "It depends on the few words chosen (Ethayarajh et al. 2019, arXiv:1908.06361), and says little of what a "
        "system does with the vectors (Goldfarb-Tarrant et al. 2021, arXiv:2012.15859).",
        _weat,
        lambda subject: subject.is_vectors,
        WEFE,
    ),
    "seat": Measure(
        "the same in sentence vectors: each word in six plain sentences",
        "May et al. 2019, arXiv:1903.10561; sentences of our own in their manner",
        "Finding nothing shows nothing, as its authors say: plain sentences may not bring out what is there.",
        _seat,
        _encodes,
        WEFE,
    ),
    "crows-pairs": Measure(
        "of two sentences that differ in who is spoken of, is the one with the stereotype likelier?",
        "Nangia et al. 2020, arXiv:2010.00133",
        "Many of its pairs are no clear contrast: groups that do not compare, two changes at once, stereotypes that "
        "nobody holds (Blodgett et al. 2021, ACL, 'Stereotyping Norwegian Salmon'). It is American and English, and "
        "likelihood is not what a system does.",
        _crows,
        _likely,
        CROWS_PAIRS,
    ),
    "stereoset": Measure(
        "is a stereotype likelier than its opposite, and is either likelier than nonsense?",
        "Nadeem et al. 2021, arXiv:2004.09456",
        "Its sentences have the same pitfalls (Blodgett et al. 2021), and icat pays a model that prefers half of the "
        "stereotypes strongly as if it had none.",
        _stereoset,
        _likely,
        STEREOSET,
    ),
    "winobias": Measure(
        "is a pronoun likelier, or understood, where it agrees with statistics of occupations?",
        "Zhao et al. 2018, arXiv:1804.06876",
        "It knows two genders, forty occupations of the United States and sentences of two forms, some of them not "
        "sound (Blodgett et al. 2021).",
        _winobias,
        _likely,
        WINOBIAS,
    ),
    "bbq": Measure(
        "does an answer name whom a stereotype would name?",
        "Parrish et al. 2022, arXiv:2110.08193",
        "A model of spans cannot say that it does not know, so where nothing is settled it is wrong whomever it names; "
        "a share of one half can also be guessing. American English, by templates.",
        _bbq,
        lambda subject: subject.task == "answer",
        BBQ,
    ),
    "groups": Measure(
        "does a classifier hit, and err, as often for one group as for another?",
        "Hardt et al. 2016, arXiv:1610.02413",
        "It takes the labels for the truth, and groups for given; where groups differ in how often a class occurs, not "
        "all of its gaps can be zero at once (Kleinberg et al. 2016, arXiv:1609.05807).",
        _groups,
        lambda subject: subject.task == "classify",
    ),
}  # fmt: skip


def suiting(subject: Subject) -> list[str]:
    """The names of the measures that this model can be asked. `UserError` if there is none."""
    found = [name for name, measure in MEASURES.items() if measure.suits(subject)]
    if not found:
        raise UserError(
            f"none of {', '.join(MEASURES)} suits {subject.name}; take a decoder, an encoder, a model fine-tuned for "
            "classify or answer, or word vectors"
        )
    return found


def measure_bias(subject: Subject, name: str, wanted: Wanted = Wanted()) -> dict[str, Any]:
    """What one of `MEASURES` finds, with its source, the data's licence and hashes, and what it misses.

    `UserError` for a model that it does not suit.
    """
    measure = MEASURES[name]
    if name in ("crows-pairs", "stereoset", "winobias"):
        why = refusal(subject.opened)
        if why is not None:
            raise UserError(f"{subject.name} cannot be asked how likely a text is: {why}")
    folder = None if measure.package is None else fetch_package(measure.package, progress=wanted.progress)
    width = 1 if subject.is_vectors else _width(subject)
    with blas_threads(threads_for_width(width)):
        found, asked = measure.measure(subject, wanted, folder)
    package = measure.package
    return {
        "what": measure.what,
        "source": measure.source,
        "licence": measure.notice,
        "data": None if package is None else {"package": f"{package.name} {package.version}", "sha256": package.sha256},
        "asked": len(asked),
        "asked_sha256": sha256(repr(asked).encode()).hexdigest(),
        "misses": measure.misses,
        **found,
    }


def _width(subject: Subject) -> int:
    return (subject.tuned.folder if subject.task else subject.opened.model).config.width
