"""What one registry has, all have: whoever adds an operation or an activation is told here what is missing."""

import importlib
import pkgutil
import re
from pathlib import Path

import numpy as np
import pytest
from drawn import BUILDERS

from minigpt import ops
from minigpt.check import CASES, PLANTED
from minigpt.measure.ledger import held
from minigpt.model.config import CHOICES
from minigpt.ops import ACTIVATIONS, OPERATIONS
from minigpt.pretrained.families.family import OURS

README = Path(__file__).parents[2] / "README.md"


def pairs():
    """NAME of every public NAME_forward and NAME_backward that a module of `minigpt.ops` defines."""
    found = {"forward": set(), "backward": set()}
    for info in pkgutil.iter_modules(ops.__path__):
        module = importlib.import_module(f"minigpt.ops.{info.name}")
        for name, value in vars(module).items():
            stem, _, kind = name.rpartition("_")
            if kind in found and stem and getattr(value, "__module__", "") == module.__name__:
                found[kind].add(stem)
    return found


def test_every_pair_is_an_operation_or_at_least_an_activation():
    known = set(OPERATIONS) | set(ACTIVATIONS)
    assert pairs() == {"forward": known, "backward": known}
    assert set(ACTIVATIONS) - set(OPERATIONS) == {"identity"}  # which has nothing in it to get wrong


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_has_a_case_a_planted_bug_and_drawn_shapes(name):
    assert OPERATIONS[name] == (getattr(ops, f"{name}_forward"), getattr(ops, f"{name}_backward"))
    assert name in {case.operation for case in CASES}, "give it a Case in minigpt/check/cases.py"
    bugs = {bug.operation for bug in PLANTED if bug.kind == "backward"}
    assert name in bugs, "plant a mistake of its backward in minigpt/check/planted"
    assert name in BUILDERS, "draw shapes for it in tests/ops/drawn.py"


def test_no_table_knows_an_operation_that_is_not_there():
    operations = {bug.operation for bug in PLANTED if bug.kind in ("backward", "forward")}
    assert {case.operation for case in CASES} == operations == set(BUILDERS) == set(OPERATIONS)
    assert {bug.case for bug in PLANTED if bug.kind in ("backward", "forward")} <= {case.name for case in CASES}
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_can_be_chosen_gated_published_and_billed(name):
    operation, kept, published, _ = ACTIVATIONS[name]
    assert name in CHOICES["activation"]
    assert f"gated, {name}" in {case.name for case in CASES}
    assert name == "identity" or OPERATIONS[name] == operation
    assert published, "say what Hugging Face's files call it"
    assert {OURS[theirs] for theirs in published} == {name}
    x = np.linspace(-2, 2, 1000)
    assert held(operation.forward(x)) == kept * x.nbytes


def test_no_published_name_means_two_activations():
    assert len(OURS) == sum(len(activation.published) for activation in ACTIVATIONS.values())


def test_the_readme_counts_the_planted_bugs():
    (count,) = re.findall(r"(\d+) plausible mistakes are planted", README.read_text(encoding="utf-8"))
    assert int(count) == len(PLANTED)
