"""Every head is built, described, scored and taught, and reads just those fields that its record names."""

from dataclasses import replace

import numpy as np
import pytest

from minigpt import Batch, Transformer, TransformerConfig, UserError
from minigpt.check import CONFIGS
from minigpt.check.model import random_params
from minigpt.model import head as head_module
from minigpt.model.head import HEAD_FIELDS, HEADS
from minigpt.objectives import loss_and_gradient

SIZES = {"vocabulary_size": 13, "context": 6, "width": 8, "layers": 1, "heads": 2, "architecture": "encoder"}
RNG = np.random.default_rng(6)
TOKENS = RNG.integers(0, 13, (3, 5))
PRESENT = np.arange(5) < np.array([[5], [3], [4]])
OTHER = {"labels": 4, "pooled": "last", "pooler": False, "head_bias": False, "tied": False}


def start(head, **choices):
    model = Transformer(TransformerConfig(**{**SIZES, "head": head, "labels": 3, "head_bias": True, **choices}))
    return model, random_params(model, np.random.default_rng(1))


def batch_for(head):
    """A batch with what the head is asked for; 2 is a label that every head knows how to take, or a token."""
    asked, classes = HEADS[head].asked, 2 if head != "sequence" else 3
    targets = RNG.integers(0, 3, TOKENS.shape) if "targets" in asked else None
    labels = (
        RNG.integers(0, classes, 3) if "labels" in asked else RNG.integers(0, 5, (3, 2)) if "spans" in asked else None
    )
    return Batch(TOKENS, targets, labels, PRESENT)


@pytest.mark.parametrize("head", HEADS)
def test_every_head_is_checked_and_described(head):
    assert any(config.head == head for config in CONFIGS.values()), "add a configuration to minigpt/check/model.py"
    assert f"\n{head}: " in head_module.__doc__
    assert len(HEADS[head].answers) == len(HEADS[head].asked)


@pytest.mark.parametrize("head", HEADS)
def test_every_head_that_a_configuration_names_is_built_scored_and_taught(head):
    model, params = start(head)
    record = HEADS[head]
    arrays = record.arrays(model.config)
    assert arrays.items() <= model.arrays().items()
    batch = batch_for(head)
    if not record.asked:
        assert not arrays
        with pytest.raises(UserError, match="says nothing that could be scored"):
            loss_and_gradient(model, params, batch)
        return
    loss, grads = loss_and_gradient(model, params, batch)
    assert np.isfinite(loss)
    assert loss > 0.1
    for name in arrays:
        shift = record.asked == ("spans",) and name == "classifier.bias"  # softmax over the tokens does not see it
        assert shift or np.abs(grads[name]).max() > 1e-6, name
    for kind in {"targets" if asked == "targets" else "labels" for asked in record.asked}:
        with pytest.raises(UserError, match=f"a {head} head is scored against {kind}, but the batch has none"):
            loss_and_gradient(model, params, batch._replace(**{kind: None}))


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("field", HEAD_FIELDS)
def test_a_head_reads_just_the_fields_that_its_record_names(head, field):
    """Another value of such a field changes the arrays, or the answers; of another field it changes nothing."""
    model, params = start(head)
    other = Transformer(replace(model.config, **{field: OTHER[field]}))
    same = other.arrays() == model.arrays()
    if same:
        answers = (each.forward(params, Batch(TOKENS, present=PRESENT))[0] for each in (model, other))
        ours, theirs = (answer if isinstance(answer, tuple) else (answer,) for answer in answers)
        same = all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert same == (field not in HEADS[head].fields)


@pytest.mark.parametrize("pooled", ["last", "mean"])
def test_padding_that_only_the_tokens_tell_stands_for_no_sequence(pooled):
    tokens = np.where(PRESENT, np.where(TOKENS == 7, 8, TOKENS), 7)
    model, params = start("sequence", architecture="decoder", pooled=pooled, padding=7)
    together = model.forward(params, Batch(tokens))[0]
    for row, real, found in zip(tokens, PRESENT, together, strict=True):
        np.testing.assert_allclose(found, model.forward(params, Batch(row[None, real]))[0][0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("pooled", ["last", "mean"])
@pytest.mark.parametrize("head", HEADS)
def test_no_head_looks_at_padding(head, pooled):
    """What a head says of real tokens does not change with what stands in the padding."""
    model, params = start(head, pooled=pooled)
    other = np.where(PRESENT, TOKENS, (TOKENS + 1) % 13)
    answers = (model.forward(params, Batch(tokens, present=PRESENT))[0] for tokens in (TOKENS, other))
    ours, theirs = (answer if isinstance(answer, tuple) else (answer,) for answer in answers)
    for one, two in zip(ours, theirs, strict=True):
        real = PRESENT if one.ndim == 3 else slice(None)
        np.testing.assert_allclose(one[real], two[real], rtol=0, atol=1e-12)


def test_the_mean_of_all_tokens_that_are_real_stands_for_a_sequence():
    model, params = start("sequence", pooled="mean", pooler=False)
    batch = Batch(TOKENS, present=PRESENT)
    states, _ = model.hidden_states(params, batch)
    mean = np.stack([row[real].mean(axis=0) for row, real in zip(states, PRESENT, strict=True)])
    expected = mean @ params["classifier.weight"] + params["classifier.bias"]
    np.testing.assert_allclose(model.forward(params, batch)[0], expected, rtol=0, atol=1e-12)
