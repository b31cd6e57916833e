"""Every planted bug, and every known mistake of the plain exercises, is refused and named."""

import inspect
import json

import numpy as np
import pytest
from conftest import thorough
from recorded import FILE, record

from minigpt.check import CASES, CONFIGS, OPERATIONS, PLANTED, diagnose_model, diagnose_optimizer, find_case
from minigpt.check.planted.bug import SETTINGS
from minigpt.grade import EXERCISES
from minigpt.grade.exercise import Wrong
from minigpt.grade.operation import JOINED, judge_forward, judge_operation
from minigpt.grade.plain import judge_plain
from minigpt.grade.sandbox import Direct
from minigpt.model import Transformer
from minigpt.optim import adamw, clip_by_global_norm, sgd

pytestmark = pytest.mark.usefixtures("patient_grader")
KINDS = {kind: [bug for bug in PLANTED if bug.kind == kind] for kind in ("backward", "forward", "model", "optimizer")}
PLAIN = [exercise for exercise in EXERCISES.values() if exercise.right]
MISTAKES = [(exercise, mistake) for exercise in PLAIN for mistake in exercise.mistakes]


def bugs(kind):
    return pytest.mark.parametrize("bug", KINDS[kind], ids=lambda bug: f"{bug.operation}: {bug.name}")


def said(operation, **functions):
    with pytest.raises(Wrong) as wrong:
        judge_operation(operation, Direct(**functions))
    return wrong.value.likely


def test_there_are_many():
    assert sum(map(len, KINDS.values())) == len(PLANTED) >= 130
    assert len(MISTAKES) >= 25


@thorough
@bugs("backward")
def test_wrong_backwards(bug):
    forward = bug.forward or OPERATIONS[bug.operation].forward
    likely = said(bug.operation, **{f"{bug.operation}_forward": forward, f"{bug.operation}_backward": bug.wrong})
    assert likely in {other.explanation for other in KINDS["backward"] if other.operation == bug.operation}
    assert likely == bug.explanation or same_numbers(bug, likely)


def same_numbers(bug, likely):
    """Whether the bug that was named gives what this one gives, so that nobody could tell them apart."""
    other = next(b for b in KINDS["backward"] if b.explanation == likely and b.operation == bug.operation)
    arrays, options = find_case(bug.case).inputs()
    y = OPERATIONS[bug.operation].forward(*arrays, **options)[0]
    dy = np.random.default_rng(0).standard_normal(np.shape(y))
    pairs = zip(bug.gradients(arrays, options, dy), other.gradients(arrays, options, dy), strict=True)
    return any(np.allclose(a, b) for a, b in pairs)


@bugs("forward")
def test_wrong_forwards(bug):
    with pytest.raises(Wrong) as wrong:
        judge_forward(find_case(bug.case), Direct(**{f"{bug.operation}_forward": bug.wrong}))
    assert wrong.value.likely == bug.explanation


@bugs("model")
def test_wrong_models(bug):
    assert bug in diagnose_model(bug.wrong(CONFIGS[bug.case]))


@bugs("optimizer")
def test_wrong_optimizers(bug):
    settings = {} if bug.operation == "clip" else SETTINGS[bug.case]
    assert bug in diagnose_optimizer(bug.wrong, bug.operation, **settings)


def test_what_is_right_is_no_bug():
    for config in CONFIGS.values():
        assert diagnose_model(Transformer(config)) == []
    assert diagnose_optimizer(adamw, "adamw", **SETTINGS["adamw"]) == []
    assert diagnose_optimizer(sgd, "sgd", **SETTINGS["momentum"]) == []
    assert diagnose_optimizer(clip_by_global_norm, "clip") == []


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_reference_passes(operation):
    forward, backward = OPERATIONS[operation]
    said = judge_operation(operation, Direct(**{f"{operation}_forward": forward, f"{operation}_backward": backward}))
    count = sum(case.operation == operation for case in CASES) + (operation in JOINED)
    assert said == f"{operation}_forward and {operation}_backward are right in " + (
        "one case" if count == 1 else f"{count} cases"
    )


@pytest.mark.parametrize("exercise", PLAIN, ids=lambda exercise: exercise.name)
def test_right_functions_pass(exercise):
    assert "is right" in judge_plain(exercise, Direct(**{exercise.name: exercise.right}))


@pytest.mark.parametrize(("exercise", "mistake"), MISTAKES, ids=lambda it: getattr(it, "name", "") or it.__name__)
def test_wrong_functions(exercise, mistake):
    with pytest.raises(Wrong) as wrong:
        judge_plain(exercise, Direct(**{exercise.name: mistake}))
    assert wrong.value.likely == " ".join(inspect.getdoc(mistake).split())


@pytest.mark.parametrize("exercise", PLAIN, ids=lambda exercise: exercise.name)
def test_what_is_asked_and_answered_is_what_was_recorded(exercise):
    recorded = json.loads(FILE.read_text(encoding="utf-8"))[exercise.name]
    assert record(exercise) == pytest.approx(recorded, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("seed", [10**12])
def test_other_questions_show_the_same_mistakes(seed):
    """Questions are drawn for each run: whichever they are, every mistake shows, and is named."""
    for exercise, mistake in MISTAKES:
        with pytest.raises(Wrong) as wrong:
            judge_plain(exercise, Direct(**{exercise.name: mistake}), seed)
        assert wrong.value.likely == " ".join(inspect.getdoc(mistake).split())
    for operation in ("relu", "softmax", "linear", "layer_norm", "rms_norm", "gated", "router", "gelu_tanh"):
        forward, backward = OPERATIONS[operation]
        pair = {f"{operation}_forward": forward, f"{operation}_backward": backward}
        assert "are right in" in judge_operation(operation, Direct(**pair), seed)
