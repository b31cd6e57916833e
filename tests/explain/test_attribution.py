"""Attributions: gradients are those of the number, what should sum sums on every architecture, what is planted is
found."""

import numpy as np
import pytest
from explained_models import question_of, start

from minigpt import Batch, Call, Transformer, TransformerConfig, UserError
from minigpt.check import CONFIGS
from minigpt.explain import (
    METHODS,
    ask,
    gradient,
    gradient_times_input,
    integrated,
    integrated_gradients,
    occlusion,
    shapley,
    smooth_gradient,
)
from minigpt.explain.integrated import AHEAD, NAME, summing


@pytest.mark.parametrize("name", CONFIGS)
def test_the_gradient_is_that_of_the_number(name):
    question = question_of(name)
    own = question.vectors()
    values, gradients = question.gradients_of({place: one[None] for place, one in own.items()})
    assert values[0] == pytest.approx(question.value(), rel=1e-12)
    rng = np.random.default_rng(1)
    for place, vectors in own.items():
        way = rng.standard_normal(vectors.shape)
        sides = [vectors + sign * 1e-6 * way for sign in (1, -1)]
        others = {other: np.stack([one, one]) for other, one in own.items() if other != place}
        up, down = question.values_of({**others, place: np.stack(sides)})
        assert (gradients[place][0] * way).sum() == pytest.approx((up - down) / 2e-6, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("name", CONFIGS)
def test_what_should_sum_sums_on_every_architecture(name):
    question = question_of(name)
    own, absent = question.vectors(), question.blank()
    whole, nothing = (
        question.values_of({place: one[None] for place, one in each.items()})[0] for each in (own, absent)
    )
    methods = [shapley(question, np.random.default_rng(0), permutations=2)]
    if question.model.config.experts:  # which experts a token uses changes in jumps, which no gradient sees
        with pytest.raises(UserError, match="a mixture of experts"):
            integrated_gradients(question)
    else:
        methods.append(integrated_gradients(question, most_steps=4096))
    for method in methods:
        assert method.difference == pytest.approx(whole - nothing, rel=1e-9)
        assert method.error < 0.005
        assert {place: array.shape for place, array in method.scores.items()} == {
            place: (len(one),) for place, one in own.items()
        }
    assert methods[0].error < 1e-9


IMAGES_AHEAD = ["an image ahead of a text", "halves of an image's sides ahead of a text"]


@pytest.mark.parametrize("name", ["GPT-2", "Whisper", "ViT", *IMAGES_AHEAD])
def test_only_looking_changes_no_bit(name):
    model, params, batch = start(name, dtype=np.float32)
    before, _ = model.forward(params, batch)
    seen = []
    after, _ = model.forward(params, batch, Call(hook=lambda name, x: seen.append(name) or x))
    assert seen
    assert np.array_equal(before, after)
    question = ask(model, params, batch, 1, against=0)
    own = {place: one[None] for place, one in question.vectors().items()}
    assert question.values_of(own)[0] == question.value()


def linear_question(weights):
    """A model without blocks' effect: its answer is linear in the embedding's mean, so every truth is known."""
    rng = np.random.default_rng(0)
    config = TransformerConfig(
        vocabulary_size=11, context=6, width=8, layers=1, heads=2, architecture="encoder", head="none", norm_place="pre"
    )
    model = Transformer(config)
    params = model.init(rng, dtype=np.float64)
    for name, array in params.items():
        if "output" in name or "down" in name:
            array[...] = 0
    return ask(model, params, np.array([[1, 2, 3, 4, 5]]), weights, position=2)


def test_only_the_position_that_is_asked_counts_where_nothing_is_mixed():
    question = linear_question(np.arange(8.0))
    for name, method in METHODS.items():
        scores = method.explain(question, np.random.default_rng(0)).flat()
        assert np.count_nonzero(np.abs(scores) > 1e-9) == 1, name
        assert np.abs(scores).argmax() == 2, name


def test_shapley_of_two_positions_is_the_mean_of_both_orders():
    question = question_of("GPT-2")
    pieces = {"embedding": [np.array([0, 2, 4]), np.array([1, 3, 5])]}
    own, absent = question.vectors()["embedding"], question.blank()["embedding"]
    first = np.isin(np.arange(6), [0, 2, 4])[:, None]
    none, one, two, both = question.values_of(
        {"embedding": np.stack([absent, np.where(first, own, absent), np.where(first, absent, own), own])}
    )
    found = shapley(question, np.random.default_rng(0), permutations=400, pieces=pieces)
    expected = (one - none + both - two) / 2
    sampled = found.scores["embedding"][[0, 2, 4]].sum()
    assert sampled == pytest.approx(expected, abs=0.2 * abs(one - none - both + two))
    assert found.total == pytest.approx(both - none)
    assert np.allclose(found.scores["embedding"][[0, 2, 4]], sampled / 3)
    assert (found.errors["embedding"] > 0).all()


def test_occlusion_is_what_is_lost():
    question = question_of("BERT, span")
    own, absent = question.vectors()["embedding"], question.blank()["embedding"]
    without = own.copy()
    without[3] = absent[3]
    expected = question.value() - question.values_of({"embedding": without[None]})[0]
    assert occlusion(question).scores["embedding"][3] == pytest.approx(expected)


def test_smooth_gradient_without_noise_is_the_gradient():
    question = question_of("GPT-2")
    still = smooth_gradient(question, np.random.default_rng(0), noise=0.0, samples=3)
    assert np.allclose(still.flat(), gradient(question).flat())
    moved = smooth_gradient(question, np.random.default_rng(0), noise=0.3, samples=3)
    assert not np.allclose(moved.flat(), still.flat())


def test_places_choose_what_is_explained():
    question = question_of("BART")
    both, source = gradient_times_input(question), gradient_times_input(question, places=["encoder.embedding"])
    assert list(both.scores) == ["embedding", "encoder.embedding"]
    assert list(source.scores) == ["encoder.embedding"]
    assert np.allclose(both.scores["encoder.embedding"], source.scores["encoder.embedding"])
    part = integrated_gradients(question, places=["encoder.embedding"])
    assert part.error < 0.005


def test_another_input_is_a_baseline():
    question = question_of("GPT-2")
    other = question.other(np.roll(question.batch.tokens, 1, axis=1))
    found = integrated_gradients(question, baseline=other.vectors())
    assert found.difference == pytest.approx(question.value() - other.value())


@pytest.mark.parametrize("name", ["GPT-2", "Whisper"])
def test_the_first_token_may_walk_ahead_of_the_others(name):
    question = question_of(name)
    own, absent = question.vectors(), question.blank()
    begun = {**absent, "embedding": np.concatenate([own["embedding"][:1], absent["embedding"][1:]])}
    alone, nothing = (question.values_of({p: v[None] for p, v in one.items()})[0] for one in (begun, absent))
    found = integrated_gradients(question, most_steps=4096, first_ahead=True)
    assert found.method == AHEAD and found.error < 0.005
    assert found.difference == pytest.approx(question.value() - nothing)
    assert found.scores["embedding"][0] == pytest.approx(alone - nothing)
    rest = integrated_gradients(question, most_steps=4096, baseline=begun)
    for place, scores in rest.scores.items():
        first = place == "embedding"
        np.testing.assert_allclose(found.scores[place][first:], scores[first:], rtol=0.02, atol=0.01)


def test_a_way_that_is_too_rough_is_not_gone(monkeypatch):
    question = question_of("GPT-2")
    assert summing(question).method == NAME
    walked = integrated.integrated_gradients

    def rough(*args, first_ahead=False, **settings):
        return walked(*args, first_ahead=first_ahead, **{**settings, "tolerance": 0.005 if first_ahead else 1e-12})

    monkeypatch.setattr("minigpt.explain.integrated.integrated_gradients", rough)
    assert summing(question).method == AHEAD
    other = question.other(np.roll(question.batch.tokens, 1, axis=1))
    monkeypatch.undo()
    assert summing(question, other=other).difference == pytest.approx(question.value() - other.value())
    with pytest.raises(UserError, match="first_ahead is about the first token"):
        integrated_gradients(question_of("Whisper"), places=["encoder.embedding"], first_ahead=True)


def test_what_does_not_sum_is_refused():
    question = question_of("GPT-2")
    with pytest.raises(UserError, match="on pieces of the way they miss"):
        integrated_gradients(question, tolerance=1e-11, most_steps=16)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"target": 13}, "is not among the 13 answers"),
        ({"target": True}, "is not among the 13 answers"),
        ({"target": 1, "against": -1}, "is not among"),
        ({"target": 1, "position": 6}, "position 6 is not among the 6"),
        ({"target": 1, "position": "last"}, "must be a whole number or 'mean'"),
        ({"target": np.zeros(5)}, "a direction of shape"),
    ],
)
def test_a_question_that_has_no_answer_is_refused(settings, words):
    model, params, batch = start("GPT-2")
    with pytest.raises(UserError, match=words):
        ask(model, params, batch, **settings)


def test_inputs_that_do_not_fit_are_refused():
    model, params, batch = start("GPT-2")
    question = ask(model, params, batch, 1)
    with pytest.raises(UserError, match="one input is explained at a time"):
        ask(model, params, np.zeros((2, 3), int), 1)
    with pytest.raises(UserError, match="of the same length"):
        question.other(Batch(batch.tokens[:, :-1]))
    with pytest.raises(UserError, match="baseline of embedding"):
        integrated_gradients(question, baseline={"embedding": np.zeros((1, 30))})
    with pytest.raises(UserError, match="no place 'source'"):
        gradient(question, places=["source"])
    with pytest.raises(UserError, match="hold each of its 6 positions once"):
        occlusion(question, pieces={"embedding": [np.arange(4)]})
