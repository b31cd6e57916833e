"""Every token's score is that of the whole loss; parts add up to it; a damaged model is refused; power is honest."""

import numpy as np
import pytest

from minigpt import CharacterTokenizer, Transformer, UserError, preset
from minigpt.measure import mean_loss
from minigpt.measure.calibration import reliability
from minigpt.measure.classes import calibration_error, class_report
from minigpt.measure.evaluation import evaluate_text, scored_text
from minigpt.measure.intervals import smallest_difference, smallest_gain
from minigpt.measure.scores import TokenScores, by_frequency, bytes_of_tokens, compare_on_text, token_scores

TOKENIZER = CharacterTokenizer("abcdefghä ")
MODEL = Transformer(preset("tiny", vocabulary_size=11, layers=1, width=24, heads=2, context=12, init_std=0.4))
PARAMS = MODEL.init(np.random.default_rng(0), dtype=np.float64)
TOKENS = np.random.default_rng(1).integers(0, 11, 90)


def test_the_mean_of_all_tokens_is_the_loss_and_the_rows_of_frequencies_add_up_to_it():
    scores = token_scores(MODEL, PARAMS, TOKENS)
    assert np.array_equal(scores.targets, TOKENS[1:])
    assert scores.nats.mean() == pytest.approx(mean_loss(MODEL, PARAMS, TOKENS), rel=1e-10)
    interval = scores.interval()
    assert interval.low < interval.value < interval.high
    assert interval.value == pytest.approx(scores.nats.mean())
    counted = np.concatenate([np.repeat(np.arange(1, 10), 1), np.repeat(3, 30), np.repeat(4, 150)])
    rows = by_frequency(scores, counted, 11)
    assert [(row["least"], row["most"]) for row in rows] == [(0, 0), (1, 9), (10, 99), (100, 999)]
    assert sum(row["tokens"] for row in rows) == 89
    assert sum(row["tokens"] * row["nats"]["value"] for row in rows) == pytest.approx(scores.nats.sum())
    assert rows[2]["nats"]["value"] == pytest.approx(scores.nats[TOKENS[1:] == 3].mean())


def test_the_likeliest_token_is_the_one_of_the_logits():
    scores = token_scores(MODEL, PARAMS, TOKENS[:10])  # one window
    logits = MODEL.forward(PARAMS, TOKENS[None, :9])[0][0]
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(scores.confidence, p.max(axis=-1))
    assert np.array_equal(scores.right, p.argmax(axis=-1) == TOKENS[1:10])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("damage", [np.nan, np.inf])
def test_a_damaged_model_is_refused_in_one_sentence(damage):
    params = PARAMS.astype(np.float32)
    params["blocks.0.feed_forward.up.weight"][0, 0] = damage
    with pytest.raises(UserError, match="scores that are no finite numbers"):
        evaluate_text(MODEL, params, TOKENIZER, "abc" * 9)


def test_a_classifier_that_answers_with_no_numbers_is_refused():
    table = np.array([[0.9, 0.1], [np.nan, np.nan]])
    with pytest.raises(UserError, match="scores that are no finite numbers"):
        class_report(table, np.array([0, 1]), ["a", "b"])


def test_confidence_is_laid_beside_accuracy():
    rng = np.random.default_rng(2)
    confidence = rng.uniform(0.3, 1, 20_000)
    honest = reliability(confidence, rng.random(20_000) < confidence)
    assert honest["error"] < 0.02 and len(honest["bins"]) == 7
    boastful = reliability(confidence, rng.random(20_000) < confidence - 0.2)
    assert boastful["error"] == pytest.approx(0.2, abs=0.02)
    assert sum(row["count"] for row in boastful["bins"]) == 20_000
    table = np.array([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2]])
    assert calibration_error(table, np.array([0, 0, 1])) == pytest.approx((0.1 + 0.6 + 0.8) / 3)


def test_two_models_are_compared_block_by_block_of_the_bytes():
    text = "abc äbc hä " * 30
    scores = scored_text(MODEL, PARAMS, TOKENIZER, text)
    sizes = bytes_of_tokens(TOKENIZER, scores.targets, text)
    assert sizes.sum() == len(text.encode()) == len(text) + 60
    other = MODEL.init(np.random.default_rng(5), dtype=np.float64)
    theirs = scored_text(MODEL, other, TOKENIZER, text)
    found = compare_on_text(scores, theirs, (sizes, sizes))
    bits = [one.nats.sum() / len(text.encode()) / np.log(2) for one in (scores, theirs)]
    assert found["first"]["value"] == pytest.approx(bits[0]) and found["second"]["value"] == pytest.approx(bits[1])
    assert found["difference"]["value"] == pytest.approx(bits[0] - bits[1])
    assert 0 < found["p"] <= 1
    alike = compare_on_text(scores, scores, (sizes, sizes))
    assert alike["difference"] == {"value": 0, "low": 0, "high": 0} and alike["smallest_difference"] is None
    assert alike["p"] == 1
    with pytest.raises(UserError, match="do not spell this text"):
        bytes_of_tokens(TOKENIZER, scores.targets, text + "!")


def test_chance_is_told_from_a_difference_between_two_models():
    rng = np.random.default_rng(4)
    nats, sizes = rng.exponential(2.0, 640), np.full(640, 3)

    def scores(nats):
        return TokenScores(np.zeros(len(nats), int), nats, np.ones(len(nats)), np.ones(len(nats), bool))

    noise = rng.normal(0, 0.3, 640)
    assert compare_on_text(scores(nats), scores(nats + noise - noise.mean()), (sizes, sizes))["p"] > 0.5
    worse = compare_on_text(scores(nats), scores(nats + noise - noise.mean() + 0.1), (sizes, sizes))
    assert worse["p"] < 0.001 and worse["difference"]["high"] < 0


def test_the_smallest_difference_is_found_80_times_of_100():
    rng = np.random.default_rng(3)
    least = smallest_difference(rng.standard_normal(400))
    assert least == pytest.approx(2.802 / 20, rel=0.1)
    draws = rng.standard_normal((2000, 400)) + least
    z = draws.mean(axis=1) / (draws.std(axis=1, ddof=1) / 20)
    assert (np.abs(z) > 1.96).mean() == pytest.approx(0.8, abs=0.05)
    groups = np.repeat(np.arange(100), 4)
    together = smallest_difference(np.repeat(draws[0, :100], 4), groups)
    assert together == pytest.approx(smallest_difference(draws[0, :100]))  # four that are alike tell no more than one
    assert smallest_difference(draws[0], groups) == pytest.approx(smallest_difference(draws[0]), rel=0.3)
    assert smallest_difference(np.zeros(9)) is None and smallest_difference(np.ones(1)) is None
    assert smallest_gain(0.8, 200) == pytest.approx(2.802 * np.sqrt(2 * 0.16 / 200), rel=1e-3)
    assert smallest_gain(1.0, 200) is None
