"""One loss for every head, refusals that say why, and mixtures."""

from dataclasses import replace

import numpy as np
import pytest

from minigpt import Batch, Transformer, TransformerConfig, UserError
from minigpt.objectives import TRAINS, causal_lm, loss, loss_and_gradient, masked_lm, mixture, scored
from minigpt.ops import IGNORED
from minigpt.train import BatchGradient
from minigpt.train.gradient import split_rows

SIZES = {"vocabulary_size": 13, "context": 7, "width": 20, "layers": 2, "heads": 4, "init_std": 0.3}


def model_of(**choices):
    model = Transformer(TransformerConfig(**SIZES, **choices))
    return model, model.init(np.random.default_rng(0), dtype=np.float64)


def nats(logits, targets):
    """Straight from the definition."""
    logits = logits - logits.max(axis=-1, keepdims=True)
    log = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    return -np.mean([log[(*place, target)] for place, target in np.ndenumerate(targets) if target != IGNORED])


RNG = np.random.default_rng(5)
TOKENS = RNG.integers(0, 13, (3, 6))
TARGETS = np.where(RNG.random((3, 6)) < 0.5, RNG.integers(0, 13, (3, 6)), IGNORED)
LABELS, ENDS = np.array([1, 0, 1]), np.array([[0, 2], [1, 1], [3, 5]])


def test_pretraining_adds_two_means():
    model, params = model_of(architecture="encoder", head="pretraining")
    batch = Batch(TOKENS, TARGETS, LABELS)
    masked, follows = model.forward(params, batch)[0]
    assert loss(model, params, batch) == pytest.approx(nats(masked, TARGETS) + nats(follows, LABELS), abs=1e-12)
    assert scored(batch) == (np.count_nonzero(TARGETS != IGNORED), 3)


def test_span_is_the_mean_of_both_ends():
    model, params = model_of(architecture="encoder", head="span")
    batch = Batch(TOKENS, labels=ENDS)
    output = model.forward(params, batch)[0]
    starts, ends = nats(output[..., 0], ENDS[:, 0]), nats(output[..., 1], ENDS[:, 1])
    assert loss(model, params, batch) == pytest.approx((starts + ends) / 2, abs=1e-12)


@pytest.mark.parametrize(
    ("choices", "batch"),
    [
        ({"head": "language"}, Batch(TOKENS, TARGETS)),
        ({"architecture": "encoder", "head": "masked"}, Batch(TOKENS, TARGETS)),
        ({"architecture": "encoder", "head": "pretraining"}, Batch(TOKENS, TARGETS, LABELS)),
        ({"architecture": "encoder", "head": "sequence"}, Batch(TOKENS, labels=LABELS)),
        ({"architecture": "encoder", "head": "token", "labels": 13}, Batch(TOKENS, TARGETS)),
        ({"architecture": "encoder", "head": "span"}, Batch(TOKENS, labels=ENDS)),
        ({"architecture": "encoder-decoder"}, Batch(TOKENS, TARGETS, source=TOKENS[:, ::-1])),
    ],
)
def test_parts_of_a_batch_add_up_to_the_whole(choices, batch):
    model, params = model_of(**choices)
    value, grads = loss_and_gradient(model, params, batch)
    assert value == loss(model, params, batch)
    parts = BatchGradient(model, params, threads=2)
    together, summed = parts(params, [batch], step=0)
    parts.close()
    assert together == pytest.approx(value, abs=1e-12)
    np.testing.assert_allclose(summed.flat, grads.flat, rtol=1e-9, atol=1e-13)
    assert [part.objective for part in split_rows(batch._replace(objective="x"), 2)] == ["x", "x"]


@pytest.mark.parametrize("choices", [{}, {"architecture": "encoder", "head": "sequence"}], ids=["targets", "labels"])
def test_halves_that_are_alike_balance_experts_as_the_whole_does(choices):
    model, params = model_of(experts=3, experts_per_token=2, load_balancing=5.0, **choices)
    half = Batch(TOKENS, labels=LABELS) if choices else Batch(TOKENS, TARGETS)
    whole = scored(half) + scored(half)
    _, grads = loss_and_gradient(model, params, half)
    _, part = loss_and_gradient(model, params, half, counts=whole)
    np.testing.assert_allclose(2 * part.flat, grads.flat, rtol=1e-9, atol=1e-13)
    unbalanced = Transformer(replace(model.config, load_balancing=0.0))
    assert np.abs(loss_and_gradient(unbalanced, params, half)[1].flat - grads.flat).max() > 1e-3


@pytest.mark.parametrize(("choices", "batch", "missing"), [
    ({}, Batch(TOKENS), "scored against targets"),
    ({"head": "sequence"}, Batch(TOKENS, TARGETS), "scored against labels"),
    ({"head": "none"}, Batch(TOKENS, TARGETS), "without a head"),
])  # fmt: skip
def test_what_cannot_be_scored_is_named(choices, batch, missing):
    model, params = model_of(**choices)
    with pytest.raises(UserError, match=missing):
        loss(model, params, batch)


def test_labels_that_are_no_whole_numbers_are_refused():
    """-1.0 would count as a target here and be ignored there."""
    model, params = model_of(head="sequence")
    with pytest.raises(UserError, match="labels are float64 values, but classes and tokens are whole numbers"):
        scored(Batch(TOKENS, labels=LABELS.astype(float)))
    with pytest.raises(UserError, match="targets are float64 values"):
        loss_and_gradient(
            model,
            params,
            Batch(TOKENS, TARGETS.astype(float), LABELS),
            counts=scored(Batch(TOKENS, TARGETS.astype(float))),
        )


def test_next_token_loss_on_an_encoder_is_refused_with_the_reason():
    model, params = model_of(architecture="encoder")
    batch = causal_lm(np.append(TOKENS, TOKENS[:, :1], axis=1))
    for function in (loss, loss_and_gradient):
        with pytest.raises(UserError, match=r"causal_lm cannot train an encoder: .* sees the token after it"):
            function(model, params, batch)
        function(model, params, batch, against_advice=True)


def test_masks_on_a_decoder_are_refused_with_the_reason():
    model, params = model_of()
    batch = masked_lm(TOKENS, np.random.default_rng(0), mask=12, vocabulary_size=13)
    with pytest.raises(UserError, match=r"masked_lm cannot train a decoder: .* to its right"):
        loss(model, params, batch)


def test_every_objective_names_every_architecture_and_suits_one():
    for reasons in TRAINS.values():
        assert set(reasons) == {"decoder", "encoder", "encoder-decoder"}
        assert list(reasons.values()).count(None) == 1


def test_a_mixture_draws_by_weight():
    rng = np.random.default_rng(0)
    parts = [(3.0, lambda rng: Batch(TOKENS, objective="a")), (1.0, lambda rng: Batch(TOKENS, objective="b"))]
    drawn = [mixture(parts, rng).objective for _ in range(2000)]
    assert drawn.count("a") / 2000 == pytest.approx(0.75, abs=0.03)
    with pytest.raises(UserError, match="one of them above 0"):
        mixture([(0.0, parts[0][1])], rng)


@pytest.mark.parametrize("head", ["sequence", "span"])
def test_a_weighted_loss_is_the_mean_of_a_text_repeated_so_often(head):
    model, params = model_of(architecture="encoder", head=head)
    labels = LABELS if head == "sequence" else ENDS
    weighted = Batch(TOKENS, labels=labels, weights=np.array([3.0, 1.0, 2.0]))
    rows = [0, 0, 0, 1, 2, 2]
    repeated = Batch(TOKENS[rows], labels=labels[rows])
    ours, theirs = (loss_and_gradient(model, params, batch) for batch in (weighted, repeated))
    assert ours[0] == pytest.approx(theirs[0], abs=1e-12)
    np.testing.assert_allclose(ours[1].flat, theirs[1].flat, rtol=0, atol=1e-12)
    assert scored(weighted).labels == 6 * (1 if head == "sequence" else 2)


def test_a_weighted_batch_in_parts_is_the_whole():
    model, params = model_of(architecture="encoder", head="sequence")
    batch = Batch(TOKENS, labels=LABELS, weights=np.array([3.0, 0.5, 2.0]))
    whole = loss_and_gradient(model, params, batch)
    parts = [loss_and_gradient(model, params, part, counts=scored(batch)) for part in split_rows(batch, 2)]
    assert sum(part[0] for part in parts) == pytest.approx(whole[0], abs=1e-12)
    np.testing.assert_allclose(sum(part[1].flat for part in parts), whole[1].flat, rtol=0, atol=1e-12)
