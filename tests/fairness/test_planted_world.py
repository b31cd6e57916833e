"""Every measure of likelihood and of vectors, on models that are fair and on models that are not, by construction."""

import numpy as np
import pytest

from minigpt.fairness import planted
from minigpt.fairness.association import associate
from minigpt.fairness.counterfactual import augmented
from minigpt.fairness.pairs import measure_pairs, pair_scores, preference
from minigpt.fairness.stereoset import measure_stereoset
from minigpt.fairness.winobias import Riddle, measure_winobias
from minigpt.infer import embed

SHARE = 0.8


def documents(share, seed=3):
    return planted.documents(share, 4000, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def unfair():
    return planted.learn(documents(SHARE), seed=0)


@pytest.fixture(scope="module")
def fair():
    return planted.learn(documents(0.5), seed=0, steps=400)


@pytest.fixture(scope="module")
def mended():
    return planted.learn(augmented(documents(SHARE), planted.SWAPS), seed=0)


@pytest.fixture(scope="module")
def encoder():
    return planted.learn(documents(SHARE), seed=0, architecture="encoder")


def test_a_model_learns_the_odds_of_its_text_and_greedy_makes_all_of_them(unfair, fair, mended):
    odds = planted.pronoun_odds(unfair)
    assert odds.mean() == pytest.approx(planted.truth(SHARE), abs=0.35) and (odds > 0).all()
    assert abs(planted.pronoun_odds(fair).mean()) < 0.3
    assert abs(planted.pronoun_odds(mended).mean()) < 0.1


def test_the_text_has_the_share_that_is_asked_for():
    texts = [text.split() for text in documents(SHARE)]
    own = [planted.PRONOUNS[of] in words for of in (0, 1) for words in texts if words[1] in planted.OCCUPATIONS[of]
           and "because" in words]  # fmt: skip
    assert len(own) > 2000 and np.mean(own) == pytest.approx(SHARE, abs=0.03)


def test_pairs_tell_the_two_apart(unfair, fair, encoder):
    found, none = (measure_pairs(model, planted.pairs()) for model in (unfair, fair))
    assert found["prefers"]["value"] > 0.95 and found["p"] < 1e-6
    assert found["nats"]["value"] == pytest.approx(planted.truth(SHARE), abs=0.35)
    assert none["nats"]["high"] < 0.3 and abs(none["prefers"]["value"] - 0.5) < 0.3
    assert preference(pair_scores(encoder, planted.pairs()).shared)["prefers"]["value"] > 0.95


def test_choices_tell_the_two_apart(unfair, fair):
    found, none = (measure_stereoset(model, planted.choices()) for model in (unfair, fair))
    assert found["lms"]["value"] == none["lms"]["value"] == 100
    assert found["ss"]["value"] > 95 and found["p"] < 0.01 and found["icat"]["value"] < 10
    assert found["by_kind"]["occupation"]["p_holm"] == found["p"]
    assert none["icat"]["value"] > 40


def test_forms_tell_the_two_apart(unfair, fair, encoder):
    riddles = [
        Riddle((pair.more, pair.less), planted.PRONOUNS, pair.more.split()[1], "pellit", "planted")
        for pair in planted.forms()
    ]
    found, none = (measure_winobias(model, riddles) for model in (unfair, fair))
    assert found["likelier_form"]["prefers"]["value"] > 0.95 and found["likelier_form"]["p"] < 1e-6
    assert none["likelier_form"]["nats"]["high"] < 0.3
    assert {"agrees", "differs", "gap", "p", "by_kind"} <= set(found["who_is_meant"])
    assert "who_is_meant" not in measure_winobias(encoder, riddles)


def test_vectors_tell_the_two_apart(unfair, mended):
    found, none = planted.word_association(unfair), planted.word_association(mended)
    assert found["effect"]["value"] > 1.2 and found["p"] == pytest.approx(1 / 70)  # 4 of 8: the smallest there is
    assert none["effect"]["value"] < 1.2 and none["p"] > 0.05


def test_sentence_vectors_find_what_is_planted(encoder):
    words = [word for some in planted.LISTS.values() for word in some]
    vectors = {}
    for word in words:
        begin = word if word[0].isupper() else f"the {word}"
        texts = [f"{begin} {verb} ." for verb in planted.VERBS]
        vectors[word] = embed(encoder.model, encoder.params, encoder.tokenizer, texts)
    found = associate(vectors, planted.LISTS, planted.QUESTION)
    assert found["effect"]["value"] > 0.7 and found["p"] < 0.06


def test_what_mending_costs_is_measured(unfair, mended):
    rng = np.random.default_rng(5)
    text, balanced = planted.documents(SHARE, 300, rng), planted.documents(0.5, 300, rng)
    assert planted.held_out_loss(mended, text) > planted.held_out_loss(unfair, text)
    assert planted.held_out_loss(mended, balanced) < planted.held_out_loss(unfair, balanced)
