"""Trials tell a method that finds a planted cause from one that does not, and the kept table is what they found."""

import numpy as np
import pytest

from minigpt import UserError
from minigpt.explain.planted import (
    ASKS,
    DIRECT,
    FILLER,
    LENGTH,
    LONGEST,
    TWO_HOPS,
    WINDOW,
    accuracy,
    draw_needles,
    repeated_batch,
    train_needles,
)
from minigpt.explain.table import ARMS, BEST_HEAD, kept_trials, trials_of
from minigpt.explain.trials import (
    EXPLAINERS,
    VARIANTS,
    agreement,
    curves,
    explained,
    found,
    last_head,
    questions_of,
    rank_correlation,
    same_top,
)
from minigpt.ops import IGNORED


@pytest.fixture(scope="module")
def learned():
    return train_needles(0, steps=200)


def test_a_text_has_one_needle_where_it_is_said():
    for span in ARMS.values():
        some = draw_needles(np.random.default_rng(0), 300, span)
        needles = (some.tokens >= FILLER) & (some.tokens < ASKS)
        assert (needles.sum(axis=1) == 1).all()
        assert np.array_equal(needles.argmax(axis=1), some.places)
        assert np.array_equal(some.tokens[np.arange(300), some.places], some.values)
        assert set(LENGTH - 1 - some.places) == set(range(span[0], span[1] + 1))
        assert (some.tokens[:, -1] == ASKS).all()
    assert DIRECT[1] < WINDOW <= TWO_HOPS[0]


def test_the_model_knows_the_rule_and_its_attention_cannot_point_two_hops_away(learned):
    some = draw_needles(np.random.default_rng(1), 20, TWO_HOPS)
    assert accuracy(*learned, some) > 0.95
    asked = questions_of(*learned, some)
    for head in range(4):
        assert found(explained(last_head(head), asked, 0), some.places).sum() == 0
    assert found(explained(EXPLAINERS["occlusion"], asked, 0), some.places).mean() > 0.9
    assert found(explained(EXPLAINERS["chance"], asked, 0), some.places).mean() < 0.5


def test_what_comes_twice_is_scored_the_second_time_only():
    rng = np.random.default_rng(4)
    for _ in range(20):
        batch = repeated_batch(rng, 3)
        scored = batch.targets != IGNORED
        length = int(scored.sum(axis=1)[0])
        assert 7 <= length < LONGEST
        assert scored[:, -length:].all() and not scored[:, :-length].any()
        before = batch.tokens.shape[1] - 2 * length  # where what comes twice has its second token
        assert np.array_equal(batch.targets[:, -length:], batch.tokens[:, before : before + length])
        assert batch.tokens.shape[1] < 2 * LONGEST + 4


def test_a_good_order_falls_and_rises_at_once(learned):
    some = draw_needles(np.random.default_rng(2), 5, DIRECT)
    for question, place in zip(questions_of(*learned, some), some.places, strict=True):
        good = -np.abs(np.arange(LENGTH) - place)
        best, worst = curves(question, good), curves(question, -good)
        for pair in (best, worst):
            assert pair["deletion"][0] == pytest.approx(1)
            assert pair["insertion"][0] == pytest.approx(0, abs=1e-6)
            assert pair["deletion"][-1] == pytest.approx(0, abs=1e-6)
            assert pair["insertion"][-1] == pytest.approx(1)
        assert best["deletion"][1] < 0.5 < worst["deletion"][1]
        assert best["insertion"].mean() > worst["insertion"].mean()


def test_finding_is_the_highest_score_alone_at_the_cause():
    scores = np.array([[0, 2, 1], [0, 2, 1], [1, 1, 1], [2, 2, 0]])
    assert found(scores, np.array([1, 2, 0, 0])).tolist() == [True, False, False, False]
    assert same_top(scores[:2], np.array([[0, 9, 1], [9, 0, 1]])) == 0.5


def test_rank_correlation_is_spearmans():
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 4, (3, 9)), rng.standard_normal((3, 9))
    for a, b, value in zip(one, other, rank_correlation(one, other), strict=True):
        ranks = [np.array([(np.sum(x < y) + np.sum(x <= y) - 1) / 2 for y in x]) for x in (a, b)]
        assert value == pytest.approx(np.corrcoef(*ranks)[0, 1])
    assert rank_correlation(np.ones((1, 4)), np.arange(4)[None]) == 0
    matrix = agreement({"a": other, "b": -other, "c": 3 * other})
    assert np.allclose(matrix, [[1, -1, 1], [-1, 1, -1], [1, -1, 1]])


def test_what_refuses_finds_nothing(learned):
    some = draw_needles(np.random.default_rng(3), 2, DIRECT)

    def refuse(_question, _rng):
        raise UserError("no")

    scores = explained(refuse, questions_of(*learned, some), 0)
    assert not scores.any()
    assert not found(scores, some.places).any()


def test_the_kept_table_holds_what_the_library_says():
    kept = kept_trials()
    assert kept.seeds == 5
    assert set(kept.measures) == {*EXPLAINERS, BEST_HEAD} and set(kept.variants) == set(VARIANTS)
    assert all(len(values) == 5 for told in kept.measures.values() for values in told.values())
    assert min(min(values) for values in kept.accuracy.values()) > 0.98
    for name in ("occlusion", "Shapley values", "integrated gradients"):
        assert kept.mean(name, "two hops") > 0.9
        assert kept.mean(name, "direct") > 0.75  # the token that asks counts too, and sometimes more
        assert kept.mean(name, "randomized, two hops") == 0
    assert max(kept.mean("chance", arm) for arm in ARMS) < 0.2
    assert kept.mean(BEST_HEAD, "two hops") == 0
    assert np.allclose(np.diag(list(kept.agreement.values())), 1, atol=0.05)
    with pytest.raises(UserError, match="seeds"):
        trials_of({**kept._asdict(), "seeds": "five"})
