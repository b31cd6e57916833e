"""What simple classifiers reach beside a model, on the same examples."""

import numpy as np
import pytest
from conftest import published

from minigpt.finetune.examples import Example
from minigpt.finetune.rivals import beside_rivals
from minigpt.finetune.tasks import Setup
from minigpt.measure.vader import VADER
from minigpt.text.records import Record

TEXTS = ["a good film", "a bad film", "good, so good", "bad bad", "good story", "a bad end", "good and good"]


def setup_and_examples(labels):
    setup = Setup(None, 10, labels, {})
    targets = [int("good" in text) for text in TEXTS]
    ids = np.zeros(1, np.int64)
    return setup, [
        Example(ids, target, record=Record({"text": text}, "")) for text, target in zip(TEXTS, targets, strict=True)
    ]


def test_a_model_is_compared_example_by_example():
    setup, examples = setup_and_examples(("no", "yes"))
    said = [{"label": "no"} for _ in examples]
    found = beside_rivals(examples, examples, said, setup)
    assert set(found) == {"most frequent class", "TF-IDF"}
    assert found["most frequent class"]["accuracy"]["value"] == pytest.approx(4 / 7)
    assert found["TF-IDF"]["accuracy"]["value"] == 1.0
    assert found["TF-IDF"]["model_is_better_by"]["value"] == pytest.approx(-4 / 7)


def test_rules_stand_beside_a_classifier_of_sentiments():
    published(VADER)
    setup, examples = setup_and_examples(("negative", "positive"))
    found = beside_rivals(examples, examples, [{"label": "positive"} for _ in examples], setup)
    assert found["VADER's rules"]["accuracy"]["value"] == 1.0
