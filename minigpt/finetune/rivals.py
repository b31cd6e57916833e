"""What simple classifiers reach on the same examples, and by how much the model is better."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigpt.finetune.examples import Example
from minigpt.finetune.tasks import Setup
from minigpt.measure.classes import beside
from minigpt.measure.rivals import LogisticRegression, TfIdf, chosen_strength
from minigpt.measure.vader import VADER, read_lexicon, vader
from minigpt.text.fetch import is_kept, package_folder

SENTIMENTS = ("negative", "positive")
MOST_WEIGHTS = 2_000_000  # of the linear model: L-BFGS remembers twenty times as many numbers


def beside_rivals(
    training: Sequence[Example], examples: Sequence[Example], answers: Sequence[dict[str, Any]], setup: Setup
) -> dict[str, Any]:
    """Accuracy of each rival of a classifier, with its interval; and the model's less the rival's, example by example.

    Rivals: always the most frequent class of training; a linear model on TF-IDF of words and pairs of words; VADER's
    rules, where the classes are negative and positive and its lexicon is on this machine, as with film and the like.
    """
    targets = np.array([example.target for example in examples])
    right = np.array([answer["label"] for answer in answers]) == np.array(setup.labels)[targets]
    rivals = {"most frequent class": _usual(training), "TF-IDF": _linear(training, examples, setup)}
    if setup.labels == SENTIMENTS and is_kept(VADER):
        rivals["VADER's rules"] = _by_rules(examples, setup)
    return beside(right, {name: said == targets for name, said in rivals.items()})


def _usual(training: Sequence[Example]) -> np.ndarray:
    return np.array([np.bincount([example.target for example in training]).argmax()])


def _linear(training: Sequence[Example], examples: Sequence[Example], setup: Setup) -> np.ndarray:
    """What the linear model says to each example, (N,)."""
    texts, asked = ([_text(example, setup) for example in some] for some in (training, examples))
    words = TfIdf(texts, MOST_WEIGHTS // len(setup.labels))
    x, targets, classes = words.matrix(texts), np.array([one.target for one in training]), len(setup.labels)
    model = LogisticRegression(x, targets, classes, strength=chosen_strength(x, targets, classes))
    return model.probabilities(words.matrix(asked)).argmax(axis=1)


def _by_rules(examples: Sequence[Example], setup: Setup) -> np.ndarray:
    """1 where the rules find more that is positive, (N,)."""
    lexicon = read_lexicon(package_folder(VADER))
    return np.array([vader(_text(example, setup), lexicon) >= 0 for example in examples]).astype(int)


def _text(example: Example, setup: Setup) -> str:
    """The text of an example, or both."""
    columns = [setup.column("text"), *filter(None, [setup.columns.get("second")])]
    return "\n".join(example.record.text(column) for column in columns)
