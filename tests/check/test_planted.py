"""No wrong gradient gets past the checks: every planted bug is refused, and recognized by its numbers."""

import re
from collections import Counter

import numpy as np
import pytest

from minigpt.check import (
    CASES,
    OPERATIONS,
    PLANTED,
    check_clip,
    check_forward,
    check_optimizer,
    diagnose,
    diagnose_forward,
    find_case,
)
from minigpt.check.contract import as_list, upstream
from minigpt.check.model import CONFIGS
from minigpt.check.planted import diagnose_model, sight
from minigpt.check.planted.attention import textbook_backward, textbook_forward
from minigpt.check.planted.bug import SETTINGS
from minigpt.model import Transformer
from minigpt.optim import adamw, clip_by_global_norm, sgd


def each(kind):
    return pytest.mark.parametrize(
        "bug", [bug for bug in PLANTED if bug.kind == kind], ids=lambda bug: f"{bug.operation}: {bug.name}"
    )


def inputs(name):
    """Arrays and options of a case, and an upstream gradient."""
    case = find_case(name)
    arrays, options = case.inputs()
    y = OPERATIONS[case.operation].forward(*arrays, **options)[0]
    return arrays, options, upstream(np.random.default_rng(3), np.shape(y))


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: f"{bug.operation}: {bug.name}")
def test_every_planted_bug_is_refused(bug):
    refusal = bug.refusal()
    assert refusal is not None
    # Its numbers are refused, not a slip in its code.
    assert re.search(r" is wrong|has shape \(2, 3, 4\), but it must|^clipping (to|returned)", refusal)


@each("backward")
def test_a_wrong_gradient_is_recognized(bug):
    arrays, options, dy = inputs(bug.case)
    assert diagnose(bug.operation, arrays, options, dy, bug.gradients(arrays, options, dy)) == [bug]


@each("forward")
def test_a_wrong_forward_is_recognized(bug):
    arrays, options, _ = inputs(bug.case)
    assert diagnose_forward(bug.operation, arrays, options, bug.wrong(*arrays, **options)[0]) == [bug]


@each("model")
def test_a_wrong_model_is_recognized(bug):
    assert bug in diagnose_model(bug.wrong(CONFIGS[bug.case]))


@pytest.mark.parametrize("bug", sight.BUGS, ids=lambda bug: bug.name)
def test_a_mistake_of_sight_is_told_from_the_others(bug):
    assert diagnose_model(bug.wrong(CONFIGS[bug.case])) == [bug]
    assert diagnose_model(Transformer(CONFIGS[bug.case])) == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_right_is_not_refused_and_has_no_diagnosis(case):
    case.check().raise_if_wrong()
    arrays, options, dy = inputs(case.name)
    forward, backward = OPERATIONS[case.operation]
    y, cache = forward(*arrays, **options)
    assert diagnose(case.operation, arrays, options, dy, as_list(backward(dy, cache))) == []
    assert diagnose_forward(case.operation, arrays, options, y) == []
    check_forward(forward, forward, *arrays, **options)


@pytest.mark.parametrize("case", [c for c in CASES if c.operation == "attention"], ids=lambda case: case.name)
def test_the_textbook_attention_that_the_bugs_vary_is_right(case):
    arrays, options = case.inputs()
    check_forward(textbook_forward, OPERATIONS["attention"].forward, *arrays, **options)
    case.check(textbook_forward, textbook_backward).raise_if_wrong()


def test_two_mistakes_at_once_are_both_named():
    arrays, options, dy = inputs("attention, all at once")
    gradients = list(textbook_backward(dy, textbook_forward(*arrays, **options)[1]))
    bugs = {bug.name: bug for bug in PLANTED if bug.operation == "attention" and bug.kind == "backward"}
    for i, name in enumerate(["dquery unscaled", None, "dvalue before dropout"]):
        if name is not None:
            gradients[i] = bugs[name].gradients(arrays, options, dy)[i]
    found = diagnose("attention", arrays, options, dy, gradients)
    assert [bug.name for bug in found] == ["dquery unscaled", "dvalue before dropout"]


@pytest.mark.parametrize("case", SETTINGS)
def test_the_optimizers_that_the_bugs_vary_are_right(case):
    make, name = (adamw, "adamw") if case == "adamw" else (sgd, "sgd")
    check_optimizer(make, name, **SETTINGS[case])
    check_clip(clip_by_global_norm)


def test_an_unknown_mistake_has_no_diagnosis():
    arrays, options, dy = inputs("softmax")
    assert diagnose("softmax", arrays, options, dy, [np.full_like(dy, 0.123)]) == []


def test_the_collection():
    kinds = Counter(bug.kind for bug in PLANTED)
    assert kinds["backward"] >= 60
    assert kinds["forward"] >= 15
    assert kinds["model"] >= 10
    assert kinds["optimizer"] >= 15
    names = Counter((bug.kind, bug.operation, bug.name) for bug in PLANTED)
    assert max(names.values()) == 1
    assert {bug.operation for bug in PLANTED if bug.kind == "backward"} == set(OPERATIONS)


def test_each_has_one_sentence_for_the_student():
    for bug in PLANTED:
        one_sentence = bug.explanation.endswith(".") and ". " not in bug.explanation
        assert one_sentence and 40 <= len(bug.explanation) <= 200, bug
