"""Association of words in vectors: which of two groups of words lies nearer to which of two groups of attributes?

Caliskan, Bryson & Narayanan (2017), "Semantics derived automatically from language corpora contain human-like biases",
Science 356, arXiv:1608.07187: the Word Embedding Association Test. May et al. (2019), "On Measuring Social Biases in
Sentence Encoders", arXiv:1903.10561: the same with a sentence around each word.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minigpt.errors import UserError
from minigpt.measure.intervals import DRAWS, SEED, interval_of
from minigpt.measure.permutations import repartitioned
from minigpt.values import TABLE, TEXT, about, check, list_of, read, shown

MOST_NUMBERS = 1 << 27  # of all vectors that are kept
ALIKE = 1e-12  # associations that differ by rounding alone
FEWEST, LEAST_SHARE = 2, 0.8  # words of a list that must have vectors


class Association(NamedTuple):
    """One question: names of four lists. Are the first targets nearer to the first attributes than the second are?"""

    name: str
    targets: tuple[str, str]
    attributes: tuple[str, str]


ASSOCIATIONS = (  # table 1 there, in its order
    Association("flowers and insects", ("flowers", "insects"), ("pleasant_5", "unpleasant_5a")),
    Association("instruments and weapons", ("instruments", "weapons"), ("pleasant_5", "unpleasant_5a")),
    Association(
        "names of two origins, 32 each",
        ("european_american_names_5", "african_american_names_5"),
        ("pleasant_5", "unpleasant_5b"),
    ),
    Association(
        "names of two origins, 18 each",
        ("european_american_names_7", "african_american_names_7"),
        ("pleasant_5", "unpleasant_5b"),
    ),
    Association(
        "the same, other attributes",
        ("european_american_names_7", "african_american_names_7"),
        ("pleasant_9", "unpleasant_9"),
    ),
    Association("men's and women's names: career, family", ("male_names", "female_names"), ("career", "family")),
    Association("mathematics and arts: male, female", ("math", "arts"), ("male_terms", "female_terms")),
    Association("science and arts: male, female", ("science", "arts_2"), ("male_terms_2", "female_terms_2")),
    Association("illness of mind and body: passing, lasting", ("mental_disease", "physical_disease"), (
        "temporary", "permanent")),
    Association("names of young and old", ("young_people_names", "old_people_names"), ("pleasant_9", "unpleasant_9")),
)  # fmt: skip
TEMPLATES = ("This is {}.", "That is {}.", "There is {}.", "Here is {}.", "{} is here.", "{} is there.")


def read_lists(path: Path) -> dict[str, list[str]]:
    """Name -> its words, from a JSON file. `UserError` names a list that is none."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} could not be read ({error}); remove its folder, and it is fetched again") from None
    with about(path, "remove its folder, and it is fetched again"):
        check("it", table, TABLE)
        return {name: read(table, name, list_of(TEXT)) for name in table}


def read_vectors(path: str | Path, wanted: set[str]) -> dict[str, np.ndarray]:
    """Word -> its vector, (D,), of the wanted words, from a text file: a word and its numbers on each line.

    A first line of two numbers, as word2vec and fastText write it, is left out; other words are passed over.
    `UserError` names a line that does not fit.
    """
    found: dict[str, np.ndarray] = {}
    size = None
    try:
        with open(path, encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, 1):
                word, *values = line.rstrip().split(" ")
                if (number == 1 and len(values) == 1) or word not in wanted or word in found:
                    continue
                found[word] = _vector(values, size, f"{path}, line {number}")
                size = len(values)
                if len(found) * size > MOST_NUMBERS:
                    raise UserError(f"{path} has vectors of {size:,} numbers, too many to keep; use shorter ones")
    except OSError as error:
        raise UserError(f"{path} could not be read ({error.strerror}); give a text file of word vectors") from None
    return found


def _vector(values: list[str], size: int | None, place: str) -> np.ndarray:
    try:
        vector = np.array(values, np.float64)
    except ValueError:
        vector = np.array([np.nan])
    if not vector.size or not np.isfinite(vector).all() or size not in (None, len(vector)):
        raise UserError(f"{place}: a word should be followed by {size or 'its'} numbers; mend the line or remove it")
    if not vector.any():
        raise UserError(f"{place}: the vector is zero, which is near to nothing; remove the line")
    return vector


def associations(
    first: np.ndarray, second: np.ndarray, one: np.ndarray, other: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """s(w) of every target: how much nearer it is to the attributes `one` than to `other`, by the mean cosine.

    All (N, D); returns (N,) for `first` and for `second`. Section "Methods" there.
    """
    one, other = _unit(one), _unit(other)
    near, far = ((_unit(some) @ one.T).mean(1) - (_unit(some) @ other.T).mean(1) for some in (first, second))
    return near, far


def _unit(rows: np.ndarray) -> np.ndarray:
    rows = rows / np.abs(rows).max(axis=1, keepdims=True)  # so that no square is too large, or too small
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def effect_size(near: np.ndarray, far: np.ndarray) -> float:
    """(mean of s over the first targets - over the second) / its standard deviation over both; between -2 and 2.

    Not a number where s is the same of all.
    """
    if np.ptp(np.concatenate([near, far])) < ALIKE:
        return math.nan
    return float((near.mean() - far.mean()) / np.concatenate([near, far]).std(ddof=1))


def associate(
    vectors: Mapping[str, np.ndarray], lists: Mapping[str, Sequence[str]], question: Association
) -> dict[str, Any]:
    """The effect size with a 95% interval over target words, the one-sided permutation p, and which words are missing.

    vectors: word -> (D,), or (T, D) where it stands in T sentences: then s is computed for each sentence, and what is
    drawn and parted anew is whole words, since the sentences of one word are alike. `UserError` where more than a fifth
    of a list has no vectors: what is left would be another question; for a list that shares a word with its opposite;
    for vectors without a direction; and where all targets lie equally near to both attributes.
    """
    for name in (*question.targets, *question.attributes):
        if name not in lists:
            raise UserError(f"there is no list {name}, but: {shown(list(lists))}; the question needs it")
    for one, other in (question.targets, question.attributes):
        if both := sorted({*lists[one]} & {*lists[other]}):
            raise UserError(f"{both[0]!r} is in {one} and in {other}, which are compared; leave it out of one of them")
    names = (*question.targets, *question.attributes)
    kept, missing = {}, []
    for name in names:
        known = {word: _known(vectors, word) for word in lists[name]}
        for word, vector in known.items():
            if vector is not None and not (np.isfinite(vector).all() and np.any(vector, axis=-1).all()):
                raise UserError(
                    f"the vector of {word!r} is zero or not finite, so it is near to nothing; mend the vectors"
                )
        missing += [word for word, vector in known.items() if vector is None]
        kept[name] = [np.atleast_2d(vector) for vector in known.values() if vector is not None]
        if len(kept[name]) < max(FEWEST, LEAST_SHARE * len(lists[name])):
            raise UserError(
                f"{len(kept[name])} of the {len(lists[name])} words of {name} have vectors, fewer than "
                f"{LEAST_SHARE:.0%}; use vectors that know more"
            )
    sizes = [len(kept[name]) for name in question.targets]
    targets, attributes = ([np.concatenate(kept[name]) for name in part] for part in (names[:2], names[2:]))
    times = len(kept[names[0]][0])
    near, far = (values.reshape(size, times) for values, size in zip(
        associations(*targets, *attributes), sizes, strict=True))  # fmt: skip
    effect = effect_size(near.ravel(), far.ravel())
    if math.isnan(effect):
        raise UserError(
            f"the words of {names[0]} and {names[1]} all lie equally near to {names[2]} and {names[3]}, so there is "
            "nothing to compare; use vectors that tell words apart"
        )
    rng = np.random.default_rng(SEED)
    drawn = np.array([
        effect_size(*(values[rng.integers(0, len(values), len(values))].ravel() for values in (near, far)))
        for _ in range(DRAWS)
    ])  # fmt: skip
    words = np.concatenate([near.mean(1), far.mean(1)])
    return {
        "question": question.name,
        "effect": interval_of(effect, drawn)._asdict(),
        "p": repartitioned(words, len(near)),
        "words": sizes,
        "missing": missing,
    }


def _known(vectors: Mapping[str, np.ndarray], word: str) -> np.ndarray | None:
    """The vector of a word, or of the same in small letters."""
    return vectors.get(word, vectors.get(word.lower()))
