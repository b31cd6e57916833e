"""Patching: everything gives the other input's answer, nothing one's own; paths, estimates and ablation are what they
say."""

import numpy as np
import pytest
from explained_models import one_row, question_of

from minigpt import Call, UserError
from minigpt.check import CONFIGS
from minigpt.check.model import random_batch
from minigpt.explain import (
    Place,
    ablating,
    activation_patching,
    attribution_patching,
    mean_activations,
    patch,
    path_patching,
)
from minigpt.explain.patching import donor_of, patching


def two(name, dtype=np.float64):
    question = question_of(name, dtype=dtype)
    return question, question.other(one_row(random_batch(question.model.config, np.random.default_rng(8))))


@pytest.mark.parametrize("name", CONFIGS)
def test_patching_everything_gives_the_other_inputs_answer_to_the_bit(name):
    question, other = two(name, np.float32)
    expected, _ = other.model.forward(other.params, other.batch)
    donor = donor_of(other)
    places = [Place(place) for place in donor if not place.endswith(("scores", "weights")) and ".experts." not in place]
    found, _ = question.model.forward(question.params, question.batch, Call(hook=patching(places, donor)))
    pairs = zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]
    assert all(np.array_equal(*pair) for pair in pairs)
    assert patch(question, other, [Place(place) for place in question.lengths()]) == other.value()
    assert patch(question, other, []) == question.value()


def test_a_patch_in_a_decoder_reaches_no_position_before_it():
    question, other = two("GPT-2")
    last = activation_patching(question, other)
    assert last.shape == (2, 6)
    assert np.allclose(last[-1], [0, 0, 0, 0, 0, 1])  # after the last block only the last position speaks
    first = activation_patching(question, other, "attention.output")
    assert np.allclose(first[1, :-1], 0)
    assert not np.allclose(first[0, :-1], 0)
    heads = activation_patching(question, other, "heads")
    assert heads.shape == (2, 6)


def test_the_estimate_is_the_slope_of_patching():
    question, other = two("GPT-2")
    near = question.other(question.batch)
    own, away = donor_of(question), donor_of(other)
    name = "blocks.0.attention.heads"
    step = 1e-5
    nudged = {name: own[name] + step * (away[name] - own[name])}
    slopes = [
        (near.value(Call(hook=patching([Place(name, heads=(head,))], nudged))) - question.value()) / step
        for head in range(6)
    ]
    difference = other.value() - question.value()
    assert np.allclose(attribution_patching(question, other, "heads")[0], np.array(slopes) / difference, rtol=1e-3)
    assert attribution_patching(question, other, "feed_forward.output").shape == (2, 6)


def test_a_path_to_the_end_is_what_a_head_writes_itself():
    question, other = two("GPT-2")
    sender = [Place("blocks.0.attention.heads", heads=(1,))]
    direct = path_patching(question, other, sender, [Place("final")])
    whole = patch(question, other, sender)
    assert direct != question.value()
    assert direct != whole  # later layers answer to it
    last = [Place("blocks.1.attention.heads", heads=(1,))]
    # through the query of a later head, and the same of a head before the sender: no way leads there
    assert path_patching(question, other, sender, [Place("blocks.1.attention.query", heads=(2,))]) != question.value()
    assert path_patching(question, other, last, [Place("blocks.0.attention.query")]) == question.value()
    none = path_patching(question, other, [], [Place("final")])
    assert none == pytest.approx(question.value(), rel=1e-12)


def test_ablation_silences_heads_and_neurons():
    question, other = two("modern, grouped heads")
    seen = {}
    call = ablating([(0, 1), (1, 0)], [(1, 3)], call=Call(hook=seen.setdefault))
    assert question.value(call) != question.value()
    assert not seen["blocks.0.attention.heads"][:, 1].any()
    assert seen["blocks.0.attention.heads"][:, 0].any()
    assert not seen["blocks.1.feed_forward.hidden"][..., 3].any()
    means = mean_activations([question, other], lambda name: name.endswith(("heads", "hidden")))
    call = ablating([(0, 1)], [(1, 3)], means=means, call=Call(hook=lambda name, x: seen.update({name: x}) or x))
    question.value(call)
    expected = np.mean(
        [donor_of(one)["blocks.0.attention.heads"][0, 1].mean(axis=0) for one in (question, other)], axis=0
    )
    assert np.allclose(seen["blocks.0.attention.heads"][0, 1], expected)
    assert np.ptp(seen["blocks.1.feed_forward.hidden"][..., 3]) == 0


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda q, o: patch(q, o, [Place("blocks.7.residual_post")]), "no activation of this model is called"),
        (lambda q, o: patch(q, o, [Place("embedding", heads=(1,))]), "has no heads to choose from"),
        (lambda q, o: patch(q, o, [Place("blocks.0.attention.heads", heads=(9,))]), "has no head 9"),
        (lambda q, o: patch(q, o, [Place("embedding", positions=(9,))]), "has no position 9"),
        (lambda q, o: activation_patching(q, q), "no difference to find"),
        (lambda q, o: activation_patching(q, o, "logits"), "cannot be patched part by part"),
        (lambda q, o: q.value(ablating([(0, 6)])), "has 6 parts"),
    ],
)
def test_what_is_not_there_is_refused(act, words):
    with pytest.raises(UserError, match=words):
        act(*two("GPT-2"))
